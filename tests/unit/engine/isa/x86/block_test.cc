// Blocks and their chains: calls and returns, indirect jumps, long code, many blocks.
#include <gtest/gtest.h>

#include "tests/unit/engine/isa/x86/machine.h"

namespace glovebox::engine::x86 {
namespace {

TEST(Block, CallsReturnWhereTheyCameFrom) {
  Machine machine;
  // call +6 (f); call +1 (f); syscall; nop... f: inc eax; ret
  machine.Code(
      {0xe8, 0x07, 0x00, 0x00, 0x00, 0xe8, 0x02, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xff, 0xc0, 0xc3});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRax], 2u);
  EXPECT_EQ(machine.cpu->icount(), 7u);
  EXPECT_EQ(machine[kRsp], kStackTop - 256);
}

TEST(Block, AnIndirectCallGoesWhereItsRegisterSaysEachTime) {
  Machine machine;
  // 1: call rbx; xchg rbx, rbp; dec ecx; jnz 1; syscall
  machine.Code({0xff, 0xd3, 0x48, 0x87, 0xdd, 0xff, 0xc9, 0x75, 0xf7, 0x0f, 0x05});
  machine.Code({0x83, 0xc0, 0x01, 0xc3}, kCode + 0x100);  // add eax, 1
  machine.Code({0x83, 0xc0, 0x64, 0xc3}, kCode + 0x200);  // add eax, 100
  machine.cpu->SetGpr(kRbx, kCode + 0x100);
  machine.cpu->SetGpr(kRbp, kCode + 0x200);
  machine.cpu->SetGpr(kRcx, 10);
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRax], 505u);
}

TEST(Block, RetWithAnImmediateDropsArguments) {
  Machine machine;
  machine.Code({0xe8, 0x02, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xc2, 0x10, 0x00});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRsp], kStackTop - 256 + 16);
}

TEST(Block, CodeLongerThanABlockRunsOn) {
  Machine machine;
  std::vector<std::uint8_t> code;
  for (int i = 0; i < 1000; ++i) code.insert(code.end(), {0xff, 0xc0});
  code.insert(code.end(), {0x0f, 0x05});
  machine.Poke(kCode, code);
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRax], 1000u);
  EXPECT_EQ(machine.cpu->icount(), 1001u);
}

TEST(Block, ABlockAcrossTwoPagesRuns) {
  Machine machine;
  machine.Code({0xff, 0xc0, 0xb9, 0x44, 0x33, 0x22, 0x11, 0x0f, 0x05}, kCode + kPageSize - 4);
  machine.cpu->SetRip(kCode + kPageSize - 4);
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRcx], kCode + kPageSize + 5);
  EXPECT_EQ(machine[kRax], 1u);
}

TEST(Block, SegmentBasesAndRipRelativeAddressesAreAdded) {
  Machine machine;
  machine.cpu->SetFsBase(kData);
  machine.cpu->SetGsBase(kData + 8);
  // mov rax, fs:[0]; mov rbx, gs:[0]; mov rdi, [rip+0x100]; lea rsi, fs:[rax+1]; syscall
  machine.Code({0x64, 0x48, 0x8b, 0x04, 0x25, 0,    0,    0,    0,    0x65, 0x48,
                0x8b, 0x1c, 0x25, 0,    0,    0,    0,    0x48, 0x8b, 0x3d, 0x00,
                0x01, 0x00, 0x00, 0x64, 0x48, 0x8d, 0x70, 0x01, 0x0f, 0x05});
  machine.Code({0x11}, kCode + 25 + 0x100);
  const std::uint8_t bytes[] = {1, 0, 0, 0, 0, 0, 0, 0, 2};
  machine.Poke(kData, bytes);
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRax], 1u);
  EXPECT_EQ(machine[kRbx], 2u);
  EXPECT_EQ(machine[kRdi], 0x11u);
  EXPECT_EQ(machine[kRsi], 2u);  // LEA takes no segment base
}

TEST(Block, AddressesAreCutTo32BitsByTheirPrefix) {
  Machine machine;
  machine.cpu->SetGpr(kRbx, 0xffffffff'00000000 + kData);
  machine.Code({0x67, 0xc6, 0x03, 0x07, 0x0f, 0x05});  // mov byte [ebx], 7
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine.Peek<std::uint8_t>(kData), 7);
}

TEST(Block, LoopsCountInEcxWithA32BitAddress) {
  Machine machine;
  machine.cpu->SetGpr(kRcx, 0x5'00000003);
  machine.Code({0xff, 0xc0, 0x67, 0xe2, 0xfb, 0x48, 0x89, 0xcb, 0x0f, 0x05});  // inc eax; loop
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRax], 3u);
  EXPECT_EQ(machine[kRbx], 0u);
}

// More code than the cache keeps: it starts anew and nothing is lost.
TEST(Block, AFullCacheStartsAnew) {
  Machine machine(256_MiB);
  constexpr GuestAddr kBig = 0x10000000;
  constexpr std::uint64_t kBlocks = 200'000;
  machine.Map(kBig, 64_MiB, kReadWrite | kProtExec);
  // Each block: 19 times inc eax, then jmp to the next.
  std::vector<std::uint8_t> code;
  for (std::uint64_t i = 0; i < kBlocks; ++i) {
    for (int j = 0; j < 19; ++j) code.insert(code.end(), {0xff, 0xc0});
    code.insert(code.end(), {0xeb, 0x00});
  }
  code.insert(code.end(), {0x0f, 0x05});
  machine.Poke(kBig, code);
  machine.cpu->SetRip(kBig);
  EXPECT_EQ(machine.Run(100'000'000).kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRax], kBlocks * 19);
  EXPECT_EQ(machine.cpu->icount(), kBlocks * 20 + 1);
}

}  // namespace
}  // namespace glovebox::engine::x86
