#include "engine/linux/world_values.h"

#include <gtest/gtest.h>

namespace glovebox::engine {
namespace {

TEST(WorldTest, ValuesAreThoseOfTheTable) {
  const auto world = WorldValues::Make({});
  ASSERT_TRUE(world.has_value());
  for (const WorldRow& row : kWorld) EXPECT_EQ(world->Text(row.id), row.value);
  EXPECT_EQ(world->Number(WorldId::kUmask), 022u);
}

TEST(WorldTest, EveryRowHasAReasonAndADefaultThatItsOwnCheckAccepts) {
  for (const WorldRow& row : kWorld) {
    EXPECT_GT(row.reason.size(), 5u) << row.name;
    if (!row.overridable()) continue;
    EXPECT_TRUE(WorldValues::Make({{std::string(row.name), std::string(row.value)}})) << row.name;
  }
}

TEST(WorldTest, OverridesTakeEffect) {
  const auto world =
      WorldValues::Make({{"hostname", "build-7"}, {"uid", "1000"}, {"umask", "077"}});
  ASSERT_TRUE(world.has_value());
  EXPECT_EQ(world->Text(WorldId::kHostname), "build-7");
  EXPECT_EQ(world->Number(WorldId::kUid), 1000u);
  EXPECT_EQ(world->Number(WorldId::kUmask), 077u);
}

TEST(WorldTest, AChoiceIsOneOfItsRow) {
  for (const std::string policy : {"round-robin", "chaos"}) {
    const auto world = WorldValues::Make({{"scheduling", policy}});
    ASSERT_TRUE(world.has_value()) << policy;
    EXPECT_EQ(world->Text(WorldId::kScheduling), policy);
  }
}

TEST(WorldTest, BadOverridesAreRefusedWithTheRowsName) {
  const std::pair<std::string, std::string> rows[] = {{"no_such_row", "1"},
                                                      {"pid", "1"},
                                                      {"hostname", ""},
                                                      {"hostname", "two words"},
                                                      {"uid", "-1"},
                                                      {"uid", "4294967295"},
                                                      {"umask", "1000"},
                                                      {"umask", "8"},
                                                      {"start_time", "x"},
                                                      {"bytes_per_ns", "0"},
                                                      {"scheduling", ""},
                                                      {"scheduling", "fair"},
                                                      {"scheduling", "round-robin,chaos"},
                                                      {"hostname", std::string(65, 'x')}};
  for (const auto& row : rows) {
    const auto world = WorldValues::Make({row});
    ASSERT_FALSE(world.has_value()) << row.first << "=" << row.second;
    EXPECT_EQ(world.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(world.error().message.find(row.first), std::string::npos);
  }
}

}  // namespace
}  // namespace glovebox::engine
