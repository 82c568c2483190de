#include "engine/linux/seccomp.h"

#include <gtest/gtest.h>

#include <vector>

namespace glovebox::engine {
namespace {

constexpr BpfInstruction kAllowAll{0x06, 0, 0, kSeccompAllow};

TEST(Seccomp, ProgramThatDoesNotReturnIsRefused) {
  EXPECT_FALSE(IsSeccompProgram({}));
  EXPECT_FALSE(IsSeccompProgram(std::vector<BpfInstruction>{{0x20, 0, 0, 0}}));
  EXPECT_TRUE(IsSeccompProgram(std::vector<BpfInstruction>{{0x20, 0, 0, 0}, kAllowAll}));
}

TEST(Seccomp, JumpBeyondTheEndIsRefused) {
  EXPECT_FALSE(IsSeccompProgram(std::vector<BpfInstruction>{{0x05, 0, 0, 1}, kAllowAll}));
  EXPECT_FALSE(IsSeccompProgram(std::vector<BpfInstruction>{{0x15, 0, 255, 7}, kAllowAll}));
  EXPECT_TRUE(IsSeccompProgram(std::vector<BpfInstruction>{{0x05, 0, 0, 0}, kAllowAll}));
}

TEST(Seccomp, WordThatOneWayDoesNotWriteCannotBeRead) {
  const BpfInstruction load{0x60, 0, 0, 3}, store{0x02, 0, 0, 3};
  EXPECT_TRUE(IsSeccompProgram(std::vector<BpfInstruction>{store, load, kAllowAll}));
  EXPECT_FALSE(
      IsSeccompProgram(std::vector<BpfInstruction>{{0x15, 0, 1, 0}, store, load, kAllowAll}));
}

TEST(Seccomp, StrictestAnswerCountsAndOfEqualsTheNewest) {
  const auto older = std::make_shared<SeccompFilter>();
  older->program = {{0x06, 0, 0, kSeccompErrno | 5}};
  SeccompFilter newer;
  newer.below = older;
  newer.program = {{0x06, 0, 0, kSeccompErrno | 6}};
  EXPECT_EQ(RunSeccomp(newer, {}), kSeccompErrno | 6);
  newer.program = {kAllowAll};
  EXPECT_EQ(RunSeccomp(newer, {}), kSeccompErrno | 5);
  newer.program = {{0x06, 0, 0, kSeccompKillProcess}};
  EXPECT_EQ(RunSeccomp(newer, {}), kSeccompKillProcess);
}

TEST(Seccomp, DivisionByZeroKills) {
  // A / X, with X 0.
  const std::vector<BpfInstruction> program{{0x00, 0, 0, 7}, {0x3c, 0, 0, 0}, kAllowAll};
  ASSERT_TRUE(IsSeccompProgram(program));
  EXPECT_EQ(RunSeccompProgram(program, {}), kSeccompKillThread);
}

}  // namespace
}  // namespace glovebox::engine
