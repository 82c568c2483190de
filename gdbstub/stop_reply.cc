#include "gdbstub/stop_reply.h"

#include <fmt/format.h>

#include "gdbstub/hex.h"
#include "gdbstub/signals.h"

namespace glovebox::gdbstub {
namespace {

enum class Shape : std::uint8_t {
  kSignal,   // nothing but the number
  kKey,      // "key:;"
  kAddress,  // "key:ADDR;"
  kThread,   // "key:ID;"
  kPath,     // "key:HEX;"
  kNumber,   // "key:N;"
};

struct ReasonRow {
  StopReason reason;
  std::string_view key;
  Shape shape;
};
constexpr ReasonRow kReasons[] = {
    {StopReason::kSignal, "", Shape::kSignal},
    {StopReason::kSoftwareBreakpoint, "swbreak", Shape::kKey},
    {StopReason::kHardwareBreakpoint, "hwbreak", Shape::kKey},
    {StopReason::kWatchWrite, "watch", Shape::kAddress},
    {StopReason::kWatchRead, "rwatch", Shape::kAddress},
    {StopReason::kWatchAccess, "awatch", Shape::kAddress},
    {StopReason::kFork, "fork", Shape::kThread},
    {StopReason::kVfork, "vfork", Shape::kThread},
    {StopReason::kVforkDone, "vforkdone", Shape::kKey},
    {StopReason::kExec, "exec", Shape::kPath},
    {StopReason::kThreadCreated, "create", Shape::kKey},
    {StopReason::kSyscallEntry, "syscall_entry", Shape::kNumber},
    {StopReason::kSyscallReturn, "syscall_return", Shape::kNumber},
    {StopReason::kLibrary, "library", Shape::kKey},
};

const ReasonRow& RowOf(StopReason reason) {
  for (const ReasonRow& row : kReasons) {
    if (row.reason == reason) return row;
  }
  return kReasons[0];
}

std::string ReasonText(const Conversation& c, const StopEvent& event) {
  const ReasonRow& row = RowOf(event.reason);
  // Who did not say that it knows these two would take them for registers.
  if (event.reason == StopReason::kSoftwareBreakpoint && !c.features.swbreak) return {};
  if (event.reason == StopReason::kHardwareBreakpoint && !c.features.hwbreak) return {};
  switch (row.shape) {
    case Shape::kSignal:
      return {};
    case Shape::kKey:
      return fmt::format("{}:;", row.key);
    case Shape::kAddress:
      return fmt::format("{}:{:x};", row.key, event.address);
    case Shape::kThread:
      return fmt::format("{}:{};", row.key, c.IdOf(event.other));
    case Shape::kPath:
      return fmt::format("{}:{};", row.key, HexOf(event.path));
    case Shape::kNumber:
      return fmt::format("{}:{:x};", row.key, event.syscall);
  }
  return {};
}

// Everything that unwinding and stepping look at: general registers, pc, flags.
void AppendRegisters(std::string& out, const Conversation::RegisterFile& file) {
  for (RegisterNumber number = 0; number <= file.layout().flags; ++number) {
    fmt::format_to(std::back_inserter(out), "{:02x}:", number);
    AppendHex(out, file.of(number));
    out += ';';
  }
}

// For lldb, which looks for names here only.
void AppendThreads(std::string& out, Conversation& c, ThreadRef stopped) {
  std::string ids;
  std::string pcs;
  for (const ThreadInfo& info : c.debuggee.Threads()) {
    if (info.thread == stopped) out += fmt::format("hexname:{};", HexOf(info.name));
    if (!ids.empty()) ids += ',';
    ids += c.IdOf(info.thread);
    const auto file = c.Registers(info.thread);
    if (!file) continue;
    if (!pcs.empty()) pcs += ',';
    AppendHex(pcs, file->value(file->layout().pc));
  }
  out += fmt::format("threads:{};thread-pcs:{};", ids, pcs);
}

}  // namespace

std::string StopReply(Conversation& c, const StopEvent& event) {
  const std::string process =
      c.features.multiprocess ? fmt::format(";process:{:x}", event.thread.pid) : std::string();
  switch (event.reason) {
    case StopReason::kNoneResumed:
      return "N";
    case StopReason::kProcessExited:
      return fmt::format("W{:02x}{}", event.code & 0xff, process);
    case StopReason::kProcessSignaled:
      return fmt::format("X{:02x}{}", c.SignalOf(event.signal), process);
    case StopReason::kThreadExited:
      return fmt::format("w{:02x};{}", event.code & 0xff, c.IdOf(event.thread));
    default:
      break;
  }
  const int signal = event.reason == StopReason::kSignal ? event.signal : kLinuxSigtrap;
  std::string out = fmt::format("T{:02x}{}", c.SignalOf(signal), ReasonText(c, event));
  if (const auto file = c.Registers(event.thread)) AppendRegisters(out, *file);
  out += fmt::format("thread:{};core:0;", c.IdOf(event.thread));
  if (c.list_threads) AppendThreads(out, c, event.thread);
  return out;
}

}  // namespace glovebox::gdbstub
