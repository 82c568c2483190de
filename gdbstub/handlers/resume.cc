#include "gdbstub/handlers/resume.h"

#include <algorithm>
#include <optional>

#include "gdbstub/hex.h"
#include "gdbstub/signals.h"
#include "gdbstub/stop_reply.h"

namespace glovebox::gdbstub {
namespace {

// "c", "s", "C05", "S05", "t", "r10,20": what one part of vCont wants of the threads it names.
struct Wish {
  ResumeAction action;
  bool halt = false;
  ThreadId threads{ThreadId::kAll, ThreadId::kAll};
};

std::optional<Wish> ParseWish(const Conversation& c, std::string_view text) {
  Wish wish;
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const auto id = ParseThreadId(text.substr(colon + 1));
    if (!id) return std::nullopt;
    wish.threads = *id;
    text = text.substr(0, colon);
  }
  if (text.empty()) return std::nullopt;
  const char letter = text[0];
  const std::string_view rest = text.substr(1);
  const bool has_signal = letter == 'C' || letter == 'S';
  if (letter == 's' || letter == 'S') wish.action.kind = ResumeKind::kStep;
  if (has_signal) {
    const auto signal = ParseHex(rest);
    if (!signal) return std::nullopt;
    wish.action.signal = c.LinuxSignalOf(*signal);
    return wish.action.signal < 0 ? std::nullopt : std::optional(wish);
  }
  if (letter == 'r') {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const auto begin = ParseHex(rest.substr(0, comma));
    const auto end = ParseHex(rest.substr(std::min(comma + 1, rest.size())));
    if (!begin || !end) return std::nullopt;
    wish.action.kind = ResumeKind::kStepRange;
    wish.action.range_begin = *begin;
    wish.action.range_end = *end;
    return wish;
  }
  wish.halt = letter == 't';
  if (!rest.empty() || !(letter == 'c' || letter == 's' || letter == 't')) return std::nullopt;
  return wish;
}

bool Names(const ThreadId& id, ThreadRef thread) {
  return (id.pid <= 0 || id.pid == thread.pid) && (id.tid <= 0 || id.tid == thread.tid);
}

// A stop of this thread that the debugger has not heard of: it is not to run away from under it.
bool StopIsUntold(const Conversation& c, ThreadRef thread) {
  return std::ranges::find(c.stops, thread, &StopEvent::thread) != c.stops.end();
}

// What the wishes make of all threads: the leftmost that names a thread counts.
Reply Carry(Conversation& c, std::span<const Wish> wishes) {
  if (!c.non_stop && !c.stops.empty()) {  // something has happened already; it is told first
    c.running = true;
    return Reply::Later();
  }
  std::vector<ResumeAction> actions;
  std::vector<ThreadRef> halts;
  for (const ThreadInfo& info : c.debuggee.Threads()) {
    const auto wish = std::ranges::find_if(
        wishes, [&](const Wish& one) { return Names(one.threads, info.thread); });
    if (wish == wishes.end()) continue;
    if (wish->halt) {
      if (info.running) halts.push_back(info.thread);
    } else if (!info.running && !(c.non_stop && StopIsUntold(c, info.thread))) {
      actions.push_back(wish->action);
      actions.back().thread = info.thread;
    }
  }
  if (!c.non_stop && actions.empty()) return Reply::Error(engine::kESRCH);
  if (!actions.empty()) {
    const auto resumed = c.debuggee.Resume(actions);
    if (!resumed) return Reply::Refused(resumed.error());
    for (const ResumeAction& action : actions) c.Forget(action.thread);
  }
  for (const ThreadRef thread : halts) {
    const auto halted = c.debuggee.Halt(thread);
    if (!halted) return Reply::Refused(halted.error());
  }
  if (c.non_stop) return Reply::Ok();
  c.running = true;
  return Reply::Later();
}

// c, s, C and S: the thread of Hc or the current one does that, the others run on unless Hc named
// one thread alone. With an address it goes on there.
Reply CarryOld(Conversation& c, ResumeKind kind, std::uint64_t signal,
               std::optional<GuestAddr> address) {
  const bool alone = c.resume_scope.tid > 0;
  const auto thread = alone ? c.Find(c.resume_scope) : c.Current();
  if (!thread) return Reply::Refused(thread.error());
  Wish wish;
  wish.action.kind = kind;
  wish.action.signal = c.LinuxSignalOf(signal);
  if (wish.action.signal < 0) return Reply::Error(engine::kEINVAL);
  wish.threads = {static_cast<std::int64_t>(thread->pid), static_cast<std::int64_t>(thread->tid)};
  if (address) {
    const auto process = c.Process(thread->pid);
    if (!process) return Reply::Refused(process.error());
    const RegisterLayout& layout = LayoutOf(process->architecture);
    const auto value = std::as_bytes(std::span(&*address, 1)).first(layout.word_bytes);
    const auto written = c.debuggee.WriteRegister(*thread, layout.pc, value);
    if (!written) return Reply::Refused(written.error());
  }
  std::vector<Wish> wishes{wish};
  if (!alone) wishes.emplace_back();
  return Carry(c, wishes);
}

std::optional<GuestAddr> AddressAt(const Arguments& arguments, std::size_t index) {
  if (arguments.number_count() <= index) return std::nullopt;
  return arguments.number(index);
}

// "e;10;14": signals of the debugger as Linux has them; those that Linux lacks are left out.
std::optional<std::vector<int>> ParseSignals(const Conversation& c, std::string_view rest) {
  std::vector<int> signals;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(';'));
    const auto number = ParseHex(one);
    if (!number || *number > UINT8_MAX) return std::nullopt;
    if (const int signal = c.LinuxSignalOf(*number); signal > 0) {
      signals.push_back(signal);
    }
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
  }
  return signals;
}

// Backwards: refused by name until the debuggee can.
template <typename Move>
Reply Back(Conversation& c, std::string_view what, Move move) {
  if (c.debuggee.reverse_execution() == nullptr) {
    return Reply::Error(engine::kEPERM, std::string(what) +
                                            " needs time travel, which this "
                                            "version of Glovebox does not have");
  }
  const auto thread = c.Current();
  if (!thread) return Reply::Refused(thread.error());
  const auto moved = move(*c.debuggee.reverse_execution(), *thread);
  if (!moved) return Reply::Refused(moved.error());
  c.running = true;
  return Reply::Later();
}

}  // namespace

Reply OnStopReason(Conversation& c, const Arguments&) {
  const auto why_of = [&](ThreadRef thread) {
    const auto why = c.why.find(thread);
    if (why != c.why.end()) return why->second;
    StopEvent event{.thread = thread};
    event.signal = c.non_stop ? 0 : kLinuxSigtrap;
    return event;
  };
  if (!c.non_stop) {
    const auto thread = c.Current();
    if (!thread) return Reply::Text("W00");
    StopEvent event = why_of(*thread);
    // lldb puts a breakpoint on a program's entry, would take a trap there for its own, and go on.
    const bool trap = event.reason == StopReason::kSignal && event.signal == kLinuxSigtrap;
    if (c.thread_suffix && trap) event.signal = kLinuxSigstop;
    return Reply::Text(StopReply(c, event));
  }
  // Non-stop: this tells the first, vStopped the others, as if they were new.
  c.stops.clear();
  for (const ThreadInfo& info : c.debuggee.Threads()) {
    if (!info.running) c.stops.push_back(why_of(info.thread));
  }
  return c.stops.empty() ? Reply::Ok() : Reply::Text(StopReply(c, c.stops.front()));
}

Reply OnStopped(Conversation& c, const Arguments&) {
  if (!c.non_stop) return Reply::Error(engine::kEINVAL);
  if (!c.stops.empty()) c.stops.pop_front();
  return c.stops.empty() ? Reply::Ok() : Reply::Text(StopReply(c, c.stops.front()));
}

Reply OnContActions(Conversation&, const Arguments&) { return Reply::Text("vCont;c;C;s;S;t;r"); }

Reply OnCont(Conversation& c, const Arguments& arguments) {
  std::vector<Wish> wishes;
  std::string_view rest = arguments.text(0);
  do {
    const std::string_view one = rest.substr(0, rest.find(';'));
    const auto wish = ParseWish(c, one);
    if (!wish || (wish->halt && !c.non_stop)) return Reply::Error(engine::kEINVAL);
    wishes.push_back(*wish);
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
  } while (!rest.empty());
  return Carry(c, wishes);
}

Reply OnContinue(Conversation& c, const Arguments& arguments) {
  return CarryOld(c, ResumeKind::kContinue, 0, AddressAt(arguments, 0));
}
Reply OnStep(Conversation& c, const Arguments& arguments) {
  return CarryOld(c, ResumeKind::kStep, 0, AddressAt(arguments, 0));
}
Reply OnContinueWithSignal(Conversation& c, const Arguments& arguments) {
  return CarryOld(c, ResumeKind::kContinue, arguments.number(0), AddressAt(arguments, 1));
}
Reply OnStepWithSignal(Conversation& c, const Arguments& arguments) {
  return CarryOld(c, ResumeKind::kStep, arguments.number(0), AddressAt(arguments, 1));
}

Reply OnCtrlC(Conversation& c, const Arguments&) {
  if (!c.non_stop) {
    if (c.running) c.debuggee.Interrupt();
    return Reply::Ok();
  }
  for (const ThreadInfo& info : c.debuggee.Threads()) {
    if (!info.running) continue;
    const auto halted = c.debuggee.Halt(info.thread);
    return halted ? Reply::Ok() : Reply::Refused(halted.error());
  }
  return Reply::Ok();
}

Reply OnStepBack(Conversation& c, const Arguments&) {
  return Back(c, "reverse-stepi",
              [](ReverseExecution& power, ThreadRef thread) { return power.StepBack(thread); });
}
Reply OnContinueBack(Conversation& c, const Arguments&) {
  return Back(c, "reverse-continue",
              [](ReverseExecution& power, ThreadRef) { return power.ContinueBack(); });
}

Reply OnPassSignals(Conversation& c, const Arguments& arguments) {
  const auto signals = ParseSignals(c, arguments.text(0));
  if (!signals) return Reply::Error(engine::kEINVAL);
  c.debuggee.PassSignals(*signals);
  return Reply::Ok();
}
Reply OnProgramSignals(Conversation& c, const Arguments& arguments) {
  const auto signals = ParseSignals(c, arguments.text(0));
  if (!signals) return Reply::Error(engine::kEINVAL);
  c.debuggee.ProgramSignals(*signals);
  return Reply::Ok();
}

Reply OnCatchSyscalls(Conversation& c, const Arguments& arguments) {
  const auto process = c.CurrentProcess();
  if (!process) return Reply::Refused(process.error());
  std::string_view rest = arguments.text_count() > 0 ? arguments.text(0) : std::string_view();
  if (arguments.number(0) == 0) {
    if (!rest.empty()) return Reply::Error(engine::kEINVAL);
    c.catching.erase(process->pid);
    return Reply::Of(c.debuggee.syscall_catch()->Catch(process->pid, std::nullopt));
  }
  std::vector<std::uint64_t> numbers;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(';'));
    const auto number = ParseHex(one);
    if (!number) return Reply::Error(engine::kEINVAL);
    numbers.push_back(*number);
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
  }
  const auto caught = c.debuggee.syscall_catch()->Catch(process->pid, std::move(numbers));
  if (caught) c.catching.insert(process->pid);
  return Reply::Of(caught);
}

Reply OnThreadEvents(Conversation& c, const Arguments& arguments) {
  c.events.threads = arguments.number(0) != 0;
  return Reply::Of(c.debuggee.process_events()->Report(c.events));
}

}  // namespace glovebox::gdbstub
