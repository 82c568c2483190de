#include "engine/net/options.h"

#include <gtest/gtest.h>

#include <set>

namespace glovebox::engine::net {
namespace {

TEST(OptionsTest, AValueIsASwitchANumberOrRefused) {
  Options options(kForTcp);
  ASSERT_TRUE(options.Set(kLevelTcp, 1, 7).has_value());
  EXPECT_EQ(options.Get(kLevelTcp, 1), 1);
  EXPECT_EQ(options.Set(kLevelTcp, 4, 0).error(), kEINVAL);
  EXPECT_EQ(options.Set(kLevelTcp, 4, 32768).error(), kEINVAL);
  EXPECT_EQ(options.Get(kLevelTcp, 4), 7200);
  ASSERT_TRUE(options.Set(kLevelSocket, kReceiveLowWater, -5).has_value());
  EXPECT_EQ(options.Get(kLevelSocket, kReceiveLowWater), 1);
  EXPECT_EQ(options.Set(kLevelSocket, kSendLowWater, 1).error(), kENOPROTOOPT);
}

TEST(OptionsTest, OptionsOfOtherProtocolsAreUnknown) {
  Options options(kForUnix);
  EXPECT_EQ(options.Set(kLevelTcp, 1, 1).error(), kENOPROTOOPT);
  EXPECT_EQ(FindOption(kLevelUdp, 104, kForTcp), nullptr);
  EXPECT_NE(FindOption(kLevelUdp, 104, kForUdp), nullptr);
}

TEST(OptionsTest, EachNumberHasOneName) {
  std::set<std::string_view> names;
  for (const int level : {0, 1, 6, 17, 41, 270}) {
    for (int number = 0; number < 128; ++number) {
      const std::string_view name = OptionName(level, number);
      if (!name.empty()) {
        EXPECT_TRUE(names.insert(name).second) << name;
      }
    }
  }
  EXPECT_GT(names.size(), 70u);
}

}  // namespace
}  // namespace glovebox::engine::net
