// eventfd(2): a counter that can be waited for.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/linux/kernel.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine {

class EventCounter final : public OpenFile {
 public:
  // `semaphore`: a read takes one instead of all.
  static Result<std::shared_ptr<EventCounter>, Errno> Make(Kernel& kernel, std::uint32_t initial,
                                                           int flags, bool semaphore);
  EventCounter(PathRef path, int flags, std::uint64_t initial, bool semaphore)
      : OpenFile(std::move(path), flags), count_(initial), semaphore_(semaphore) {}

  IoResult Await(std::size_t wanted) override;
  IoResult Read(std::uint64_t offset, std::span<std::byte> out) override;
  void Consume(std::size_t bytes) override;
  IoResult Write(std::uint64_t offset, std::span<const std::byte> bytes) override;
  bool short_write_ends() const override { return true; }
  Result<std::uint16_t, IoFailure> Poll() override;
  const void* EventChannel() const override { return this; }
  std::string FdInfo() const override;

 private:
  std::uint64_t NextRead() const { return semaphore_ ? 1 : count_; }

  std::uint64_t count_;
  const bool semaphore_;
};

}  // namespace glovebox::engine
