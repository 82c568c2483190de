// Source: GDB manual, "Packets" and "General Query Packets"; LLDB, "GDB Remote Protocol
// Extensions".
#include "gdbstub/packet_table.h"

#include <fmt/format.h>

#include "gdbstub/handlers/breakpoints.h"
#include "gdbstub/handlers/files.h"
#include "gdbstub/handlers/lldb.h"
#include "gdbstub/handlers/memory.h"
#include "gdbstub/handlers/process.h"
#include "gdbstub/handlers/query.h"
#include "gdbstub/handlers/registers.h"
#include "gdbstub/handlers/resume.h"
#include "gdbstub/handlers/symbols.h"
#include "gdbstub/handlers/threads.h"
#include "gdbstub/handlers/tracing.h"
#include "gdbstub/handlers/xfer.h"
#include "gdbstub/session.h"

namespace glovebox::gdbstub {
namespace {

using enum Match;

constexpr PacketRow kPackets[] = {
    // the conversation itself
    {"qSupported", kPrefix, "[:rest]", OnSupported},
    {"QStartNoAckMode", kExact, "", OnStartNoAckMode, Needs::kNothing, "QStartNoAckMode+"},
    {"vMustReplyEmpty", kExact, "", OnMustReplyEmpty},
    {"!", kExact, "", OnExtendedMode},
    {"QNonStop:", kPrefix, "bit", OnNonStop, Needs::kNothing, "QNonStop+", kTextError},
    {"qSymbol:", kPrefix, "annex:annex", OnSymbol},
    {"qRcmd,", kPrefix, "hex", OnMonitor, Needs::kMonitor},

    // registers
    {"g", kExact, "", OnReadRegisters},
    {"G", kPrefix, "hex", OnWriteRegisters},
    {"p", kPrefix, "reg", OnReadRegister},
    {"P", kPrefix, "reg=hex", OnWriteRegister},

    // memory
    {"m", kPrefix, "addr,len", OnReadMemory},
    {"x", kPrefix, "addr,len", OnReadBinary, Needs::kNothing, "binary-upload+"},
    {"M", kPrefix, "addr,len:hex", OnWriteMemory},
    {"X", kPrefix, "addr,len:bytes", OnWriteMemory},
    {"qSearch:memory:", kPrefix, "addr;len;bytes", OnSearchMemory},
    {"qCRC:", kPrefix, "addr,len", OnCrc},

    // running
    {"?", kExact, "", OnStopReason},
    {"vCont?", kExact, "", OnContActions},
    {"vCont;", kPrefix, "rest", OnCont, Needs::kNothing, "vContSupported+"},
    {"c", kPrefix, "[addr]", OnContinue},
    {"s", kPrefix, "[addr]", OnStep},
    {"C", kPrefix, "signal[;addr]", OnContinueWithSignal},
    {"S", kPrefix, "signal[;addr]", OnStepWithSignal},
    {"vCtrlC", kExact, "", OnCtrlC, Needs::kNothing, {}, kWhileRunning},
    {"vStopped", kExact, "", OnStopped, Needs::kNothing, {}, kWhileRunning},
    {"bs", kExact, "", OnStepBack, Needs::kNothing, {}, kTextError},
    {"bc", kExact, "", OnContinueBack, Needs::kNothing, {}, kTextError},
    {"QPassSignals:", kPrefix, "rest", OnPassSignals, Needs::kNothing, "QPassSignals+"},
    {"QProgramSignals:", kPrefix, "rest", OnProgramSignals, Needs::kNothing, "QProgramSignals+"},
    {"QCatchSyscalls:", kPrefix, "bit[;rest]", OnCatchSyscalls, Needs::kSyscallCatch,
     "QCatchSyscalls+", kTextError},
    {"QThreadEvents:", kPrefix, "bit", OnThreadEvents, Needs::kProcessEvents, "QThreadEvents+"},

    // breakpoints
    {"Z0,", kPrefix, "addr,kind[;rest]", OnInsertBreakpoint<'0'>, Needs::kBreakpoints,
     "ConditionalBreakpoints+;BreakpointCommands+", kTextError},
    {"Z1,",
     kPrefix,
     "addr,kind[;rest]",
     OnInsertBreakpoint<'1'>,
     Needs::kBreakpoints,
     {},
     kTextError},
    {"Z2,", kPrefix, "addr,len", OnInsertWatchpoint<'2'>, Needs::kWatchpoints, {}, kTextError},
    {"Z3,", kPrefix, "addr,len", OnInsertWatchpoint<'3'>, Needs::kWatchpoints, {}, kTextError},
    {"Z4,", kPrefix, "addr,len", OnInsertWatchpoint<'4'>, Needs::kWatchpoints, {}, kTextError},
    {"z0,", kPrefix, "addr,kind", OnRemovePoint<'0'>, Needs::kBreakpoints},
    {"z1,", kPrefix, "addr,kind", OnRemovePoint<'1'>, Needs::kBreakpoints},
    {"z2,", kPrefix, "addr,len", OnRemovePoint<'2'>, Needs::kWatchpoints},
    {"z3,", kPrefix, "addr,len", OnRemovePoint<'3'>, Needs::kWatchpoints},
    {"z4,", kPrefix, "addr,len", OnRemovePoint<'4'>, Needs::kWatchpoints},

    // threads
    {"Hg", kPrefix, "thread", OnSelectThread},
    {"Hc", kPrefix, "thread", OnSelectResumeScope},
    {"T", kPrefix, "thread", OnThreadAlive},
    {"qC", kExact, "", OnCurrentThread},
    {"qfThreadInfo", kExact, "", OnFirstThreads},
    {"qsThreadInfo", kExact, "", OnMoreThreads},
    {"qThreadExtraInfo,", kPrefix, "thread", OnThreadExtraInfo},
    {"qGetTLSAddr:", kPrefix, "thread,offset,addr", OnTlsAddress, Needs::kNothing, "qGetTLSAddr+"},

    // processes
    {"k", kExact, "", OnKillAll, Needs::kNothing, {}, kWhileRunning},
    {"vKill;", kPrefix, "pid", OnKill, Needs::kNothing, {}, kWhileRunning},
    {"D", kPrefix, "[;pid]", OnDetach, Needs::kNothing, {}, kTextError},
    {"qAttached", kPrefix, "[:pid]", OnAttached},
    {"vRun;", kPrefix, "rest", OnRun, Needs::kProcessControl, {}, kTextError},
    {"vAttach;", kPrefix, "pid", OnAttach, Needs::kProcessControl, {}, kTextError},
    {"QDisableRandomization:", kPrefix, "bit", OnDisableRandomization, Needs::kProcessControl,
     "QDisableRandomization+"},
    {"QStartupWithShell:", kPrefix, "bit", OnStartupWithShell, Needs::kProcessControl,
     "QStartupWithShell+"},
    {"QEnvironmentHexEncoded:", kPrefix, "hex", OnEnvironmentSet, Needs::kProcessControl,
     "QEnvironmentHexEncoded+"},
    {"QEnvironmentUnset:", kPrefix, "hex", OnEnvironmentUnset, Needs::kProcessControl,
     "QEnvironmentUnset+"},
    {"QEnvironmentReset", kExact, "", OnEnvironmentReset, Needs::kProcessControl,
     "QEnvironmentReset+"},
    {"QSetWorkingDir:", kPrefix, "[hex]", OnSetWorkingDirectory, Needs::kProcessControl,
     "QSetWorkingDir+"},

    // objects
    {"qXfer:features:read:", kPrefix, "annex:offset,len", OnReadTargetXml, Needs::kNothing,
     "qXfer:features:read+"},
    {"qXfer:auxv:read:", kPrefix, "annex:offset,len", OnReadAuxv, Needs::kAuxv, "qXfer:auxv:read+"},
    {"qXfer:threads:read:", kPrefix, "annex:offset,len", OnReadThreads, Needs::kNothing,
     "qXfer:threads:read+"},
    {"qXfer:libraries-svr4:read:", kPrefix, "annex:offset,len", OnReadLibraries, Needs::kAuxv,
     "qXfer:libraries-svr4:read+;augmented-libraries-svr4-read+"},
    {"qXfer:memory-map:read:", kPrefix, "annex:offset,len", OnReadMemoryMap, Needs::kMemoryMap,
     "qXfer:memory-map:read+"},
    {"qXfer:siginfo:read:", kPrefix, "annex:offset,len", OnReadSiginfo, Needs::kSiginfo,
     "qXfer:siginfo:read+"},
    {"qXfer:siginfo:write:", kPrefix, "annex:offset:bytes", OnWriteSiginfo, Needs::kSiginfo,
     "qXfer:siginfo:write+"},
    {"qXfer:exec-file:read:", kPrefix, "annex:offset,len", OnReadExecFile, Needs::kNothing,
     "qXfer:exec-file:read+"},
    {"qXfer:osdata:read:", kPrefix, "annex:offset,len", OnReadOsData, Needs::kOsInfo,
     "qXfer:osdata:read+"},

    // tracepoints
    {"QTinit", kExact, "", OnTraceInit, Needs::kBreakpoints},
    {"QTDP:", kPrefix, "rest", OnTracepoint, Needs::kBreakpoints,
     "ConditionalTracepoints+;InstallInTrace+;FastTracepoints+;tracenz+", kTextError},
    {"QTDPsrc:", kPrefix, "rest", OnTraceSource, Needs::kBreakpoints, "TracepointSource+"},
    {"QTDV:", kPrefix, "number:offset:bit:hex", OnTraceVariable, Needs::kBreakpoints},
    {"QTEnable:", kPrefix, "number:addr", OnEnableTracepoint, Needs::kBreakpoints,
     "EnableDisableTracepoints+"},
    {"QTDisable:", kPrefix, "number:addr", OnDisableTracepoint, Needs::kBreakpoints},
    {"QTro:", kPrefix, "rest", OnTraceReadOnly, Needs::kBreakpoints},
    {"QTStart", kExact, "", OnTraceStart, Needs::kBreakpoints},
    {"QTStop", kExact, "", OnTraceStop, Needs::kBreakpoints},
    {"QTBuffer:circular:", kPrefix, "bit", OnTraceCircular, Needs::kBreakpoints},
    {"QTBuffer:size:", kPrefix, "rest", OnTraceBufferSize, Needs::kBreakpoints, "QTBuffer:size+"},
    {"QTNotes:", kPrefix, "rest", OnTraceNotes, Needs::kBreakpoints},
    {"QTDisconnected:", kPrefix, "bit", OnTraceDisconnected, Needs::kBreakpoints},
    {"QTFrame:", kPrefix, "rest", OnSelectFrame, Needs::kBreakpoints},
    {"qTStatus", kExact, "", OnTraceStatus, Needs::kBreakpoints},
    {"qTP:", kPrefix, "number:addr", OnTracepointStatus, Needs::kBreakpoints},
    {"qTV:", kPrefix, "number", OnReadTraceVariable, Needs::kBreakpoints},
    {"qTfP", kExact, "", OnFirstTracepoints, Needs::kBreakpoints},
    {"qTsP", kExact, "", OnMoreOfTrace, Needs::kBreakpoints},
    {"qTfV", kExact, "", OnFirstTraceVariables, Needs::kBreakpoints},
    {"qTsV", kExact, "", OnMoreOfTrace, Needs::kBreakpoints},
    {"qTBuffer:", kPrefix, "offset,len", OnReadTraceBuffer, Needs::kBreakpoints},
    {"qTMinFTPILen", kExact, "", OnFastTracepointLength, Needs::kBreakpoints},
    {"qXfer:traceframe-info:read:", kPrefix, "annex:offset,len", OnReadTraceframeInfo,
     Needs::kBreakpoints, "qXfer:traceframe-info:read+"},

    // files
    {"vFile:setfs:", kPrefix, "pid", OnSetFilesystem, Needs::kFiles},
    {"vFile:open:", kPrefix, "hex,flags,mode", OnOpen, Needs::kFiles},
    {"vFile:close:", kPrefix, "fd", OnClose, Needs::kFiles},
    {"vFile:pread:", kPrefix, "fd,len,offset", OnPread, Needs::kFiles},
    {"vFile:pwrite:", kPrefix, "fd,offset,bytes", OnPwrite, Needs::kFiles},
    {"vFile:fstat:", kPrefix, "fd", OnFstat, Needs::kFiles},
    {"vFile:stat:", kPrefix, "hex", OnStat, Needs::kFiles},
    {"vFile:lstat:", kPrefix, "hex", OnLstat, Needs::kFiles},
    {"vFile:unlink:", kPrefix, "hex", OnUnlink, Needs::kFiles},
    {"vFile:readlink:", kPrefix, "hex", OnReadLink, Needs::kFiles},

    // lldb
    {"qHostInfo", kExact, "", OnHostInfo},
    {"qProcessInfo", kExact, "", OnProcessInfo},
    {"qRegisterInfo", kPrefix, "reg", OnRegisterInfo},
    {"qMemoryRegionInfo:", kPrefix, "addr", OnMemoryRegionInfo, Needs::kMemoryMap},
    {"qShlibInfoAddr", kExact, "", OnLibraryInfoAddress, Needs::kAuxv},
    {"jThreadsInfo", kExact, "", OnThreadsInfo},
    {"qThreadStopInfo", kPrefix, "thread", OnThreadStopInfo},
    {"QThreadSuffixSupported", kExact, "", OnThreadSuffix},
    {"QListThreadsInStopReply", kExact, "", OnListThreads},
    {"QEnableErrorStrings", kExact, "", OnErrorStrings},
    {"qEcho:", kPrefix, "rest", OnEcho},
};

// What is advertised and is no packet of its own.
struct Mode {
  std::string_view feature;
  Needs needs;
};
constexpr Mode kModes[] = {
    {"multiprocess+", Needs::kNothing},       {"swbreak+", Needs::kBreakpoints},
    {"hwbreak+", Needs::kBreakpoints},        {"fork-events+", Needs::kProcessEvents},
    {"vfork-events+", Needs::kProcessEvents}, {"exec-events+", Needs::kProcessEvents},
    {"no-resumed+", Needs::kNothing},         {"error-message+", Needs::kNothing},
};

// lldb names the thread of a register packet behind it: "g;thread:7;". Cut off and selected.
// False: there is no such thread.
bool TakeThreadSuffix(Conversation& c, std::string_view& payload) {
  constexpr std::string_view kMark = ";thread:";
  const std::size_t at = payload.rfind(kMark);
  if (!c.thread_suffix || at == std::string_view::npos || !payload.ends_with(';') ||
      !std::string_view("gGpP").contains(payload[0])) {
    return true;
  }
  const std::string_view id =
      payload.substr(at + kMark.size(), payload.size() - at - kMark.size() - 1);
  payload = payload.substr(0, at);
  const auto parsed = ParseThreadId(id);
  if (!parsed) return false;
  const auto thread = c.Find(*parsed);
  if (thread) c.general = *thread;
  return thread.has_value();
}

}  // namespace

std::span<const PacketRow> Packets() { return kPackets; }

const PacketRow* FindPacket(std::string_view payload) {
  const PacketRow* best = nullptr;
  for (const PacketRow& row : kPackets) {
    const bool fits = row.match == kExact ? payload == row.name : payload.starts_with(row.name);
    if (fits && (best == nullptr || best->name.size() < row.name.size())) best = &row;
  }
  return best;
}

bool Has(Debuggee& debuggee, Needs needs) {
  switch (needs) {
    case Needs::kNothing:
      return true;
    case Needs::kBreakpoints:
      return debuggee.breakpoints() != nullptr;
    case Needs::kWatchpoints:
      return debuggee.watchpoints() != nullptr;
    case Needs::kFiles:
      return debuggee.files() != nullptr;
    case Needs::kProcessControl:
      return debuggee.process_control() != nullptr;
    case Needs::kProcessEvents:
      return debuggee.process_events() != nullptr;
    case Needs::kSyscallCatch:
      return debuggee.syscall_catch() != nullptr;
    case Needs::kSiginfo:
      return debuggee.siginfo() != nullptr;
    case Needs::kAuxv:
      return debuggee.auxv() != nullptr;
    case Needs::kMemoryMap:
      return debuggee.memory_map() != nullptr;
    case Needs::kOsInfo:
      return debuggee.os_info() != nullptr;
    case Needs::kMonitor:
      return debuggee.monitor() != nullptr;
  }
  return false;
}

std::string SupportedFeatures(Debuggee& debuggee) {
  std::string out = fmt::format("PacketSize={:x}", kPacketSize);
  const auto add = [&](std::string_view feature, Needs needs) {
    if (feature.empty() || !Has(debuggee, needs)) return;
    out += ';';
    out += feature;
  };
  for (const PacketRow& row : kPackets) add(row.feature, row.needs);
  for (const Mode& mode : kModes) add(mode.feature, mode.needs);
  if (debuggee.reverse_execution() != nullptr) out += ";ReverseStep+;ReverseContinue+";
  return out;
}

Reply Dispatch(Conversation& c, std::string_view payload, const PacketRow** used) {
  const ThreadRef general = c.general;
  const std::string_view whole = payload;
  const bool thread_found = TakeThreadSuffix(c, payload);
  const PacketRow* const row = FindPacket(payload);
  if (used != nullptr) *used = row;
  if (row == nullptr || !Has(c.debuggee, row->needs)) return Reply::Unsupported();
  Arguments arguments;
  if (row->match == kPrefix) {
    switch (
        arguments.Parse(row->pattern, payload.substr(row->name.size()), row->name.size() == 1)) {
      case Arguments::Outcome::kOtherPacket:
        return Reply::Unsupported();
      case Arguments::Outcome::kMalformed:
        return Reply::Error(engine::kEINVAL);
      case Arguments::Outcome::kParsed:
        break;
    }
  }
  if (!thread_found) return Reply::Error(engine::kESRCH);
  // A stop reply is owed, and nothing else may come before it.
  if (c.running && (row->flags & kWhileRunning) == 0) {
    return Reply::Error(engine::kEBUSY);
  }
  Reply reply = row->handler(c, arguments);
  if (payload.size() != whole.size()) c.general = general;  // the suffix was for this one alone
  return reply;
}

}  // namespace glovebox::gdbstub
