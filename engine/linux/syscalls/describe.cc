#include "engine/linux/syscalls/describe.h"

#include <fmt/format.h>

#include <bit>

#include "engine/linux/signals.h"
#include "engine/linux/syscalls/event_flag_names.h"

namespace glovebox::engine {
namespace {

std::string Sigset(std::uint64_t mask) {
  // The shorter way round, as strace(1) does.
  if (std::popcount(mask) > kSignalCount / 2) return "~" + Sigset(~mask);
  std::string text = "[";
  for (int signal = 1; signal <= kSignalCount; ++signal) {
    if ((mask & SetOf(signal)) == 0) continue;
    if (text.size() > 1) text += ' ';
    text += SignalName(signal);
  }
  return text + "]";
}

std::string Handler(std::uint64_t handler) {
  if (handler == kHandlerDefault) return "SIG_DFL";
  if (handler == kHandlerIgnore) return "SIG_IGN";
  return fmt::format("{:#x}", handler);
}

std::string_view TypeName(std::uint32_t mode) {
  switch (mode & 0170000) {
    case 0010000:
      return "S_IFIFO";
    case 0020000:
      return "S_IFCHR";
    case 0040000:
      return "S_IFDIR";
    case 0100000:
      return "S_IFREG";
    case 0120000:
      return "S_IFLNK";
    case 0140000:
      return "S_IFSOCK";
    default:
      return "0";
  }
}

}  // namespace

std::string Describe(std::int32_t value) { return fmt::format("[{}]", value); }
std::string Describe(std::uint32_t value) { return fmt::format("[{}]", value); }
std::string Describe(std::int64_t value) { return fmt::format("[{}]", value); }
// Words that are read through a pointer are mostly signal sets.
std::string Describe(std::uint64_t value) { return Sigset(value); }

namespace abi {

std::string Describe(const Timespec& v) {
  return fmt::format("{{tv_sec={}, tv_nsec={}}}", v.seconds, v.nanoseconds);
}
std::string Describe(const Timeval& v) {
  return fmt::format("{{tv_sec={}, tv_usec={}}}", v.seconds, v.microseconds);
}
std::string Describe(const Itimerval& v) {
  return fmt::format("{{it_interval={}, it_value={}}}", Describe(v.interval), Describe(v.value));
}
std::string Describe(const Itimerspec& v) {
  return fmt::format("{{it_interval={}, it_value={}}}", Describe(v.interval), Describe(v.value));
}
std::string Describe(const Rlimit& v) {
  const auto one = [](std::uint64_t n) {
    return n == ~std::uint64_t{0} ? "RLIM64_INFINITY" : std::to_string(n);
  };
  return fmt::format("{{rlim_cur={}, rlim_max={}}}", one(v.soft), one(v.hard));
}
std::string Describe(const Utsname& v) {
  return fmt::format("{{sysname=\"{}\", nodename=\"{}\", ...}}", v.system.data(), v.node.data());
}
std::string Describe(const Statx& v) {
  return fmt::format("{{stx_mode={}|{:04o}, stx_size={}, ...}}", TypeName(v.mode), v.mode & 07777,
                     v.size);
}
std::string Describe(const Siginfo& v) {
  // Which member of the union holds: sigaction(2), "The siginfo_t argument to a SA_SIGINFO
  // handler".
  std::string more;
  if (v.code <= 0) {
    more = fmt::format(", si_pid={}, si_uid={}", v.sender.pid, v.sender.uid);
  } else if (v.signal == kSIGCHLD) {
    more = fmt::format(", si_pid={}, si_uid={}, si_status={}", v.child.pid, v.child.uid,
                       v.child.status);
  } else if ((kSynchronous & SetOf(v.signal)) != 0 && v.signal != kSIGSYS) {
    more = fmt::format(", si_addr={:#x}", v.fault.address);
  }
  return fmt::format("{{si_signo={}, si_code={}{}}}", SignalName(v.signal), v.code, more);
}
std::string Describe(const SignalStack& v) {
  return fmt::format("{{ss_sp={:#x}, ss_flags={}, ss_size={}}}", v.pointer, v.flags, v.size);
}
std::string Describe(const EpollEvent& v) {
  const std::uint64_t data = v.data;  // packed
  return fmt::format("{{events={}, data={{u64={:#x}}}}}",
                     PrintBits(v.events, std::data(kEpollEventNames), std::size(kEpollEventNames)),
                     data);
}
std::string Describe(const Sigevent& v) {
  constexpr BitName kNotices[] = {{0xf, 0, "SIGEV_SIGNAL"},
                                  {0xf, 1, "SIGEV_NONE"},
                                  {0xf, 2, "SIGEV_THREAD"},
                                  {0xf, 4, "SIGEV_THREAD_ID"}};
  return fmt::format("{{sigev_value={:#x}, sigev_signo={}, sigev_notify={}}}", v.value,
                     SignalName(v.signal),
                     PrintChoice(v.notify, std::data(kNotices), std::size(kNotices)));
}
std::string Describe(const OpenHow& v) {
  return fmt::format("{{flags={:#x}, mode={:04o}, resolve={:#x}}}", v.flags, v.mode, v.resolve);
}

namespace x86_64 {

std::string Describe(const Stat& v) {
  return fmt::format("{{st_mode={}|{:04o}, st_size={}, ...}}", TypeName(v.mode), v.mode & 07777,
                     v.size);
}
std::string Describe(const Sigaction& v) {
  return fmt::format("{{sa_handler={}, sa_mask={}, sa_flags={:#x}}}", Handler(v.handler),
                     Sigset(v.mask), v.flags);
}

}  // namespace x86_64
}  // namespace abi
}  // namespace glovebox::engine
