// The first stack of a program: arguments, environment, auxiliary vector.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/loader/layout.h"
#include "engine/loader/load_error.h"
#include "engine/memory/address_space.h"

namespace glovebox::engine {

// getauxval(3); the numbers of uapi/linux/auxvec.h.
enum AuxType : std::uint64_t {
  kAuxNull = 0,
  kAuxHeaders = 3,
  kAuxHeaderBytes = 4,
  kAuxHeaderCount = 5,
  kAuxPageSize = 6,
  kAuxBase = 7,
  kAuxFlags = 8,
  kAuxEntry = 9,
  kAuxUid = 11,
  kAuxEuid = 12,
  kAuxGid = 13,
  kAuxEgid = 14,
  kAuxPlatform = 15,
  kAuxHwcap = 16,
  kAuxClockTicks = 17,
  kAuxSecure = 23,
  kAuxRandom = 25,
  kAuxHwcap2 = 26,
  kAuxExecFilename = 31,
  kAuxMinSignalStack = 51,
};

struct StackContents {
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::string exec_filename;
  std::string platform;                // AT_PLATFORM
  std::array<std::byte, 16> random{};  // AT_RANDOM
  // In order; the values of kAuxRandom, kAuxExecFilename and kAuxPlatform are filled in. kAuxNull
  // is added.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> auxv;
  std::uint8_t word_bytes = 8;  // of pointers and of the auxiliary vector
};

struct BuiltStack {
  GuestAddr stack_pointer = 0;
  GuestAddr argv_start = 0, argv_end = 0, env_start = 0,
            env_end = 0;        // the strings, /proc/PID/cmdline
  std::vector<std::byte> auxv;  // as it lies on the stack, /proc/PID/auxv
};

// E2BIG as execve(2), "Limits on size of arguments and environment": one string of 128 KiB, or all
// of them with their pointers beyond a quarter of the stack.
LoadResult<void> CheckArgumentSize(const std::vector<std::string>& argv,
                                   const std::vector<std::string>& env,
                                   const std::string& exec_filename);

// Maps the stack below `layout.stack_top` and fills it. Source: System V ABI x86-64, 3.4.1, and
// i386, 2.3.1; the order of the strings is that of Linux (fs/exec.c, fs/binfmt_elf.c
// create_elf_tables).
LoadResult<BuiltStack> BuildStack(AddressSpace& memory, const AddressLayout& layout,
                                  bool executable, const StackContents& contents);

}  // namespace glovebox::engine
