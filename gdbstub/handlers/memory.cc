#include "gdbstub/handlers/memory.h"

#include <algorithm>

#include "gdbstub/crc.h"
#include "gdbstub/framing.h"
#include "gdbstub/handlers/tracing.h"
#include "gdbstub/hex.h"
#include "gdbstub/session.h"

namespace glovebox::gdbstub {
namespace {

// What one packet may make the stub look through: about a second of work.
constexpr std::uint64_t kMaxScan = std::uint64_t{1} << 30;
constexpr std::size_t kChunk = std::size_t{1} << 16;

// Up to `length` bytes at `address`, as many as are there, fewer than asked for where a reply has
// no room: the manual allows that, and gdb asks for the rest.
Answer<Bytes> ReadSome(Conversation& c, GuestAddr address, std::uint64_t length, std::size_t most) {
  if (length == 0) return Refuse(engine::kEINVAL);
  if (c.trace.selected() != nullptr) {
    return ReadFrameMemory(c, address,
                           static_cast<std::size_t>(std::min<std::uint64_t>(length, most)));
  }
  const auto thread = c.Current();
  if (!thread) return std::unexpected(thread.error());
  Bytes bytes(static_cast<std::size_t>(std::min<std::uint64_t>(length, most)));
  const auto read = c.debuggee.ReadMemory(thread->pid, address, bytes);
  if (!read) return std::unexpected(read.error());
  bytes.resize(std::min(*read, bytes.size()));
  return bytes;
}

}  // namespace

Reply OnReadMemory(Conversation& c, const Arguments& arguments) {
  const auto bytes = ReadSome(c, arguments.number(0), arguments.number(1), kPacketSize / 2);
  if (!bytes) return Reply::Refused(bytes.error());
  std::string out;
  AppendHex(out, *bytes);
  return Reply::Escaped(std::move(out));  // digits need no escape
}

Reply OnReadBinary(Conversation& c, const Arguments& arguments) {
  if (arguments.number(0) == 0 && arguments.number(1) == 0) {  // lldb's way to ask whether we can
    c.bare_binary_reads = true;
    return Reply::Ok();
  }
  const auto bytes = ReadSome(c, arguments.number(0), arguments.number(1), kPacketSize);
  if (!bytes) return Reply::Refused(bytes.error());
  std::string out = c.bare_binary_reads ? "" : "b";
  out.reserve(bytes->size() + bytes->size() / 8);
  AppendEscaped(out, AsText(*bytes), kPacketSize - 1);
  return Reply::Escaped(std::move(out));
}

Reply OnWriteMemory(Conversation& c, const Arguments& arguments) {
  if (c.trace.selected() != nullptr)
    return Reply::Error(engine::kEPERM, "a trace frame cannot be changed: see 'tfind none'");
  const auto thread = c.Current();
  if (!thread) return Reply::Refused(thread.error());
  const std::string& data = arguments.text(0);
  if (data.size() != arguments.number(1)) return Reply::Error(engine::kEINVAL);
  if (data.empty()) return Reply::Ok();  // gdb asks so whether X is there
  return Reply::Of(c.debuggee.WriteMemory(thread->pid, arguments.number(0), AsBytes(data)));
}

Reply OnSearchMemory(Conversation& c, const Arguments& arguments) {
  const auto thread = c.Current();
  if (!thread) return Reply::Refused(thread.error());
  const std::string& pattern = arguments.text(0);
  const std::uint64_t length = arguments.number(1);
  if (pattern.empty()) return Reply::Error(engine::kEINVAL);
  if (length > kMaxScan) return Reply::Error(engine::kE2BIG);
  std::string window;  // what may still hold the beginning of a match
  GuestAddr at = arguments.number(0);
  for (std::uint64_t left = length; left > 0;) {
    Bytes chunk(static_cast<std::size_t>(std::min<std::uint64_t>(left, kChunk)));
    const auto read = c.debuggee.ReadMemory(thread->pid, at + window.size(), chunk);
    if (!read || *read == 0) return Reply::Error(engine::kEFAULT);
    const std::size_t got = std::min(*read, chunk.size());
    window += AsText(std::span(chunk).first(got));
    left -= got;
    if (const std::size_t found = window.find(pattern); found != std::string::npos) {
      return Reply::Text("1," + HexOf(at + found));
    }
    const std::size_t keep = std::min(window.size(), pattern.size() - 1);
    at += window.size() - keep;
    window.erase(0, window.size() - keep);
  }
  return Reply::Text("0");
}

Reply OnCrc(Conversation& c, const Arguments& arguments) {
  const auto thread = c.Current();
  if (!thread) return Reply::Refused(thread.error());
  std::uint64_t left = arguments.number(1);
  if (left > kMaxScan) return Reply::Error(engine::kE2BIG);
  GuestAddr at = arguments.number(0);
  std::uint32_t crc = kCrcStart;
  Bytes chunk(kChunk);
  while (left > 0) {
    const auto wanted =
        std::span(chunk).first(static_cast<std::size_t>(std::min<std::uint64_t>(left, kChunk)));
    const auto read = c.debuggee.ReadMemory(thread->pid, at, wanted);
    if (!read || *read == 0) return Reply::Error(engine::kEFAULT);
    const std::size_t got = std::min(*read, wanted.size());
    crc = Crc32(crc, wanted.first(got));
    at += got;
    left -= got;
  }
  return Reply::Text("C" + HexOf(crc));
}

}  // namespace glovebox::gdbstub
