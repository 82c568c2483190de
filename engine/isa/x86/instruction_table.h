// What every instruction does: one row per Zydis mnemonic, in tables by family.
//
// A row's `lower` turns one decoded instruction into uops; lower functions come from shapes
// (shapes.h: Binary<Add>, Shift<Shl> ...), which choose among the specialisations of one semantic.
// Families live in files of their own (instructions_*.cc), each exporting its rows;
// instruction_table.cc joins them and checks that each mnemonic stands there once. A mnemonic
// without a row is "not implemented".
#pragma once

#include <Zydis/Zydis.h>

#include <array>
#include <cstdint>
#include <span>

#include "engine/base/types.h"

namespace glovebox::engine::x86 {

class Emitter;

// One decoded instruction.
struct Instruction {
  ZydisDecodedInstruction decoded;
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
  GuestAddr rip = 0;
  GuestAddr next_rip = 0;
  std::int32_t number =
      0;  // instructions that stand before it in its block; number + 1 retire with it
  bool checks_itself = false;  // its block does: Translator::Translate
  // Some status flag that it writes may be looked at before it is written again. When false, the
  // semantic may leave the lazy flags alone.
  bool flags_live = true;
};

// Emits the uops of the instruction. False: this form is not implemented (nothing emitted).
using Lower = bool (*)(Emitter& emitter, const Instruction& instruction);

enum Trait : std::uint16_t {
  kNoTraits = 0,
  // Always the last of its block (jumps, system calls).
  kEndsBlock = 1 << 0,
  // A block of its own: what counts its own instructions (REP) or looks at the icount.
  kOwnBlock = 1 << 1,
  // May leave some or all status flags as they were although Zydis says that it writes them (shifts
  // by CL, REP CMPS).
  kMayKeepFlags = 1 << 2,
  // May raise an exception although it has no operand in memory (DIV).
  kMayRaise = 1 << 3,
  // A conditional branch: the block may run on behind it.
  kBranches = 1 << 4,
  // Subtracts what it retires from the budget by itself (REP: one instruction per iteration). With
  // kOwnBlock.
  kCountsItself = 1 << 5,
};

// Where CPUs may differ. Ours is what AMD's Zen does; tests compare bit for bit there, and under
// these masks on other families.
struct Latitude {
  std::uint32_t flags = 0;       // status flags, beyond those that Zydis calls undefined
  std::uint16_t x87_status = 0;  // condition bits of the x87's status word
  // Results are approximations that two CPUs may differ in by 2^-bits; 0: exact.
  std::uint8_t approximate_bits = 0;
};

struct InstructionRow {
  ZydisMnemonic mnemonic;
  Lower lower;
  std::uint16_t traits = kNoTraits;
  Latitude latitude{};
};

// The families. Each is defined in the file of its name.
std::span<const InstructionRow> ArithmeticRows();  // instructions_arithmetic.cc
std::span<const InstructionRow> BitRows();         // instructions_bit.cc
std::span<const InstructionRow> MoveRows();        // instructions_move.cc
std::span<const InstructionRow> ControlRows();     // instructions_control.cc
std::span<const InstructionRow> StringRows();      // instructions_string.cc
std::span<const InstructionRow> SegmentRows();     // instructions_segment.cc
std::span<const InstructionRow> LegacyRows();      // instructions_legacy.cc
std::span<const InstructionRow> SystemRows();      // instructions_system.cc
std::span<const InstructionRow> SseRows();         // instructions_sse.cc
std::span<const InstructionRow> Sse4Rows();        // instructions_sse4.cc: SSE3 to SSE4.2
std::span<const InstructionRow> CryptoRows();      // instructions_crypto.cc
std::span<const InstructionRow> X87Rows();         // instructions_x87.cc
std::span<const InstructionRow> AvxFloatRows();    // instructions_avx_float.cc
std::span<const InstructionRow> AvxIntegerRows();  // instructions_avx_integer.cc
std::span<const InstructionRow> AvxMoveRows();     // instructions_avx_move.cc
std::span<const InstructionRow> FmaRows();         // instructions_fma.cc
std::span<const InstructionRow> XsaveRows();       // instructions_xsave.cc

// Null where the mnemonic has no row. MOVSD and CMPSD are each two instructions to Zydis: string
// instructions (ZYDIS_CATEGORY_STRINGOP) are looked for in StringRows alone, others never there.
const InstructionRow* FindRow(ZydisMnemonic mnemonic, ZydisInstructionCategory category);

// Every row, for tests that walk the tables.
std::span<const std::span<const InstructionRow>> AllRows();

}  // namespace glovebox::engine::x86
