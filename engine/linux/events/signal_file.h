// signalfd(2): signals that are read instead of handled.
#pragma once

#include <memory>

#include "engine/linux/kernel.h"
#include "engine/linux/signals.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine {

// Whose signals it shows is decided by who looks, not by who made it: signalfd(2), "fork(2)
// semantics".
class SignalFile final : public OpenFile {
 public:
  static Result<std::shared_ptr<SignalFile>, Errno> Make(Kernel& kernel, SignalSet mask, int flags);
  SignalFile(PathRef path, Kernel& kernel, SignalSet mask, int flags);
  ~SignalFile() override;

  void SetMask(SignalSet mask);

  IoResult Await(std::size_t wanted) override;
  // Takes what it shows: a signal that came by way of a fault is lost, as on Linux.
  IoResult Read(std::uint64_t offset, std::span<std::byte> out) override;
  Result<std::uint16_t, IoFailure> Poll() override;
  const void* EventChannel() const override;
  std::string FdInfo() const override;

 private:
  Kernel& kernel_;
  SignalSet mask_;
};

}  // namespace glovebox::engine
