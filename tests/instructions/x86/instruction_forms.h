// The operand forms that a mnemonic has, found by asking Zydis' encoder for each combination of
// kinds.
#pragma once

#include <Zydis/Zydis.h>

#include <cstdint>
#include <vector>

namespace glovebox::engine::x86 {

// What stands in an operand's place. Memory is followed by its size in bytes.
enum class OperandKind : std::uint8_t {
  kGpr8,
  kGpr16,
  kGpr32,
  kGpr64,
  kXmm,
  kMmx,
  kSt,
  kSt0,
  kCl,
  kAl,
  kAx,
  kEax,
  kRax,
  kDx,
  kXmm0,
  kImmediate8,
  kImmediate16,
  kImmediate32,
  kImmediate64,
  kMemory1,
  kMemory2,
  kMemory4,
  kMemory8,
  kMemory10,
  kMemory16,
  kMemory28,
  kMemory64,
  kMemory108,
  kMemory512,
};

// Bytes of a memory kind, 0 for the others.
std::uint16_t MemoryBytes(OperandKind kind);

using Form = std::vector<OperandKind>;

// Those that can be encoded in 64-bit mode without VEX or EVEX.
std::vector<Form> FormsOf(ZydisMnemonic mnemonic);

}  // namespace glovebox::engine::x86
