#include "engine/isa/x86/instruction_table.h"

#include <gtest/gtest.h>

#include <set>

namespace glovebox::engine::x86 {
namespace {

TEST(InstructionTable, EachRowCanBeFoundAndLowers) {
  std::size_t rows = 0;
  for (const auto& family : AllRows()) {
    const bool strings = family.data() == StringRows().data();
    for (const InstructionRow& row : family) {
      const auto category = strings ? ZYDIS_CATEGORY_STRINGOP : ZYDIS_CATEGORY_BINARY;
      EXPECT_EQ(FindRow(row.mnemonic, category), &row) << ZydisMnemonicGetString(row.mnemonic);
      EXPECT_NE(row.lower, nullptr) << ZydisMnemonicGetString(row.mnemonic);
      ++rows;
    }
  }
  EXPECT_GT(rows, 300u);
}

TEST(InstructionTable, WhatNoRowCoversIsNotFound) {
  EXPECT_EQ(FindRow(ZYDIS_MNEMONIC_VADDPH, ZYDIS_CATEGORY_AVX512), nullptr);
  EXPECT_EQ(FindRow(ZYDIS_MNEMONIC_INVALID, ZYDIS_CATEGORY_INVALID), nullptr);
}

}  // namespace
}  // namespace glovebox::engine::x86
