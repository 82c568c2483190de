#include "engine/linux/tty/ioctls.h"

#include <algorithm>

#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/tty/job_control.h"
#include "engine/linux/tty/pty.h"

namespace glovebox::engine::tty {
namespace {

struct Request {
  Task& task;
  const std::shared_ptr<OpenFile>& file;
  OpenTerminal& end;
  Terminal& terminal;  // of the programs, whichever end was asked
  std::uint64_t argument;

  template <typename T>
  SyscallResult Write(const T& value) const {
    return FromResult(task.memory().Write(GuestPtr<T>{argument}, value));
  }
  template <typename T>
  Result<T, Errno> Read() const {
    return task.memory().Read(GuestPtr<const T>{argument});
  }
  // What only a process of the terminal's own session may ask at the programs' end.
  bool IsForeign() const { return !end.is_master() && task.process.terminal.get() != &terminal; }
};

// --- modes ---

SyscallResult GetModes(const Request& request) {
  return request.Write(request.terminal.termios().modes);
}
SyscallResult GetModes2(const Request& request) {
  return request.Write(request.terminal.termios());
}
SyscallResult GetModesShort(const Request& request) {
  return request.Write(ToTermio(request.terminal.termios().modes));
}

enum class When : std::uint8_t { kNow, kFlush };

// Nothing is ever on its way out, so there is nothing to drain before TCSETSW.
SyscallResult Apply(const Request& request, const Termios2& to, When when) {
  if (when == When::kFlush) request.terminal.FlushInput();
  request.terminal.SetTermios(to);
  return 0;
}
template <When kWhen>
SyscallResult SetModes(const Request& request) {
  const auto modes = request.Read<Termios>();
  if (!modes) return modes.error();
  Termios2 to = request.terminal.termios();
  to.modes = *modes;
  return Apply(request, to, kWhen);
}
template <When kWhen>
SyscallResult SetModes2(const Request& request) {
  const auto to = request.Read<Termios2>();
  return to ? Apply(request, *to, kWhen) : SyscallResult(to.error());
}
template <When kWhen>
SyscallResult SetModesShort(const Request& request) {
  const auto modes = request.Read<Termio>();
  if (!modes) return modes.error();
  Termios2 to = request.terminal.termios();
  ApplyTermio(*modes, to.modes);
  return Apply(request, to, kWhen);
}

SyscallResult GetSize(const Request& request) { return request.Write(request.terminal.size()); }
SyscallResult SetSize(const Request& request) {
  const auto size = request.Read<Winsize>();
  if (!size) return size.error();
  request.terminal.Resize(*size);
  return 0;
}

// --- flow ---

SyscallResult Nothing(const Request&) { return 0; }

// tcflow(3)
SyscallResult Flow(const Request& request) {
  enum Action : int { kOutputOff, kOutputOn, kInputOff, kInputOn };
  const auto type = [&](ControlCharacter which) {
    const std::byte byte{request.terminal.termios().modes.characters[which]};
    if (byte == std::byte{kDisabled}) return;
    if (request.end.is_master()) {
      request.terminal.Type(std::span(&byte, 1));
    } else {
      request.terminal.Display({reinterpret_cast<const char*>(&byte), 1});
    }
  };
  switch (static_cast<int>(request.argument)) {
    case kOutputOff:
      request.terminal.SetStopped(true);
      return 0;
    case kOutputOn:
      request.terminal.SetStopped(false);
      return 0;
    case kInputOff:
      type(kVstop);
      return 0;
    case kInputOn:
      type(kVstart);
      return 0;
    default:
      return kEINVAL;
  }
}

// tcflush(3). What programs wrote is at the other end already: there is no output to throw away.
SyscallResult Flush(const Request& request) {
  enum Queue : int { kInput, kOutput, kBoth };
  const int queue = static_cast<int>(request.argument);
  if (queue < kInput || queue > kBoth) return kEINVAL;
  Terminal& terminal = request.terminal;
  const bool input = queue != kOutput;
  const bool output = queue != kInput;
  if (request.end.is_master()) {
    if (input) terminal.ForgetShown();
    if (output) terminal.FlushTyped();
    return 0;
  }
  if (input) terminal.FlushInput();
  if (output && terminal.packet_mode) {
    terminal.packet_status |= kPacketFlushWrite;
    terminal.TellOther();
  }
  return 0;
}

SyscallResult OutputQueued(const Request& request) { return request.Write(std::int32_t{0}); }

SyscallResult SetExclusive(const Request& request) {
  request.terminal.exclusive = true;
  return 0;
}
SyscallResult SetShared(const Request& request) {
  request.terminal.exclusive = false;
  return 0;
}
SyscallResult GetExclusive(const Request& request) {
  return request.Write(std::int32_t{request.terminal.exclusive});
}

SyscallResult GetDiscipline(const Request& request) { return request.Write(std::int32_t{0}); }
SyscallResult SetDiscipline(const Request& request) {
  const auto number = request.Read<std::int32_t>();
  if (!number) return number.error();
  return *number == 0 ? SyscallResult(0) : kEINVAL;  // N_TTY is the only one
}

// Linux 6.2 and later without dev.tty.legacy_tiocsti: what a program types for another one is a
// hole in every sandbox.
SyscallResult RefuseTyping(const Request&) { return kEIO; }

// --- sessions ---

SyscallResult BecomeControlling(const Request& request) {
  Task& task = request.task;
  Process& process = task.process;
  Terminal& terminal = request.terminal;
  const bool leads = process.session == process.pid;
  const bool privileged = task.credentials.Can(Capability::kSysAdmin);
  if (leads && terminal.session == process.session && process.terminal.get() == &terminal) return 0;
  if (!leads || process.terminal) return kEPERM;
  if (terminal.session != 0) {
    if (request.argument != 1 || !privileged) return kEPERM;
    Release(task.kernel, terminal);
  }
  if (!request.end.readable() && !privileged) return kEPERM;
  TakeAsControlling(process, request.end.terminal());
  return 0;
}

SyscallResult GiveUpControlling(const Request& request) {
  if (request.task.process.terminal.get() != &request.terminal) return kENOTTY;
  Disassociate(request.task.process, false);
  return 0;
}

SyscallResult GetForeground(const Request& request) {
  if (request.IsForeign()) return kENOTTY;
  return request.Write(static_cast<std::int32_t>(request.terminal.foreground));
}

SyscallResult SetForeground(const Request& request) {
  Task& task = request.task;
  if (const auto may = MayUse(task, request.terminal, kSIGTTOU); !may) {
    if (may.error().wait == Wait::kNone && may.error().error == kEIO) return kENOTTY;
    return BlockOrFail(*request.file, may.error());
  }
  if (task.process.terminal.get() != &request.terminal ||
      request.terminal.session != task.process.session) {
    return kENOTTY;
  }
  const auto group = request.Read<std::int32_t>();
  if (!group) return group.error();
  if (*group < 0) return kEINVAL;
  const auto wanted = static_cast<std::uint32_t>(*group);
  bool exists = task.kernel.processes().FindTask(*group) != nullptr;
  bool is_ours = false;
  for (const auto& [id, other] : task.kernel.processes().tasks()) {
    if (other->process.group != wanted) continue;
    exists = true;
    is_ours = other->process.session == task.process.session;
  }
  if (!exists) return kESRCH;
  if (!is_ours) return kEPERM;
  request.terminal.foreground = wanted;
  return 0;
}

SyscallResult GetSession(const Request& request) {
  if (request.IsForeign() || request.terminal.session == 0) return kENOTTY;
  return request.Write(static_cast<std::int32_t>(request.terminal.session));
}

SyscallResult HangUp(const Request& request) {
  if (!request.task.credentials.Can(Capability::kSysAdmin)) return kEPERM;
  request.terminal.HangUp();
  return 0;
}

// --- pseudo-terminals ---

SyscallResult GetNumber(const Request& request) { return request.Write(request.terminal.number()); }
SyscallResult GetDevice(const Request& request) {
  return request.Write(static_cast<std::uint32_t>(DeviceOf(request.terminal)));
}
SyscallResult SetLock(const Request& request) {
  const auto lock = request.Read<std::int32_t>();
  if (!lock) return lock.error();
  request.terminal.locked = *lock != 0;
  return 0;
}
SyscallResult GetLock(const Request& request) {
  return request.Write(std::int32_t{request.terminal.locked});
}
SyscallResult SetPacketMode(const Request& request) {
  const auto on = request.Read<std::int32_t>();
  if (!on) return on.error();
  if (*on != 0 && !request.terminal.packet_mode) request.terminal.packet_status = 0;
  request.terminal.packet_mode = *on != 0;
  return 0;
}
SyscallResult GetPacketMode(const Request& request) {
  return request.Write(std::int32_t{request.terminal.packet_mode});
}
SyscallResult SendSignal(const Request& request) {
  const int signal = static_cast<int>(request.argument);
  if (signal != kSIGINT && signal != kSIGQUIT && signal != kSIGTSTP) return kEINVAL;
  request.terminal.SignalForeground(signal);
  return 0;
}
SyscallResult OpenPeer(const Request& request) {
  constexpr int kKept = kOpenAccessMode | kOpenNonblock | kOpenLargeFile;
  const int flags = static_cast<int>(request.argument);
  auto file = OpenPeerOf(request.end, flags & kKept);
  if (!file) return file.error().error;
  Task& task = request.task;
  AdoptOnOpen(task, **file, flags);
  const auto fd =
      task.fds().Add(std::move(*file), (flags & kOpenCloseOnExec) != 0, task.open_file_limit());
  return fd ? SyscallResult(*fd) : SyscallResult(fd.error());
}

// --- the table: asm-generic/ioctls.h ---

enum Rule : std::uint8_t {
  kAnyEnd = 0,
  kOtherEnd = 1,  // of the end that types only
  kChanges = 2,   // a process in the background hears SIGTTOU
};

struct IoctlRow {
  std::uint32_t request;
  SyscallResult (*serve)(const Request&);
  std::uint8_t rules;
};

constexpr IoctlRow kIoctls[] = {
    {0x5401, GetModes, kAnyEnd},                      // TCGETS
    {0x5402, SetModes<When::kNow>, kChanges},         // TCSETS
    {0x5403, SetModes<When::kNow>, kChanges},         // TCSETSW
    {0x5404, SetModes<When::kFlush>, kChanges},       // TCSETSF
    {0x5405, GetModesShort, kAnyEnd},                 // TCGETA
    {0x5406, SetModesShort<When::kNow>, kChanges},    // TCSETA
    {0x5407, SetModesShort<When::kNow>, kChanges},    // TCSETAW
    {0x5408, SetModesShort<When::kFlush>, kChanges},  // TCSETAF
    {0x5409, Nothing, kChanges},                      // TCSBRK: tcdrain(3), tcsendbreak(3)
    {0x540a, Flow, kChanges},                         // TCXONC
    {0x540b, Flush, kChanges},                        // TCFLSH
    {0x540c, SetExclusive, kAnyEnd},                  // TIOCEXCL
    {0x540d, SetShared, kAnyEnd},                     // TIOCNXCL
    {0x540e, BecomeControlling, kAnyEnd},             // TIOCSCTTY
    {0x540f, GetForeground, kAnyEnd},                 // TIOCGPGRP
    {0x5410, SetForeground, kAnyEnd},                 // TIOCSPGRP
    {0x5411, OutputQueued, kAnyEnd},                  // TIOCOUTQ
    {0x5412, RefuseTyping, kAnyEnd},                  // TIOCSTI
    {0x5413, GetSize, kAnyEnd},                       // TIOCGWINSZ
    {0x5414, SetSize, kAnyEnd},                       // TIOCSWINSZ
    {0x5420, SetPacketMode, kOtherEnd},               // TIOCPKT
    {0x5422, GiveUpControlling, kAnyEnd},             // TIOCNOTTY
    {0x5423, SetDiscipline, kChanges},                // TIOCSETD
    {0x5424, GetDiscipline, kAnyEnd},                 // TIOCGETD
    {0x5425, Nothing, kChanges},                      // TCSBRKP
    {0x5427, Nothing, kChanges},                      // TIOCSBRK
    {0x5428, Nothing, kChanges},                      // TIOCCBRK
    {0x5429, GetSession, kAnyEnd},                    // TIOCGSID
    {0x802c542a, GetModes2, kAnyEnd},                 // TCGETS2
    {0x402c542b, SetModes2<When::kNow>, kChanges},    // TCSETS2
    {0x402c542c, SetModes2<When::kNow>, kChanges},    // TCSETSW2
    {0x402c542d, SetModes2<When::kFlush>, kChanges},  // TCSETSF2
    {0x80045430, GetNumber, kOtherEnd},               // TIOCGPTN
    {0x40045431, SetLock, kOtherEnd},                 // TIOCSPTLCK
    {0x80045432, GetDevice, kAnyEnd},                 // TIOCGDEV
    {0x40045436, SendSignal, kOtherEnd},              // TIOCSIG
    {0x5437, HangUp, kAnyEnd},                        // TIOCVHANGUP
    {0x80045438, GetPacketMode, kOtherEnd},           // TIOCGPKT
    {0x80045439, GetLock, kOtherEnd},                 // TIOCGPTLCK
    {0x80045440, GetExclusive, kAnyEnd},              // TIOCGEXCL
    {0x5441, OpenPeer, kOtherEnd},                    // TIOCGPTPEER
};
constexpr std::uint32_t kSetForeground = 0x5410;

}  // namespace

SyscallResult Ioctl(Task& task, const std::shared_ptr<OpenFile>& file, std::uint32_t request,
                    std::uint64_t argument) {
  auto* const end = dynamic_cast<OpenTerminal*>(file.get());
  if (end == nullptr) return kENOTTY;
  if (end->hung_up()) return request == kSetForeground ? kENOTTY : kEIO;
  const auto* const row = std::ranges::find(kIoctls, request, &IoctlRow::request);
  if (row == std::end(kIoctls)) return kENOTTY;
  if ((row->rules & kOtherEnd) != 0 && !end->is_master()) return kENOTTY;
  if ((row->rules & kChanges) != 0) {
    if (const auto may = MayUse(task, *end->terminal(), kSIGTTOU); !may)
      return BlockOrFail(*file, may.error());
  }
  return row->serve({task, file, *end, *end->terminal(), argument});
}

}  // namespace glovebox::engine::tty

namespace glovebox::engine {

// vhangup(2): of the caller's terminal.
SyscallResult SysVhangup(Task& task) {
  if (!task.credentials.Can(Capability::kSysTtyConfig)) return kEPERM;
  if (const auto terminal = task.process.terminal) terminal->HangUp();
  return 0;
}

}  // namespace glovebox::engine

namespace glovebox::engine::tty {

void AdoptOnOpen(Task& task, OpenFile& file, int flags) {
  auto* const end = dynamic_cast<OpenTerminal*>(&file);
  Process& process = task.process;
  if (end == nullptr || end->is_master() || (flags & kOpenNoCtty) != 0 || !file.readable()) return;
  if (process.session != process.pid || process.terminal || end->terminal()->session != 0) return;
  TakeAsControlling(process, end->terminal());
}

}  // namespace glovebox::engine::tty
