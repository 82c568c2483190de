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

// Leads nowhere.
class DeadEnd : public Inode {
 public:
  DeadEnd(std::shared_ptr<VfsServices> services, FileType type, std::uint32_t mode,
          std::uint64_t device_number)
      : Inode(std::move(services), type, mode) {
    special_device = device_number;
  }
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef&, int) override {
    return std::unexpected(kENXIO);
  }
};

}  // namespace

std::shared_ptr<Inode> MakeSpecialInode(std::shared_ptr<VfsServices> services, FileType type,
                                        std::uint32_t mode, std::uint64_t device) {
  const auto* const row = std::ranges::find_if(kDevices, [device](const DeviceRow& known) {
    return EncodeDevice(known.major, known.minor) == device;
  });
  if (type != kTypeCharDevice || row == std::end(kDevices))
    return std::make_shared<DeadEnd>(std::move(services), type, mode, device);
  auto made = std::make_shared<DeviceInode>(std::move(services), *row);
  made->permissions = mode & 07777;
  return made;
}

DeviceInode::DeviceInode(std::shared_ptr<VfsServices> services, const DeviceRow& row)
    : Inode(std::move(services), kTypeCharDevice, row.permissions, kDevDevice), kind_(row.kind) {
  special_device = EncodeDevice(row.major, row.minor);
}

Result<std::shared_ptr<OpenFile>, IoFailure> DeviceInode::Open(const PathRef& path, int flags) {
  return std::make_shared<OpenDevice>(path, flags, kind_);
}

}  // namespace glovebox::engine
