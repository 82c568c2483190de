// A share of the disk limit.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

namespace glovebox::engine {

struct VfsServices;
struct Volume;

// Given back when its holder goes.
class DiskCharge {
 public:
  DiskCharge() = default;
  DiskCharge(const DiskCharge&) = delete;
  DiskCharge& operator=(const DiskCharge&) = delete;
  ~DiskCharge() { Release(bytes_); }

  // What is charged from now on is the volume's too, which has a limit of its own. Null: of none.
  void Join(std::shared_ptr<Volume> volume) { volume_ = std::move(volume); }
  // False, with nothing changed, where a limit would be passed.
  bool Add(const std::shared_ptr<VfsServices>& services, std::uint64_t bytes);
  void Release(std::uint64_t bytes);
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<VfsServices> services_;
  std::shared_ptr<Volume> volume_;
  std::uint64_t bytes_ = 0;
};

}  // namespace glovebox::engine
