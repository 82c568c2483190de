#include "engine/vfs/disk_charge.h"

#include "engine/vfs/services.h"

namespace glovebox::engine {

bool DiskCharge::Add(const std::shared_ptr<VfsServices>& services, std::uint64_t bytes) {
  if (!services->disk.Charge(bytes)) return false;
  services_ = services;
  bytes_ += bytes;
  return true;
}

void DiskCharge::Release(std::uint64_t bytes) {
  if (bytes == 0) return;
  services_->disk.Release(bytes);
  bytes_ -= bytes;
}

}  // namespace glovebox::engine
