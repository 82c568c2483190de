// Code that changes under the CPU: by its own stores, by system calls, by the debugger, by
// mappings.
#include <gtest/gtest.h>

#include "tests/unit/engine/isa/x86/machine.h"

namespace glovebox::engine::x86 {
namespace {

TEST(SelfModifying, AnInstructionThatChangesTheNextOneIsObeyed) {
  Machine machine;
  // mov byte [rip+1], 0x05 (the immediate of the next); mov al, 0x01; syscall
  machine.Code({0xc6, 0x05, 0x01, 0x00, 0x00, 0x00, 0x05, 0xb0, 0x01, 0x0f, 0x05});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRax], 5u);
  EXPECT_EQ(machine.cpu->icount(), 3u);
}

TEST(SelfModifying, ALoopThatPatchesItselfEachRoundSeesEachPatch) {
  Machine machine;
  machine.cpu->SetGpr(kRcx, 100);
  // 1: add eax, 0 (imm8 at +2); inc byte [rip-7]: the imm8; dec ecx; jnz 1; syscall
  machine.Code(
      {0x83, 0xc0, 0x00, 0xfe, 0x05, 0xf9, 0xff, 0xff, 0xff, 0xff, 0xc9, 0x75, 0xf3, 0x0f, 0x05});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  // 0 + 1 + ... + 99
  EXPECT_EQ(machine[kRax], 4950u);
  EXPECT_EQ(machine.cpu->icount(), 401u);
}

TEST(SelfModifying, DataBesideCodeOnItsPageCanBeWrittenForLong) {
  Machine machine;
  machine.cpu->SetGpr(kRbx, kCode + 0x800);
  machine.cpu->SetGpr(kRcx, 200'000);
  machine.Code({0x01, 0x0b, 0xff, 0xc9, 0x75, 0xfa, 0x0f, 0x05});  // add [rbx], ecx; dec ecx; jnz
  EXPECT_EQ(machine.Run(10'000'000).kind, StopKind::kSyscall);
  EXPECT_EQ(machine.Peek<std::uint32_t>(kCode + 0x800),
            static_cast<std::uint32_t>(200'000ull * 200'001 / 2));
}

TEST(SelfModifying, ARepIntoAPageWithCodeRetiresOneInstructionPerIteration) {
  Machine machine;
  machine.cpu->SetGpr(kRdi, kCode + 0x800);
  machine.cpu->SetGpr(kRcx, 5);
  machine.Code({0xf3, 0xaa, 0x0f, 0x05});  // rep stosb; syscall
  for (std::uint64_t done = 1; done <= 5; ++done) {
    EXPECT_EQ(machine.Run(1).kind, StopKind::kBudget);
    EXPECT_EQ(machine.cpu->icount(), done);
    EXPECT_EQ(machine[kRcx], 5 - done);
  }
  EXPECT_EQ(machine.cpu->rip(), kCode + 2);
  EXPECT_EQ(machine.Run(1).kind, StopKind::kSyscall);
  EXPECT_EQ(machine.cpu->icount(), 6u);
}

TEST(SelfModifying, FlagsThatTheReplacedInstructionWouldHaveOverwrittenAreSeen) {
  Machine machine;
  // stc; add [rip], eax, which makes "setc dl" of "add edx, 1"; nop; syscall
  machine.Code({0xf9, 0x01, 0x05, 0, 0, 0, 0, 0x83, 0xc2, 0x01, 0x90, 0x0f, 0x05});
  machine.cpu->SetGpr(kRax, 0x90c2920f - 0x9001c283);  // the addition carries nothing
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine.Peek<std::uint32_t>(kCode + 7), 0x90c2920fu);
  EXPECT_EQ(machine[kRdx], 0u);
}

TEST(SelfModifying, CodeThatIsWrittenCalledAndWrittenAgainIsAlwaysTheLatest) {
  Machine machine;
  machine.cpu->SetGpr(kRdi, kData);
  machine.cpu->SetGpr(kRcx, 1000);
  ASSERT_TRUE(machine.memory->Protect(kData, kPageSize, kReadWrite | kProtExec));
  // 1: mov byte [rdi], 0xb8; mov [rdi+1], ecx; mov byte [rdi+5], 0xc3; call rdi; add rbx, rax; dec
  // ecx; jnz 1; syscall
  machine.Code({0xc6, 0x07, 0xb8, 0x89, 0x4f, 0x01, 0xc6, 0x47, 0x05, 0xc3, 0xff,
                0xd7, 0x48, 0x01, 0xc3, 0xff, 0xc9, 0x75, 0xed, 0x0f, 0x05});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRbx], 500'500u);
}

TEST(SelfModifying, ACallThatPushesOntoItsOwnCodeChangesIt) {
  Machine machine;
  // The return address lands on the code at kCode + 0x100, which is called before and after.
  machine.Code(
      {0xff, 0xd3, 0x48, 0x89, 0xc6, 0xff, 0xd3, 0x0f, 0x05});  // call rbx; mov rsi, rax; call rbx
  machine.Code({0xb0, 0x11, 0xc3}, kCode + 0x100);
  machine.cpu->SetGpr(kRbx, kCode + 0x100);
  machine.cpu->SetGpr(kRsp, kCode + 0x109);  // pushes to 0x101: over the immediate and the return
  const Stop stop = machine.Run(2);
  EXPECT_EQ(stop.kind, StopKind::kBudget);
  // mov al, 0x02 (the low byte of the return address kCode + 2)
  EXPECT_EQ(machine[kRax] & 0xff, 0x02u);
}

TEST(SelfModifying, ARepThatOverwritesItselfStopsBeingARep) {
  Machine machine;
  machine.cpu->SetGpr(kRdi, kCode);
  machine.cpu->SetGpr(kRax, 0x90);
  machine.cpu->SetGpr(kRcx, 4);
  machine.Code({0xf3, 0xaa, 0xff, 0xc3, 0xff, 0xc3, 0x0f, 0x05});  // rep stosb; inc ebx; inc ebx
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  // The first iteration turns the prefix into a NOP; then stosb runs once by itself, over its own
  // second byte.
  EXPECT_EQ(machine[kRdi], kCode + 2);
  EXPECT_EQ(machine.Peek<std::uint16_t>(kCode), 0x9090);
}

TEST(SelfModifying, WritersOutsideTheCpuAreSeen) {
  Machine machine;
  machine.Code({0xb0, 0x01, 0x0f, 0x05});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRax], 1u);
  const auto again = [&](auto&& change) {
    change();
    machine.cpu->SetRip(kCode);
    return machine.Run();
  };
  const std::byte two{2};
  again([&] { machine.memory->CopyOut(kCode + 1, std::span(&two, 1)); });
  EXPECT_EQ(machine[kRax], 2u);
  again([&] { machine.Code({3}, kCode + 1); });
  EXPECT_EQ(machine[kRax], 3u);
  const Stop protect =
      again([&] { ASSERT_TRUE(machine.memory->Protect(kCode, kPageSize, kReadWrite)); });
  EXPECT_EQ(protect.memory.kind, MemoryFaultKind::kProtection);
  const Stop unmap = again([&] { ASSERT_TRUE(machine.memory->Unmap(kCode, kPageSize)); });
  EXPECT_EQ(unmap.memory.kind, MemoryFaultKind::kUnmapped);
  again([&] {
    machine.Map(kCode, kPageSize, kReadWrite | kProtExec);
    machine.Code({0xb0, 0x04, 0x0f, 0x05});
  });
  EXPECT_EQ(machine[kRax], 4u);
}

TEST(SelfModifying, AChainedBlockIsLeftWhenItsTargetGoes) {
  Machine machine;
  // 1: jmp 2 ... 2 at +0x100: inc eax; jmp 1
  machine.Code({0xe9, 0xfb, 0x00, 0x00, 0x00});
  machine.Code({0xff, 0xc0, 0xe9, 0xf9, 0xfe, 0xff, 0xff}, kCode + 0x100);
  EXPECT_EQ(machine.Run(3000).kind, StopKind::kBudget);
  machine.Code({0x0f, 0x05}, kCode + 0x100);
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRax], 1000u);
}

// As often as it takes until blocks of the page check themselves, and some more.
constexpr std::uint64_t kOften = 500;

TEST(SelfModifying, AnInstructionThatChangesTheNextOneIsObeyedEachTime) {
  Machine machine;
  machine.cpu->SetGpr(kRdx, kOften);
  machine.cpu->SetGpr(kRdi, kCode + 0x21);
  // mov [rdi], dl; at 0x20: mov al, imm8 (that byte); movzx eax, al; add rbx, rax; dec edx; jnz
  machine.Code({0x88, 0x17, 0xeb, 0x1c});
  machine.Code({0xb0, 0x00, 0x0f, 0xb6, 0xc0, 0x48, 0x01, 0xc3, 0xff, 0xca, 0x75, 0xd4, 0x0f, 0x05},
               kCode + 0x20);
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 1; i <= kOften; ++i) sum += i & 0xff;
  EXPECT_EQ(machine[kRbx], sum);
  EXPECT_EQ(machine.cpu->icount(), kOften * 7 + 1);
}

TEST(SelfModifying, StoresRightBeforeWhatTheyChangeAreObeyedForEver) {
  Machine machine;
  machine.cpu->SetGpr(kRcx, kOften);
  // 1: mov [rip+4], cl (the next immediate's byte); mov al, imm8; add rbx, rax; dec ecx; jnz 1
  machine.Code({0x88, 0x0d, 0x01, 0x00, 0x00, 0x00, 0xb0, 0x00, 0x48, 0x01, 0xc3, 0xff, 0xc9, 0x75,
                0xf1, 0x0f, 0x05});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 1; i <= kOften; ++i) sum += i & 0xff;
  EXPECT_EQ(machine[kRbx], sum);
}

TEST(SelfModifying, ARepThatOverwritesItselfStopsBeingARepOnAPageThatWasOftenWritten) {
  Machine machine;
  machine.cpu->SetGpr(kRbx, kCode + 0x800);
  machine.cpu->SetGpr(kRcx, kOften);
  machine.Code({0x01, 0x0b, 0xff, 0xc9, 0x75, 0xfa, 0x0f, 0x05});  // add [rbx], ecx; dec ecx; jnz
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  machine.cpu->SetRip(kCode + 0x100);
  machine.cpu->SetGpr(kRdi, kCode + 0x100 - 3);
  machine.cpu->SetGpr(kRax, 0x90);
  machine.cpu->SetGpr(kRcx, 100);
  machine.Code({0xf3, 0xaa, 0xff, 0xc3, 0x0f, 0x05}, kCode + 0x100);  // rep stosb; inc ebx
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRdi], kCode + 0x102);
  EXPECT_EQ(machine.Peek<std::uint16_t>(kCode + 0x100), 0x9090);
}

TEST(SelfModifying, CodeThatChecksItselfEndsWithItsBudgetAndStepsAlike) {
  const auto run = [](std::uint64_t slice) {
    Machine machine;
    machine.cpu->SetGpr(kRcx, 100);
    // 1: add eax, 0 (imm8 at +2); inc byte [rip-7]: the imm8; dec ecx; jnz 1; syscall
    machine.Code(
        {0x83, 0xc0, 0x00, 0xfe, 0x05, 0xf9, 0xff, 0xff, 0xff, 0xff, 0xc9, 0x75, 0xf3, 0x0f, 0x05});
    while (machine.Run(slice).kind == StopKind::kBudget) {
    }
    EXPECT_EQ(machine.cpu->icount(), 401u);
    return machine[kRax];
  };
  for (const std::uint64_t slice : {1, 2, 3, 7, 64, 100, 1000}) EXPECT_EQ(run(slice), 4950u);
}

TEST(SelfModifying, APageThatIsMappedAnewIsWatchedAgain) {
  Machine machine;
  for (int round = 0; round < 3; ++round) {
    machine.cpu->SetGpr(kRax, 0);
    machine.cpu->SetGpr(kRcx, 100);
    machine.cpu->SetRip(kCode);
    machine.Code(
        {0x83, 0xc0, 0x00, 0xfe, 0x05, 0xf9, 0xff, 0xff, 0xff, 0xff, 0xc9, 0x75, 0xf3, 0x0f, 0x05});
    EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
    EXPECT_EQ(machine[kRax], 4950u);
    ASSERT_TRUE(machine.memory->Protect(kCode, kPageSize, kReadWrite));
    machine.cpu->SetRip(kCode);
    EXPECT_EQ(machine.Run().memory.kind, MemoryFaultKind::kProtection);
    ASSERT_TRUE(machine.memory->Unmap(kCode, kPageSize));
    EXPECT_EQ(machine.Run().memory.kind, MemoryFaultKind::kUnmapped);
    machine.Map(kCode, kPageSize, kReadWrite | kProtExec);
  }
}

TEST(SelfModifying, CodeThatStaysForLongAndChangesAfterAllIsObeyed) {
  Machine machine;
  machine.cpu->SetGpr(kRdi, kCode + 0x100);
  const std::uint8_t function[] = {0xb8, 0x01, 0x00, 0x00, 0x00, 0xc3};  // mov eax, 1; ret
  machine.Poke(kCode + 0x100, function);
  // 1: mov [rdi+1], ecx; dec ecx; jnz 1; mov ecx, 100000; 2: call rdi; add rbx, rax; dec ecx; jnz 2
  machine.Code({0x89, 0x4f, 0x01, 0xff, 0xc9, 0x75, 0xf9, 0xb9, 0xa0, 0x86, 0x01, 0x00,
                0xff, 0xd7, 0x48, 0x01, 0xc3, 0xff, 0xc9, 0x75, 0xf7, 0x0f, 0x05});
  for (const std::uint64_t stores : {100, 3, 100}) {
    machine.cpu->SetGpr(kRcx, stores);
    machine.cpu->SetGpr(kRbx, 0);
    machine.cpu->SetRip(kCode);
    EXPECT_EQ(machine.Run(10'000'000).kind, StopKind::kSyscall);
    EXPECT_EQ(machine[kRbx], 100'000u);  // the last value stored is 1
  }
}

// So many that the targets of jumps are remembered in the second of two caches.
TEST(SelfModifying, OneOfManyFunctionsThatAreCalledByAddressChangesAndIsObeyed) {
  constexpr std::uint32_t kFunctions = 10'000;
  constexpr GuestAddr kFunctionsAt = 0x100000;
  constexpr std::uint64_t kSpacing = 16;
  Machine machine;
  machine.Map(kFunctionsAt, PageCeil(kFunctions * kSpacing), kReadWrite | kProtExec);
  const auto define = [&](std::uint32_t index, std::uint8_t result) {
    const std::uint8_t function[] = {0xb8, result, 0, 0, 0, 0xc3};  // mov eax, result; ret
    machine.Poke(kFunctionsAt + index * kSpacing, function);
  };
  for (std::uint32_t i = 0; i < kFunctions; ++i) define(i, 1);
  // 1: call rbx; add rdx, rax; add rbx, 16; dec ecx; jnz 1; syscall
  machine.Code(
      {0xff, 0xd3, 0x48, 0x01, 0xc2, 0x48, 0x83, 0xc3, 0x10, 0xff, 0xc9, 0x75, 0xf3, 0x0f, 0x05});
  std::uint64_t expected = kFunctions;
  for (std::uint32_t round = 0; round < 6; ++round) {
    machine.cpu->SetGpr(kRbx, kFunctionsAt);
    machine.cpu->SetGpr(kRdx, 0);
    machine.cpu->SetGpr(kRcx, kFunctions);
    machine.cpu->SetRip(kCode);
    EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
    EXPECT_EQ(machine[kRdx], expected) << "round " << round;
    if (round < 2) continue;  // until here the caches fill
    define(round * 1999, 101);
    expected += 100;
  }
}

TEST(SelfModifying, AnIndirectCallThatPushesBesideCodeRetiresAllOfItsBlock) {
  Machine machine;
  machine.cpu->SetGpr(kRsp, kCode + 2048);
  machine.cpu->SetGpr(kRax, kCode + 16);
  machine.Code({0x90, 0x90, 0xff, 0xd0});  // nop; nop; call rax
  machine.Code({0x0f, 0x05}, kCode + 16);
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine.cpu->icount(), 4u);
}

}  // namespace
}  // namespace glovebox::engine::x86
