#include "engine/vfs/disk_charge.h"

#include <algorithm>

#include "engine/vfs/services.h"

namespace glovebox::engine {

bool DiskCharge::Add(const std::shared_ptr<VfsServices>& services, std::uint64_t bytes) {
  if (volume_ && bytes > volume_->size_bytes - std::min(volume_->used_bytes, volume_->size_bytes))
    return false;
  if (!services->disk.Charge(bytes)) return false;
  if (volume_) volume_->used_bytes += bytes;
  services_ = services;
  bytes_ += bytes;
  return true;
}

void DiskCharge::Release(std::uint64_t bytes) {
  if (bytes == 0) return;
  services_->disk.Release(bytes);
  if (volume_) volume_->used_bytes -= bytes;
  bytes_ -= bytes;
}

}  // namespace glovebox::engine
