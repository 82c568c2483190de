// What the tests of whole guests (tests/guests/i386_calls.c) do not reach of the structures of
// i386.
#include <gtest/gtest.h>

#include <cstring>

#include "engine/linux/abi/i386_signal.h"
#include "engine/linux/signals.h"

namespace glovebox::engine::abi {
namespace {

Siginfo There(const Siginfo& info) {
  i386::Siginfo narrow{};
  EXPECT_TRUE(Encode(info, narrow));
  Siginfo back{};
  Decode(narrow, back);
  return back;
}

TEST(I386LayoutTest, SiginfoKeepsWhatItsSignalAndCodeMean) {
  const Siginfo sender = There(SenderInfo(kSIGUSR1, kSiQueue, 7, 1000, 0x12345678));
  EXPECT_EQ(sender.sender.pid, 7);
  EXPECT_EQ(sender.sender.uid, 1000u);
  EXPECT_EQ(sender.sender.value, 0x12345678u);
  EXPECT_EQ(There(FaultInfo(kSIGSEGV, kSegvMapErr, 0xfffffff0)).fault.address, 0xfffffff0u);

  Siginfo child{};
  child.signal = kSIGCHLD;
  child.code = 1;
  child.child = {5, 6, 7, 0, 8, 9};
  EXPECT_EQ(There(child).child.status, 7);
  EXPECT_EQ(There(child).child.system_ticks, 9);

  Siginfo timer{};
  timer.signal = kSIGALRM;
  timer.code = kSiTimer;
  timer.timer = {3, 4, 0xabcdef};
  EXPECT_EQ(There(timer).timer.overrun, 4);
  EXPECT_EQ(There(timer).timer.value, 0xabcdefu);

  Siginfo system{};
  system.signal = kSIGSYS;
  system.code = 1;
  system.system = {0x8048000, 20, 0x40000003};
  EXPECT_EQ(There(system).system.number, 20);
  EXPECT_EQ(There(system).system.architecture, 0x40000003u);
}

TEST(I386LayoutTest, SiginfoOfAFaultHasItsAddressBehindTheCode) {
  i386::Siginfo narrow{};
  Encode(FaultInfo(kSIGBUS, kBusAdrErr, 0x1000), narrow);
  std::uint32_t words[4];
  std::memcpy(words, &narrow, sizeof words);
  EXPECT_EQ(words[0], static_cast<std::uint32_t>(kSIGBUS));
  EXPECT_EQ(words[2], static_cast<std::uint32_t>(kBusAdrErr));
  EXPECT_EQ(words[3], 0x1000u);
}

TEST(I386LayoutTest, WhatDoesNotFitAStatIsRefused) {
  x86_64::Stat stat{};
  stat.inode = 1ull << 32;
  i386::Stat narrow{};
  EXPECT_FALSE(Encode(stat, narrow));
  stat.inode = ~0u;
  EXPECT_TRUE(Encode(stat, narrow));
  stat.size = 1ll << 31;
  EXPECT_FALSE(Encode(stat, narrow));
  i386::Stat64 wide{};
  EXPECT_TRUE(Encode(stat, wide));
}

TEST(I386LayoutTest, MemoryThatDoesNotFitIsToldInPages) {
  Sysinfo info{};
  info.total_ram = 256ull << 30;
  info.free_ram = 8192;
  info.memory_unit = 1;
  i386::Sysinfo narrow{};
  EXPECT_TRUE(Encode(info, narrow));
  EXPECT_EQ(narrow.memory_unit, 4096u);
  EXPECT_EQ(narrow.total_ram, 64u << 20);
  EXPECT_EQ(narrow.free_ram, 2u);
}

TEST(I386LayoutTest, AllOnesOfALimitMeanUnlimited) {
  Rlimit wide{};
  Decode(i386::Rlimit{~0u, 5}, wide);
  EXPECT_EQ(wide.soft, ~std::uint64_t{0});
  EXPECT_EQ(wide.hard, 5u);
  i386::Rlimit narrow{};
  EXPECT_TRUE(Encode(Rlimit{1ull << 40, 7}, narrow));
  EXPECT_EQ(narrow.soft, ~0u);
  EXPECT_EQ(narrow.hard, 7u);
}

TEST(I386LayoutTest, ElementsOfAnArrayHaveTheSizeOfTheirForm) {
  EXPECT_EQ(StoredBytes<const Timespec>(Layout::kX86_64), 16u);
  EXPECT_EQ(StoredBytes<const Timespec>(Layout::kI386), 8u);
  EXPECT_EQ(StoredBytes<const Timespec>(Layout::kI386Wide), 16u);
  EXPECT_EQ(StoredBytes<Word>(Layout::kI386Wide), 4u);
  EXPECT_EQ(StoredBytes<UserId>(Layout::kI386), 2u);
}

}  // namespace
}  // namespace glovebox::engine::abi
