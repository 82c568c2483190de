#include "engine/linux/proc_sys.h"

#include "engine/linux/proc_directory.h"

namespace glovebox::engine {
namespace {

// What stands in a file of /sys; each is a constant, since the box has one CPU (WorldId::kCpus).
struct SysRow {
  std::string_view path;
  std::string_view text;
};
constexpr SysRow kSysFiles[] = {
    {"devices/system/cpu/online", "0\n"},
    {"devices/system/cpu/possible", "0\n"},
    {"devices/system/cpu/present", "0\n"},
    {"devices/system/cpu/offline", "\n"},
    {"devices/system/cpu/isolated", "\n"},
    {"devices/system/cpu/kernel_max", "0\n"},
    {"devices/system/cpu/cpu0/topology/core_id", "0\n"},
    {"devices/system/cpu/cpu0/topology/physical_package_id", "0\n"},
    {"devices/system/cpu/cpu0/topology/core_siblings_list", "0\n"},
    {"devices/system/cpu/cpu0/topology/thread_siblings_list", "0\n"},
    {"devices/system/node/online", "0\n"},
    {"devices/system/node/possible", "0\n"},
    {"devices/system/node/node0/cpulist", "0\n"},
    {"devices/system/node/node0/cpumap", "1\n"},
    {"kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n"},
    {"kernel/mm/transparent_hugepage/defrag", "always defer defer+madvise madvise [never]\n"},
    {"kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152\n"},
    {"kernel/mm/transparent_hugepage/shmem_enabled",
     "always within_size advise [never] deny force\n"},
};

}  // namespace

std::shared_ptr<Directory> MakeSys(Kernel& kernel) {
  const auto sealed = std::make_shared<bool>(false);
  const auto sys = std::make_shared<ProcDirectory>(kernel.services(), sealed);
  sys->device = kSysDevice;
  for (const SysRow& row : kSysFiles) {
    std::shared_ptr<ProcDirectory> at = sys;
    std::string_view rest = row.path;
    for (std::size_t slash; (slash = rest.find('/')) != std::string_view::npos;
         rest.remove_prefix(slash + 1)) {
      const std::string name(rest.substr(0, slash));
      const auto found = at->Find(name);
      const auto next =
          found ? std::static_pointer_cast<ProcDirectory>(*found) : AddDirectory(*at, name);
      next->device = kSysDevice;
      at = next;
    }
    AddFile(*at, std::string(rest), 0444, [text = row.text] { return std::string(text); });
    if (const auto made = at->Find(std::string(rest))) (*made)->device = kSysDevice;
  }
  for (const char* const name : {"block", "bus", "class", "dev", "firmware", "fs", "module"})
    AddDirectory(*sys, name)->device = kSysDevice;
  *sealed = true;
  return sys;
}

}  // namespace glovebox::engine
