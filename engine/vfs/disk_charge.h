// A share of the disk limit.
#pragma once

#include <cstdint>
#include <memory>

namespace glovebox::engine {

struct VfsServices;

// Given back when its holder goes.
class DiskCharge {
 public:
  DiskCharge() = default;
  DiskCharge(const DiskCharge&) = delete;
  DiskCharge& operator=(const DiskCharge&) = delete;
  ~DiskCharge() { Release(bytes_); }

  // False, with nothing changed, where the limit would be passed.
  bool Add(const std::shared_ptr<VfsServices>& services, std::uint64_t bytes);
  void Release(std::uint64_t bytes);
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<VfsServices> services_;
  std::uint64_t bytes_ = 0;
};

}  // namespace glovebox::engine
