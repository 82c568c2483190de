#include "gdbstub/handlers/lldb.h"

#include <fmt/format.h>

#include "gdbstub/hex.h"
#include "gdbstub/link_map.h"
#include "gdbstub/session.h"
#include "gdbstub/signals.h"
#include "gdbstub/stop_reply.h"
#include "gdbstub/target_description.h"

namespace glovebox::gdbstub {
namespace {

std::string TripleOf(Architecture architecture) {
  return HexOf(architecture == Architecture::kAmd64 ? "x86_64-unknown-linux-gnu"
                                                    : "i386-unknown-linux-gnu");
}

}  // namespace

Reply OnHostInfo(Conversation& c, const Arguments&) {
  const auto process = c.CurrentProcess();
  const Architecture architecture = process ? process->architecture : Architecture::kAmd64;
  return Reply::Text(
      fmt::format("triple:{};ptrsize:{};endian:little;watchpoint_exceptions_received"
                  ":after;vm-page-size:4096;hostname:{};",
                  TripleOf(architecture), LayoutOf(architecture).word_bytes, HexOf("glovebox")));
}

Reply OnProcessInfo(Conversation& c, const Arguments&) {
  const auto process = c.CurrentProcess();
  if (!process) return Reply::Refused(process.error());
  return Reply::Text(fmt::format(
      "pid:{:x};parent-pid:{:x};real-uid:{:x};real-gid:{:x};effective-uid:{:x};effective-gid:{:x};"
      "triple:{};ostype:linux;endian:little;ptrsize:{};",
      process->pid, process->parent, process->uid, process->gid, process->uid, process->gid,
      TripleOf(process->architecture), LayoutOf(process->architecture).word_bytes));
}

Reply OnRegisterInfo(Conversation& c, const Arguments& arguments) {
  const auto process = c.CurrentProcess();
  if (!process) return Reply::Refused(process.error());
  const auto number = static_cast<RegisterNumber>(arguments.number(0));
  std::string info = LldbRegisterInfo(process->architecture, number);
  return info.empty() ? Reply::Error(engine::kEINVAL) : Reply::Text(std::move(info));
}

Reply OnMemoryRegionInfo(Conversation& c, const Arguments& arguments) {
  const auto thread = c.Current();
  if (!thread) return Reply::Refused(thread.error());
  const GuestAddr address = arguments.number(0);
  auto region = c.debuggee.memory_map()->Find(thread->pid, address);
  // lldb goes through all addresses there are: behind the last one that may be is nothing.
  if (!region && region.error().error == engine::kEFAULT) {
    region = MemoryRegion{.begin = address, .end = UINT64_MAX, .name = {}};
  }
  if (!region) return Reply::Refused(region.error());
  std::string out =
      fmt::format("start:{:x};size:{:x};", region->begin, region->end - region->begin);
  if (region->mapped) {
    out += fmt::format("permissions:{}{}{};", region->readable ? "r" : "",
                       region->writable ? "w" : "", region->executable ? "x" : "");
    if (!region->name.empty()) out += fmt::format("name:{};", HexOf(region->name));
  }
  return Reply::Text(std::move(out));
}

// Without it lldb takes the main-lm of libraries-svr4 for this, which is another thing, and sees no
// library that is loaded later.
Reply OnLibraryInfoAddress(Conversation& c, const Arguments&) {
  const auto process = c.CurrentProcess();
  if (!process) return Reply::Refused(process.error());
  const auto pointer = LibraryDebugPointer(c, *process);
  if (!pointer) return Reply::Refused(pointer.error());
  return Reply::Text(fmt::format("{:x}", *pointer));
}

// JSON: an array of what a stop reply says, of every thread.
Reply OnThreadsInfo(Conversation& c, const Arguments&) {
  std::string out = "[";
  for (const ThreadInfo& info : c.debuggee.Threads()) {
    const auto file = c.Registers(info.thread);
    if (!file) continue;                  // it runs
    if (out.size() > kPacketSize) break;  // lldb asks for the others one by one
    if (out.size() > 1) out += ',';
    const auto why = c.why.find(info.thread);
    const int signal = why == c.why.end()                          ? 0
                       : why->second.reason == StopReason::kSignal ? why->second.signal
                                                                   : kLinuxSigtrap;
    out += fmt::format("{{\"tid\":{},\"name\":\"", info.thread.tid);
    for (const char letter : info.name) {
      const bool plain = letter >= 0x20 && letter < 0x7f && letter != '"' && letter != '\\';
      out += plain ? letter : '?';
    }
    out += fmt::format("\",\"signal\":{},\"reason\":\"{}\",\"registers\":{{", c.SignalOf(signal),
                       signal == 0               ? "none"
                       : signal == kLinuxSigtrap ? "trace"
                                                 : "signal");
    const RegisterNumber registers[] = {file->layout().pc, file->layout().sp, file->layout().fp};
    for (std::size_t i = 0; i < std::size(registers); ++i) {
      out += fmt::format("{}\"{}\":\"", i == 0 ? "" : ",", registers[i]);
      AppendHex(out, file->of(registers[i]));
      out += '"';
    }
    out += "}}";
  }
  return Reply::Text(out + "]");
}

Reply OnThreadStopInfo(Conversation& c, const Arguments& arguments) {
  const auto thread = c.Find(*arguments.thread());
  if (!thread) return Reply::Refused(thread.error());
  const auto why = c.why.find(*thread);
  return Reply::Text(StopReply(c, why == c.why.end() ? StopEvent{.thread = *thread} : why->second));
}

Reply OnThreadSuffix(Conversation& c, const Arguments&) {
  c.thread_suffix = true;
  return Reply::Ok();
}

Reply OnListThreads(Conversation& c, const Arguments&) {
  c.list_threads = true;
  return Reply::Ok();
}

Reply OnErrorStrings(Conversation& c, const Arguments&) {
  c.error_strings = true;
  return Reply::Ok();
}

Reply OnEcho(Conversation&, const Arguments& arguments) {
  return Reply::Text("qEcho:" + arguments.text(0));
}

}  // namespace glovebox::gdbstub
