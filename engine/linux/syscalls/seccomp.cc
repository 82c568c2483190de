// seccomp(2), and prctl(2)'s older way to it.
#include <algorithm>
#include <utility>

#include "engine/linux/seccomp.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/syscalls/seccomp.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

enum Operation : std::uint32_t { kStrict, kFilter, kActionAvailable };
enum FilterFlag : std::uint64_t {
  kSynchronise = 1,
  kLogs = 2,
  kSpeculationAllowed = 4,
  kSynchroniseEsrch = 16,
};

bool HasMode(const Task& task, bool strict) {
  return task.seccomp && task.seccomp->strict == strict;
}

SyscallResult BeStrict(Task& task) {
  if (HasMode(task, false)) return kEINVAL;
  SeccompFilter filter;
  filter.strict = true;
  task.seccomp = std::make_shared<const SeccompFilter>(std::move(filter));
  return 0;
}

// uapi/linux/filter.h, sock_fprog.
Result<std::vector<BpfInstruction>, Errno> ReadProgram(Task& task, GuestAddr from) {
  const abi::Layout layout = task.call->layout;
  const auto size = task.memory().Read(GuestPtr<const std::uint16_t>{from});
  if (!size) return std::unexpected(size.error());
  const auto at =
      task.memory().Read(GuestPtr<const abi::Word>{from + abi::WordBytes(layout), layout});
  if (!at) return std::unexpected(at.error());
  if (*size == 0 || *size > kMaxBpfInstructions) return std::unexpected(kEINVAL);
  std::vector<BpfInstruction> program(*size);
  if (const auto ok =
          task.memory().ReadBytes(at->value, std::as_writable_bytes(std::span(program)));
      !ok) {
    return std::unexpected(ok.error());
  }
  return program;
}

bool IsBelow(const SeccompFilter* candidate, const SeccompFilter* top) {
  for (; top != nullptr; top = top->below.get()) {
    if (top == candidate) return true;
  }
  return candidate == nullptr;
}

SyscallResult AddFilter(Task& task, std::uint64_t flags, GuestAddr program_at) {
  if ((flags & ~(kSynchronise | kLogs | kSpeculationAllowed | kSynchroniseEsrch)) != 0)
    return kEINVAL;
  auto program = ReadProgram(task, program_at);
  if (!program) return program.error();
  if (!task.no_new_privileges && !task.credentials.Can(Capability::kSysAdmin)) return kEACCES;
  if (!IsSeccompProgram(*program)) return kEINVAL;
  if (HasMode(task, true)) return kEINVAL;
  SeccompFilter filter;
  filter.below = task.seccomp;
  constexpr std::size_t kSizeOfNone = 4;
  filter.total_size = program->size() + (task.seccomp ? task.seccomp->total_size : 0);
  if (task.seccomp) filter.total_size += kSizeOfNone;
  filter.count = 1 + (task.seccomp ? task.seccomp->count : 0);
  if (filter.total_size > kMaxSeccompPath) return kENOMEM;
  filter.program = std::move(*program);
  if ((flags & kSynchronise) != 0) {
    for (const Task* const thread : task.process.threads) {
      const bool fits =
          !HasMode(*thread, true) && IsBelow(thread->seccomp.get(), task.seccomp.get());
      if (!fits && (flags & kSynchroniseEsrch) != 0) return kESRCH;
      if (!fits) return static_cast<std::int64_t>(thread->tid);
    }
  }
  task.seccomp = std::make_shared<const SeccompFilter>(std::move(filter));
  if ((flags & kSynchronise) == 0) return 0;
  for (Task* const thread : task.process.threads) {
    thread->seccomp = task.seccomp;
    if (task.no_new_privileges) thread->no_new_privileges = true;
  }
  return 0;
}

SyscallResult IsAvailable(Task& task, GuestAddr at) {
  const auto action = task.memory().Read(GuestPtr<const std::uint32_t>{at});
  if (!action) return action.error();
  constexpr std::uint32_t kAvailable[] = {kSeccompKillProcess, kSeccompKillThread, kSeccompTrap,
                                          kSeccompErrno,       kSeccompTrace,      kSeccompLog,
                                          kSeccompAllow};
  const bool is_known = std::ranges::find(kAvailable, *action) != std::end(kAvailable);
  return is_known ? SyscallResult(0) : kEOPNOTSUPP;
}

}  // namespace

int SeccompModeOf(const Task& task) { return !task.seccomp ? 0 : task.seccomp->strict ? 1 : 2; }

SyscallResult SetSeccomp(Task& task, std::uint64_t mode, GuestAddr program) {
  constexpr std::uint64_t kStrictMode = 1, kFilterMode = 2;
  if (mode == kStrictMode) return BeStrict(task);
  return mode == kFilterMode ? AddFilter(task, 0, program) : kEINVAL;
}

SyscallResult SysSeccomp(Task& task, std::uint32_t operation, Hex flags, Address arguments) {
  switch (operation) {
    case kStrict:
      if (flags.value != 0 || arguments.value != 0) return kEINVAL;
      return BeStrict(task);
    case kFilter:
      return AddFilter(task, flags.value, arguments.value);
    case kActionAvailable:
      if (flags.value != 0) return kEINVAL;
      return IsAvailable(task, arguments.value);
    default:
      return kEINVAL;
  }
}

}  // namespace glovebox::engine
