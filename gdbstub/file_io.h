// Numbers and structures of gdb's File-I/O protocol, which are its own on every host.
// Source: GDB manual, "File-I/O Remote Protocol Extension", "Constants" and "Struct stat".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "gdbstub/debuggee.h"

namespace glovebox::gdbstub {

// What it has no number for is EUNKNOWN.
std::uint32_t FileIoErrno(Errno error);
// Flags of its open as open(2) of x86-64 has them. Empty: bits that it does not define.
std::optional<std::uint32_t> LinuxOpenFlags(std::uint32_t flags);
// struct stat: 64 bytes, big-endian.
std::string FileIoStat(const FileStatus& status);

}  // namespace glovebox::gdbstub
