// The operand forms that a mnemonic has, found by asking Zydis' encoder for each combination of
// kinds.
#pragma once

#include <Zydis/Zydis.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/isa/x86/registers.h"

namespace glovebox::engine::x86 {

// What stands in an operand's place. Memory is followed by its size in bytes; a VSIB by what its
// index is and the size of an element.
enum class OperandKind : std::uint8_t {
  kGpr8,
  kGpr16,
  kGpr32,
  kGpr64,
  kXmm,
  kYmm,
  kMmx,
  kSt,
  kSt0,
  kSegment,
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
  kMemory6,
  kMemory8,
  kMemory10,
  kMemory14,
  kMemory16,
  kMemory28,
  kMemory32,
  kMemory64,
  kMemory94,
  kMemory108,
  kMemory512,
  kMemory576,
  kVsibXmm4,
  kVsibXmm8,
  kVsibYmm4,
  kVsibYmm8,
};

// What a kind is made of.
struct KindRow {
  OperandKind kind;
  ZydisOperandType type;
  std::uint16_t size_bytes = 0;  // of a memory operand, an immediate
  // Registers: the first, and how many there are in 32-bit and in 64-bit mode. VSIB: of the index.
  ZydisRegister first = ZYDIS_REGISTER_NONE;
  std::uint8_t count32 = 0;
  std::uint8_t count64 = 0;
};
const KindRow& RowOf(OperandKind kind);
inline bool IsVsib(const KindRow& row) {
  return row.type == ZYDIS_OPERAND_TYPE_MEMORY && row.first != ZYDIS_REGISTER_NONE;
}

using Form = std::vector<OperandKind>;

// A register in the fourth place is in the upper half of an immediate byte (VBLENDVPS and its kin).
constexpr bool IsInImmediate(std::size_t place) { return place == 3; }

ZydisMachineMode ZydisMode(CpuMode mode);

// Those that can be encoded in `mode`, with VEX or without a prefix of that kind. Slow.
std::vector<Form> FormsOf(ZydisMnemonic mnemonic, CpuMode mode);

// The forms of many mnemonics, found once.
class FormTable {
 public:
  explicit FormTable(std::span<const ZydisMnemonic> mnemonics);
  const std::vector<Form>& Of(ZydisMnemonic mnemonic, CpuMode mode) const {
    return forms_[mode == CpuMode::kLong64 ? 0 : 1][static_cast<std::size_t>(mnemonic)];
  }

 private:
  std::array<std::vector<std::vector<Form>>, 2> forms_;  // by mode, by mnemonic
};

}  // namespace glovebox::engine::x86
