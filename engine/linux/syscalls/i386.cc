// System calls that only i386 has: forerunners with other structures or argument orders, and
// multiplexers. Each says in what it differs and leaves the work to the handler of its successor.
// Sources: arch/x86/entry/syscalls/syscall_32.tbl, arch/x86/kernel/sys_ia32.c, kernel/sys.c,
// ipc/syscall.c, net/compat.c of Linux 6.1.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/syscalls/table.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

constexpr Size kSigsetBytes{8};
constexpr SignalSet kOldSignals = 0xffffffff;  // what old_sigset_t holds

SyscallResult WriteOldStat(Task& task, Inode& inode, GuestPtr<abi::i386::OldStat> out) {
  const auto stat = StatOf(inode);
  if (!stat) return stat.error();
  abi::i386::OldStat old{};
  if (!Encode(*stat, old)) return kEOVERFLOW;
  return FromResult(task.memory().Write(out, old));
}

SyscallResult OldStatAt(Task& task, PathPtr path, GuestPtr<abi::i386::OldStat> out, bool follow) {
  const auto ref = Locate(task, {kAtFdCwd}, path, follow, false);
  return ref ? WriteOldStat(task, *ref->inode, out) : SyscallResult(ref.error());
}

// A field of uname(2)'s forerunners, cut where it does not fit.
template <std::size_t kSize>
void Cut(std::array<char, kSize>& field, const std::array<char, 65>& from) {
  std::copy_n(from.begin(), kSize - 1, field.begin());
}

template <typename Name>
SyscallResult WriteOldName(Task& task, GuestPtr<Name> out) {
  const abi::Utsname now = NameOfSystem(task);
  Name name{};
  Cut(name.system, now.system);
  Cut(name.node, now.node);
  Cut(name.release, now.release);
  Cut(name.version, now.version);
  Cut(name.machine, now.machine);
  return FromResult(task.memory().Write(out, name));
}

// What a multiplexer leads to: the call's row, whose handler takes `registers`.
SyscallResult CallRow(Task& task, std::string_view name, const RawArguments& registers) {
  const auto row = std::ranges::find(Syscalls(), name, &SyscallRow::name);
  if (row->entry.call == nullptr) {
    task.kernel.CountAbsent(row->name);
    return kENOSYS;
  }
  const abi::Layout layout = row->entry.LayoutOf(abi::AbiId::kI386);
  RawArguments values{};
  row->entry.take(registers, layout, values);
  return row->entry.call(task, values, layout);
}

// socketcall(2), by number from 1 on.
struct SocketCallRow {
  std::string_view name;
  std::uint8_t argument_count;
};
constexpr SocketCallRow kSocketCalls[] = {
    {"socket", 3},      {"bind", 3},        {"connect", 3},    {"listen", 2},     {"accept", 3},
    {"getsockname", 3}, {"getpeername", 3}, {"socketpair", 4}, {"sendto", 4},     {"recvfrom", 4},
    {"sendto", 6},      {"recvfrom", 6},    {"shutdown", 2},   {"setsockopt", 5}, {"getsockopt", 5},
    {"sendmsg", 3},     {"recvmsg", 3},     {"accept4", 4},    {"recvmmsg", 5},   {"sendmmsg", 4},
};

// ipc(2): where the arguments of each call are among first, second, third, ptr, fifth.
enum IpcArgument : std::uint8_t { kFirst, kSecond, kThird, kPointer, kFifth };
enum class IpcForm : std::uint8_t {
  kPlain,
  kControl,           // the argument `command` says which structures are meant
  kSemaphoreControl,  // and the last one lies where `pointer` leads
  kReceive,           // buffer and type lie where `pointer` leads, before version 1
  kAttach,            // the address goes to where `third` leads
};
struct IpcRow {
  std::uint32_t number;
  std::string_view name;
  std::array<IpcArgument, 5> arguments;
  IpcForm form = IpcForm::kPlain;
  std::size_t command = 0;  // of the call's arguments
};
constexpr IpcRow kIpcCalls[] = {
    {1, "semop", {kFirst, kPointer, kSecond}},
    {2, "semget", {kFirst, kSecond, kThird}},
    {3, "semctl", {kFirst, kSecond, kThird, kPointer}, IpcForm::kSemaphoreControl, 2},
    {4, "semtimedop", {kFirst, kPointer, kSecond, kFifth}},
    {11, "msgsnd", {kFirst, kPointer, kSecond, kThird}},
    {12, "msgrcv", {kFirst, kPointer, kSecond, kFifth, kThird}, IpcForm::kReceive},
    {13, "msgget", {kFirst, kSecond}},
    {14, "msgctl", {kFirst, kSecond, kPointer}, IpcForm::kControl, 1},
    {21, "shmat", {kFirst, kPointer, kSecond}, IpcForm::kAttach},
    {22, "shmdt", {kPointer}},
    {23, "shmget", {kFirst, kSecond, kThird}},
    {24, "shmctl", {kFirst, kSecond, kPointer}, IpcForm::kControl, 1},
};

}  // namespace

SyscallResult SysWaitpid(Task& task, int pid, GuestPtr<std::int32_t> status, WaitFlags flags) {
  return SysWait4(task, pid, status, flags, {});
}

// --- files ---

SyscallResult SysOldstat(Task& task, PathPtr path, GuestPtr<abi::i386::OldStat> out) {
  return OldStatAt(task, path, out, true);
}
SyscallResult SysOldlstat(Task& task, PathPtr path, GuestPtr<abi::i386::OldStat> out) {
  return OldStatAt(task, path, out, false);
}
SyscallResult SysOldfstat(Task& task, Fd fd, GuestPtr<abi::i386::OldStat> out) {
  const auto file = FileOrPathOf(task, fd);
  return file ? WriteOldStat(task, (*file)->inode(), out) : SyscallResult(file.error());
}

// statfs64(2) says how large its structure is: 84 bytes as packed for i386, 88 without.
SyscallResult SysStatfs64(Task& task, PathPtr path, Size size, GuestPtr<abi::Statfs> out) {
  if (size.value != abi::StoredBytes<abi::Statfs>(out.layout)) return kEINVAL;
  return SysStatfs(task, path, out);
}
SyscallResult SysFstatfs64(Task& task, Fd fd, Size size, GuestPtr<abi::Statfs> out) {
  if (size.value != abi::StoredBytes<abi::Statfs>(out.layout)) return kEINVAL;
  return SysFstatfs(task, fd, out);
}

SyscallResult SysLlseek(Task& task, Fd fd, std::uint32_t high, std::uint32_t low,
                        GuestPtr<std::int64_t> out, Whence whence) {
  const auto offset = static_cast<std::int64_t>(std::uint64_t{high} << 32 | low);
  const SyscallResult result = SysLseek(task, fd, {offset}, whence);
  if (result.value() < 0) return result;
  return FromResult(task.memory().Write(out, result.value()));
}

SyscallResult SysFadvise64_64(Task& task, Fd fd, Offset offset, Offset length, int advice) {
  return SysFadvise64(task, fd, offset, {static_cast<std::uint64_t>(length.value)}, advice);
}

SyscallResult SysOldselect(Task& task, GuestPtr<const abi::i386::SelectArguments> arguments) {
  const auto from = task.memory().Read(arguments);
  if (!from) return from.error();
  const abi::Layout layout = task.call->layout;
  return SysSelect(task, from->count, {from->in, layout}, {from->out, layout},
                   {from->except, layout}, {from->timeout, layout});
}

// --- memory ---

AddressResult SysOldmmap(Task& task, GuestPtr<const abi::i386::MmapArguments> arguments) {
  const auto from = task.memory().Read(arguments);
  if (!from) return from.error();
  return SysMmap(task, {from->address}, {from->length}, {from->protection}, {from->flags},
                 {from->fd}, {from->offset});
}

AddressResult SysMmap2(Task& task, Address address, Size length, ProtectionFlags protection,
                       MapFlags flags, Fd fd, Hex page) {
  return SysMmap(task, address, length, protection, flags, fd, {page.value << kPageShift});
}

// --- the process ---

SyscallResult SysOldGetrlimit(Task& task, Resource resource, GuestPtr<abi::Rlimit> out) {
  if (resource.value < 0 || resource.value >= kResourceCount) return kEINVAL;
  // kernel/sys.c, old_getrlimit: what does not fit a signed long is its largest value.
  constexpr std::uint64_t kMost = std::numeric_limits<std::int32_t>::max();
  const abi::Rlimit& now = task.process.limits[static_cast<std::size_t>(resource.value)];
  return FromResult(
      task.memory().Write(out, {std::min(now.soft, kMost), std::min(now.hard, kMost)}));
}

SyscallResult SysOlduname(Task& task, GuestPtr<abi::i386::OldUtsname> out) {
  return WriteOldName(task, out);
}
SyscallResult SysOldolduname(Task& task, GuestPtr<abi::i386::OldOldUtsname> out) {
  return WriteOldName(task, out);
}

// --- signals, of which the old calls know 32 ---

SyscallResult SysSigaction(Task& task, Signal signal, GuestPtr<const Sigaction> action,
                           GuestPtr<Sigaction> old) {
  return SysRtSigaction(task, signal, action, old, kSigsetBytes);
}

SyscallResult SysSignal(Task& task, Signal signal, Address handler) {
  if (signal.value < 1 || signal.value > kSignalCount ||
      (SetOf(signal.value) & kUnblockable) != 0) {
    return kEINVAL;
  }
  const auto before = static_cast<std::int64_t>(task.signals.action(signal.value).handler);
  task.signals.handlers().Set(signal.value,
                              Sigaction{handler.value, kSaResetHand | kSaNoDefer, 0, 0});
  return before;
}

SyscallResult SysSigprocmask(Task& task, MaskHow how, GuestPtr<const std::uint32_t> set,
                             GuestPtr<std::uint32_t> old) {
  const SignalSet before = task.signals.blocked();
  if (set) {
    const auto value = task.memory().Read(set);
    if (!value) return value.error();
    const auto blocked = MaskAfter(before, how, *value, before & ~kOldSignals);
    if (!blocked) return blocked.error();
    task.signals.SetBlocked(*blocked);
  }
  return old ? FromResult(task.memory().Write(old, static_cast<std::uint32_t>(before)))
             : SyscallResult(0);
}

SyscallResult SysSigpending(Task& task, GuestPtr<std::uint32_t> out) {
  const SignalSet set = task.signals.pending() & task.signals.blocked();
  return FromResult(task.memory().Write(out, static_cast<std::uint32_t>(set)));
}

SyscallResult SysSigsuspend(Task& task, Hex, Hex, Hex mask) {
  return SuspendWith(task, mask.value & kOldSignals);
}

SyscallResult SysSgetmask(Task& task) {
  return static_cast<std::int64_t>(task.signals.blocked() & kOldSignals);
}
SyscallResult SysSsetmask(Task& task, Hex mask) {
  const auto before = static_cast<std::int64_t>(task.signals.blocked() & kOldSignals);
  task.signals.SetBlocked(mask.value & kOldSignals);
  return before;
}

// --- multiplexers ---

SyscallResult SysSocketcall(Task& task, int number, GuestPtr<const abi::Word> arguments) {
  if (number < 1 || static_cast<std::size_t>(number) > std::size(kSocketCalls)) return kEINVAL;
  const SocketCallRow& row = kSocketCalls[number - 1];
  RawArguments registers{};
  for (std::size_t i = 0; i < row.argument_count; ++i) {
    const auto value = task.memory().Read(arguments + i);
    if (!value) return value.error();
    registers[i] = value->value;
  }
  return CallRow(task, row.name, registers);
}

SyscallResult SysIpc(Task& task, std::uint32_t call, Hex first, Hex second, Hex third, Hex pointer,
                     Hex fifth) {
  const auto row = std::ranges::find(kIpcCalls, call & 0xffff, &IpcRow::number);
  if (row == std::end(kIpcCalls)) return kENOSYS;
  const std::array<std::uint64_t, 5> given{first.value, second.value, third.value, pointer.value,
                                           fifth.value};
  RawArguments registers{};
  std::ranges::transform(row->arguments, registers.begin(),
                         [&](IpcArgument argument) { return given[argument]; });
  using Word = GuestPtr<const std::uint32_t>;
  constexpr std::uint64_t kIpc64 = 0x100;
  if (row->form == IpcForm::kControl || row->form == IpcForm::kSemaphoreControl) {
    constexpr std::uint64_t kSet = 1, kStat = 2;
    std::uint64_t& command = registers[row->command];
    const bool structured = command == kSet || command == kStat;
    if (structured) return kEINVAL;  // the old ones
    command &= ~kIpc64;
  }
  if (row->form == IpcForm::kSemaphoreControl) {
    const auto argument = task.memory().Read(Word{pointer.value});
    if (!argument) return argument.error();
    registers[3] = *argument;
  }
  if (row->form == IpcForm::kReceive && call >> 16 == 0) {
    const auto buffer = task.memory().Read(Word{pointer.value});
    const auto type = task.memory().Read(Word{pointer.value + 4});
    if (!buffer || !type) return kEFAULT;
    registers[1] = *buffer;
    registers[3] = *type;
  }
  const SyscallResult result = CallRow(task, row->name, registers);
  if (row->form != IpcForm::kAttach || result.kind() != SyscallResult::Kind::kValue ||
      (result.value() < 0 && result.value() > -4096)) {
    return result;
  }
  return FromResult(task.memory().Write(GuestPtr<std::uint32_t>{third.value},
                                        static_cast<std::uint32_t>(result.value())));
}

}  // namespace glovebox::engine
