// REP: one retired instruction an iteration, cut at the budget, restartable, both directions.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "tests/unit/engine/isa/x86/machine.h"

namespace glovebox::engine::x86 {
namespace {

std::vector<std::uint8_t> Counting(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  std::iota(bytes.begin(), bytes.end(), 1);
  return bytes;
}

TEST(String, RepMovsCountsAnInstructionPerIterationWhereverItIsCut) {
  for (const std::uint64_t slice : {1, 2, 3, 10, 63, 64, 65, 1000}) {
    Machine machine;
    machine.Poke(kData, Counting(200));
    machine.cpu->SetGpr(kRsi, kData);
    machine.cpu->SetGpr(kRdi, kData + kPageSize - 100);  // across a page
    machine.cpu->SetGpr(kRcx, 200);
    machine.Code({0xf3, 0xa4, 0x0f, 0x05});
    Icount expected = 0;
    Stop stop;
    while ((stop = machine.Run(slice)).kind == StopKind::kBudget) {
      expected += slice;
      ASSERT_EQ(machine.cpu->icount(), expected);
      ASSERT_EQ(machine[kRsi], kData + std::min<Icount>(expected, 200));
      ASSERT_EQ(machine[kRcx], 200 - std::min<Icount>(expected, 200));
    }
    EXPECT_EQ(stop.kind, StopKind::kSyscall);
    EXPECT_EQ(machine.cpu->icount(), 201u);
    std::vector<std::uint8_t> copied(200);
    machine.memory->Peek(std::as_writable_bytes(std::span(copied)), kData + kPageSize - 100);
    EXPECT_EQ(copied, Counting(200));
  }
}

TEST(String, AnEmptyRepRetiresOnce) {
  Machine machine;
  machine.Code({0xf3, 0xa4, 0x0f, 0x05});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine.cpu->icount(), 2u);
}

TEST(String, OverlappingCopiesGoByteByByte) {
  Machine machine;
  machine.Code({0xf3, 0xa4, 0x0f, 0x05}, kCode);
  machine.Code({0x41}, kData);
  machine.cpu->SetGpr(kRsi, kData);
  machine.cpu->SetGpr(kRdi, kData + 1);
  machine.cpu->SetGpr(kRcx, 50);
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine.Peek<std::uint8_t>(kData + 50), 0x41);
}

TEST(String, BackwardsWithTheDirectionFlag) {
  Machine machine;
  machine.Poke(kData, Counting(16));
  machine.cpu->SetGpr(kRsi, kData + 12);
  machine.cpu->SetGpr(kRdi, kData + 0x10c);
  machine.cpu->SetGpr(kRcx, 4);
  machine.Code({0xfd, 0xf3, 0xa5, 0xfc, 0x0f, 0x05});  // std; rep movsd; cld
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRsi], kData - 4);
  EXPECT_EQ(machine.Peek<std::uint64_t>(kData + 0x100), 0x0807060504030201u);
}

TEST(String, AFaultInTheMiddleLeavesWhatWasDoneAndCanGoOn) {
  Machine machine;
  constexpr GuestAddr kEnd = kData + 4 * kPageSize;
  machine.cpu->SetGpr(kRdi, kEnd - 10);
  machine.cpu->SetGpr(kRax, 0x55);
  machine.cpu->SetGpr(kRcx, 30);
  machine.Code({0xf3, 0xaa, 0x0f, 0x05});
  const Stop stop = machine.Run();
  EXPECT_EQ(stop.kind, StopKind::kMemoryFault);
  EXPECT_EQ(stop.memory.address, kEnd);
  EXPECT_EQ(machine[kRcx], 20u);
  EXPECT_EQ(machine[kRdi], kEnd);
  EXPECT_EQ(machine.cpu->rip(), kCode);
  EXPECT_EQ(machine.cpu->icount(), 10u);
  machine.Map(kEnd, kPageSize, kReadWrite);
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine.cpu->icount(), 31u);
  EXPECT_EQ(machine.Peek<std::uint8_t>(kEnd + 19), 0x55);
}

TEST(String, ScanAndCompareStopAtTheFirstMatch) {
  Machine machine;
  machine.Poke(kData, Counting(100));
  machine.cpu->SetGpr(kRdi, kData);
  machine.cpu->SetGpr(kRax, 40);
  machine.cpu->SetGpr(kRcx, ~0ull);
  machine.Code({0xf2, 0xae, 0x0f, 0x05});  // repne scasb
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRdi], kData + 40);
  EXPECT_EQ(machine.cpu->icount(), 41u);
  EXPECT_EQ(machine[kR11] & kZf, kZf);
}

// Also where a budget has cut the instruction before.
TEST(String, AComparisonThatFaultsInTheMiddleShowsTheFlagsFromBeforeIt) {
  for (const std::uint64_t slice : {1, 2, 100}) {
    Machine machine;
    Registers registers = machine.cpu->Get();
    registers.rflags = kCf | kOf;
    registers.gpr[kRdi] = kData + 4 * kPageSize - 5;
    registers.gpr[kRcx] = 100;
    machine.cpu->Set(registers);
    machine.Code({0xf3, 0xae});  // repe scasb
    Stop stop;
    do {
      stop = machine.Run(slice);
    } while (stop.kind == StopKind::kBudget);
    EXPECT_EQ(stop.kind, StopKind::kMemoryFault);
    EXPECT_EQ(machine[kRcx], 95u);
    EXPECT_EQ(machine.cpu->Get().rflags & kStatusFlags, kCf | kOf) << slice;
    EXPECT_EQ(machine.cpu->icount(), 5u);
  }
}

TEST(String, AComparisonThatEndsShowsTheFlagsOfItsLastIteration) {
  for (const std::uint64_t slice : {1, 2, 100}) {
    Machine machine;
    machine.cpu->SetGpr(kRdi, kData);
    machine.cpu->SetGpr(kRcx, 3);
    machine.Code({0xf3, 0xae, 0x0f, 0x0b});  // repe scasb
    while (machine.Run(slice).kind == StopKind::kBudget) {
    }
    EXPECT_EQ(machine.cpu->Get().rflags & kStatusFlags, kZf | kPf) << slice;
  }
}

}  // namespace
}  // namespace glovebox::engine::x86
