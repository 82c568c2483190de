// Why a virtual CPU came back to whoever runs it.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "engine/base/types.h"
#include "engine/memory/fault.h"

namespace glovebox::engine {

enum class StopKind : std::uint8_t {
  kBudget,  // the budget is used up exactly: icount has advanced by it
  kYield,   // the host's share of work is used up (decoding, slow paths), or Nudge() was called; go
            // on at will
  kSyscall,      // a system call instruction retired; registers hold the call, rip is behind it
  kMemoryFault,  // `memory` says which; rip is at the instruction, nothing of it has happened (REP:
                 // up to here)
  kException,    // `exception`
  kMemoryLimit,  // a page could not be charged; rip as with kMemoryFault
};

// By which instruction a system call was made; the instruction decides which ABI its registers
// follow.
enum class SyscallEntry : std::uint8_t {
  kSyscall64,  // `syscall` in 64-bit code
  kInt80,      // `int 0x80` in 32-bit or 64-bit code: always the i386 table
  // In 32-bit code. rip is behind the instruction, but the guest does not expect to go on there:
  // the kernel chooses (Linux: the landing pad of its vDSO).
  kSysenter,
  kSyscall32,  // `syscall`: ecx holds the return address
};

enum class ExceptionKind : std::uint8_t {
  kDivideError,        // #DE: SIGFPE, FPE_INTDIV
  kBreakpoint,         // #BP, int3: SIGTRAP; rip is behind the instruction and it has retired
  kOverflow,           // #OF, into: SIGSEGV, SI_KERNEL; rip is behind it and it has retired
  kBoundRange,         // #BR, bound: SIGSEGV, SI_KERNEL
  kSingleStep,         // #DB by the trap flag: SIGTRAP, TRAP_TRACE; the instruction has retired
  kDebugTrap,          // #DB by int1: SIGTRAP, TRAP_BRKPT; rip is behind it and it has retired
  kInvalidOpcode,      // #UD: SIGILL, ILL_ILLOPN
  kGeneralProtection,  // #GP: SIGSEGV, SI_KERNEL (hlt, non-canonical address, misaligned SSE
                       // operand)
  kStackFault,         // #SS, a non-canonical address of the stack: SIGBUS, SI_KERNEL
  kSegmentNotPresent,  // #NP: SIGBUS, SI_KERNEL
  kAlignmentCheck,     // #AC: SIGBUS, BUS_ADRALN
  kFloatingPoint,      // #MF, #XM: an x87 or SSE exception that the guest unmasked: SIGFPE
  kNotImplemented,  // a valid instruction that Glovebox lacks: SIGILL, and `instruction` names it
                    // in the result
};

// An instruction as told to users.
struct InstructionReport {
  std::string mnemonic;  // Zydis' spelling, lower case, or "(bad)"
  std::array<std::uint8_t, 15> bytes{};
  std::uint8_t length_bytes = 0;
  GuestAddr address = 0;
};

struct Stop {
  StopKind kind = StopKind::kBudget;
  MemoryFault memory{};                                     // kMemoryFault, kMemoryLimit
  ExceptionKind exception = ExceptionKind::kInvalidOpcode;  // kException
  std::uint32_t error_code = 0;  // kException: what hardware pushes; 0 where it pushes none
  SyscallEntry entry = SyscallEntry::kSyscall64;  // kSyscall
  InstructionReport instruction{};                // kNotImplemented, kInvalidOpcode
};

}  // namespace glovebox::engine
