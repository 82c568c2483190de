// What a process may learn of another one and do in its memory: process_vm_readv(2), kcmp(2);
// unshare(2).
#include <algorithm>
#include <vector>

#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/event_handlers.h"
#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/sending.h"

namespace glovebox::engine {
namespace {

constexpr std::size_t kPieceBytes = 65536;

// A walk through buffers, piece by piece.
class Cursor {
 public:
  Cursor(Vectors vectors, std::uint64_t skip) : vectors_(vectors) { Advance(skip); }
  // What is left of the buffer at hand; 0 at the end of all.
  std::uint64_t left() const {
    return index_ < vectors_.size() ? vectors_[index_].length - offset_ : 0;
  }
  GuestAddr address() const { return vectors_[index_].base + offset_; }
  void Advance(std::uint64_t bytes) {
    offset_ += bytes;
    while (index_ < vectors_.size() && offset_ >= vectors_[index_].length)
      offset_ -= vectors_[index_++].length;
  }

 private:
  const Vectors vectors_;
  std::size_t index_ = 0;
  std::uint64_t offset_ = 0;
};

struct Access {
  int pid;
  GuestPtr<const abi::Iovec> own;
  std::uint64_t own_count;
  GuestPtr<const abi::Iovec> other;
  std::uint64_t other_count;
  std::uint64_t flags;
};

SyscallResult Transfer(Task& task, const Access& access, bool writes) {
  if (access.flags != 0) return kEINVAL;
  const auto own = ReadVectors(task, access.own, access.own_count);
  if (!own) return own.error();
  const auto theirs = ReadVectors(task, access.other, access.other_count);
  if (!theirs) return theirs.error();
  Task* const other = task.kernel.processes().FindTask(access.pid);
  if (other == nullptr || !other->program) return kESRCH;
  if (!MayTrace(task, *other)) return kEPERM;
  std::uint64_t& done = task.call->progress;
  std::vector<std::byte> piece(kPieceBytes);
  Cursor here(*own, done), there(*theirs, done);
  while (true) {
    const std::uint64_t length = std::min<std::uint64_t>({here.left(), there.left(), piece.size()});
    if (length == 0) break;
    const auto bytes = std::span(piece).first(static_cast<std::size_t>(length));
    Task& from = writes ? task : *other;
    Task& to = writes ? *other : task;
    const std::size_t got = from.memory().ReadSome((writes ? here : there).address(), bytes);
    const std::size_t put =
        to.memory().WriteSome((writes ? there : here).address(), bytes.first(got));
    done += put;
    here.Advance(put);
    there.Advance(put);
    if (put < length) {
      if (done == 0) return kEFAULT;
      break;
    }
    if (task.kernel.SliceIsOver()) return SyscallResult::Again();
  }
  task.kernel.SpendOnBytes(done);
  return static_cast<std::int64_t>(done);
}

}  // namespace

SyscallResult SysProcessVmReadv(Task& task, Pid pid, GuestPtr<const abi::Iovec> own, Size own_count,
                                GuestPtr<const abi::Iovec> other, Size other_count, Hex flags) {
  return Transfer(task, {pid.value, own, own_count.value, other, other_count.value, flags.value},
                  false);
}

SyscallResult SysProcessVmWritev(Task& task, Pid pid, GuestPtr<const abi::Iovec> own,
                                 Size own_count, GuestPtr<const abi::Iovec> other, Size other_count,
                                 Hex flags) {
  return Transfer(task, {pid.value, own, own_count.value, other, other_count.value, flags.value},
                  true);
}

// Equal, or "not equal, and no order is told": kcmp(2). An order would be one of addresses.
SyscallResult SysKcmp(Task& task, Pid first, Pid second, int type, Hex index1, Hex index2) {
  enum Type : int { kFile, kMemory, kFiles, kDirectories, kHandlers, kIo, kSemaphores };
  constexpr std::int64_t kEqual = 0, kDiffers = 3;
  const Task* const a = task.kernel.processes().FindTask(first.value);
  const Task* const b = task.kernel.processes().FindTask(second.value);
  if (a == nullptr || b == nullptr) return kESRCH;
  if (!MayTrace(task, *a) || !MayTrace(task, *b)) return kEPERM;
  const auto compare = [](const void* x, const void* y) { return x == y ? kEqual : kDiffers; };
  switch (type) {
    case kFile: {
      const auto file_of = [](const Task& of, const Hex& fd) {
        return of.fd_table ? of.fds().Get(static_cast<int>(fd.value)) : nullptr;
      };
      const auto x = file_of(*a, index1);
      const auto y = file_of(*b, index2);
      return x && y ? SyscallResult(compare(x.get(), y.get())) : kEBADF;
    }
    case kMemory:
      return compare(a->program.get(), b->program.get());
    case kFiles:
      return compare(a->fd_table.get(), b->fd_table.get());
    case kDirectories:
      return compare(a->fs_context.get(), b->fs_context.get());
    case kHandlers:
      return compare(&a->signals.handlers(), &b->signals.handlers());
    case kIo:
    case kSemaphores:
      return compare(a, b);
    default:
      return kEINVAL;
  }
}

// Tables that are shared become one's own; name spaces are one.
SyscallResult SysUnshare(Task& task, CloneFlags flags) {
  constexpr std::uint64_t kVm = 0x100, kFs = 0x200, kFiles = 0x400, kSighand = 0x800,
                          kThread = 0x10000, kSemaphores = 0x40000, kNamespaces = 0x7e020080;
  const std::uint64_t asked = flags.value;
  if ((asked & ~(kVm | kFs | kFiles | kSighand | kThread | kSemaphores | kNamespaces)) != 0)
    return kEINVAL;
  if ((asked & kNamespaces) != 0) return kEPERM;
  const bool has_company = task.process.threads.size() > 1;
  if ((asked & (kVm | kSighand | kThread)) != 0 && has_company) return kEINVAL;
  if ((asked & kFiles) != 0 && task.fd_table.use_count() > 1)
    task.fd_table = std::make_shared<FdTable>(*task.fd_table);
  if ((asked & kFs) != 0 && task.fs_context.use_count() > 1)
    task.fs_context = std::make_shared<FsContext>(*task.fs_context);
  return 0;
}

}  // namespace glovebox::engine
