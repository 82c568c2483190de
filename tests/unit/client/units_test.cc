#include "client/render/units.h"

#include <gmock/gmock.h>

namespace glovebox::client {
namespace {

using engine::LimitId;
using testing::HasSubstr;

std::uint64_t Parsed(LimitId id, std::string_view text) {
  const auto value = ParseLimitValue(engine::Row(id), text);
  EXPECT_TRUE(value) << text << ": " << value.error().message;
  return value.value_or(0);
}

std::string Refusal(LimitId id, std::string_view text) {
  const auto value = ParseLimitValue(engine::Row(id), text);
  EXPECT_FALSE(value) << text;
  return value ? "" : value.error().reason + ": " + value.error().message;
}

TEST(ParseLimitValue, CountsBytesInPowersOf1024) {
  EXPECT_EQ(Parsed(LimitId::kMemory, "65536"), 65'536u);
  EXPECT_EQ(Parsed(LimitId::kMemory, "64K"), 65'536u);
  EXPECT_EQ(Parsed(LimitId::kMemory, "64M"), 64u << 20);
  EXPECT_EQ(Parsed(LimitId::kMemory, "64MiB"), 64u << 20);
  EXPECT_EQ(Parsed(LimitId::kDisk, "2GB"), 2ull << 30);
}

TEST(ParseLimitValue, CountsInstructionsInPowersOf1000) {
  EXPECT_EQ(Parsed(LimitId::kInstructions, "5M"), 5'000'000u);
  EXPECT_EQ(Parsed(LimitId::kInstructions, "2G"), 2'000'000'000u);
  EXPECT_EQ(Parsed(LimitId::kInstructions, "none"), engine::kNoLimit);
  EXPECT_EQ(Parsed(LimitId::kOpenFiles, "1k"), 1'000u);
}

TEST(ParseLimitValue, WantsAUnitWithATime) {
  EXPECT_EQ(Parsed(LimitId::kWallTime, "250ms"), 250u);
  EXPECT_EQ(Parsed(LimitId::kWallTime, "30s"), 30'000u);
  EXPECT_EQ(Parsed(LimitId::kWallTime, "5m"), 300'000u);
  EXPECT_EQ(Parsed(LimitId::kWallTime, "1h"), 3'600'000u);
  EXPECT_THAT(Refusal(LimitId::kWallTime, "30"), HasSubstr("needs a unit"));
}

TEST(ParseLimitValue, RefusesWhatItCannotMean) {
  for (const char* text : {"", "x", "-1", "1.5G", "64X", "64 M", "M", "0x10",
                           "18446744073709551616", "18014398509481985K"}) {
    EXPECT_THAT(Refusal(LimitId::kMemory, text), HasSubstr("BAD_LIMIT: limit mem=")) << text;
  }
  EXPECT_THAT(Refusal(LimitId::kMemory, "1T"), HasSubstr("the most"));
  EXPECT_THAT(Refusal(LimitId::kMemory, "none"), HasSubstr("not a number"));
}

TEST(ParseLimitValue, ReadsEveryRowsDefaultAndCeiling) {
  for (const engine::LimitRow& row : engine::kLimits) {
    const std::string unit = row.unit == engine::LimitUnit::kMilliseconds ? "ms" : "";
    EXPECT_EQ(*ParseLimitValue(row, std::to_string(row.default_value) + unit), row.default_value)
        << row.name;
    if (row.ceiling == engine::kNoLimit) continue;
    EXPECT_FALSE(ParseLimitValue(row, std::to_string(row.ceiling + 1) + unit)) << row.name;
  }
}

TEST(UnitText, IsForPeople) {
  EXPECT_EQ(BytesText(1), "1 byte");
  EXPECT_EQ(BytesText(1023), "1023 bytes");
  EXPECT_EQ(BytesText(1536), "1.5 KiB");
  EXPECT_EQ(BytesText(64u << 20), "64.0 MiB");
  EXPECT_EQ(CountText(0), "0");
  EXPECT_EQ(CountText(999), "999");
  EXPECT_EQ(CountText(1'000), "1,000");
  EXPECT_EQ(CountText(1'234'567), "1,234,567");
  EXPECT_EQ(DurationText(999), "999 ns");
  EXPECT_EQ(DurationText(1'234'500), "1.234 ms");
  EXPECT_EQ(LimitText("milliseconds", 30'000), "30 s");
  EXPECT_EQ(LimitText("milliseconds", 1'500), "1500 ms");
  EXPECT_EQ(LimitText("milliseconds", 0), "0 ms");
  EXPECT_EQ(LimitText("instructions", 5'000'000), "5,000,000 instructions");
  EXPECT_EQ(LimitText("instructions", 1), "1 instruction");
  EXPECT_EQ(LimitText("count", 1), "1 at one time");
}

}  // namespace
}  // namespace glovebox::client
