#include "gdbstub/handlers/registers.h"

#include "gdbstub/handlers/tracing.h"
#include "gdbstub/hex.h"

namespace glovebox::gdbstub {

namespace {

// What a trace frame holds has happened.
Reply RefuseFrame() {
  return Reply::Error(engine::kEPERM, "a trace frame cannot be changed: see 'tfind none'");
}

}  // namespace

Reply OnReadRegisters(Conversation& c, const Arguments&) {
  if (c.trace.selected() != nullptr) return Reply::Text(FrameRegisters(c));
  const auto thread = c.Current();
  if (!thread) return Reply::Refused(thread.error());
  const auto file = c.Registers(*thread);
  if (!file) return Reply::Refused(file.error());
  std::string out;
  AppendHex(out, file->bytes);
  return Reply::Text(std::move(out));
}

// Only what differs is written: each register is an input of its own to the journal.
Reply OnWriteRegisters(Conversation& c, const Arguments& arguments) {
  if (c.trace.selected() != nullptr) return RefuseFrame();
  const auto thread = c.Current();
  if (!thread) return Reply::Refused(thread.error());
  const auto file = c.Registers(*thread);
  if (!file) return Reply::Refused(file.error());
  const auto bytes = AsBytes(arguments.text(0));
  if (bytes.size() != file->bytes.size()) return Reply::Error(engine::kEINVAL);
  for (RegisterNumber number = 0; number < file->layout().rows.size(); ++number) {
    const RegisterRow& row = file->layout().rows[number];
    const auto value = bytes.subspan(row.offset, row.size_bytes());
    if (std::ranges::equal(value, file->of(number))) continue;
    const auto written = c.debuggee.WriteRegister(*thread, number, value);
    if (!written) return Reply::Refused(written.error());
  }
  return Reply::Ok();
}

Reply OnReadRegister(Conversation& c, const Arguments& arguments) {
  if (c.trace.selected() != nullptr) {
    const RegisterLayout& layout = LayoutOf(c.trace.architecture);
    if (arguments.number(0) >= layout.rows.size()) return Reply::Error(engine::kEINVAL);
    const RegisterRow& row = layout.rows[arguments.number(0)];
    return Reply::Text(FrameRegisters(c).substr(2 * row.offset, 2 * row.size_bytes()));
  }
  const auto thread = c.Current();
  if (!thread) return Reply::Refused(thread.error());
  const auto file = c.Registers(*thread);
  if (!file) return Reply::Refused(file.error());
  if (arguments.number(0) >= file->layout().rows.size()) return Reply::Error(engine::kEINVAL);
  std::string out;
  AppendHex(out, file->of(static_cast<RegisterNumber>(arguments.number(0))));
  return Reply::Text(std::move(out));
}

Reply OnWriteRegister(Conversation& c, const Arguments& arguments) {
  if (c.trace.selected() != nullptr) return RefuseFrame();
  const auto thread = c.Current();
  if (!thread) return Reply::Refused(thread.error());
  const auto process = c.Process(thread->pid);
  if (!process) return Reply::Refused(process.error());
  const RegisterLayout& layout = LayoutOf(process->architecture);
  const auto value = AsBytes(arguments.text(0));
  if (arguments.number(0) >= layout.rows.size() ||
      value.size() != layout.rows[arguments.number(0)].size_bytes()) {
    return Reply::Error(engine::kEINVAL);
  }
  return Reply::Of(
      c.debuggee.WriteRegister(*thread, static_cast<RegisterNumber>(arguments.number(0)), value));
}

}  // namespace glovebox::gdbstub
