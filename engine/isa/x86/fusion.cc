#include "engine/isa/x86/control.h"

namespace glovebox::engine::x86 {
namespace {

template <typename Op, Condition condition>
bool EmitCompareAndJump(Emitter& emitter, const Instruction& first, const Instruction& second) {
  const ZydisDecodedOperand& b = first.operands[1];
  const std::uint8_t slot = GprSlot(first.operands[0].reg.value);
  const GuestAddr target = BranchTarget(second);
  return ForWidth(first.operands[0].size, [&]<typename W>(W) {
    using Bodies = CompareAndJumpBodies<Op, condition, W>;
    if (IsImmediate(b)) {
      emitter.EmitExit(kHandler<typename Bodies::RegisterImmediate>,
                       {.imm = static_cast<std::int32_t>(ImmediateOf(b)), .a = slot}, second,
                       target);
    } else {
      emitter.EmitExit(kHandler<typename Bodies::RegisterRegister>,
                       {.a = slot, .b = GprSlot(b.reg.value)}, second, target);
    }
    return true;
  });
}

using EmitPair = bool (*)(Emitter&, const Instruction&, const Instruction&);

struct FusionRow {
  ZydisMnemonic jump;
  EmitPair after_cmp;
  EmitPair after_test;
};

template <Condition condition>
constexpr FusionRow Row(ZydisMnemonic jump) {
  return {jump, EmitCompareAndJump<Cmp, condition>, EmitCompareAndJump<Test, condition>};
}

// Overflow and parity are rare behind comparisons.
constexpr FusionRow kFusions[] = {
    Row<kB>(ZYDIS_MNEMONIC_JB),   Row<kNB>(ZYDIS_MNEMONIC_JNB), Row<kZ>(ZYDIS_MNEMONIC_JZ),
    Row<kNZ>(ZYDIS_MNEMONIC_JNZ), Row<kBE>(ZYDIS_MNEMONIC_JBE), Row<kNBE>(ZYDIS_MNEMONIC_JNBE),
    Row<kS>(ZYDIS_MNEMONIC_JS),   Row<kNS>(ZYDIS_MNEMONIC_JNS), Row<kL>(ZYDIS_MNEMONIC_JL),
    Row<kNL>(ZYDIS_MNEMONIC_JNL), Row<kLE>(ZYDIS_MNEMONIC_JLE), Row<kNLE>(ZYDIS_MNEMONIC_JNLE),
};

}  // namespace

bool EmitFused(Emitter& emitter, const Instruction& first, const Instruction& second) {
  const bool is_cmp = first.decoded.mnemonic == ZYDIS_MNEMONIC_CMP;
  if (!is_cmp && first.decoded.mnemonic != ZYDIS_MNEMONIC_TEST) return false;
  if (IsMemory(first.operands[0]) || IsMemory(first.operands[1])) return false;
  for (const FusionRow& row : kFusions) {
    if (row.jump != second.decoded.mnemonic) continue;
    return (is_cmp ? row.after_cmp : row.after_test)(emitter, first, second);
  }
  return false;
}

}  // namespace glovebox::engine::x86
