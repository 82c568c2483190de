// Addition, subtraction, logic, shifts, multiplication, division.
#include "engine/isa/x86/alu.h"
#include "engine/isa/x86/divide.h"
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/multiply.h"
#include "engine/isa/x86/shapes.h"
#include "engine/isa/x86/shift.h"

namespace glovebox::engine::x86 {
namespace {

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_ADD, Binary<Add>},
    {ZYDIS_MNEMONIC_ADC, Binary<Adc>},
    {ZYDIS_MNEMONIC_SUB, Binary<Sub>},
    {ZYDIS_MNEMONIC_SBB, Binary<Sbb>},
    {ZYDIS_MNEMONIC_CMP, Binary<Cmp>},
    {ZYDIS_MNEMONIC_AND, Binary<And>},
    {ZYDIS_MNEMONIC_OR, Binary<Or>},
    {ZYDIS_MNEMONIC_XOR, Binary<Xor>},
    {ZYDIS_MNEMONIC_TEST, Binary<Test>},
    {ZYDIS_MNEMONIC_INC, Unary<Inc>},
    {ZYDIS_MNEMONIC_DEC, Unary<Dec>},
    {ZYDIS_MNEMONIC_NEG, Unary<Neg>},
    {ZYDIS_MNEMONIC_NOT, Unary<Not>},
    {ZYDIS_MNEMONIC_SHL, Shift<Shl>, kMayKeepFlags},
    {ZYDIS_MNEMONIC_SHR, Shift<Shr>, kMayKeepFlags},
    {ZYDIS_MNEMONIC_SAR, Shift<Sar>, kMayKeepFlags},
    {ZYDIS_MNEMONIC_ROL, Shift<Rol>, kMayKeepFlags},
    {ZYDIS_MNEMONIC_ROR, Shift<Ror>, kMayKeepFlags},
    {ZYDIS_MNEMONIC_RCL, Shift<Rcl>, kMayKeepFlags},
    {ZYDIS_MNEMONIC_RCR, Shift<Rcr>, kMayKeepFlags},
    {ZYDIS_MNEMONIC_SHLD, DoubleShift<Shld>, kMayKeepFlags},
    {ZYDIS_MNEMONIC_SHRD, DoubleShift<Shrd>, kMayKeepFlags},
    {ZYDIS_MNEMONIC_MUL, MultiplyWide<false>},
    {ZYDIS_MNEMONIC_IMUL, MultiplySigned},
    {ZYDIS_MNEMONIC_DIV, Divide<false>, kMayRaise | kMayKeepFlags},
    {ZYDIS_MNEMONIC_IDIV, Divide<true>, kMayRaise | kMayKeepFlags},
};

}  // namespace

std::span<const InstructionRow> ArithmeticRows() { return kRows; }

}  // namespace glovebox::engine::x86
