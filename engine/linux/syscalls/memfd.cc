// Files without a name, in memory: memfd_create(2), and what is sealed about them.
#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"

namespace glovebox::engine {
namespace {

enum MemfdFlag : std::uint64_t { kMemfdCloseOnExec = 1, kMemfdAllowSealing = 2, kMemfdHugeTlb = 4 };
constexpr std::size_t kMostNameBytes = 249;  // NAME_MAX without "memfd:"
constexpr std::uint64_t kAllSeals =
    kSealSeal | kSealShrink | kSealGrow | kSealWrite | kSealFutureWrite;

RegularFile* SealableOf(OpenFile& file) {
  auto* const regular = dynamic_cast<RegularFile*>(&file.inode());
  return regular != nullptr && regular->seals ? regular : nullptr;
}

}  // namespace

SyscallResult SysMemfdCreate(Task& task, PathPtr name, MemfdFlags flags) {
  constexpr std::uint64_t kKnown = kMemfdCloseOnExec | kMemfdAllowSealing | kMemfdHugeTlb;
  constexpr std::uint64_t kHugePageSize = 0xfcull << 24;
  if (flags.HasOther(kKnown | (flags.Has(kMemfdHugeTlb) ? kHugePageSize : 0))) return kEINVAL;
  const auto text = task.memory().ReadString(name.address, kMostNameBytes + 1, kEINVAL);
  if (!text) return text.error();
  if (flags.Has(kMemfdHugeTlb)) return kENOSYS;  // as kernels without hugetlbfs
  auto inode = std::make_shared<RegularFile>(task.kernel.services(), 0777);
  if (!inode->ChargeDisk(VfsServices::kInodeBytes)) return kENOSPC;
  inode->device = kMemoryDevice;
  inode->link_count = 0;
  inode->uid = task.credentials.fsuid;
  inode->gid = task.credentials.fsgid;
  inode->seals = flags.Has(kMemfdAllowSealing) ? 0u : std::uint32_t{kSealSeal};
  auto file = inode->Open({inode, nullptr, "/memfd:" + *text + " (deleted)"},
                          kOpenReadWrite | kOpenLargeFile);
  if (!file) return file.error().error;
  const auto fd =
      task.fds().Add(std::move(*file), flags.Has(kMemfdCloseOnExec), task.open_file_limit());
  return fd ? SyscallResult(*fd) : SyscallResult(fd.error());
}

// mm/memfd.c, memfd_add_seals.
SyscallResult AddSeals(OpenFile& file, std::uint64_t seals) {
  RegularFile* const sealable = SealableOf(file);
  if (!file.writable()) return kEPERM;
  if ((seals & ~kAllSeals) != 0) return kEINVAL;
  if (sealable == nullptr) return kEINVAL;
  if ((*sealable->seals & kSealSeal) != 0) return kEPERM;
  const bool forbids = (seals & kSealWrite) != 0 && (*sealable->seals & kSealWrite) == 0;
  if (forbids && sealable->shared() != nullptr && sealable->shared()->MayBeWritten()) return kEBUSY;
  *sealable->seals |= static_cast<std::uint32_t>(seals);
  return 0;
}

SyscallResult GetSeals(OpenFile& file) {
  const RegularFile* const sealable = SealableOf(file);
  return sealable != nullptr ? SyscallResult(*sealable->seals) : kEINVAL;
}

}  // namespace glovebox::engine
