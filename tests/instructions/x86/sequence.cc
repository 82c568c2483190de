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

bool IsGather(const DecodedInstruction& instruction) {
  const ZydisDecodedOperand* const memory = instruction.FirstMemory();
  return memory != nullptr && memory->mem.type == ZYDIS_MEMOP_TYPE_VSIB;
}

// No memory but where SequenceMemory or the stack is.
bool StaysInMemory(CpuMode mode, const ZydisDecodedOperand& operand) {
  if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY) return true;
  if (operand.mem.type == ZYDIS_MEMOP_TYPE_AGEN) return true;
  if (IsHiddenStack(operand)) return true;
  if (operand.mem.segment == ZYDIS_REGISTER_FS || operand.mem.segment == ZYDIS_REGISTER_GS) {
    return false;
  }
  const ReservedRegisters reserved = Reserved(mode);
  const int base = GprNumber(operand.mem.base);
  // Small indices are set up; elements that fault are for single instructions.
  if (operand.mem.type == ZYDIS_MEMOP_TYPE_VSIB) return base == reserved.inside;
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

using Pieces = std::vector<std::vector<std::uint8_t>>;

std::vector<std::uint8_t> WithWord(std::initializer_list<std::uint8_t> opcode, std::uint64_t value,
                                   std::size_t size_bytes = 4) {
  std::vector<std::uint8_t> bytes(opcode);
  for (std::size_t i = 0; i < size_bytes; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(value >> 8 * i));
  }
  return bytes;
}

// Mostly inside of the writable pages; sometimes so that a REP meets the end half way.
std::uint64_t StringAddress(Random& random) {
  constexpr std::uint64_t kMargin = 1024;
  switch (random.Below(12)) {
    case 0:
      return kDataAddress + random.Below(64);
    case 1:
      return kDataAddress + kWritableBytes - random.Below(64);
    default:
      return kDataAddress + kMargin + random.Below(kWritableBytes - 2 * kMargin);
  }
}

// A string instruction with its registers. In 32-bit code those are the loop's and one that points
// into memory: XMM6 and XMM7 keep them, because what it stores may meet the stack.
std::optional<Pieces> StringWithSetup(CpuMode mode, std::span<const std::uint8_t> code,
                                      const DecodedInstruction& decoded, Random& random) {
  const bool is_long = mode == CpuMode::kLong64;
  for (const ZydisDecodedOperand& operand : decoded.All()) {
    const bool has_base =
        operand.type == ZYDIS_OPERAND_TYPE_MEMORY &&
        (operand.mem.segment == ZYDIS_REGISTER_FS || operand.mem.segment == ZYDIS_REGISTER_GS);
    if (has_base) return std::nullopt;
  }
  if (decoded.info.address_width == 16) return std::nullopt;
  Pieces pieces;
  if (!is_long) {
    pieces.push_back({0x66, 0x0F, 0x6E, 0xF6});  // MOVD XMM6, ESI
    pieces.push_back({0x66, 0x0F, 0x6E, 0xFF});  // MOVD XMM7, EDI
  }
  pieces.push_back(WithWord({0xBE}, StringAddress(random)));  // MOV ESI
  pieces.push_back(WithWord({0xBF}, StringAddress(random)));  // MOV EDI
  pieces.push_back(WithWord({0xB9}, random.Below(40)));       // MOV ECX
  pieces.emplace_back(code.begin(), code.end());
  if (!is_long) {
    pieces.push_back({0x66, 0x0F, 0x7E, 0xF6});  // MOVD ESI, XMM6
    pieces.push_back({0x66, 0x0F, 0x7E, 0xFF});
  }
  return pieces;
}

// POPF of flags that do no harm: TF and AC would end the program, NT its way out.
Pieces PopFlagsWithSetup(CpuMode mode, std::span<const std::uint8_t> code,
                         const DecodedInstruction& decoded, Random& random) {
  const std::uint64_t flags = (random.Next() & (kStatusFlags | kDf)) | 2;
  Pieces pieces;
  const bool is_narrow = decoded.info.operand_width == 16;
  pieces.push_back(is_narrow ? WithWord({0x66, 0x68}, flags, 2) : WithWord({0x68}, flags));
  pieces.emplace_back(code.begin(), code.end());
  return pieces;
}

// A gather with bytes of memory as indices.
std::optional<Pieces> GatherWithSetup(CpuMode mode, std::span<const std::uint8_t> code,
                                      const DecodedInstruction& decoded, Random& random) {
  const ZydisDecodedOperand& memory = *decoded.FirstMemory();
  ZydisEncoderRequest request{};
  request.machine_mode = ZydisMode(mode);
  request.allowed_encodings = ZYDIS_ENCODABLE_ENCODING_VEX;
  const bool quadwords = decoded.info.mnemonic == ZYDIS_MNEMONIC_VGATHERQPS ||
                         decoded.info.mnemonic == ZYDIS_MNEMONIC_VGATHERQPD ||
                         decoded.info.mnemonic == ZYDIS_MNEMONIC_VPGATHERQD ||
                         decoded.info.mnemonic == ZYDIS_MNEMONIC_VPGATHERQQ;
  request.mnemonic = quadwords ? ZYDIS_MNEMONIC_VPMOVZXBQ : ZYDIS_MNEMONIC_VPMOVZXBD;
  request.operand_count = 2;
  request.operands[0].type = ZYDIS_OPERAND_TYPE_REGISTER;
  request.operands[0].reg.value = memory.mem.index;
  const bool is_ymm = ZydisRegisterGetClass(memory.mem.index) == ZYDIS_REGCLASS_YMM;
  request.operands[1].type = ZYDIS_OPERAND_TYPE_MEMORY;
  request.operands[1].mem.base = memory.mem.base;
  request.operands[1].mem.displacement = static_cast<std::int64_t>(random.Below(64) * 8);
  request.operands[1].mem.size = static_cast<ZyanU16>((is_ymm ? 8 : 4) / (quadwords ? 2 : 1));
  std::array<ZyanU8, ZYDIS_MAX_INSTRUCTION_LENGTH> bytes;
  ZyanUSize length = bytes.size();
  if (!ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&request, bytes.data(), &length))) return {};
  Pieces pieces;
  pieces.emplace_back(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
  pieces.emplace_back(code.begin(), code.end());
  return pieces;
}

bool PopsFlags(const DecodedInstruction& instruction) {
  return instruction.info.mnemonic == ZYDIS_MNEMONIC_POPF ||
         instruction.info.mnemonic == ZYDIS_MNEMONIC_POPFD ||
         instruction.info.mnemonic == ZYDIS_MNEMONIC_POPFQ;
}

bool IsString(const DecodedInstruction& instruction) {
  return instruction.info.meta.category == ZYDIS_CATEGORY_STRINGOP;
}

}  // namespace

bool IsSetup(const DecodedInstruction& instruction) {
  const bool moves_constant = instruction.info.mnemonic == ZYDIS_MNEMONIC_MOV &&
                              instruction.operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
  return moves_constant || instruction.info.mnemonic == ZYDIS_MNEMONIC_PUSH ||
         instruction.info.mnemonic == ZYDIS_MNEMONIC_MOVD ||
         instruction.info.mnemonic == ZYDIS_MNEMONIC_VPMOVZXBD ||
         instruction.info.mnemonic == ZYDIS_MNEMONIC_VPMOVZXBQ;
}

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

void SequenceBuilder::AddGroup(std::span<const std::vector<std::uint8_t>> pieces) {
  const std::size_t begin = program_.pieces.size();
  for (const auto& piece : pieces) AddPlain(piece);
  groups_.push_back({begin, program_.pieces.size()});
}

// True: it is not for Offer to add.
bool SequenceBuilder::OfferWithSetup(std::span<const std::uint8_t> code,
                                     const DecodedInstruction& decoded, Random& random) {
  if (IsString(decoded)) {
    if (const auto pieces = StringWithSetup(mode_, code, decoded, random)) AddGroup(*pieces);
    return true;
  }
  const bool suits = Suits(mode_, decoded, ToleranceFor(decoded, exact_));
  if (PopsFlags(decoded)) {
    if (suits) AddGroup(PopFlagsWithSetup(mode_, code, decoded, random));
    return true;
  }
  if (IsGather(decoded)) {
    if (!suits) return true;
    if (const auto pieces = GatherWithSetup(mode_, code, decoded, random)) AddGroup(*pieces);
    return true;
  }
  return false;
}

void SequenceBuilder::Offer(std::span<const std::uint8_t> code, const DecodedInstruction& decoded,
                            Random& random) {
  if (ReadsUndefinedFlag(decoded)) return;
  const std::size_t index = program_.pieces.size();
  if (!OfferWithSetup(code, decoded, random)) {
    if (!Suits(mode_, decoded, ToleranceFor(decoded, exact_))) return;
    Add(code, decoded);
  }
  if (IsRelativeBranch(decoded)) {  // and so added by itself
    Program::Piece& piece = program_.pieces.back();
    piece.is_branch = true;
    piece.target = index + 1 + random.Below(5);
    skipped_until_ = std::max(skipped_until_, piece.target);
  }
  if (loop_end_ != 0 && program_.pieces.size() >= loop_end_) {
    CloseLoop();
    loop_end_ = 0;
  }
}

TestCase SequenceBuilder::Finish() {
  for (Program::Piece& piece : program_.pieces) {
    for (const Group& group : groups_) {
      const bool inside = piece.target > group.begin && piece.target < group.end;
      if (piece.is_branch && inside) piece.target = group.begin;
    }
  }
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
