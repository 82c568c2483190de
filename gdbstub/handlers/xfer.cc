#include "gdbstub/handlers/xfer.h"

#include <fmt/format.h>

#include <algorithm>

#include "gdbstub/framing.h"
#include "gdbstub/hex.h"
#include "gdbstub/link_map.h"
#include "gdbstub/session.h"
#include "gdbstub/target_description.h"
#include "gdbstub/xml.h"

namespace glovebox::gdbstub {
namespace {

// The piece that was asked for: 'm' and more follows, or 'l' and it is the last. The document is
// made when its beginning is read and stays the same until its end.
template <typename Make>
Reply Piece(Conversation& c, std::string_view object, const Arguments& arguments, Make make) {
  const std::string name = fmt::format("{}:{}:{}", object, arguments.text(0), c.general.pid);
  const std::uint64_t offset = arguments.number(0);
  if (offset == 0 || c.document_name != name) {
    Answer<std::string> document = make();
    if (!document) return Reply::Refused(document.error());
    c.document = std::move(*document);
    c.document_name = name;
  }
  if (offset > c.document.size()) return Reply::Error(engine::kEINVAL);
  const std::string_view rest = std::string_view(c.document).substr(offset);
  const std::string_view wanted =
      rest.substr(0, std::min<std::uint64_t>(arguments.number(1), kPacketSize));
  std::string out = "m";
  const std::size_t taken = AppendEscaped(out, wanted, kPacketSize - 1);
  if (taken == rest.size()) out[0] = 'l';
  return Reply::Escaped(std::move(out));
}

bool NoAnnex(const Arguments& arguments) { return arguments.text(0).empty(); }

std::string Column(std::string_view name, std::string_view text) {
  return fmt::format("<column name=\"{}\">{}</column>", name, XmlText(text));
}

std::string OsDataTypes() {
  std::string out = "<osdata type=\"types\">";
  for (const auto& [type, description, title] :
       {std::array<std::string_view, 3>{"processes", "Listing of all processes", "Processes"},
        std::array<std::string_view, 3>{"threads", "Listing of all threads", "Threads"}}) {
    out += "<item>" + Column("Type", type) + Column("Description", description) +
           Column("Title", title) + "</item>";
  }
  return out + "</osdata>";
}

std::string OsDataProcesses(OsInfo& power) {
  std::string out = "<osdata type=\"processes\">";
  for (const OsProcess& process : power.AllProcesses()) {
    out += "<item>" + Column("pid", std::to_string(process.pid)) + Column("user", process.user) +
           Column("command", process.command) + Column("cores", "0") + "</item>";
  }
  return out + "</osdata>";
}

std::string OsDataThreads(OsInfo& power) {
  std::string out = "<osdata type=\"threads\">";
  for (const OsProcess& process : power.AllProcesses()) {
    for (const std::uint32_t tid : process.threads) {
      out += "<item>" + Column("pid", std::to_string(process.pid)) +
             Column("command", process.command) + Column("tid", std::to_string(tid)) +
             Column("core", "0") + "</item>";
    }
  }
  return out + "</osdata>";
}

// "start=ADDR;prev=ADDR;lmid=ADDR", each of them optional, in any order.
struct LibraryAnnex {
  std::uint64_t start = 0;
  std::uint64_t previous = 0;
};
std::optional<LibraryAnnex> ParseLibraryAnnex(std::string_view text) {
  LibraryAnnex annex;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(';'));
    const std::size_t equals = std::min(one.find('='), one.size());
    const auto value = ParseHex(one.substr(std::min(equals + 1, one.size())));
    if (!value) return std::nullopt;
    const std::string_view key = one.substr(0, equals);
    if (key == "start") annex.start = *value;
    if (key == "prev") annex.previous = *value;
    text.remove_prefix(std::min(one.size() + 1, text.size()));
  }
  return annex;
}

}  // namespace

Reply OnReadTargetXml(Conversation& c, const Arguments& arguments) {
  if (arguments.text(0) != "target.xml") return Reply::Error(engine::kENOENT);
  return Piece(c, "features", arguments, [&]() -> Answer<std::string> {
    const auto process = c.CurrentProcess();
    return TargetXml(process ? process->architecture : Architecture::kAmd64);
  });
}

Reply OnReadAuxv(Conversation& c, const Arguments& arguments) {
  if (!NoAnnex(arguments)) return Reply::Error(engine::kEINVAL);
  return Piece(c, "auxv", arguments, [&]() -> Answer<std::string> {
    const auto thread = c.Current();
    if (!thread) return std::unexpected(thread.error());
    const auto bytes = c.debuggee.auxv()->Read(thread->pid);
    if (!bytes) return std::unexpected(bytes.error());
    return std::string(AsText(*bytes));
  });
}

// The C library's pthread_t of a thread, in the order of its bytes: for GNU's and musl the thread
// pointer. Empty: it runs, or has none yet.
std::string HandleOf(Conversation& c, ThreadRef thread) {
  const auto process = c.Process(thread.pid);
  const auto pointer = c.debuggee.ThreadPointer(thread);
  if (!process || !pointer || *pointer == 0) return {};
  std::string out = " handle=\"";
  AppendHex(
      out,
      std::as_bytes(std::span(&*pointer, 1)).first(LayoutOf(process->architecture).word_bytes));
  return out + '"';
}

Reply OnReadThreads(Conversation& c, const Arguments& arguments) {
  if (!NoAnnex(arguments)) return Reply::Error(engine::kEINVAL);
  return Piece(c, "threads", arguments, [&]() -> Answer<std::string> {
    std::string out = "<threads>";
    for (const ThreadInfo& info : c.debuggee.Threads()) {
      out += fmt::format("<thread id=\"{}\" core=\"0\" name=\"{}\"{}/>", c.IdOf(info.thread),
                         XmlText(info.name), HandleOf(c, info.thread));
    }
    return out + "</threads>";
  });
}

Reply OnReadLibraries(Conversation& c, const Arguments& arguments) {
  const auto annex = ParseLibraryAnnex(arguments.text(0));
  if (!annex) return Reply::Error(engine::kEINVAL);
  return Piece(c, "libraries-svr4", arguments, [&]() -> Answer<std::string> {
    const auto process = c.CurrentProcess();
    if (!process) return std::unexpected(process.error());
    return LibraryListXml(c, *process, annex->start, annex->previous);
  });
}

// One region, all that may ever be memory: gdb asks once per program and would not read what has
// been mapped since, were the map more exact.
Reply OnReadMemoryMap(Conversation& c, const Arguments& arguments) {
  if (!NoAnnex(arguments)) return Reply::Error(engine::kEINVAL);
  return Piece(c, "memory-map", arguments, [&]() -> Answer<std::string> {
    const auto process = c.CurrentProcess();
    if (!process) return std::unexpected(process.error());
    return fmt::format(
        "<?xml version=\"1.0\"?><!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map "
        "V1.0//EN\" \"http://sourceware.org/gdb/gdb-memory-map.dtd\"><memory-map>"
        "<memory type=\"ram\" start=\"0x0\" length=\"{:#x}\"/></memory-map>",
        c.debuggee.memory_map()->Limit(process->pid));
  });
}

Reply OnReadSiginfo(Conversation& c, const Arguments& arguments) {
  if (!NoAnnex(arguments)) return Reply::Error(engine::kEINVAL);
  c.document_name.clear();  // it changes under the same name
  return Piece(c, "siginfo", arguments, [&]() -> Answer<std::string> {
    const auto thread = c.Current();
    if (!thread) return std::unexpected(thread.error());
    const auto bytes = c.debuggee.siginfo()->Read(*thread);
    if (!bytes) return std::unexpected(bytes.error());
    return std::string(AsText(*bytes));
  });
}

Reply OnWriteSiginfo(Conversation& c, const Arguments& arguments) {
  if (!NoAnnex(arguments)) return Reply::Error(engine::kEINVAL);
  const auto thread = c.Current();
  if (!thread) return Reply::Refused(thread.error());
  const std::string& bytes = arguments.text(1);
  const auto written = c.debuggee.siginfo()->Write(*thread, arguments.number(0), AsBytes(bytes));
  return written ? Reply::Text(HexOf(bytes.size())) : Reply::Refused(written.error());
}

Reply OnReadExecFile(Conversation& c, const Arguments& arguments) {
  const auto pid = ParseHex(arguments.text(0));
  if (!NoAnnex(arguments) && (!pid || *pid > INT32_MAX)) return Reply::Error(engine::kEINVAL);
  return Piece(c, "exec-file", arguments, [&]() -> Answer<std::string> {
    const auto process = pid ? c.Process(static_cast<std::int64_t>(*pid)) : c.CurrentProcess();
    if (!process) return std::unexpected(process.error());
    return process->executable;
  });
}

// What the selected trace frame holds.
Reply OnReadTraceframeInfo(Conversation& c, const Arguments& arguments) {
  const tracing::Frame* const frame = c.trace.selected();
  if (frame == nullptr || !NoAnnex(arguments)) return Reply::Error(engine::kENOENT);
  return Piece(c, fmt::format("traceframe-info {}", *c.trace.frame), arguments,
               [&]() -> Answer<std::string> {
                 return "<?xml version=\"1.0\"?>\n"
                        "<!DOCTYPE traceframe-info SYSTEM \"traceframe-info.dtd\">\n"
                        "<traceframe-info>\n" +
                        frame->Describe() + "</traceframe-info>\n";
               });
}

Reply OnReadOsData(Conversation& c, const Arguments& arguments) {
  const std::string& annex = arguments.text(0);
  if (!annex.empty() && annex != "types" && annex != "processes" && annex != "threads") {
    return Reply::Error(engine::kENOENT);
  }
  return Piece(c, "osdata", arguments, [&]() -> Answer<std::string> {
    if (annex == "processes") return OsDataProcesses(*c.debuggee.os_info());
    if (annex == "threads") return OsDataThreads(*c.debuggee.os_info());
    return OsDataTypes();
  });
}

}  // namespace glovebox::gdbstub
