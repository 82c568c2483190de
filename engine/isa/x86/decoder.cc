#include "engine/isa/x86/decoder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

#include "engine/base/check.h"
#include "engine/isa/x86/control.h"
#include "engine/isa/x86/cpu_features.h"
#include "engine/isa/x86/emitter.h"
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/repeat.h"
#include "engine/isa/x86/system.h"
#include "engine/isa/x86/undefined_length.h"
#include "engine/isa/x86/zydis_decode.h"
#include "engine/memory/address_space.h"

namespace glovebox::engine::x86 {
namespace {

// Blocks run on behind conditional branches that may not be taken, but not for ever: what lies
// behind is often never run.
constexpr int kMaxBranches = 4;

template <ExceptionKind kind>
bool LowerRaise(Emitter& emitter, const Instruction&) {
  emitter.Emit(kHandler<RaiseBody<kind>>, {});
  return true;
}

// For what no row covers: what the CPU model has not got is invalid, privileged instructions are
// refused (Intel SDM vol. 3A, 5.9), others are missing here.
Lower LowerAbsent(const Instruction& in) {
  if (!IsOffered(in.decoded.meta.isa_set)) return LowerRaise<ExceptionKind::kInvalidOpcode>;
  const bool privileged = (in.decoded.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED) != 0;
  return privileged ? LowerRaise<ExceptionKind::kGeneralProtection>
                    : LowerRaise<ExceptionKind::kNotImplemented>;
}

// Encodings whose every instruction belongs to an extension that the CPU model lacks: EVEX and MVEX
// (AVX-512), XOP, 3DNow!. Zydis names some as it names what has rows.
bool IsForeignEncoding(const Instruction& in) {
  return in.decoded.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
         in.decoded.encoding != ZYDIS_INSTRUCTION_ENCODING_VEX;
}

std::uint16_t TraitsOf(const InstructionRow& row, const Instruction& in) {
  std::uint16_t traits = row.traits;
  if (IsRepeatedString(in.decoded)) traits |= kOwnBlock | kCountsItself;
  // MOV and POP to a segment register.
  if (IsRegister(in.operands[0]) &&
      ZydisRegisterGetClass(in.operands[0].reg.value) == ZYDIS_REGCLASS_SEGMENT) {
    traits |= kMayRaise;
  }
  // A shift by a constant that is not 0 does write its flags.
  const ZydisInstructionCategory category = in.decoded.meta.category;
  if (category == ZYDIS_CATEGORY_SHIFT || category == ZYDIS_CATEGORY_ROTATE) {
    const ZydisDecodedOperand& count = in.operands[in.decoded.operand_count_visible >= 3 ? 2 : 1];
    const std::uint64_t mask = in.operands[0].size == 64 ? 63 : 31;
    if (IsImmediate(count) && (count.imm.value.u & mask) != 0) {
      traits &= static_cast<std::uint16_t>(~kMayKeepFlags);
    }
  }
  return traits;
}

bool TouchesMemory(const Instruction& in) {
  return std::any_of(in.operands.begin(), in.operands.begin() + in.decoded.operand_count,
                     [](const ZydisDecodedOperand& operand) {
                       return operand.type == ZYDIS_OPERAND_TYPE_MEMORY &&
                              operand.mem.type == ZYDIS_MEMOP_TYPE_MEM && operand.actions != 0;
                     });
}

bool StoresToMemory(const Instruction& in) {
  return std::any_of(in.operands.begin(), in.operands.begin() + in.decoded.operand_count,
                     [](const ZydisDecodedOperand& operand) {
                       return IsMemory(operand) &&
                              (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
                     });
}

// May take the x87 exception that waits (#MF), which the rows that MMX shares with SSE do not say.
bool TouchesMmx(const Instruction& in) {
  return std::any_of(in.operands.begin(), in.operands.begin() + in.decoded.operand_count,
                     [](const ZydisDecodedOperand& operand) {
                       return operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
                              ZydisRegisterGetClass(operand.reg.value) == ZYDIS_REGCLASS_MMX;
                     });
}

// Which instructions' flags nobody can see: backwards over the block. Whoever may fault, branch or
// stop shows all flags to whoever handles it, so they are live before it; at the block's end too.
void MarkDeadFlags(std::span<Decoded> block) {
  constexpr std::uint32_t kAll = kStatusFlags;
  std::uint32_t live = kAll;
  for (auto it = block.rbegin(); it != block.rend(); ++it) {
    Instruction& in = it->instruction;
    const ZydisAccessedFlags* const flags = in.decoded.cpu_flags;
    const std::uint32_t written =
        flags == nullptr ? 0 : flags->modified | flags->set_0 | flags->set_1 | flags->undefined;
    in.flags_live = (written & live) != 0;
    constexpr std::uint16_t kShows = kEndsBlock | kOwnBlock | kMayRaise | kBranches;
    if ((it->traits & kShows) != 0 || TouchesMemory(in) || TouchesMmx(in)) {
      live = kAll;
      continue;
    }
    if ((it->traits & kMayKeepFlags) == 0) live &= ~written;
    if (flags != nullptr) live |= flags->tested & kAll;
  }
}

// Writes the block's uops. Returns the index of the first instruction whose form has no semantic.
std::optional<std::size_t> LowerBlock(std::span<Decoded> block, Translation& out) {
  MarkDeadFlags(block);
  out.uops.clear();
  out.marks.clear();
  Emitter emitter(out.uops);
  const GuestAddr start = block.front().instruction.rip;
  const auto mark = [&](std::size_t unit, GuestAddr rip) {
    out.marks.push_back(
        {static_cast<std::uint32_t>(unit), static_cast<std::uint32_t>(rip - start)});
  };
  for (std::size_t i = 0; i < block.size(); ++i) {
    const Instruction& in = block[i].instruction;
    const std::size_t unit = emitter.size();
    mark(unit, in.rip);
    if (i + 1 < block.size() && EmitFused(emitter, in, block[i + 1].instruction)) {
      ++i;
      mark(unit, block[i].instruction.rip);
      continue;
    }
    if (!block[i].lower(emitter, in)) return i;
  }
  Decoded& last = block.back();
  mark(emitter.size(), last.instruction.next_rip);
  if ((last.traits & kEndsBlock) == 0) {
    // Runs on into the next block. What counts itself has counted already.
    Instruction& end = last.instruction;
    const std::int32_t number = end.number;
    if ((last.traits & kCountsItself) != 0) end.number = -1;
    EmitGoto(emitter, end, end.next_rip);
    end.number = number;
  }
  out.jumps = emitter.jumps();
  return std::nullopt;
}

// Pages are what programs are moved by.
std::uint64_t MemoKey(GuestAddr rip,
                      const std::array<std::uint8_t, ZYDIS_MAX_INSTRUCTION_LENGTH>& bytes) {
  std::uint64_t low = 0;
  std::uint64_t high = 0;  // these two overlap by a byte
  std::memcpy(&low, bytes.data(), sizeof low);
  std::memcpy(&high, bytes.data() + (bytes.size() - sizeof high), sizeof high);
  constexpr std::uint64_t kMix = 0x9e37'79b9'7f4a'7c15;  // 2^64 divided by the golden ratio
  const std::uint64_t mixed = (low * kMix ^ std::rotl(high, 32)) * kMix;
  return std::rotl(mixed, 32) + rip % kPageSize * kMix;
}

}  // namespace

Decoder::Decoder(AddressSpace& memory, CpuMode mode, TranslationMemo* memo)
    : memory_(memory),
      memo_(memo),
      last_address_(mode == CpuMode::kLong64 ? ~GuestAddr{0} : 0xffff'ffff) {
  GB_CHECK(ZYAN_SUCCESS(InitDecoder(zydis_, mode == CpuMode::kLong64)));
}

Decoder::Fetched Decoder::Fetch(GuestAddr rip) {
  Fetched fetched;
  while (fetched.count < fetched.bytes.size()) {
    const GuestAddr at = Wrap(rip + fetched.count);
    const bool known =
        at < memory_.address_end() && (memory_.flags()[at >> kPageShift] & kExecutable) != 0;
    if (!known) {
      fetched.fault = memory_.Resolve(at, 1, Access::kExecute);
      if (fetched.fault) break;
    }
    const std::size_t count =
        std::min<std::size_t>(fetched.bytes.size() - fetched.count, kPageSize - at % kPageSize);
    std::memcpy(fetched.bytes.data() + fetched.count, memory_.Host(at), count);
    fetched.count += count;
  }
  return fetched;
}

std::optional<MemoryFault> Decoder::Translate(GuestAddr rip, int max_instructions,
                                              bool checks_itself,
                                              std::span<const GuestAddr> borders,
                                              Translation& out) {
  if (memo_ == nullptr || checks_itself || max_instructions != kMaxBlockInstructions ||
      !borders.empty()) {
    return Decode(rip, max_instructions, checks_itself, borders, out);
  }
  const Fetched first = Fetch(rip);
  // Others run what files hold too. What a process has written it has mostly made for itself.
  const bool is_common =
      first.count == first.bytes.size() && (memory_.flags()[rip >> kPageShift] & kCharged) == 0;
  if (!is_common) return Decode(rip, max_instructions, checks_itself, {}, out);
  const std::uint64_t key = MemoKey(rip, first.bytes);
  if (Recall(rip, key, out)) return std::nullopt;
  const auto fault = Decode(rip, max_instructions, checks_itself, {}, out);
  if (!fault && memo_->Wants(key)) Remember(rip, key, out);
  return fault;
}

// Asks for the pages that decoding would ask for, in the same order: what a page costs, it costs
// either way.
bool Decoder::Recall(GuestAddr rip, std::uint64_t key, Translation& out) {
  const TranslationMemo::Row* const row = memo_->Find(key);
  if (row == nullptr || !TranslationMemo::CanServe(*row, rip)) return false;
  const std::size_t size = row->bytes.size();
  const GuestAddr end = rip + (size - 1);
  if (Wrap(end) != end || end < rip) return false;
  const auto is_same = [&](std::size_t from, std::size_t to) {
    return std::memcmp(memory_.Host(rip + from), row->bytes.data() + from, to - from) == 0;
  };
  const std::size_t in_page = std::min<std::size_t>(size, kPageSize - rip % kPageSize);
  if (!is_same(0, in_page)) return false;
  const std::size_t last = row->translation.marks[row->translation.marks.size() - 2].rip_offset;
  if (Fetch(rip + last).count < size - last || !is_same(in_page, size)) return false;
  memo_->Serve(*row, rip, last_address_, out);
  return true;
}

// `made` is of the block that was decoded last.
void Decoder::Remember(GuestAddr rip, std::uint64_t key, const Translation& made) {
  const auto block = std::span(block_).first(block_length_);
  const GuestAddr end = block.back().instruction.next_rip;
  if (end <= rip) return;  // runs on at 0
  // Cutting an address of the code to 16 or 32 bits changes this distance.
  const std::uint64_t distance =
      last_address_ == ~GuestAddr{0} ? std::uint64_t{0x1'0123'5000} : std::uint64_t{0x0123'5000};
  for (Decoded& decoded : block) {
    decoded.instruction.rip = Wrap(decoded.instruction.rip + distance);
    decoded.instruction.next_rip = Wrap(decoded.instruction.next_rip + distance);
  }
  const bool lowered = !LowerBlock(block, moved_);
  if (!lowered) moved_.uops.clear();
  memo_->Add(key, rip, {memory_.Host(rip), memory_.Host(end)}, made, moved_.uops, distance);
}

std::optional<MemoryFault> Decoder::Decode(GuestAddr rip, int max_instructions, bool checks_itself,
                                           std::span<const GuestAddr> borders, Translation& out) {
  std::size_t count = 0;
  GuestAddr at = rip;
  int branches = 0;
  while (static_cast<int>(count) < max_instructions) {
    if (count != 0 && std::ranges::binary_search(borders, at)) break;
    const Fetched fetched = Fetch(at);
    if (count == block_.size()) block_.resize(std::max<std::size_t>(2 * count, 8));
    Decoded& decoded = block_[count];
    Instruction& in = decoded.instruction;
    const ZyanStatus status =
        DecodeInstruction(zydis_, fetched.bytes.data(), fetched.count, in.decoded, in.operands);
    if (status == ZYDIS_STATUS_NO_MORE_DATA && fetched.fault) {
      if (count == 0) return fetched.fault;
      break;  // the fault is raised when the instruction is reached
    }
    in.rip = at;
    in.number = static_cast<std::int32_t>(count);
    in.checks_itself = checks_itself;
    if (!ZYAN_SUCCESS(status)) {
      // Too long is #GP, all else #UD (Intel SDM vol. 3A, 6.15). The length covers what was looked
      // at, so that a change of any of it is noticed.
      in.decoded = {};
      in.decoded.length = static_cast<ZyanU8>(fetched.count);
      // Bytes beyond what can be fetched were not needed to see that there is no such instruction.
      const bool is_64bit = zydis_.machine_mode == ZYDIS_MACHINE_MODE_LONG_64;
      const bool overlong =
          fetched.count == fetched.bytes.size() && IsOverlong(fetched.bytes, is_64bit);
      decoded.lower = overlong ? LowerRaise<ExceptionKind::kGeneralProtection>
                               : LowerRaise<ExceptionKind::kInvalidOpcode>;
      decoded.traits = kEndsBlock;
    } else if (IsForeignEncoding(in)) {
      decoded.lower = LowerRaise<ExceptionKind::kInvalidOpcode>;
      decoded.traits = kEndsBlock;
    } else if (const InstructionRow* const row =
                   FindRow(in.decoded.mnemonic, in.decoded.meta.category)) {
      decoded.lower = row->lower;
      decoded.traits = TraitsOf(*row, in);
    } else {
      decoded.lower = LowerAbsent(in);
      decoded.traits = kEndsBlock;
    }
    if ((decoded.traits & kOwnBlock) != 0 && count != 0) break;
    in.next_rip = Wrap(at + in.decoded.length);
    const bool wraps = in.next_rip < at;  // a block's addresses only rise
    at = in.next_rip;
    ++count;
    if (wraps || (checks_itself && StoresToMemory(in))) break;
    const std::uint16_t traits = decoded.traits;
    if ((traits & (kEndsBlock | kOwnBlock)) != 0) break;
    if ((traits & kBranches) != 0 && ++branches == kMaxBranches) break;
  }
  // A form without a semantic ends the block; then flags that looked dead are not.
  while (const auto refused = LowerBlock(std::span(block_).first(count), out)) {
    Decoded& last = block_[*refused];
    last.lower = LowerAbsent(last.instruction);
    last.traits = kEndsBlock;
    count = *refused + 1;
  }
  block_length_ = count;
  return std::nullopt;
}

bool Decoder::DecodeAt(GuestAddr rip, Instruction& out) {
  const Fetched fetched = Fetch(rip);
  if (!ZYAN_SUCCESS(DecodeInstruction(zydis_, fetched.bytes.data(), fetched.count, out.decoded,
                                      out.operands))) {
    return false;
  }
  out.rip = rip;
  out.next_rip = Wrap(rip + out.decoded.length);
  return true;
}

InstructionReport Decoder::Describe(GuestAddr rip) {
  InstructionReport report;
  report.address = rip;
  const Fetched fetched = Fetch(rip);
  ZydisDecodedInstruction instruction;
  const bool valid = ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
      &zydis_, nullptr, fetched.bytes.data(), fetched.count, &instruction));
  report.mnemonic = valid ? ZydisMnemonicGetString(instruction.mnemonic) : "(bad)";
  report.length_bytes = valid ? instruction.length : static_cast<std::uint8_t>(fetched.count);
  std::copy_n(fetched.bytes.begin(), report.length_bytes, report.bytes.begin());
  return report;
}

}  // namespace glovebox::engine::x86
