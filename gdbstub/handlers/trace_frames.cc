// What tracepoints have collected, as gdb asks for it.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "gdbstub/handlers/tracing.h"
#include "gdbstub/hex.h"
#include "gdbstub/session.h"

namespace glovebox::gdbstub {
namespace {

using tracing::Frame;
using tracing::StopCause;
using tracing::Tracepoint;

std::string CauseText(const tracing::Tracer& tracer) {
  const StopCause& cause = tracer.cause();
  switch (cause.kind) {
    case StopCause::Kind::kNotRun:
      return "tnotrun:0";
    case StopCause::Kind::kStopped:
      return cause.text.empty() ? "tstop:0" : fmt::format("tstop:{}:0", HexOf(cause.text));
    case StopCause::Kind::kFull:
      return "tfull:0";
    case StopCause::Kind::kPasses:
      return fmt::format("tpasscount:{:x}", cause.tracepoint);
    case StopCause::Kind::kError:
      return fmt::format("terror:{}:{:x}", HexOf(cause.text), cause.tracepoint);
  }
  return "tunknown:0";
}

GuestAddr PcOf(const Conversation& c, const Frame& frame) {
  const auto registers = frame.Registers();
  const RegisterLayout& layout = LayoutOf(c.trace.architecture);
  if (registers.size() != layout.size_bytes) return frame.address();
  const RegisterRow& row = layout.rows[layout.pc];
  GuestAddr pc = 0;
  for (std::size_t i = row.size_bytes(); i-- > 0;)
    pc = pc << 8 | static_cast<std::uint64_t>(registers[row.offset + i]);
  return pc;
}

// The next frame behind the selected one, or the first one, that is wanted.
Reply SelectNext(Conversation& c, const std::function<bool(const Frame&)>& is_wanted) {
  const auto& frames = c.trace.tracer.buffer().frames();
  for (std::size_t i = c.trace.frame ? *c.trace.frame + 1 : 0; i < frames.size(); ++i) {
    if (!is_wanted(frames[i])) continue;
    c.trace.frame = i;
    return Reply::Text(fmt::format("F{:x}T{:x}", i, frames[i].tracepoint()));
  }
  return Reply::Text("F-1");
}

Reply NextOf(Conversation& c) {
  if (c.trace.upload.empty()) return Reply::Text("l");
  std::string text = std::move(c.trace.upload.front());
  c.trace.upload.pop_front();
  return Reply::Text(std::move(text));
}

}  // namespace

Reply OnTraceStatus(Conversation& c, const Arguments&) {
  const tracing::Tracer& tracer = c.trace.tracer;
  const tracing::TraceBuffer& buffer = tracer.buffer();
  std::string out = fmt::format(
      "T{};{};tframes:{:x};tcreated:{:x};tfree:{:x};tsize:{:x};circular:{};disconn:0",
      tracer.running() ? 1 : 0, CauseText(tracer), buffer.frames().size(), buffer.created(),
      buffer.free_bytes(), buffer.size_bytes(), buffer.circular() ? 1 : 0);
  if (!c.trace.user.empty()) out += ";username:" + HexOf(c.trace.user);
  if (!c.trace.notes.empty()) out += ";notes:" + HexOf(c.trace.notes);
  return Reply::Text(std::move(out));
}

// "3", "ffffffff", "pc:401136", "tdp:1", "range:401000:401fff", "outside:..."
Reply OnSelectFrame(Conversation& c, const Arguments& arguments) {
  std::string_view text = arguments.text(0);
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    const auto number = ParseHex(text);
    if (!number) return Reply::Error(engine::kEINVAL);
    const auto& frames = c.trace.tracer.buffer().frames();
    if (*number >= UINT32_MAX) c.trace.frame.reset();
    if (*number >= frames.size()) return Reply::Text("F-1");
    c.trace.frame = static_cast<std::size_t>(*number);
    return Reply::Text(fmt::format("F{:x}T{:x}", *number, frames[*c.trace.frame].tracepoint()));
  }
  const std::string_view how = text.substr(0, colon);
  const std::string_view rest = text.substr(colon + 1);
  const auto first = ParseHex(rest.substr(0, rest.find(':')));
  if (!first) return Reply::Error(engine::kEINVAL);
  if (how == "pc") return SelectNext(c, [&](const Frame& f) { return PcOf(c, f) == *first; });
  if (how == "tdp") return SelectNext(c, [&](const Frame& f) { return f.tracepoint() == *first; });
  const auto last = ParseHex(rest.substr(std::min(rest.find(':'), rest.size() - 1) + 1));
  if (!last || (how != "range" && how != "outside")) return Reply::Error(engine::kEINVAL);
  return SelectNext(c, [&](const Frame& f) {
    const GuestAddr pc = PcOf(c, f);
    return (pc >= *first && pc <= *last) == (how == "range");
  });
}

Reply OnReadTraceBuffer(Conversation& c, const Arguments& arguments) {
  const auto most =
      static_cast<std::size_t>(std::min<std::uint64_t>(arguments.number(1), kPacketSize / 2));
  const auto bytes = c.trace.tracer.buffer().Read(arguments.number(0), most);
  if (bytes.empty()) return Reply::Text("l");
  std::string out;
  AppendHex(out, bytes);
  return Reply::Text(std::move(out));
}

Reply OnTracepointStatus(Conversation& c, const Arguments& arguments) {
  const Tracepoint* const tracepoint =
      c.trace.tracer.Find(static_cast<std::uint32_t>(arguments.number(0)), arguments.number(1));
  if (tracepoint == nullptr) return Reply::Error(engine::kENOENT);
  return Reply::Text(fmt::format("V{:x}:{:x}", tracepoint->hits, tracepoint->used_bytes));
}

// In a frame: as it was then.
Reply OnReadTraceVariable(Conversation& c, const Arguments& arguments) {
  const auto number = static_cast<std::uint32_t>(arguments.number(0));
  if (const Frame* const frame = c.trace.selected()) {
    const auto value = frame->Variable(number);
    return Reply::Text(value ? fmt::format("V{:x}", *value) : "U");
  }
  const auto& variables = c.trace.tracer.variables();
  const auto found = variables.find(number);
  if (found == variables.end() || found->second.is_timestamp) return Reply::Text("U");
  return Reply::Text(fmt::format("V{:x}", static_cast<std::uint64_t>(found->second.value)));
}

Reply OnFirstTracepoints(Conversation& c, const Arguments&) {
  c.trace.upload.clear();
  for (const auto& [key, one] : c.trace.tracer.tracepoints()) {
    const std::string id = fmt::format("{:x}:{:x}:", one.number, one.address);
    c.trace.upload.push_back(fmt::format("T{}{}:{:x}:{:x}{}", id, one.enabled ? 'E' : 'D',
                                         one.steps, one.passes, one.tail_text));
    for (const std::string& text : one.action_texts) c.trace.upload.push_back("A" + id + text);
    for (const std::string& text : one.step_texts) c.trace.upload.push_back("S" + id + text);
    for (const std::string& text : one.source_texts) c.trace.upload.push_back("Z" + text);
  }
  return NextOf(c);
}

Reply OnFirstTraceVariables(Conversation& c, const Arguments&) {
  c.trace.upload.clear();
  for (const auto& [number, variable] : c.trace.tracer.variables()) {
    c.trace.upload.push_back(fmt::format("{:x}:{:x}:{}:{}", number,
                                         static_cast<std::uint64_t>(variable.initial),
                                         variable.is_timestamp ? 1 : 0, HexOf(variable.name)));
  }
  return NextOf(c);
}

Reply OnMoreOfTrace(Conversation& c, const Arguments&) { return NextOf(c); }

// No instruction is too short: nothing is patched.
Reply OnFastTracepointLength(Conversation&, const Arguments&) { return Reply::Text("1"); }

std::string FrameRegisters(const Conversation& c) {
  const RegisterLayout& layout = LayoutOf(c.trace.architecture);
  const Frame& frame = *c.trace.selected();
  std::string out;
  const auto registers = frame.Registers();
  if (registers.size() == layout.size_bytes) {
    AppendHex(out, registers);
    return out;
  }
  // Where it was collected is known all the same.
  out.assign(2 * layout.size_bytes, 'x');
  const GuestAddr pc = frame.address();
  std::string digits;
  AppendHex(digits, std::as_bytes(std::span(&pc, 1)).first(layout.rows[layout.pc].size_bytes()));
  out.replace(2 * layout.rows[layout.pc].offset, digits.size(), digits);
  return out;
}

Answer<Bytes> ReadFrameMemory(Conversation& c, GuestAddr address, std::size_t most) {
  Bytes bytes(most);
  if (const std::size_t got = c.trace.selected()->ReadMemory(address, bytes); got > 0) {
    bytes.resize(got);
    return bytes;
  }
  for (const auto& [begin, end] : c.trace.read_only) {
    if (address < begin || address >= end) continue;
    const auto thread = c.Current();
    if (!thread) return std::unexpected(thread.error());
    bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(most, end - address)));
    const auto read = c.debuggee.ReadMemory(thread->pid, address, bytes);
    if (!read) return std::unexpected(read.error());
    bytes.resize(std::min(*read, bytes.size()));
    return bytes;
  }
  return Refuse(engine::kEFAULT);
}

}  // namespace glovebox::gdbstub
