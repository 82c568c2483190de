#include "engine/vfs/device.h"

#include <algorithm>
#include <utility>

namespace glovebox::engine {
namespace {

class OpenDevice : public OpenFile {
 public:
  OpenDevice(PathRef path, int flags, DeviceKind kind)
      : OpenFile(std::move(path), flags), kind_(kind) {}

  IoResult Read(std::uint64_t, std::span<std::byte> out) override {
    switch (kind_) {
      case DeviceKind::kNull:
        return 0;
      case DeviceKind::kRandom:
        inode().services()->fill_random(out);
        return out.size();
      default:
        std::ranges::fill(out, std::byte{0});
        return out.size();
    }
  }
  IoResult Write(std::uint64_t, std::span<const std::byte> bytes) override {
    if (kind_ == DeviceKind::kFull) return std::unexpected(kENOSPC);
    return bytes.size();
  }
  bool seekable() const override { return true; }

 private:
  DeviceKind kind_;
};

}  // namespace

DeviceInode::DeviceInode(std::shared_ptr<VfsServices> services, const DeviceRow& row)
    : Inode(std::move(services), kTypeCharDevice, row.permissions, kDevDevice), kind_(row.kind) {
  special_device = EncodeDevice(row.major, row.minor);
}

Result<std::shared_ptr<OpenFile>, IoFailure> DeviceInode::Open(const PathRef& path, int flags) {
  return std::make_shared<OpenDevice>(path, flags, kind_);
}

}  // namespace glovebox::engine
