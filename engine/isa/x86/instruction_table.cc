#include "engine/isa/x86/instruction_table.h"

#include <array>

#include "engine/base/check.h"

namespace glovebox::engine::x86 {
namespace {

// Rows by mnemonic. Built once from the families; a mnemonic that stands there twice is a mistake
// of ours.
class Index {
 public:
  explicit Index(std::span<const std::span<const InstructionRow>> families) {
    for (const auto& rows : families) {
      for (const InstructionRow& row : rows) {
        GB_CHECK(by_mnemonic_[row.mnemonic] == nullptr);
        by_mnemonic_[row.mnemonic] = &row;
      }
    }
  }
  const InstructionRow* Find(ZydisMnemonic mnemonic) const { return by_mnemonic_[mnemonic]; }

 private:
  std::array<const InstructionRow*, ZYDIS_MNEMONIC_MAX_VALUE + 1> by_mnemonic_{};
};

}  // namespace

std::span<const std::span<const InstructionRow>> AllRows() {
  static const std::array<std::span<const InstructionRow>, 17> kFamilies = {
      StringRows(),     ArithmeticRows(), BitRows(),   MoveRows(),    ControlRows(), SystemRows(),
      SseRows(),        X87Rows(),        Sse4Rows(),  CryptoRows(),  AvxMoveRows(), AvxFloatRows(),
      AvxIntegerRows(), FmaRows(),        XsaveRows(), SegmentRows(), LegacyRows(),
  };
  return kFamilies;
}

const InstructionRow* FindRow(ZydisMnemonic mnemonic, ZydisInstructionCategory category) {
  static const Index kStrings(AllRows().first(1));
  static const Index kOthers(AllRows().subspan(1));
  return (category == ZYDIS_CATEGORY_STRINGOP ? kStrings : kOthers).Find(mnemonic);
}

}  // namespace glovebox::engine::x86
