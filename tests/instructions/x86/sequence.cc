#include "tests/instructions/x86/sequence.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/isa/x86/instruction_table.h"
#include "tests/instructions/x86/addresses.h"
#include "tests/instructions/x86/encoding.h"
#include "tests/instructions/x86/test_case.h"
#include "tests/instructions/x86/tolerance.h"

namespace glovebox::engine::x86 {
namespace {

// What would not leave the rest of the program the same on both sides, or not harmless.
constexpr ZydisMnemonic kUnsuited[] = {
    ZYDIS_MNEMONIC_UD0,
    ZYDIS_MNEMONIC_UD1,
    ZYDIS_MNEMONIC_UD2,
    ZYDIS_MNEMONIC_HLT,
    ZYDIS_MNEMONIC_IN,
    ZYDIS_MNEMONIC_OUT,
    ZYDIS_MNEMONIC_CLI,
    ZYDIS_MNEMONIC_STI,
    ZYDIS_MNEMONIC_ENTER,
    ZYDIS_MNEMONIC_LAR,  // of selectors by chance, of segments that the host has for itself
    ZYDIS_MNEMONIC_LSL,
    ZYDIS_MNEMONIC_VERR,
    ZYDIS_MNEMONIC_VERW,
    ZYDIS_MNEMONIC_POPA,
    ZYDIS_MNEMONIC_POPAD,
    ZYDIS_MNEMONIC_POPF,  // may set the trap flag
    ZYDIS_MNEMONIC_POPFD,
    ZYDIS_MNEMONIC_POPFQ,
    // Random memory is mostly no state that can be restored.
    ZYDIS_MNEMONIC_LDMXCSR,
    ZYDIS_MNEMONIC_VLDMXCSR,
    ZYDIS_MNEMONIC_FXRSTOR,
    ZYDIS_MNEMONIC_FXRSTOR64,
    ZYDIS_MNEMONIC_XRSTOR,
    ZYDIS_MNEMONIC_XRSTOR64,
    ZYDIS_MNEMONIC_XSAVE,
    ZYDIS_MNEMONIC_XSAVE64,
    ZYDIS_MNEMONIC_XSAVEC,
    ZYDIS_MNEMONIC_XSAVEC64,
    ZYDIS_MNEMONIC_XSAVEOPT,
    ZYDIS_MNEMONIC_XSAVEOPT64,
};

bool IsBranch(const DecodedInstruction& instruction) {
  return instruction.info.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE;
}

bool WritesGpr(const ZydisDecodedOperand& operand, int gpr) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && GprNumber(operand.reg.value) == gpr &&
         (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
}

bool WritesSegment(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
         ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_SEGMENT &&
         (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
}

// No memory but where SequenceMemory or the stack is.
bool StaysInMemory(CpuMode mode, const ZydisDecodedOperand& operand) {
  if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) return true;
  if (operand.mem.type == ZYDIS_MEMOP_TYPE_AGEN) return true;
  if (operand.mem.type == ZYDIS_MEMOP_TYPE_VSIB) return false;
  if (IsHiddenStack(operand)) return true;
  if (operand.mem.segment == ZYDIS_REGISTER_FS || operand.mem.segment == ZYDIS_REGISTER_GS) {
    return false;
  }
  const ReservedRegisters reserved = Reserved(mode);
  const int base = GprNumber(operand.mem.base);
  return operand.visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
         operand.mem.index == ZYDIS_REGISTER_NONE &&
         (operand.mem.base == ZYDIS_REGISTER_NONE || base == reserved.inside ||
          base == reserved.near_border);
}

bool Suits(CpuMode mode, const DecodedInstruction& instruction, const Tolerance& tolerance) {
  if (tolerance.undefined_x87_status != 0 || tolerance.approximate_bits != 0) return false;
  if (std::ranges::find(kUnsuited, instruction.info.mnemonic) != std::end(kUnsuited)) return false;
  // What always faults would hide what follows; what mostly does is rare enough.
  if (instruction.Has(ZYDIS_ATTRIB_IS_PRIVILEGED)) return false;
  if (IsBranch(instruction) && !IsRelativeBranch(instruction)) return false;
  if (instruction.info.meta.category == ZYDIS_CATEGORY_BITBYTE &&
      instruction.FirstMemory() != nullptr) {
    return false;  // reaches as far as its register says
  }
  const ReservedRegisters reserved = Reserved(mode);
  for (const ZydisDecodedOperand& operand : instruction.All()) {
    if (!StaysInMemory(mode, operand) || WritesSegment(operand)) return false;
    for (const int gpr : {reserved.inside, reserved.near_border, reserved.counter}) {
      if (WritesGpr(operand, gpr)) return false;
    }
    if (WritesGpr(operand, kRsp) && operand.visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
      return false;
    }
  }
  return instruction.info.mnemonic != ZYDIS_MNEMONIC_LEAVE;
}

}  // namespace

void SequenceBuilder::Begin(std::uint64_t length, Random& random) {
  length_ = length;
  if (length >= 4 && random.Chance(40)) {
    loop_begin_ = random.Below(length / 2);
    loop_end_ = loop_begin_ + 1 + random.Below(length - loop_begin_ - 1);
  }
}

bool SequenceBuilder::ReadsUndefinedFlag(const DecodedInstruction& decoded) const {
  return decoded.info.cpu_flags != nullptr &&
         (decoded.info.cpu_flags->tested & undefined_flags_) != 0;
}

void SequenceBuilder::FollowFlags(const DecodedInstruction& decoded, const Tolerance& tolerance) {
  const ZydisAccessedFlags* const flags = decoded.info.cpu_flags;
  const InstructionRow* const row = FindRow(decoded.info.mnemonic, decoded.info.meta.category);
  const bool keeps = row == nullptr || (row->traits & kMayKeepFlags) != 0;
  const bool skipped = program_.pieces.size() < skipped_until_;
  if (flags != nullptr && !keeps && !skipped) {
    undefined_flags_ &= ~std::uint64_t{flags->modified | flags->set_0 | flags->set_1};
  }
  undefined_flags_ |= tolerance.undefined_flags;
  tolerance_.undefined_flags_at_fault |= undefined_flags_;
}

void SequenceBuilder::Add(std::span<const std::uint8_t> code, const DecodedInstruction& decoded) {
  const Tolerance one = ToleranceFor(decoded, exact_);
  FollowFlags(decoded, one);
  tolerance_.ignore_fault_address |= one.ignore_fault_address;
  tolerance_.x87_at_fault &= one.x87_at_fault;
  tolerance_.flags_at_fault &= one.flags_at_fault;
  program_.Add(code, decoded);
}

void SequenceBuilder::AddPlain(std::span<const std::uint8_t> code) {
  const auto decoded = Decode(mode_, code);
  GB_CHECK(decoded.has_value());
  Add(code, *decoded);
}

// DEC of the counter, JNZ back. DEC leaves CF as it is; what comes round must be defined.
void SequenceBuilder::CloseLoop() {
  constexpr std::uint8_t kClearCarry[] = {0xF8};
  constexpr std::uint8_t kDecrementR13[] = {0x41, 0xFF, 0xCD};
  constexpr std::uint8_t kDecrementEsi[] = {0x4E};
  constexpr std::uint8_t kBack[] = {0x0F, 0x85, 0, 0, 0, 0};
  // Nothing jumps over the end of the loop.
  for (Program::Piece& piece : program_.pieces) {
    if (piece.is_branch) piece.target = std::min(piece.target, program_.pieces.size());
  }
  skipped_until_ = 0;
  AddPlain(kClearCarry);
  AddPlain(mode_ == CpuMode::kLong64 ? std::span<const std::uint8_t>(kDecrementR13)
                                     : std::span<const std::uint8_t>(kDecrementEsi));
  AddPlain(kBack);
  program_.pieces.back().is_branch = true;
  program_.pieces.back().target = loop_begin_;
}

void SequenceBuilder::Offer(std::span<const std::uint8_t> code, const DecodedInstruction& decoded,
                            Random& random) {
  if (!Suits(mode_, decoded, ToleranceFor(decoded, exact_)) || ReadsUndefinedFlag(decoded)) return;
  const std::size_t index = program_.pieces.size();
  Add(code, decoded);
  if (IsRelativeBranch(decoded)) {
    Program::Piece& piece = program_.pieces.back();
    piece.is_branch = true;
    piece.target = index + 1 + random.Below(5);
    skipped_until_ = std::max(skipped_until_, piece.target);
  }
  if (loop_end_ != 0 && program_.pieces.size() == loop_end_) {
    CloseLoop();
    loop_end_ = 0;
  }
}

TestCase SequenceBuilder::Finish() {
  TestCase test;
  test.mode = mode_;
  test.is_sequence = true;
  test.code = program_.Assemble();
  for (const Program::Piece& piece : program_.pieces) test.instructions.push_back(piece.decoded);
  test.tolerance = tolerance_;
  test.tolerance.undefined_flags = undefined_flags_;
  return test;
}

void AimSequence(CpuMode mode, MachineState& state, Random& random) {
  const ReservedRegisters reserved = Reserved(mode);
  const auto gpr = [&](int number) -> std::uint64_t& {
    return state.gpr[static_cast<std::size_t>(number)];
  };
  gpr(kRsp) = kDataAddress + 2048 + random.Below(1024) * 8;
  gpr(reserved.inside) = kDataAddress + (random.Below(kWritableBytes - 1024) & ~std::uint64_t{31});
  gpr(reserved.near_border) = RandomAddress(8, random) - random.Below(64) * 8;
  gpr(reserved.counter) = 1 + random.Below(6);
  state.rflags &= ~std::uint64_t{kTf | kAc};  // would end it behind the first instruction, or soon
}

}  // namespace glovebox::engine::x86
