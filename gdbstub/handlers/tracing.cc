#include "gdbstub/handlers/tracing.h"

#include <algorithm>
#include <optional>

#include "gdbstub/handlers/breakpoints.h"
#include "gdbstub/hex.h"

namespace glovebox::gdbstub {
namespace {

using tracing::Action;
using tracing::StopCause;
using tracing::Tracepoint;

// Takes what stands before the next `separator` off the front, and the separator.
std::string_view Take(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

std::string_view TakeDigits(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && HexDigit(text[end]) >= 0) ++end;
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end);
  return taken;
}

// "5,2603e8...": a program, behind its letter.
Answer<agent::Program> TakeProgram(std::string_view& text, Architecture architecture) {
  const auto size = ParseHex(Take(text, ','));
  if (!size || *size > agent::kMaxProgramBytes || text.size() < 2 * *size)
    return Refuse(engine::kEINVAL);
  const auto code = ParseHexBytes(text.substr(0, 2 * *size));
  text.remove_prefix(2 * *size);
  if (!code) return Refuse(engine::kEINVAL);
  auto program = agent::Program::Verify(*code, LayoutOf(architecture));
  if (!program) return Refuse(engine::kEINVAL, program.error());
  return std::move(*program);
}

// "-1,401000,8", "6,fffffffffffffff0,4".
Answer<Action> TakeMemory(std::string_view& text, Architecture architecture) {
  Action action{.kind = Action::Kind::kMemory};
  const std::string_view base = Take(text, ',');
  const auto number = ParseHex(base);
  const auto offset = ParseHex(Take(text, ','));
  const auto length = ParseHex(TakeDigits(text));
  if (!offset || !length || (!number && base != "-1")) return Refuse(engine::kEINVAL);
  if (number && *number != UINT32_MAX) {
    if (*number >= LayoutOf(architecture).rows.size()) return Refuse(engine::kEINVAL);
    action.base = static_cast<RegisterNumber>(*number);
  }
  action.offset = *offset;
  action.length = *length;
  return action;
}

Answer<Action> TakeAction(std::string_view& text, Architecture architecture) {
  const char letter = text[0];
  text.remove_prefix(1);
  switch (letter) {
    case 'R':  // a mask of registers: all of them are taken, as a frame has room for all
      if (TakeDigits(text).empty()) return Refuse(engine::kEINVAL);
      return Action{.kind = Action::Kind::kRegisters};
    case 'M':
      return TakeMemory(text, architecture);
    case 'X': {
      auto program = TakeProgram(text, architecture);
      if (!program) return std::unexpected(program.error());
      Action action{.kind = Action::Kind::kExpression};
      action.program = std::move(*program);
      return action;
    }
    case 'L':
      return Refuse(engine::kEOPNOTSUPP, "there are no static tracepoint markers to collect");
    default:
      return Refuse(engine::kEINVAL);
  }
}

// "E:0:0:F5:X5,2227": enabled, steps, passes, and what may follow.
Answer<void> Define(Conversation& c, std::uint32_t number, GuestAddr address,
                    std::string_view text) {
  const std::string_view enabled = Take(text, ':');
  const auto steps = ParseHex(Take(text, ':'));
  const auto passes = ParseHex(Take(text, ':'));
  if ((enabled != "E" && enabled != "D") || !steps || !passes || *steps > tracing::kMostSteps)
    return Refuse(engine::kEINVAL);
  std::optional<agent::Program> condition;
  std::string tail;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view before = rest;
    const char letter = rest[0];
    rest.remove_prefix(1);
    if (letter == 'F') {  // a fast one: they are all the same here
      if (!ParseHex(TakeDigits(rest))) return Refuse(engine::kEINVAL);
    } else if (letter == 'X') {
      auto program = TakeProgram(rest, c.trace.architecture);
      if (!program) return std::unexpected(program.error());
      condition = std::move(*program);
    } else if (letter == 'S') {
      return Refuse(engine::kEOPNOTSUPP, "there are no static tracepoint markers");
    } else {
      return Refuse(engine::kEINVAL);
    }
    tail += ':';
    tail += before.substr(0, before.size() - rest.size());
    if (!rest.empty() && Take(rest, ':') != "") return Refuse(engine::kEINVAL);
  }
  Tracepoint* const tracepoint = c.trace.tracer.Add(number, address);
  if (tracepoint == nullptr) return Refuse(engine::kENOSPC, "too many tracepoints");
  tracepoint->enabled = enabled == "E";
  tracepoint->steps = *steps;
  tracepoint->passes = *passes;
  tracepoint->condition = std::move(condition);
  tracepoint->tail_text = std::move(tail);
  return {};
}

Answer<void> AddActions(Conversation& c, Tracepoint& tracepoint, std::string_view text) {
  const bool of_steps = text.starts_with('S');
  if (of_steps) text.remove_prefix(1);
  if (text.empty()) return Refuse(engine::kEINVAL);
  std::vector<Action> added;
  const std::string whole(text);
  while (!text.empty()) {
    auto action = TakeAction(text, c.trace.architecture);
    if (!action) return std::unexpected(action.error());
    added.push_back(std::move(*action));
  }
  auto& actions = of_steps ? tracepoint.step_actions : tracepoint.actions;
  if (actions.size() + added.size() > tracing::kMostActions)
    return Refuse(engine::kENOSPC, "too many actions of one tracepoint");
  std::ranges::move(added, std::back_inserter(actions));
  (of_steps ? tracepoint.step_texts : tracepoint.action_texts).push_back(whole);
  return {};
}

Reply Enable(Conversation& c, const Arguments& arguments, bool enabled) {
  Tracepoint* const tracepoint =
      c.trace.tracer.Find(static_cast<std::uint32_t>(arguments.number(0)), arguments.number(1));
  if (tracepoint == nullptr) return Reply::Error(engine::kENOENT);
  tracepoint->enabled = enabled;
  return Reply::Ok();
}

}  // namespace

Reply OnTraceInit(Conversation& c, const Arguments&) {
  RemoveTracepoints(c);
  c.trace.tracer.Reset();
  c.trace.frame.reset();
  c.trace.read_only.clear();
  if (const auto process = c.CurrentProcess()) c.trace.architecture = process->architecture;
  return Reply::Ok();
}

// "1:401136:E:0:0-" defines one, "-1:401136:R3fff-" adds to it; '-' at the end: more follows.
Reply OnTracepoint(Conversation& c, const Arguments& arguments) {
  std::string_view text = arguments.text(0);
  if (!c.trace.tracer.TakesText(text.size())) return Reply::Error(engine::kENOSPC);
  const bool adds = text.starts_with('-');
  if (adds) text.remove_prefix(1);
  if (text.ends_with('-')) text.remove_suffix(1);
  const auto number = ParseHex(Take(text, ':'));
  const auto address = ParseHex(Take(text, ':'));
  if (!number || !address || *number == 0 || *number > UINT16_MAX)
    return Reply::Error(engine::kEINVAL);
  const auto id = static_cast<std::uint32_t>(*number);
  Tracepoint* const tracepoint = c.trace.tracer.Find(id, *address);
  if (adds) {
    return tracepoint == nullptr ? Reply::Error(engine::kENOENT)
                                 : Reply::Of(AddActions(c, *tracepoint, text));
  }
  if (tracepoint != nullptr && c.trace.tracer.running()) return Reply::Error(engine::kEEXIST);
  const auto process = c.CurrentProcess();
  if (!process) return Reply::Refused(process.error());
  if (c.trace.tracer.tracepoints().empty()) c.trace.architecture = process->architecture;
  if (const auto defined = Define(c, id, *address, text); !defined)
    return Reply::Refused(defined.error());
  if (!c.trace.tracer.running()) return Reply::Ok();
  return Reply::Of(InsertTracepoint(c, process->pid, *address));
}

// "1:401136:cond:0:5:78203e2030": a piece of the text that the user wrote.
Reply OnTraceSource(Conversation& c, const Arguments& arguments) {
  std::string_view text = arguments.text(0);
  const std::string whole(text);
  const auto number = ParseHex(Take(text, ':'));
  const auto address = ParseHex(Take(text, ':'));
  const std::string_view type = Take(text, ':');
  const auto start = ParseHex(Take(text, ':'));
  const auto length = ParseHex(Take(text, ':'));
  const auto piece = ParseHexText(text);
  if (!number || !address || !start || !length || !piece ||
      (type != "at" && type != "cond" && type != "cmd")) {
    return Reply::Error(engine::kEINVAL);
  }
  Tracepoint* const tracepoint =
      *number > UINT16_MAX ? nullptr
                           : c.trace.tracer.Find(static_cast<std::uint32_t>(*number), *address);
  if (tracepoint == nullptr) return Reply::Error(engine::kENOENT);
  if (!c.trace.tracer.TakesText(whole.size())) return Reply::Error(engine::kENOSPC);
  tracepoint->source_texts.push_back(whole);
  return Reply::Ok();
}

Reply OnTraceVariable(Conversation& c, const Arguments& arguments) {
  tracing::Variable variable;
  variable.name = arguments.text(0);
  variable.initial = static_cast<std::int64_t>(arguments.number(1));
  variable.is_timestamp = arguments.number(2) != 0 && variable.name == "trace_timestamp";
  if (arguments.number(0) > UINT16_MAX || !c.trace.tracer.TakesText(variable.name.size()))
    return Reply::Error(engine::kENOSPC);
  const bool set = c.trace.tracer.SetVariable(static_cast<std::uint32_t>(arguments.number(0)),
                                              std::move(variable));
  return set ? Reply::Ok() : Reply::Error(engine::kENOSPC);
}

Reply OnEnableTracepoint(Conversation& c, const Arguments& arguments) {
  return Enable(c, arguments, true);
}
Reply OnDisableTracepoint(Conversation& c, const Arguments& arguments) {
  return Enable(c, arguments, false);
}

// "401000,402000:403000,404000"
Reply OnTraceReadOnly(Conversation& c, const Arguments& arguments) {
  constexpr std::size_t kMostRanges = 4096;
  std::vector<std::pair<GuestAddr, GuestAddr>> ranges;
  for (std::string_view text = arguments.text(0); !text.empty();) {
    std::string_view one = Take(text, ':');
    const auto begin = ParseHex(Take(one, ','));
    const auto end = ParseHex(one);
    if (!begin || !end || *begin > *end) return Reply::Error(engine::kEINVAL);
    if (ranges.size() == kMostRanges) return Reply::Error(engine::kE2BIG);
    ranges.emplace_back(*begin, *end);
  }
  c.trace.read_only = std::move(ranges);
  return Reply::Ok();
}

Reply OnTraceStart(Conversation& c, const Arguments&) {
  const auto process = c.CurrentProcess();
  if (!process) return Reply::Refused(process.error());
  tracing::Tracer& tracer = c.trace.tracer;
  RemoveTracepoints(c);
  c.trace.frame.reset();
  c.trace.stop_note.clear();
  for (const auto& [key, tracepoint] : tracer.tracepoints()) {
    if (const auto inserted = InsertTracepoint(c, process->pid, tracepoint.address); !inserted) {
      RemoveTracepoints(c);
      return Reply::Refused(inserted.error());
    }
  }
  tracer.Start();
  return Reply::Ok();
}

Reply OnTraceStop(Conversation& c, const Arguments&) {
  RemoveTracepoints(c);
  c.trace.tracer.Stop({StopCause::Kind::kStopped, 0, c.trace.stop_note});
  return Reply::Ok();
}

Reply OnTraceCircular(Conversation& c, const Arguments& arguments) {
  c.trace.tracer.buffer().SetCircular(arguments.number(0) != 0);
  return Reply::Ok();
}

Reply OnTraceBufferSize(Conversation& c, const Arguments& arguments) {
  if (c.trace.tracer.running()) return Reply::Error(engine::kEBUSY, "the trace buffer is in use");
  std::optional<std::uint64_t> size;
  if (arguments.text(0) != "-1") {
    size = ParseHex(arguments.text(0));
    if (!size || *size == 0) return Reply::Error(engine::kEINVAL);
    if (*size > tracing::kMostBufferBytes)
      return Reply::Error(engine::kENOSPC, "a trace buffer has at most 64 MiB");
  }
  c.trace.frame.reset();
  c.trace.tracer.buffer().SetSize(size);
  return Reply::Ok();
}

// "user:726f6f74;notes:...;tstop:...;"
Reply OnTraceNotes(Conversation& c, const Arguments& arguments) {
  struct Row {
    std::string_view name;
    std::string TraceSettings::* text;
  };
  constexpr Row kRows[] = {{"user", &TraceSettings::user},
                           {"notes", &TraceSettings::notes},
                           {"tstop", &TraceSettings::stop_note}};
  for (std::string_view text = arguments.text(0); !text.empty();) {
    std::string_view one = Take(text, ';');
    const auto row = std::ranges::find(kRows, Take(one, ':'), &Row::name);
    const auto note = ParseHexText(one);
    if (row == std::end(kRows) || !note) return Reply::Error(engine::kEINVAL);
    c.trace.*row->text = *note;
  }
  return Reply::Ok();
}

Reply OnTraceDisconnected(Conversation&, const Arguments& arguments) {
  if (arguments.number(0) == 0) return Reply::Ok();
  return Reply::Error(engine::kEOPNOTSUPP, "tracing ends with the debugger that has begun it");
}

}  // namespace glovebox::gdbstub
