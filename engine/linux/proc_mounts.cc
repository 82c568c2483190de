#include "engine/linux/proc_mounts.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "engine/vfs/mount_table.h"
#include "engine/vfs/resolve.h"

namespace glovebox::engine {
namespace {

struct InitialMount {
  int id, parent;
  std::uint64_t device;
  std::string_view device_text, path, type, source, options, data;
};
constexpr InitialMount kInitialMounts[] = {
    {1, 1, kRootDevice, "8:1", "/", "ext4", "/dev/root", ",relatime", ""},
    {2, 1, kDevDevice, "0:5", "/dev", "devtmpfs", "devtmpfs", "", ""},
    {3, 2, kDevPtsDevice, "0:22", "/dev/pts", "devpts", "devpts", "", ",gid=5,mode=620"},
    {5, 2, kShmDevice, "0:24", "/dev/shm", "tmpfs", "tmpfs", "", ""},
    {4, 1, kProcDevice, "0:21", "/proc", "proc", "proc", "", ""},
    {6, 1, kSysDevice, "0:23", "/sys", "sysfs", "sysfs", "", ""},
};

struct Line {
  std::string id, device, within, path, type, source, options, data;
  bool read_only;
};

// Those of all file systems, in the order of fs/proc_namespace.c.
std::string OptionsText(std::uint32_t options) {
  constexpr std::pair<VolumeOption, std::string_view> kTexts[] = {
      {kVolumeNoSetId, ",nosuid"},
      {kVolumeNoDevices, ",nodev"},
      {kVolumeNoExecution, ",noexec"},
      {kVolumeNoAccessTimes, ",noatime"}};
  std::string text = (options & kVolumeReadOnly) != 0 ? "ro" : "rw";
  for (const auto& [option, name] : kTexts) {
    if ((options & option) != 0) text += name;
  }
  return text;
}

// Blanks and their like, as seq_escape writes them.
std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\\') {
      out += fmt::format("\\{:03o}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out;
}

template <typename Visit>
void ForEachMount(Kernel& kernel, Visit visit) {
  const auto options_of = [&](std::uint64_t device) {
    const auto volume = kernel.services()->FindVolume(device);
    return volume ? volume->options : device == kSysDevice ? std::uint32_t{kVolumeReadOnly} : 0;
  };
  for (const InitialMount& row : kInitialMounts) {
    const std::uint32_t options = options_of(row.device);
    visit(Line{fmt::format("{} {}", row.id, row.parent), std::string(row.device_text), "/",
               std::string(row.path), std::string(row.type), std::string(row.source),
               OptionsText(options) + std::string(row.options), std::string(row.data),
               (options & kVolumeReadOnly) != 0});
  }
  const auto& root = kernel.files().root();
  for (const MountRow& row : kernel.files().mounts.rows()) {
    const std::string path = DisplayPath(root, row.covered);
    if (path.ends_with(" (deleted)")) continue;  // lazily unmounted above it
    std::string within = "/";
    if (row.is_bind) {
      within = row.root->is(kTypeDirectory) ? DisplayPath(root, {row.root, nullptr, {}}) : path;
    }
    const std::uint32_t options = options_of(row.root->device);
    const bool relative = (options & (kVolumeNoAccessTimes | kVolumeStrictAccessTimes)) == 0;
    const bool on_disk = row.root->device == kRootDevice;
    visit(Line{fmt::format("{} 1", row.id),
               on_disk ? "8:1" : fmt::format("0:{}", row.root->device & 0xff), within, path,
               row.type, row.source, OptionsText(options) + (relative ? ",relatime" : ""), row.data,
               (options & kVolumeReadOnly) != 0});
  }
}

}  // namespace

std::string MountsText(Kernel& kernel) {
  std::string text;
  ForEachMount(kernel, [&](const Line& line) {
    text += fmt::format("{} {} {} {}{} 0 0\n", Escaped(line.source), Escaped(line.path), line.type,
                        line.options, line.data);
  });
  return text;
}

std::string MountInfoText(Kernel& kernel) {
  std::string text;
  ForEachMount(kernel, [&](const Line& line) {
    text += fmt::format("{} {} {} {} {} - {} {} {}{}\n", line.id, line.device, Escaped(line.within),
                        Escaped(line.path), line.options, line.type, Escaped(line.source),
                        line.read_only ? "ro" : "rw", line.data);
  });
  return text;
}

}  // namespace glovebox::engine
