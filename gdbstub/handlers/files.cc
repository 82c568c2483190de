#include "gdbstub/handlers/files.h"

#include "gdbstub/file_io.h"
#include "gdbstub/framing.h"
#include "gdbstub/hex.h"
#include "gdbstub/session.h"

namespace glovebox::gdbstub {
namespace {

constexpr std::size_t kMaxOpenFiles = 64;

// "F-1,errno": numbers of the File-I/O protocol, not of Linux.
Reply Failed(Errno error) { return Reply::Text("F-1," + HexOf(FileIoErrno(error))); }

Reply Done(std::uint64_t result) { return Reply::Text("F" + HexOf(result)); }

// "Fsize;data", shortened to what a packet holds.
Reply Data(std::string_view data) {
  std::string escaped;
  const std::size_t fits = AppendEscaped(escaped, data, kPacketSize - 32);
  return Reply::Escaped("F" + HexOf(fits) + ";" + escaped);
}

// The handles that this conversation opened, and no others.
bool IsOpen(const Conversation& c, std::uint64_t handle) {
  return c.files.contains(static_cast<int>(handle));
}

Reply StatusReply(const Result<FileStatus, Errno>& status) {
  return status ? Data(FileIoStat(*status)) : Failed(status.error());
}

}  // namespace

Reply OnSetFilesystem(Conversation& c, const Arguments& arguments) {
  c.files_of = static_cast<std::uint32_t>(arguments.number(0));
  return Done(0);
}

Reply OnOpen(Conversation& c, const Arguments& arguments) {
  const auto flags = LinuxOpenFlags(static_cast<std::uint32_t>(arguments.number(0)));
  if (!flags) return Failed(engine::kEINVAL);
  if (c.files.size() >= kMaxOpenFiles) return Failed(engine::kEMFILE);
  const auto handle = c.debuggee.files()->Open(c.files_of, arguments.text(0), *flags,
                                               static_cast<std::uint32_t>(arguments.number(1)));
  if (!handle) return Failed(handle.error());
  c.files.insert(*handle);
  return Done(static_cast<std::uint64_t>(*handle));
}

Reply OnClose(Conversation& c, const Arguments& arguments) {
  if (!IsOpen(c, arguments.number(0))) return Failed(engine::kEBADF);
  const int handle = static_cast<int>(arguments.number(0));
  c.files.erase(handle);
  const auto closed = c.debuggee.files()->Close(handle);
  return closed ? Done(0) : Failed(closed.error());
}

Reply OnPread(Conversation& c, const Arguments& arguments) {
  if (!IsOpen(c, arguments.number(0))) return Failed(engine::kEBADF);
  Bytes bytes(static_cast<std::size_t>(std::min<std::uint64_t>(arguments.number(1), kPacketSize)));
  const auto read =
      c.debuggee.files()->Read(static_cast<int>(arguments.number(0)), arguments.number(2), bytes);
  if (!read) return Failed(read.error());
  return Data(AsText(std::span(bytes).first(std::min(*read, bytes.size()))));
}

Reply OnPwrite(Conversation& c, const Arguments& arguments) {
  if (!IsOpen(c, arguments.number(0))) return Failed(engine::kEBADF);
  const auto written = c.debuggee.files()->Write(static_cast<int>(arguments.number(0)),
                                                 arguments.number(1), AsBytes(arguments.text(0)));
  return written ? Done(*written) : Failed(written.error());
}

Reply OnFstat(Conversation& c, const Arguments& arguments) {
  if (!IsOpen(c, arguments.number(0))) return Failed(engine::kEBADF);
  return StatusReply(c.debuggee.files()->Status(static_cast<int>(arguments.number(0))));
}

Reply OnStat(Conversation& c, const Arguments& arguments) {
  return StatusReply(c.debuggee.files()->StatusOf(c.files_of, arguments.text(0), true));
}

Reply OnLstat(Conversation& c, const Arguments& arguments) {
  return StatusReply(c.debuggee.files()->StatusOf(c.files_of, arguments.text(0), false));
}

Reply OnUnlink(Conversation& c, const Arguments& arguments) {
  const auto gone = c.debuggee.files()->Unlink(c.files_of, arguments.text(0));
  return gone ? Done(0) : Failed(gone.error());
}

Reply OnReadLink(Conversation& c, const Arguments& arguments) {
  const auto target = c.debuggee.files()->ReadLink(c.files_of, arguments.text(0));
  return target ? Data(*target) : Failed(target.error());
}

}  // namespace glovebox::gdbstub
