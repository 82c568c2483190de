// String instructions. Zydis shares the mnemonics MOVSD and CMPSD with SSE: FindRow tells them
// apart.
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/string.h"

namespace glovebox::engine::x86 {
namespace {

Repeat RepeatOf(const Instruction& in, bool compares) {
  const ZydisInstructionAttributes attributes = in.decoded.attributes;
  if ((attributes & ZYDIS_ATTRIB_HAS_REPNE) != 0) return Repeat::kRepNotEqual;
  if ((attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE)) != 0) {
    return compares ? Repeat::kRepEqual : Repeat::kRep;
  }
  return Repeat::kNone;
}

std::uint8_t SourceSegment(const Instruction& in) {
  for (const ZydisDecodedOperand& operand : in.operands) {
    if (!IsMemory(operand)) continue;
    if (operand.mem.segment == ZYDIS_REGISTER_FS) return 1;
    if (operand.mem.segment == ZYDIS_REGISTER_GS) return 2;
  }
  return 0;
}

template <typename Op, typename W, typename A>
Handler HandlerFor(Repeat repeat) {
  switch (repeat) {
    case Repeat::kNone:
      return kHandler<StringBody<Op, W, A, Repeat::kNone>>;
    case Repeat::kRep:
      break;
    case Repeat::kRepEqual:
      if constexpr (Op::kCompares) return kHandler<StringBody<Op, W, A, Repeat::kRepEqual>>;
      break;
    case Repeat::kRepNotEqual:
      if constexpr (Op::kCompares) return kHandler<StringBody<Op, W, A, Repeat::kRepNotEqual>>;
      break;
  }
  // Without a comparison REPNE repeats like REP.
  return kHandler<StringBody<Op, W, A, Repeat::kRep>>;
}

template <typename Op, typename W>
bool String(Emitter& emitter, const Instruction& in) {
  const Repeat repeat = RepeatOf(in, Op::kCompares);
  const bool may_change_itself = in.checks_itself && Op::kStores;
  const Uop fields{.a = SourceSegment(in),
                   .b = may_change_itself ? std::uint8_t{1} : std::uint8_t{0}};
  return ForAddressWidth(in, [&]<typename A>(A) {
    const Handler handler = HandlerFor<Op, W, A>(repeat);
    if (repeat == Repeat::kNone) {
      emitter.Emit(handler, fields);
    } else {
      emitter.Emit(handler, fields, Wide{0, in.rip});
    }
    return true;
  });
}

// What a REP prefix makes of the instruction (decoder.cc) goes beyond these traits.
constexpr std::uint16_t kRepeatable = kMayKeepFlags;

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_MOVSB, String<Movs, std::uint8_t>, kRepeatable},
    {ZYDIS_MNEMONIC_MOVSW, String<Movs, std::uint16_t>, kRepeatable},
    {ZYDIS_MNEMONIC_MOVSD, String<Movs, std::uint32_t>, kRepeatable},
    {ZYDIS_MNEMONIC_MOVSQ, String<Movs, std::uint64_t>, kRepeatable},
    {ZYDIS_MNEMONIC_STOSB, String<Stos, std::uint8_t>, kRepeatable},
    {ZYDIS_MNEMONIC_STOSW, String<Stos, std::uint16_t>, kRepeatable},
    {ZYDIS_MNEMONIC_STOSD, String<Stos, std::uint32_t>, kRepeatable},
    {ZYDIS_MNEMONIC_STOSQ, String<Stos, std::uint64_t>, kRepeatable},
    {ZYDIS_MNEMONIC_LODSB, String<Lods, std::uint8_t>, kRepeatable},
    {ZYDIS_MNEMONIC_LODSW, String<Lods, std::uint16_t>, kRepeatable},
    {ZYDIS_MNEMONIC_LODSD, String<Lods, std::uint32_t>, kRepeatable},
    {ZYDIS_MNEMONIC_LODSQ, String<Lods, std::uint64_t>, kRepeatable},
    {ZYDIS_MNEMONIC_CMPSB, String<Cmps, std::uint8_t>, kRepeatable},
    {ZYDIS_MNEMONIC_CMPSW, String<Cmps, std::uint16_t>, kRepeatable},
    {ZYDIS_MNEMONIC_CMPSD, String<Cmps, std::uint32_t>, kRepeatable},
    {ZYDIS_MNEMONIC_CMPSQ, String<Cmps, std::uint64_t>, kRepeatable},
    {ZYDIS_MNEMONIC_SCASB, String<Scas, std::uint8_t>, kRepeatable},
    {ZYDIS_MNEMONIC_SCASW, String<Scas, std::uint16_t>, kRepeatable},
    {ZYDIS_MNEMONIC_SCASD, String<Scas, std::uint32_t>, kRepeatable},
    {ZYDIS_MNEMONIC_SCASQ, String<Scas, std::uint64_t>, kRepeatable},
};

}  // namespace

std::span<const InstructionRow> StringRows() { return kRows; }

}  // namespace glovebox::engine::x86
