#include "gdbstub/file_io.h"

#include <algorithm>
#include <utility>

namespace glovebox::gdbstub {
namespace {

constexpr std::uint32_t kUnknownErrno = 9999;
constexpr Errno kSameErrnos[] = {
    engine::kEPERM,  engine::kENOENT, engine::kEINTR,  engine::kEBADF,  engine::kEACCES,
    engine::kEFAULT, engine::kEBUSY,  engine::kEEXIST, engine::kENODEV, engine::kENOTDIR,
    engine::kEISDIR, engine::kEINVAL, engine::kENFILE, engine::kEMFILE, engine::kEFBIG,
    engine::kENOSPC, engine::kESPIPE, engine::kEROFS};
constexpr std::uint32_t kFileIoNameTooLong = 91;

struct OpenFlag {
  std::uint32_t file_io;
  std::uint32_t linux_flag;
};
constexpr OpenFlag kOpenFlags[] = {
    {0x0, 0},        // O_RDONLY
    {0x1, 01},       // O_WRONLY
    {0x2, 02},       // O_RDWR
    {0x8, 02000},    // O_APPEND
    {0x200, 0100},   // O_CREAT
    {0x400, 01000},  // O_TRUNC
    {0x800, 0200},   // O_EXCL
};

void Append(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift & 0xff);
  }
}

}  // namespace

std::uint32_t FileIoErrno(Errno error) {
  if (error == engine::kENAMETOOLONG) return kFileIoNameTooLong;
  return std::ranges::find(kSameErrnos, error) != std::end(kSameErrnos)
             ? static_cast<std::uint32_t>(error)
             : kUnknownErrno;
}

std::optional<std::uint32_t> LinuxOpenFlags(std::uint32_t flags) {
  std::uint32_t result = 0;
  for (const OpenFlag& flag : kOpenFlags) {
    if ((flags & flag.file_io) != 0) result |= flag.linux_flag;
    flags &= ~flag.file_io;
  }
  if (flags != 0 || (result & 03) == 03) return std::nullopt;
  return result;
}

std::string FileIoStat(const FileStatus& status) {
  std::string out;
  Append(out, status.device, 4);
  Append(out, status.inode, 4);
  Append(out, status.mode, 4);  // types and permissions have the numbers of Linux
  Append(out, status.links, 4);
  Append(out, status.uid, 4);
  Append(out, status.gid, 4);
  Append(out, status.rdevice, 4);
  Append(out, status.size, 8);
  Append(out, status.block_size, 8);
  Append(out, status.blocks, 8);
  Append(out, static_cast<std::uint64_t>(status.accessed), 4);
  Append(out, static_cast<std::uint64_t>(status.modified), 4);
  Append(out, static_cast<std::uint64_t>(status.changed), 4);
  return out;
}

}  // namespace glovebox::gdbstub
