// What the CPU model has not got is invalid, what user mode may not do is refused, and hints of
// later CPUs do nothing.
#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/engine/isa/x86/machine.h"

namespace glovebox::engine::x86 {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(Model, WhatTheCpuHasNotGotIsInvalid) {
  const Bytes instructions[] = {
      {0x0f, 0xc7, 0xf0},                    // rdrand eax
      {0x0f, 0xc7, 0xf8},                    // rdseed eax
      {0xf3, 0x0f, 0xae, 0xc0},              // rdfsbase eax
      {0xc7, 0xf8, 0x00, 0x00, 0x00, 0x00},  // xbegin
      {0x0f, 0x01, 0xd5},                    // xend
      {0x0f, 0x01, 0xd6},                    // xtest
      {0xc6, 0xf8, 0x00},                    // xabort
      {0x0f, 0x01, 0xc8},                    // monitor
      {0x0f, 0x01, 0xc9},                    // mwait
      {0x0f, 0x01, 0xca},                    // clac
      {0x0f, 0x01, 0xc1},                    // vmcall
      {0x0f, 0x01, 0xd9},                    // vmmcall
      {0x0f, 0x01, 0xee},                    // rdpkru
      {0xf3, 0x0f, 0xae, 0xe8},              // incsspd eax
      {0x66, 0x0f, 0xae, 0xf0},              // tpause eax
      {0x66, 0x0f, 0xae, 0x3b},              // clflushopt [rbx]
      {0x66, 0x0f, 0xae, 0x33},              // clwb [rbx]
      {0x0f, 0x38, 0xf9, 0x03},              // movdiri [rbx], eax
      {0x0f, 0x0f, 0xc1, 0x9e},              // pfadd mm0, mm1
      {0x0f, 0x0e},                          // femms
      {0xf2, 0x0f, 0x79, 0xc1},              // insertq xmm0, xmm1
      {0x62, 0xf1, 0x74, 0x48, 0x58, 0xc2},  // vaddps zmm0, zmm1, zmm2
      {0x62, 0xf1, 0x74, 0x08, 0x58, 0xc2},  // vaddps xmm0, xmm1, xmm2 as AVX-512 has it
      {0xc5, 0xf8, 0x41, 0xc1},              // kandw
      {0xc4, 0xe2, 0x71, 0x50, 0xc2},        // vpdpbusd xmm0, xmm1, xmm2
      {0x0f, 0x0b},                          // ud2
      {0x0f, 0xb9, 0xc0},                    // ud1
      {0x0f, 0xff, 0xc0},                    // ud0
      {0x0f, 0x01, 0xe8},                    // serialize
  };
  for (const Bytes& bytes : instructions) {
    Machine machine;
    machine.cpu->SetGpr(kRbx, kData);
    machine.Poke(kCode, bytes);
    const Stop stop = machine.Run();
    EXPECT_EQ(stop.kind, StopKind::kException) << testing::PrintToString(bytes);
    EXPECT_EQ(stop.exception, ExceptionKind::kInvalidOpcode) << testing::PrintToString(bytes);
  }
}

TEST(Model, LockWhereItMayNotStandIsInvalid) {
  const Bytes instructions[] = {
      {0xf0, 0x90},              // nop
      {0xf0, 0x01, 0xc8},        // add eax, ecx
      {0xf0, 0x03, 0x03},        // add eax, [rbx]
      {0xf0, 0x8b, 0x03},        // mov eax, [rbx]
      {0xf0, 0x39, 0x03},        // cmp [rbx], eax
      {0xf0, 0x0f, 0xa3, 0x03},  // bt [rbx], eax
      {0xf0, 0xd1, 0x23},        // shl dword [rbx], 1
      {0xf0, 0xa4},              // movsb
  };
  for (const Bytes& bytes : instructions) {
    Machine machine;
    machine.cpu->SetGpr(kRbx, kData);
    machine.Poke(kCode, bytes);
    EXPECT_EQ(machine.Run().exception, ExceptionKind::kInvalidOpcode)
        << testing::PrintToString(bytes);
  }
}

TEST(Model, InstructionsOfMoreThan15BytesAreRefused) {
  for (const auto& [prefixes, is_refused] : {std::pair{14, false}, std::pair{15, true}}) {
    Machine machine;
    Bytes bytes(static_cast<std::size_t>(prefixes), 0x66);
    bytes.push_back(0x90);
    machine.Poke(kCode, bytes);
    const Stop stop = machine.Run(1);
    EXPECT_EQ(stop.kind, is_refused ? StopKind::kException : StopKind::kBudget);
    if (!is_refused) continue;
    EXPECT_EQ(stop.exception, ExceptionKind::kGeneralProtection);
  }
}

TEST(Model, HintsOfOtherCpusDoNothing) {
  const Bytes instructions[] = {
      {0xf3, 0x0f, 0x1e, 0xfa},        // endbr64
      {0xf3, 0x48, 0x0f, 0x1e, 0xc8},  // rdsspq rax
      {0x0f, 0x1c, 0x03},              // cldemote [rbx]
      {0x0f, 0x1a, 0xc1},              // of MPX
      {0xf3, 0x0f, 0x1b, 0x03},        // bndmk bnd0, [rbx]
      {0x0f, 0x18, 0x3b},              // a prefetch hint
      {0x0f, 0x0d, 0x13},              // prefetchwt1 [rbx]
      {0xf3, 0x90},                    // pause
      {0x0f, 0x19, 0xc0},              // nop
  };
  for (const Bytes& bytes : instructions) {
    Machine machine;
    machine.cpu->SetGpr(kRax, 7);
    machine.cpu->SetGpr(kRbx, 0x90000);  // nothing is there
    machine.Poke(kCode, bytes);
    EXPECT_EQ(machine.Run(1).kind, StopKind::kBudget) << testing::PrintToString(bytes);
    EXPECT_EQ(machine.cpu->rip(), kCode + bytes.size());
    EXPECT_EQ(machine[kRax], 7u);
  }
}

TEST(Model, TablesOfTheKernelShowWhatLinuxShowsOfThem) {
  Machine machine;
  machine.cpu->SetGpr(kRbx, kData);
  // sgdt [rbx]; sidt [rbx+16]; str eax; sldt ecx; smsw edx; syscall
  machine.Code({0x0f, 0x01, 0x03, 0x0f, 0x01, 0x4b, 0x10, 0x0f, 0x00, 0xc8, 0x0f, 0x00, 0xc1, 0x0f,
                0x01, 0xe2, 0x0f, 0x0b});
  EXPECT_EQ(machine.Run().exception, ExceptionKind::kInvalidOpcode);
  EXPECT_EQ(machine.Peek<std::uint16_t>(kData), 0u);
  EXPECT_EQ(machine.Peek<std::uint64_t>(kData + 2), 0xffff'ffff'fffe'0000u);
  EXPECT_EQ(machine.Peek<std::uint64_t>(kData + 18), 0xffff'ffff'ffff'0000u);
  EXPECT_EQ(machine[kRax], 0x40u);
  EXPECT_EQ(machine[kRcx], 0u);
  EXPECT_EQ(machine[kRdx], 0x80050033u);
}

}  // namespace
}  // namespace glovebox::engine::x86
