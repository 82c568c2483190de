// Rows of FMA3 and F16C.
#include "engine/isa/x86/fma.h"
#include "engine/isa/x86/instruction_table.h"

namespace glovebox::engine::x86 {
namespace {

using u32 = std::uint32_t;
using u64 = std::uint64_t;
using enum FmaOf;

template <typename Semantic>
constexpr Lower FmaPacked = VexAccumulate<PerLaneOfThree<Semantic>>;
template <typename Semantic, typename Lane>
constexpr Lower FmaScalar = VexAccumulate<Scalar<Semantic, Lane>>;

constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_VFMADD132PS, FmaPacked<MultiplyAdd132<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADD213PS, FmaPacked<MultiplyAdd213<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADD231PS, FmaPacked<MultiplyAdd231<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADD132PD, FmaPacked<MultiplyAdd132<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADD213PD, FmaPacked<MultiplyAdd213<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADD231PD, FmaPacked<MultiplyAdd231<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADD132SS, FmaScalar<MultiplyAdd132<kSs>, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADD213SS, FmaScalar<MultiplyAdd213<kSs>, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADD231SS, FmaScalar<MultiplyAdd231<kSs>, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADD132SD, FmaScalar<MultiplyAdd132<kSd>, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADD213SD, FmaScalar<MultiplyAdd213<kSd>, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADD231SD, FmaScalar<MultiplyAdd231<kSd>, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUB132PS, FmaPacked<MultiplySubtract132<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUB213PS, FmaPacked<MultiplySubtract213<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUB231PS, FmaPacked<MultiplySubtract231<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUB132PD, FmaPacked<MultiplySubtract132<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUB213PD, FmaPacked<MultiplySubtract213<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUB231PD, FmaPacked<MultiplySubtract231<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUB132SS, FmaScalar<MultiplySubtract132<kSs>, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUB213SS, FmaScalar<MultiplySubtract213<kSs>, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUB231SS, FmaScalar<MultiplySubtract231<kSs>, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUB132SD, FmaScalar<MultiplySubtract132<kSd>, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUB213SD, FmaScalar<MultiplySubtract213<kSd>, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUB231SD, FmaScalar<MultiplySubtract231<kSd>, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMADD132PS, FmaPacked<NegatedMultiplyAdd132<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMADD213PS, FmaPacked<NegatedMultiplyAdd213<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMADD231PS, FmaPacked<NegatedMultiplyAdd231<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMADD132PD, FmaPacked<NegatedMultiplyAdd132<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMADD213PD, FmaPacked<NegatedMultiplyAdd213<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMADD231PD, FmaPacked<NegatedMultiplyAdd231<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMADD132SS, FmaScalar<NegatedMultiplyAdd132<kSs>, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMADD213SS, FmaScalar<NegatedMultiplyAdd213<kSs>, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMADD231SS, FmaScalar<NegatedMultiplyAdd231<kSs>, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMADD132SD, FmaScalar<NegatedMultiplyAdd132<kSd>, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMADD213SD, FmaScalar<NegatedMultiplyAdd213<kSd>, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMADD231SD, FmaScalar<NegatedMultiplyAdd231<kSd>, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMSUB132PS, FmaPacked<NegatedMultiplySubtract132<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMSUB213PS, FmaPacked<NegatedMultiplySubtract213<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMSUB231PS, FmaPacked<NegatedMultiplySubtract231<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMSUB132PD, FmaPacked<NegatedMultiplySubtract132<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMSUB213PD, FmaPacked<NegatedMultiplySubtract213<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMSUB231PD, FmaPacked<NegatedMultiplySubtract231<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMSUB132SS, FmaScalar<NegatedMultiplySubtract132<kSs>, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMSUB213SS, FmaScalar<NegatedMultiplySubtract213<kSs>, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMSUB231SS, FmaScalar<NegatedMultiplySubtract231<kSs>, u32>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMSUB132SD, FmaScalar<NegatedMultiplySubtract132<kSd>, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMSUB213SD, FmaScalar<NegatedMultiplySubtract213<kSd>, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VFNMSUB231SD, FmaScalar<NegatedMultiplySubtract231<kSd>, u64>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADDSUB132PS, FmaPacked<MultiplyAddSubtract132<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADDSUB213PS, FmaPacked<MultiplyAddSubtract213<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADDSUB231PS, FmaPacked<MultiplyAddSubtract231<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADDSUB132PD, FmaPacked<MultiplyAddSubtract132<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADDSUB213PD, FmaPacked<MultiplyAddSubtract213<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMADDSUB231PD, FmaPacked<MultiplyAddSubtract231<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUBADD132PS, FmaPacked<MultiplySubtractAdd132<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUBADD213PS, FmaPacked<MultiplySubtractAdd213<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUBADD231PS, FmaPacked<MultiplySubtractAdd231<kPs>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUBADD132PD, FmaPacked<MultiplySubtractAdd132<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUBADD213PD, FmaPacked<MultiplySubtractAdd213<kPd>>, kMayRaise},
    {ZYDIS_MNEMONIC_VFMSUBADD231PD, FmaPacked<MultiplySubtractAdd231<kPd>>, kMayRaise},

    {ZYDIS_MNEMONIC_VCVTPH2PS, Vex<Widening<CvtPh2Ps, 8>>, kMayRaise},
    {ZYDIS_MNEMONIC_VCVTPS2PH, VexToHalves, kMayRaise},
};

}  // namespace

std::span<const InstructionRow> FmaRows() { return kRows; }

}  // namespace glovebox::engine::x86
