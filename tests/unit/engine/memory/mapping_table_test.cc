#include "engine/memory/mapping_table.h"

#include <gtest/gtest.h>

#include <utility>

namespace glovebox::engine {
namespace {

Region Anonymous(GuestAddr start, GuestAddr end, std::uint8_t protection = kProtRead) {
  Region region;
  region.mapping.start = start;
  region.mapping.end = end;
  region.mapping.protection = protection;
  return region;
}

TEST(MappingTable, MergesNeighboursThatAreAlike) {
  MappingTable table;
  table.Insert(Anonymous(0x1000, 0x2000));
  table.Insert(Anonymous(0x3000, 0x4000));
  EXPECT_EQ(table.size(), 2u);
  table.Insert(Anonymous(0x2000, 0x3000));
  ASSERT_EQ(table.size(), 1u);
  EXPECT_EQ(table.Find(0x1000)->mapping.end, 0x4000u);
}

TEST(MappingTable, KeepsNeighboursApartThatDiffer) {
  MappingTable table;
  table.Insert(Anonymous(0x1000, 0x2000, kProtRead));
  table.Insert(Anonymous(0x2000, 0x3000, kProtRead | kProtWrite));
  Region named = Anonymous(0x3000, 0x4000, kProtRead | kProtWrite);
  named.mapping.name = "[heap]";
  table.Insert(named);
  EXPECT_EQ(table.size(), 3u);
}

TEST(MappingTable, FileMappingsMergeOnlyWhereTheirOffsetsContinue) {
  const auto file = std::make_shared<MappedFile>(MappedFile{0x9000, nullptr, nullptr, nullptr});
  const auto piece = [&](GuestAddr start, std::uint64_t offset) {
    Region region = Anonymous(start, start + 0x1000);
    region.mapping.file_offset_bytes = offset;
    region.file = file;
    return region;
  };
  MappingTable table;
  table.Insert(piece(0x1000, 0x0));
  table.Insert(piece(0x2000, 0x1000));
  EXPECT_EQ(table.size(), 1u);
  table.Insert(piece(0x3000, 0x5000));
  EXPECT_EQ(table.size(), 2u);
}

TEST(MappingTable, ErasingTheMiddleLeavesBothEndsWithTheirOffsets) {
  Region region = Anonymous(0x1000, 0x5000);
  region.file = std::make_shared<MappedFile>(MappedFile{0x9000, nullptr, nullptr, nullptr});
  MappingTable table;
  table.Insert(region);
  EXPECT_EQ(table.GrowthOf(0x2000, 0x3000), 2u);
  table.Erase(0x2000, 0x3000);
  ASSERT_EQ(table.size(), 2u);
  EXPECT_EQ(table.Find(0x2000), nullptr);
  EXPECT_EQ(table.Find(0x3000)->mapping.file_offset_bytes, 0x2000u);
}

TEST(MappingTable, ProtectionSplitsAndMergesAgain) {
  MappingTable table;
  table.Insert(Anonymous(0x1000, 0x5000));
  table.SetProtection(0x2000, 0x3000, kProtNone);
  EXPECT_EQ(table.size(), 3u);
  table.SetProtection(0x2000, 0x3000, kProtRead);
  EXPECT_EQ(table.size(), 1u);
}

TEST(MappingTable, FindsTheHighestFreeRangeThatFits) {
  MappingTable table;
  EXPECT_EQ(table.HighestFree(0x2000, 0x1000, 0x9000), 0x7000u);
  table.Insert(Anonymous(0x7000, 0x8000));
  EXPECT_EQ(table.HighestFree(0x1000, 0x1000, 0x9000), 0x8000u);
  EXPECT_EQ(table.HighestFree(0x2000, 0x1000, 0x9000), 0x5000u);
  EXPECT_EQ(table.HighestFree(0x6000, 0x1000, 0x9000), 0x1000u);
  EXPECT_EQ(table.HighestFree(0x7000, 0x1000, 0x9000), std::nullopt);
}

TEST(MappingTable, FindsTheLowestFreeRangeThatFits) {
  MappingTable table;
  EXPECT_EQ(table.LowestFree(0x2000, 0x1000, 0x9000), 0x1000u);
  table.Insert(Anonymous(0x0000, 0x3000));
  table.Insert(Anonymous(0x4000, 0x6000));
  EXPECT_EQ(table.LowestFree(0x1000, 0x1000, 0x9000), 0x3000u);
  EXPECT_EQ(table.LowestFree(0x2000, 0x1000, 0x9000), 0x6000u);
  EXPECT_EQ(table.LowestFree(0x3000, 0x1000, 0x9000), 0x6000u);
  EXPECT_EQ(table.LowestFree(0x4000, 0x1000, 0x9000), std::nullopt);
  EXPECT_EQ(table.LowestFree(0x1000, 0x3800, 0x4000), std::nullopt);
  EXPECT_EQ(table.LowestFree(0x1000, 0x4000, 0x5000), std::nullopt);
}

TEST(MappingTable, TheSearchStartsBelowTheTopAlsoWithinAMapping) {
  MappingTable table;
  table.Insert(Anonymous(0x6000, 0xa000));
  EXPECT_EQ(table.HighestFree(0x1000, 0x1000, 0x8000), 0x5000u);
}

TEST(MappingTable, CoversNeedsEveryPage) {
  MappingTable table;
  table.Insert(Anonymous(0x1000, 0x2000, kProtRead));
  table.Insert(Anonymous(0x2000, 0x3000, kProtNone));
  table.Insert(Anonymous(0x4000, 0x5000));
  EXPECT_TRUE(table.Covers(0x1000, 0x3000));
  EXPECT_FALSE(table.Covers(0x1000, 0x5000));
  EXPECT_TRUE(table.IsFree(0x3000, 0x4000));
  EXPECT_FALSE(table.IsFree(0x3000, 0x4001));
}

}  // namespace
}  // namespace glovebox::engine
