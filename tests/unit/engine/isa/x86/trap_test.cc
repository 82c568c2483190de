// Exceptions that programs ask for: single steps, alignment checks, INT1, INTO, BOUND; and those of
// the stack. What the host's CPU does was looked at for each.
#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/engine/isa/x86/machine.h"

namespace glovebox::engine::x86 {
namespace {

void SetFlags(Machine& machine, std::uint64_t flags) {
  Registers registers = machine.cpu->Get();
  registers.rflags = flags;
  machine.cpu->Set(registers);
}

// Where the trap behind each instruction finds rip, until something else happens.
std::vector<GuestAddr> Steps(Machine& machine) {
  std::vector<GuestAddr> steps;
  for (;;) {
    const Stop stop = machine.Run();
    if (stop.kind != StopKind::kException || stop.exception != ExceptionKind::kSingleStep) break;
    steps.push_back(machine.cpu->rip() - kCode);
  }
  return steps;
}

TEST(Trap, TheTrapFlagStopsBehindEachInstruction) {
  Machine machine;
  SetFlags(machine, kTf);
  machine.Code({0xff, 0xc0, 0xff, 0xc0, 0xeb, 0x01, 0x90, 0xff, 0xc0, 0x0f, 0x05});
  EXPECT_EQ(Steps(machine), (std::vector<GuestAddr>{2, 4, 7, 9}));
  EXPECT_EQ(machine[kRax], 3u);
  EXPECT_EQ(machine[kR11] & kTf, kTf);  // the system call
  EXPECT_EQ(machine.cpu->icount(), 5u);
}

TEST(Trap, PopfThatSetsTheTrapFlagIsNotTrappedItselfAndOneThatClearsItIs) {
  Machine machine;
  // push 0x302; popf; nop; push 0x202; popf; nop; syscall
  machine.Code({0x68, 0x02, 0x03, 0x00, 0x00, 0x9d, 0x90, 0x68, 0x02, 0x02, 0x00, 0x00, 0x9d, 0x90,
                0x0f, 0x05});
  EXPECT_EQ(Steps(machine), (std::vector<GuestAddr>{7, 12, 13}));
  EXPECT_EQ(machine.cpu->rip(), kCode + 16);
}

TEST(Trap, EachIterationOfARepIsTrapped) {
  Machine machine;
  SetFlags(machine, kTf);
  machine.cpu->SetGpr(kRdi, kData);
  machine.cpu->SetGpr(kRcx, 3);
  machine.Code({0xf3, 0xaa, 0x0f, 0x05});
  EXPECT_EQ(Steps(machine), (std::vector<GuestAddr>{0, 0, 2}));
}

TEST(Trap, LoadingTheStackSegmentPutsTheTrapOff) {
  Machine machine;
  SetFlags(machine, kTf);
  machine.cpu->SetGpr(kRax, 0x2b);
  // mov ss, eax; nop; mov ss, eax; mov ss, eax; nop; syscall
  machine.Code({0x8e, 0xd0, 0x90, 0x8e, 0xd0, 0x8e, 0xd0, 0x90, 0x0f, 0x05});
  EXPECT_EQ(Steps(machine), (std::vector<GuestAddr>{3, 7, 8}));
}

TEST(Trap, SteppingEndsExactlyWithTheBudget) {
  Machine machine;
  SetFlags(machine, kAc);
  machine.Code({0xff, 0xc0, 0xeb, 0xfc});
  EXPECT_EQ(machine.Run(1001).kind, StopKind::kBudget);
  EXPECT_EQ(machine.cpu->icount(), 1001u);
  EXPECT_EQ(machine[kRax], 501u);
}

TEST(Trap, AlignmentIsCheckedWhereTheGuestAsksForIt) {
  struct Case {
    std::vector<std::uint8_t> code;
    std::uint64_t rbx;
    bool raises;
  };
  const Case cases[] = {
      {{0x8b, 0x03}, kData + 1, true},                    // mov eax, [rbx]
      {{0x8b, 0x03}, kData + 4, false},                   //
      {{0x48, 0x8b, 0x03}, kData + 4, true},              // mov rax, [rbx]
      {{0x8a, 0x03}, kData + 1, false},                   // mov al, [rbx]
      {{0x0f, 0x10, 0x03}, kData + 1, false},             // movups xmm0, [rbx]
      {{0xdb, 0x2b}, kData + 4, true},                    // fld tbyte [rbx]
      {{0xd9, 0x33}, kData + 4, false},                   // fnstenv [rbx]
      {{0xd9, 0x33}, kData + 2, true},                    //
      {{0x0f, 0xa3, 0x03}, kData + 1, true},              // bt [rbx], eax
      {{0x48, 0x89, 0xdc, 0x50}, kData + 0x104, true},    // mov rsp, rbx; push rax
      {{0x48, 0x89, 0xdf, 0xf3, 0xab}, kData + 2, true},  // mov rdi, rbx; rep stosd
  };
  for (const Case& test : cases) {
    Machine machine;
    SetFlags(machine, kAc);
    machine.cpu->SetGpr(kRbx, test.rbx);
    machine.cpu->SetGpr(kRcx, 1);
    machine.Poke(kCode, test.code);
    machine.Code({0x0f, 0x05}, kCode + test.code.size());
    const Stop stop = machine.Run();
    EXPECT_EQ(stop.kind, test.raises ? StopKind::kException : StopKind::kSyscall)
        << testing::PrintToString(test.code);
    if (!test.raises) continue;
    EXPECT_EQ(stop.exception, ExceptionKind::kAlignmentCheck);
  }
}

TEST(Trap, PopfTurnsAlignmentChecksOnInTheMiddleOfABlock) {
  Machine machine;
  machine.cpu->SetGpr(kRbx, kData + 1);
  // mov eax, [rbx]; push 0x40202; popf; mov eax, [rbx]
  machine.Code({0x8b, 0x03, 0x68, 0x02, 0x02, 0x04, 0x00, 0x9d, 0x8b, 0x03});
  EXPECT_EQ(machine.Run().exception, ExceptionKind::kAlignmentCheck);
  EXPECT_EQ(machine.cpu->rip(), kCode + 8);
  EXPECT_EQ(machine.cpu->icount(), 3u);
}

TEST(Trap, Int1AndIntoRetireAndBoundDoesNot) {
  Machine machine;
  machine.Code({0xf1});
  EXPECT_EQ(machine.Run().exception, ExceptionKind::kDebugTrap);
  EXPECT_EQ(machine.cpu->rip(), kCode + 1);
  EXPECT_EQ(machine.cpu->icount(), 1u);

  Machine into(1_MiB, CpuMode::kProtected32);
  SetFlags(into, 0);
  into.cpu->SetGpr(kRax, 0x7fffffff);
  into.Code({0xce, 0x40, 0xce, 0x40});  // into; inc eax; into; inc eax
  EXPECT_EQ(into.Run().exception, ExceptionKind::kOverflow);
  EXPECT_EQ(into.cpu->rip(), kCode + 3);
  EXPECT_EQ(into.cpu->icount(), 3u);
  EXPECT_EQ(into[kRax], 0x80000000u);

  Machine bound(1_MiB, CpuMode::kProtected32);
  bound.cpu->SetGpr(kRbx, kData);
  bound.cpu->SetGpr(kRax, 0xfffffffe);
  const std::uint8_t bounds[] = {0xfe, 0xff, 0xff, 0xff, 0x02, 0x00, 0x00, 0x00};  // -2 to 2
  bound.Poke(kData, bounds);
  bound.Code({0x62, 0x03, 0x48, 0x62, 0x03});  // bound eax, [ebx]; dec eax; bound eax, [ebx]
  EXPECT_EQ(bound.Run().exception, ExceptionKind::kBoundRange);
  EXPECT_EQ(bound.cpu->rip(), kCode + 3);
  EXPECT_EQ(bound.cpu->icount(), 2u);
}

TEST(Trap, AStackAddressThatIsNoneIsAStackFault) {
  const std::pair<std::vector<std::uint8_t>, ExceptionKind> cases[] = {
      {{0x50}, ExceptionKind::kStackFault},                           // push rax
      {{0x58}, ExceptionKind::kStackFault},                           // pop rax
      {{0xc3}, ExceptionKind::kStackFault},                           // ret
      {{0xe8, 0, 0, 0, 0}, ExceptionKind::kStackFault},               // call
      {{0xc8, 0x10, 0, 0}, ExceptionKind::kStackFault},               // enter 16, 0
      {{0xc9}, ExceptionKind::kStackFault},                           // leave
      {{0x67, 0xc9}, ExceptionKind::kStackFault},                     // leave, a32
      {{0x8b, 0x04, 0x24}, ExceptionKind::kStackFault},               // mov eax, [rsp]
      {{0x8b, 0x45, 0x00}, ExceptionKind::kStackFault},               // mov eax, [rbp]
      {{0x3e, 0x8b, 0x04, 0x24}, ExceptionKind::kStackFault},         // ds does not count
      {{0x64, 0x8b, 0x04, 0x24}, ExceptionKind::kGeneralProtection},  // mov eax, fs:[rsp]
      {{0x8b, 0x03}, ExceptionKind::kGeneralProtection},              // mov eax, [rbx]
      {{0xff, 0x33}, ExceptionKind::kGeneralProtection},              // push [rbx]
      {{0x8b, 0x06}, ExceptionKind::kGeneralProtection},              // mov eax, [rsi]: its end
  };
  for (const auto& [bytes, kind] : cases) {
    Machine machine;
    for (const Gpr reg : {kRsp, kRbp, kRbx}) machine.cpu->SetGpr(reg, std::uint64_t{1} << 63);
    machine.cpu->SetGpr(kRsi, 0x7fff'ffff'fffd);
    machine.Poke(kCode, bytes);
    const Stop stop = machine.Run();
    EXPECT_EQ(stop.kind, StopKind::kException) << testing::PrintToString(bytes);
    EXPECT_EQ(stop.exception, kind) << testing::PrintToString(bytes);
    EXPECT_EQ(machine.cpu->rip(), kCode);
  }
}

TEST(Trap, FaultsShowTheResumeFlagAndTrapsDoNot) {
  const auto shown = [](std::initializer_list<int> code) {
    Machine machine;
    machine.Code(code);
    machine.Run();
    const bool first = (machine.cpu->Get().rflags & kRf) != 0;
    machine.cpu->Set(machine.cpu->Get());
    EXPECT_EQ(machine.cpu->Get().rflags & kRf, 0u);
    return first;
  };
  EXPECT_TRUE(shown({0x0f, 0x0b}));         // ud2
  EXPECT_TRUE(shown({0x8b, 0x00}));         // mov eax, [rax]
  EXPECT_TRUE(shown({0xf7, 0xf1}));         // div ecx
  EXPECT_FALSE(shown({0xcc}));              // int3
  EXPECT_FALSE(shown({0xf1}));              // int1
  EXPECT_FALSE(shown({0x90, 0x0f, 0x05}));  // a system call
}

}  // namespace
}  // namespace glovebox::engine::x86
