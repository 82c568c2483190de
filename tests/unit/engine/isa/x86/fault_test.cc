// Precise state at faults: rip, registers, flags, memory as if the instruction had not begun.
#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/engine/isa/x86/machine.h"

namespace glovebox::engine::x86 {
namespace {

constexpr GuestAddr kHole = 0x90000;

TEST(Fault, ALoadFromNowhereIsPreciseInTheMiddleOfABlock) {
  Machine machine;
  machine.cpu->SetGpr(kRbx, kHole);
  // add ecx, ecx; inc edx; mov rax, [rbx+8]; inc edx
  machine.Code({0x01, 0xc9, 0xff, 0xc2, 0x48, 0x8b, 0x43, 0x08, 0xff, 0xc2});
  const Stop stop = machine.Run();
  EXPECT_EQ(stop.kind, StopKind::kMemoryFault);
  EXPECT_EQ(stop.memory.kind, MemoryFaultKind::kUnmapped);
  EXPECT_EQ(stop.memory.address, kHole + 8);
  EXPECT_EQ(stop.memory.access, Access::kRead);
  EXPECT_EQ(machine.cpu->rip(), kCode + 4);
  EXPECT_EQ(machine.cpu->icount(), 2u);
  EXPECT_EQ(machine[kRdx], 1u);
}

// The flags at a fault are those of the last instruction that wrote them, though the next one
// overwrites them and no instruction in between reads them.
TEST(Fault, FlagsThatOnlyAHandlerCanSeeAreRight) {
  Machine machine;
  machine.cpu->SetGpr(kRbx, kHole);
  machine.cpu->SetGpr(kRcx, 0x80000000);
  // add ecx, ecx; mov rax, [rbx]; xor edx, edx
  machine.Code({0x01, 0xc9, 0x48, 0x8b, 0x03, 0x31, 0xd2, 0x0f, 0x05});
  EXPECT_EQ(machine.Run().kind, StopKind::kMemoryFault);
  EXPECT_EQ(machine.cpu->Get().rflags & kStatusFlags, kCf | kZf | kOf | kPf);
}

// Each of these touches memory at RBX or RSP, which points into a page that allows nothing.
TEST(Fault, NothingHasHappenedWhateverTheInstruction) {
  const std::vector<std::vector<std::uint8_t>> instructions = {
      {0x48, 0x01, 0x03},              // add [rbx], rax
      {0x48, 0x03, 0x03},              // add rax, [rbx]
      {0x83, 0x03, 0x05},              // add dword [rbx], 5
      {0x48, 0x11, 0x03},              // adc [rbx], rax
      {0xff, 0x03},                    // inc dword [rbx]
      {0xf7, 0x1b},                    // neg dword [rbx]
      {0xd3, 0x23},                    // shl dword [rbx], cl
      {0xc1, 0x13, 0x03},              // rcl dword [rbx], 3
      {0x0f, 0xa5, 0x03},              // shld [rbx], eax, cl
      {0xf7, 0x23},                    // mul dword [rbx]
      {0xf7, 0x33},                    // div dword [rbx]
      {0x0f, 0xaf, 0x03},              // imul eax, [rbx]
      {0x0f, 0xb1, 0x0b},              // cmpxchg [rbx], ecx
      {0x0f, 0xc1, 0x0b},              // xadd [rbx], ecx
      {0x48, 0x0f, 0xc7, 0x0b},        // cmpxchg16b [rbx]
      {0x87, 0x03},                    // xchg [rbx], eax
      {0x0f, 0xba, 0x33, 0x03},        // btr dword [rbx], 3
      {0x0f, 0xbc, 0x03},              // bsf eax, [rbx]
      {0x0f, 0x42, 0x03},              // cmovb eax, [rbx]
      {0x0f, 0x92, 0x03},              // setb [rbx]
      {0x50},                          // push rax
      {0x58},                          // pop rax
      {0xff, 0x33},                    // push [rbx]
      {0x8f, 0x00},                    // pop [rax], rsp faults first
      {0x9c},                          // pushf
      {0x9d},                          // popf
      {0xc8, 0x10, 0x00, 0x02},        // enter 16, 2
      {0xc3},                          // ret
      {0xe8, 0x10, 0x00, 0x00, 0x00},  // call
      {0xff, 0x13},                    // call [rbx]
      {0xff, 0xd0},                    // call rax
      {0xff, 0x23},                    // jmp [rbx]
      {0xd7},                          // xlat
      {0xa4},                          // movsb
      {0xf3, 0xa4},                    // rep movsb
      {0xab},                          // stosd
      {0xf2, 0xae},                    // repne scasb
      {0x67, 0xf3, 0xa5},              // rep movsd with 32-bit addresses
      {0x0f, 0x11, 0x03},              // movups [rbx], xmm0
      {0x0f, 0xae, 0x03},              // fxsave [rbx]
      {0xdb, 0x3b},                    // fstp tword [rbx]
  };
  for (const auto& bytes : instructions) {
    Machine machine;
    machine.Map(kHole, kPageSize, kProtNone);
    machine.Poke(kCode + 2, bytes);
    machine.Code({0x01, 0xd2});  // add edx, edx: flags to be kept
    Registers before = machine.cpu->Get();
    before.gpr[kRax] = 0x8000000012345678;
    before.gpr[kRbx] = kHole + 0x10;
    before.gpr[kRcx] = 5;
    before.gpr[kRdx] = 0xffffffff;
    before.gpr[kRsi] = before.gpr[kRdi] = before.gpr[kRbp] = kHole + 0x100;
    before.gpr[kRsp] = kHole + 0x200;
    machine.cpu->Set(before);
    const Stop stop = machine.Run();
    ASSERT_EQ(stop.kind, StopKind::kMemoryFault) << testing::PrintToString(bytes);
    EXPECT_EQ(stop.memory.kind, MemoryFaultKind::kProtection);
    const Registers after = machine.cpu->Get();
    before.gpr[kRdx] = 0xfffffffe;
    EXPECT_EQ(after.gpr, before.gpr) << testing::PrintToString(bytes);
    EXPECT_EQ(after.rip, kCode + 2) << testing::PrintToString(bytes);
    EXPECT_EQ(after.rflags & kStatusFlags, kCf | kSf | kAf) << testing::PrintToString(bytes);
    EXPECT_EQ(machine.cpu->icount(), 1u);
    // And it can be done after all once the page is there.
    ASSERT_TRUE(machine.memory->Protect(kHole, kPageSize, kReadWrite));
    EXPECT_NE(machine.cpu->Run(1).kind, StopKind::kMemoryFault) << testing::PrintToString(bytes);
  }
}

TEST(Fault, AnAccessThatStraddlesIntoAHoleNamesTheFirstBadByte) {
  Machine machine;
  machine.Map(kHole - kPageSize, kPageSize, kReadWrite);
  machine.cpu->SetGpr(kRbx, kHole - 3);
  machine.cpu->SetGpr(kRax, ~0ull);
  machine.Code({0x48, 0x89, 0x03});  // mov [rbx], rax
  const Stop stop = machine.Run();
  EXPECT_EQ(stop.kind, StopKind::kMemoryFault);
  EXPECT_EQ(stop.memory.address, kHole);
  EXPECT_EQ(machine.Peek<std::uint16_t>(kHole - 3), 0u);
}

TEST(Fault, AStraddlingAccessThatIsAllowedIsDoneWhole) {
  Machine machine;
  machine.cpu->SetGpr(kRbx, kData + kPageSize - 3);
  machine.cpu->SetGpr(kRax, 0x1122334455667788);
  machine.Code({0x48, 0x89, 0x03, 0x48, 0x8b, 0x0b, 0x0f, 0x05});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine.Peek<std::uint64_t>(kData + kPageSize - 3), 0x1122334455667788u);
}

TEST(Fault, TheWindowsEndAndNonCanonicalAddressesFault) {
  for (const auto& [address, kind] :
       {std::pair{8_GiB - 4, StopKind::kMemoryFault}, std::pair{8_GiB, StopKind::kMemoryFault},
        std::pair{std::uint64_t{1} << 46, StopKind::kMemoryFault},
        std::pair{~std::uint64_t{0} - 3, StopKind::kMemoryFault},
        std::pair{std::uint64_t{1} << 60, StopKind::kException}}) {
    Machine machine;
    machine.cpu->SetGpr(kRbx, address);
    machine.Code({0x48, 0x8b, 0x03});
    const Stop stop = machine.Run();
    EXPECT_EQ(stop.kind, kind) << address;
    EXPECT_EQ(machine.cpu->rip(), kCode);
  }
}

TEST(Fault, ReadOnlyPagesCanBeReadAndNotWritten) {
  Machine machine;
  machine.Map(kHole, kPageSize, kProtRead);
  machine.cpu->SetGpr(kRbx, kHole);
  machine.Code({0x8b, 0x03, 0xff, 0x03});  // mov eax, [rbx]; inc dword [rbx]
  const Stop stop = machine.Run();
  EXPECT_EQ(stop.memory.kind, MemoryFaultKind::kProtection);
  EXPECT_EQ(stop.memory.access, Access::kWrite);
  EXPECT_EQ(machine.cpu->rip(), kCode + 2);
}

TEST(Fault, TheFetchFaultsOnlyWhenTheInstructionIsReached) {
  Machine machine;
  const GuestAddr end = kCode + 4 * kPageSize;
  machine.Code({0xff, 0xc0, 0xff, 0xc0}, end - 4);  // inc eax twice, then the page ends
  machine.cpu->SetRip(end - 4);
  const Stop stop = machine.Run();
  EXPECT_EQ(stop.kind, StopKind::kMemoryFault);
  EXPECT_EQ(stop.memory.access, Access::kExecute);
  EXPECT_EQ(stop.memory.address, end);
  EXPECT_EQ(machine.cpu->rip(), end);
  EXPECT_EQ(machine[kRax], 2u);
  EXPECT_EQ(machine.cpu->icount(), 2u);
}

TEST(Fault, AnInstructionThatStraddlesIntoAHoleFaultsAtTheHole) {
  Machine machine;
  const GuestAddr end = kCode + 4 * kPageSize;
  machine.Code({0xff, 0xc0, 0xb8, 0x01, 0x02}, end - 5);  // inc eax; mov eax, imm32 cut short
  machine.cpu->SetRip(end - 5);
  const Stop stop = machine.Run();
  EXPECT_EQ(stop.memory.address, end);
  EXPECT_EQ(machine.cpu->rip(), end - 3);
  EXPECT_EQ(machine.cpu->icount(), 1u);
}

TEST(Fault, DataIsNotExecuted) {
  Machine machine;
  machine.Code({0x90}, kData);
  machine.cpu->SetRip(kData);
  EXPECT_EQ(machine.Run().memory.kind, MemoryFaultKind::kProtection);
  EXPECT_EQ(machine.cpu->icount(), 0u);
}

TEST(Fault, AStoreBeyondTheMemoryLimitStopsBeforeItHappens) {
  Machine machine(3 * kPageSize);  // code is the first page
  machine.cpu->SetGpr(kRbx, kData);
  machine.cpu->SetGpr(kRdi, kData + kPageSize);
  machine.cpu->SetGpr(kRsi, kData + 2 * kPageSize);
  machine.Code({0xc6, 0x03, 0x01, 0xc6, 0x07, 0x01, 0xc6, 0x06, 0x01});  // mov byte [..], 1
  const Stop stop = machine.Run();
  EXPECT_EQ(stop.kind, StopKind::kMemoryLimit);
  EXPECT_EQ(stop.memory.address, kData + 2 * kPageSize);
  EXPECT_EQ(machine.cpu->rip(), kCode + 6);
  EXPECT_EQ(machine.meter.used_bytes(), 3 * kPageSize);
  EXPECT_EQ(machine.Peek<std::uint8_t>(kData + 2 * kPageSize), 0);
}

TEST(Fault, DivisionsThatDoNotFitRaise) {
  for (const auto& [dividend_high, divisor] : {std::pair{0u, 0u}, std::pair{5u, 5u}}) {
    Machine machine;
    machine.cpu->SetGpr(kRdx, dividend_high);
    machine.cpu->SetGpr(kRcx, divisor);
    machine.Code({0xff, 0xc0, 0xf7, 0xf1});  // inc eax; div ecx
    const Stop stop = machine.Run();
    EXPECT_EQ(stop.kind, StopKind::kException);
    EXPECT_EQ(stop.exception, ExceptionKind::kDivideError);
    EXPECT_EQ(machine.cpu->rip(), kCode + 2);
    EXPECT_EQ(machine[kRax], 1u);
  }
}

TEST(Fault, InvalidInstructionsAreNamed) {
  Machine machine;
  machine.Code({0x90, 0x0f, 0x0b});  // nop; ud2
  Stop stop = machine.Run();
  EXPECT_EQ(stop.exception, ExceptionKind::kInvalidOpcode);
  EXPECT_EQ(machine.cpu->rip(), kCode + 1);

  machine.Code({0x06});  // push es: invalid in 64-bit mode
  machine.cpu->SetRip(kCode);
  stop = machine.Run();
  EXPECT_EQ(stop.exception, ExceptionKind::kInvalidOpcode);
  EXPECT_EQ(stop.instruction.mnemonic, "(bad)");

  machine.Code({0x62, 0xf1, 0x74, 0x48, 0x58, 0xc2});  // vaddps zmm0, zmm1, zmm2
  machine.cpu->SetRip(kCode);
  stop = machine.Run();
  EXPECT_EQ(stop.exception, ExceptionKind::kInvalidOpcode);
  EXPECT_EQ(stop.instruction.mnemonic, "vaddps");
  EXPECT_EQ(stop.instruction.length_bytes, 6);
  EXPECT_EQ(stop.instruction.address, kCode);
  EXPECT_EQ(stop.instruction.bytes[1], 0xf1);
}

TEST(Fault, PrivilegedInstructionsAreRefused) {
  const std::vector<std::vector<std::uint8_t>> instructions = {
      {0xf4},
      {0xfa},
      {0xfb},
      {0xe4, 0x10},
      {0xee},
      {0x0f, 0x30},
      {0x0f, 0x22, 0xc0},
      {0x0f, 0x01, 0xf8},
  };
  for (const auto& bytes : instructions) {
    Machine machine;
    machine.Poke(kCode, bytes);
    const Stop stop = machine.Run();
    EXPECT_EQ(stop.kind, StopKind::kException) << testing::PrintToString(bytes);
    EXPECT_EQ(stop.exception, ExceptionKind::kGeneralProtection) << testing::PrintToString(bytes);
    EXPECT_EQ(machine.cpu->icount(), 0u);
  }
}

TEST(Fault, SoftwareInterruptsAndFarTransfersAreRefused) {
  const std::pair<std::vector<std::uint8_t>, ExceptionKind> cases[] = {
      {{0xcd, 0x21}, ExceptionKind::kGeneralProtection},        // int 0x21
      {{0xcb}, ExceptionKind::kGeneralProtection},              // retf
      {{0x48, 0xff, 0x2b}, ExceptionKind::kGeneralProtection},  // jmp far [rbx]
  };
  for (const auto& [bytes, kind] : cases) {
    Machine machine;
    machine.cpu->SetGpr(kRbx, kData);
    machine.Poke(kCode, bytes);
    EXPECT_EQ(machine.Run().exception, kind) << testing::PrintToString(bytes);
    EXPECT_EQ(machine.cpu->rip(), kCode);
  }
}

TEST(Fault, InterruptsThatUserModeMayRaiseAreTraps) {
  for (const auto& [vector, kind] : {std::pair{std::uint8_t{3}, ExceptionKind::kBreakpoint},
                                     std::pair{std::uint8_t{4}, ExceptionKind::kOverflow}}) {
    Machine machine;
    machine.Code({0xcd, vector});
    EXPECT_EQ(machine.Run().exception, kind);
    EXPECT_EQ(machine.cpu->rip(), kCode + 2);
    EXPECT_EQ(machine.cpu->icount(), 1u);
  }
}

TEST(Fault, ABreakpointRetiresAndStopsBehindItself) {
  Machine machine;
  machine.Code({0x90, 0xcc});
  const Stop stop = machine.Run();
  EXPECT_EQ(stop.exception, ExceptionKind::kBreakpoint);
  EXPECT_EQ(machine.cpu->rip(), kCode + 2);
  EXPECT_EQ(machine.cpu->icount(), 2u);
}

TEST(Fault, JumpingToANonCanonicalAddressRaisesAtTheJump) {
  Machine machine;
  machine.cpu->SetGpr(kRax, std::uint64_t{1} << 50);
  machine.Code({0xff, 0xe0});
  EXPECT_EQ(machine.Run().exception, ExceptionKind::kGeneralProtection);
  EXPECT_EQ(machine.cpu->rip(), kCode);
}

TEST(Fault, JumpingToTheTopOfTheAddressSpaceIsAFaultThere) {
  Machine machine;
  machine.cpu->SetGpr(kRax, ~std::uint64_t{0});
  machine.Code({0xff, 0xe0});
  const Stop stop = machine.Run();
  EXPECT_EQ(stop.kind, StopKind::kMemoryFault);
  EXPECT_EQ(machine.cpu->rip(), ~std::uint64_t{0});
}

}  // namespace
}  // namespace glovebox::engine::x86
