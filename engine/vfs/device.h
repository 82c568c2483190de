// Character devices of /dev.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "engine/vfs/open_file.h"

namespace glovebox::engine {

enum class DeviceKind : std::uint8_t { kNull, kZero, kFull, kRandom };

struct DeviceRow {
  std::string_view name;
  DeviceKind kind;
  std::uint32_t major;
  std::uint32_t minor;
  std::uint32_t permissions;
};

// Numbers: Linux, Documentation/admin-guide/devices.txt.
inline constexpr DeviceRow kDevices[] = {
    {"null", DeviceKind::kNull, 1, 3, 0666},      {"zero", DeviceKind::kZero, 1, 5, 0666},
    {"full", DeviceKind::kFull, 1, 7, 0666},      {"random", DeviceKind::kRandom, 1, 8, 0666},
    {"urandom", DeviceKind::kRandom, 1, 9, 0666},
};

// The dev_t that stat(2) shows, linux/kdev_t.h, new_encode_dev.
constexpr std::uint64_t EncodeDevice(std::uint32_t major, std::uint32_t minor) {
  return (minor & 0xff) | (major << 8) | (static_cast<std::uint64_t>(minor & ~0xffu) << 12);
}

class DeviceInode : public Inode {
 public:
  DeviceInode(std::shared_ptr<VfsServices> services, const DeviceRow& row);
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override;
  DeviceKind kind() const { return kind_; }

 private:
  DeviceKind kind_;
};

// A node of mknod(2). Devices that the box has work by it; any other, and a socket that nobody is
// bound to, answers ENXIO when it is opened.
std::shared_ptr<Inode> MakeSpecialInode(std::shared_ptr<VfsServices> services, FileType type,
                                        std::uint32_t permissions, std::uint64_t device);

}  // namespace glovebox::engine
