// Budgets, yields, system calls, the time-stamp counter: what a caller of Run relies on.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/unit/engine/isa/x86/machine.h"

namespace glovebox::engine::x86 {
namespace {

TEST(Run, AZeroBudgetDoesNothing) {
  Machine machine;
  machine.Code({0xff, 0xc0});
  EXPECT_EQ(machine.cpu->Run(0).kind, StopKind::kBudget);
  EXPECT_EQ(machine.cpu->icount(), 0u);
}

TEST(Run, TheBudgetIsExactWhereverItCutsABlock) {
  for (std::uint64_t budget = 1; budget < 200; ++budget) {
    Machine machine;
    // 1: inc eax; add ebx, eax; push rax; pop rcx; cmp eax, 1000; jne 1
    machine.Code({0xff, 0xc0, 0x01, 0xc3, 0x50, 0x59, 0x3d, 0xe8, 0x03, 0x00, 0x00, 0x75, 0xf3});
    EXPECT_EQ(machine.Run(budget).kind, StopKind::kBudget);
    EXPECT_EQ(machine.cpu->icount(), budget);
    EXPECT_EQ(machine[kRax], (budget + 5) / 6);
    const std::uint64_t offsets[] = {0, 2, 4, 5, 6, 11};
    EXPECT_EQ(machine.cpu->rip(), kCode + offsets[budget % 6]);
  }
}

TEST(Run, ASystemCallRetiresAndSetsRcxAndR11) {
  Machine machine;
  machine.Code({0xf9, 0x0f, 0x05, 0xff, 0xc0});  // stc; syscall; inc eax
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine.cpu->icount(), 2u);
  EXPECT_EQ(machine.cpu->rip(), kCode + 3);
  EXPECT_EQ(machine[kRcx], kCode + 3);
  EXPECT_EQ(machine[kR11] & kCf, kCf);
  EXPECT_EQ(machine.Run(1).kind, StopKind::kBudget);
  EXPECT_EQ(machine[kRax], 1u);
}

TEST(Run, AnEndlessLoopYieldsAndANudgeIsHeard) {
  Machine machine;
  machine.Code({0xeb, 0xfe});
  EXPECT_EQ(machine.cpu->Run(1'000'000'000).kind, StopKind::kYield);
  EXPECT_LT(machine.cpu->icount(), 100'000'000u);
  machine.cpu->Nudge();
  const Icount before = machine.cpu->icount();
  EXPECT_EQ(machine.cpu->Run(1'000'000'000).kind, StopKind::kYield);
  EXPECT_LT(machine.cpu->icount() - before, 100'000u);
}

TEST(Run, AnEndlessRepYieldsAndCountsItsIterations) {
  Machine machine(64_MiB);
  machine.cpu->SetGpr(kRcx, 1'000'000'000);
  machine.cpu->SetGpr(kRsi, kData);
  machine.Code({0xf3, 0xac});  // rep lodsb
  machine.Map(0x100000, 4_GiB, kProtRead);
  machine.cpu->SetGpr(kRsi, 0x100000);
  EXPECT_EQ(machine.cpu->Run(1'000'000'000).kind, StopKind::kYield);
  EXPECT_EQ(machine.cpu->icount(), machine[kRsi] - 0x100000);
  EXPECT_EQ(machine[kRcx], 1'000'000'000 - machine.cpu->icount());
  EXPECT_LT(machine.cpu->icount(), 100'000'000u);
}

TEST(Run, TheTimeStampCounterIsTheInstructionCountPlusItsOffset) {
  Machine machine;
  machine.cpu->SetTscOffset(0x5'0000'0000);
  machine.Code({0x90, 0x90, 0x0f, 0x31, 0x0f, 0x05});  // nop; nop; rdtsc; syscall
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRax], 2u);
  EXPECT_EQ(machine[kRdx], 5u);
  EXPECT_EQ(machine.cpu->icount(), 4u);
}

TEST(Run, TheTimeStampCounterDoesNotShowWhereRunsWereCut) {
  const auto last_of = [](std::uint64_t slice) {
    Machine machine;
    // 1: rdtsc; add ebx, eax; inc ecx; cmp ecx, 50; jne 1; syscall
    machine.Code({0x0f, 0x31, 0x01, 0xc3, 0xff, 0xc1, 0x83, 0xf9, 0x32, 0x75, 0xf5, 0x0f, 0x05});
    while (machine.Run(slice).kind != StopKind::kSyscall) {
    }
    return machine[kRbx];
  };
  const std::uint64_t whole = last_of(100'000);
  for (const std::uint64_t slice : {1, 2, 3, 7, 64, 65}) EXPECT_EQ(last_of(slice), whole);
}

TEST(Run, CpuidShowsTheModelAndNothingOfTheHost) {
  Machine machine;
  const auto cpuid = [&](std::uint64_t leaf, std::uint64_t subleaf = 0) {
    machine.Code({0x0f, 0xa2, 0x0f, 0x05});
    machine.cpu->SetRip(kCode);
    machine.cpu->SetGpr(kRax, leaf);
    machine.cpu->SetGpr(kRcx, subleaf);
    // The system call comes after CPUID: one instruction alone.
    EXPECT_EQ(machine.Run(1).kind, StopKind::kBudget);
  };
  cpuid(0);
  EXPECT_EQ(machine[kRbx], 0x68747541u);  // "Auth"
  cpuid(1);
  EXPECT_EQ(machine[kRax], 0x830f10u);
  constexpr std::uint64_t kMonitor = 1 << 3, kAvx = 1 << 28, kRdrand = 1 << 30;
  EXPECT_EQ(machine[kRcx] & (kMonitor | kAvx | kRdrand), kAvx);
  cpuid(7);
  constexpr std::uint64_t kFsgsbase = 1, kHle = 1 << 4, kRtm = 1 << 11, kRdseed = 1 << 18;
  EXPECT_EQ(machine[kRbx] & (kFsgsbase | kHle | kRtm | kRdseed), 0u);
}

TEST(Run, RegistersComeBackAsTheyWereSet) {
  Machine machine;
  Registers registers;
  for (std::size_t i = 0; i < 16; ++i) registers.gpr[i] = 0x0101010101010101 * (i + 1);
  registers.rip = kCode;
  registers.fs_base = 0x1234;
  registers.gs_base = 0x5678;
  for (const std::uint64_t flags : {std::uint64_t{kStatusFlags}, std::uint64_t{kDf | kZf | kSf}}) {
    registers.rflags = flags | kReservedOne | kIf;
    machine.cpu->Set(registers);
    const Registers back = machine.cpu->Get();
    EXPECT_EQ(back.gpr, registers.gpr);
    EXPECT_EQ(back.rflags, registers.rflags);
    EXPECT_EQ(back.fs_base, 0x1234u);
    EXPECT_EQ(back.gs_base, 0x5678u);
  }
  registers.rflags = ~std::uint64_t{0};
  machine.cpu->Set(registers);
  EXPECT_EQ(machine.cpu->Get().rflags,
            kStatusFlags | kReservedOne | kIf | kDf | kTf | kNt | kAc | kId);
}

// Random instructions from a list that stays within mapped memory, in a loop.
std::vector<std::uint8_t> RandomProgram(std::mt19937_64& random) {
  const std::vector<std::vector<std::uint8_t>> parts = {
      {0x01, 0xc8},
      {0x48, 0x11, 0xd1},
      {0x19, 0xd8},
      {0xff, 0xc0},
      {0xff, 0xca},
      {0xd1, 0xe0},
      {0xd3, 0xd8},
      {0x48, 0xc1, 0xf8, 0x05},
      {0x0f, 0xaf, 0xc1},
      {0x50},
      {0x58},
      {0x9c},
      {0x59},
      {0x48, 0x89, 0x06},
      {0x03, 0x16},
      {0x66, 0x83, 0x06, 0x07},
      {0xa8, 0x01},
      {0x75, 0x00},
      {0x39, 0xc8},
      {0x7c, 0x02, 0xff, 0xc3},
      {0x0f, 0x92, 0xc1},
      {0x0f, 0x44, 0xc3},
      {0x48, 0x8d, 0x04, 0x51},
      {0xe8, 0x00, 0x00, 0x00, 0x00},
      {0x5a},
      {0xf3, 0xaa},
      {0xb1, 0x09},
      {0x48, 0x89, 0xf7},
      {0x0f, 0xb6, 0xc8},
      {0x86, 0xe0},
      {0xf8},
      {0x0f, 0xba, 0xf8, 0x03},
      {0xf2, 0xae},
      {0x72, 0x03, 0x48, 0xff, 0xc0},
      {0x0f, 0xb1, 0x1e},
      {0xfc},
  };
  std::vector<std::uint8_t> program;
  for (int i = 0; i < 60; ++i) {
    const auto& part = parts[random() % parts.size()];
    program.insert(program.end(), part.begin(), part.end());
  }
  program.insert(program.end(), {0x48, 0x89, 0xf7, 0xb9, 0x05, 0x00, 0x00, 0x00});  // rdi, rcx
  program.insert(program.end(), {0x48, 0x89, 0xec});                                // mov rsp, rbp
  const auto back = static_cast<std::int32_t>(-static_cast<std::int64_t>(program.size()) - 5);
  program.push_back(0xe9);
  for (int i = 0; i < 4; ++i) program.push_back(static_cast<std::uint8_t>(back >> (8 * i)));
  return program;
}

struct End {
  Registers registers;
  std::vector<std::byte> data;
  Icount icount;
};

End RunProgram(const std::vector<std::uint8_t>& program, std::uint64_t budget,
               std::uint64_t slice) {
  Machine machine;
  machine.Poke(kCode, program);
  machine.cpu->SetGpr(kRsi, kData + 64);
  machine.cpu->SetGpr(kRdi, kData + 64);
  machine.cpu->SetGpr(kRcx, 3);
  machine.cpu->SetGpr(kRbp, kStackTop - 2048);
  machine.cpu->SetGpr(kRsp, kStackTop - 2048);
  while (machine.cpu->icount() < budget) {
    const Stop stop = machine.Run(std::min(slice, budget - machine.cpu->icount()));
    if (stop.kind != StopKind::kBudget) break;  // a random program may fault: both do
  }
  std::vector<std::byte> data(4 * kPageSize);
  machine.memory->Peek(data, kData);
  return {machine.cpu->Get(), std::move(data), machine.cpu->icount()};
}

TEST(Run, OneByOneAndInOneGoEndAlikeForRandomCode) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 60; ++i) {
    const auto program = RandomProgram(random);
    const std::uint64_t budget = 1 + random() % 2000;
    const End whole = RunProgram(program, budget, budget);
    for (const std::uint64_t slice : {std::uint64_t{1}, 1 + random() % 100}) {
      const End sliced = RunProgram(program, budget, slice);
      ASSERT_EQ(sliced.icount, whole.icount) << "program " << i << " slice " << slice;
      ASSERT_EQ(sliced.registers.gpr, whole.registers.gpr) << "program " << i << " slice " << slice;
      ASSERT_EQ(sliced.registers.rip, whole.registers.rip);
      ASSERT_EQ(sliced.registers.rflags, whole.registers.rflags);
      ASSERT_EQ(sliced.data, whole.data);
    }
  }
}

TEST(Run, TwoMachinesInOneProcessDoNotMeet) {
  Machine a;
  Machine b;
  a.Code({0xff, 0xc0, 0xeb, 0xfc});
  b.Code({0xff, 0xc8, 0xeb, 0xfc});
  for (int i = 0; i < 10; ++i) {
    a.Run(100);
    b.Run(100);
  }
  EXPECT_EQ(a[kRax], 500u);
  EXPECT_EQ(b[kRax], static_cast<std::uint32_t>(-500));
}

}  // namespace
}  // namespace glovebox::engine::x86
