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

enum class ExceptionKind : std::uint8_t {
  kDivideError,        // #DE: SIGFPE, FPE_INTDIV
  kBreakpoint,         // #BP, int3: SIGTRAP; rip is behind the instruction and it has retired
  kOverflow,           // #OF
  kInvalidOpcode,      // #UD: SIGILL, ILL_ILLOPN
  kGeneralProtection,  // #GP: SIGSEGV, SI_KERNEL (hlt, non-canonical address, misaligned SSE
                       // operand)
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
  InstructionReport instruction{};                          // kNotImplemented, kInvalidOpcode
};

}  // namespace glovebox::engine
