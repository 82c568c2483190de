// 32-bit code: what differs from 64-bit mode in addresses, the stack, branches and segments.
#include <gtest/gtest.h>

#include "tests/unit/engine/isa/x86/machine.h"

namespace glovebox::engine::x86 {
namespace {

class Machine32 : public Machine {
 public:
  Machine32() : Machine(1_MiB, CpuMode::kProtected32) {}
};

// A flat, writable data segment as set_thread_area(2) makes it.
constexpr std::uint64_t TlsDescriptorAt(std::uint32_t base) {
  return 0x00cf'f300'0000'ffff | std::uint64_t{base & 0xffffff} << 16 |
         std::uint64_t{base >> 24} << 56;
}

TEST(ProtectedMode, ShortIncAndDecAndTheStackAre32BitsWide) {
  Machine32 machine;
  machine.cpu->SetGpr(kRax, 0xffffffff);
  // inc eax; dec ecx; push eax; push 0x7f; pop edx; int 0x80
  machine.Code({0x40, 0x49, 0x50, 0x6a, 0x7f, 0x5a, 0xcd, 0x80});
  const Stop stop = machine.Run();
  EXPECT_EQ(stop.kind, StopKind::kSyscall);
  EXPECT_EQ(stop.entry, SyscallEntry::kInt80);
  EXPECT_EQ(machine[kRax], 0u);
  EXPECT_EQ(machine[kRcx], 0xffffffffu);
  EXPECT_EQ(machine[kRdx], 0x7fu);
  EXPECT_EQ(machine[kRsp], kStackTop - 256 - 4);
  EXPECT_EQ(machine.cpu->icount(), 6u);
  EXPECT_EQ(machine.cpu->rip(), kCode + 8);
}

TEST(ProtectedMode, CallsAndReturnsPush32Bits) {
  Machine32 machine;
  machine.cpu->SetGpr(kRbx, kCode + 0x100);
  // call ebx; call +0xf9 (to 0x100); ret 4 ends it there
  machine.Code({0xff, 0xd3, 0xe8, 0xf9, 0x00, 0x00, 0x00, 0xcd, 0x80});
  machine.Code({0x40, 0xc3}, kCode + 0x100);  // inc eax; ret
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRax], 2u);
  EXPECT_EQ(machine[kRsp], kStackTop - 256);
  EXPECT_EQ(machine.Peek<std::uint32_t>(kStackTop - 256 - 4), kCode + 7);
}

TEST(ProtectedMode, AddressesWrapAt4GiB) {
  Machine32 machine;
  machine.cpu->SetGpr(kRbx, kData + 0x10);
  machine.cpu->SetGpr(kRcx, 0xfffffffc);  // -4
  machine.cpu->SetGpr(kRdx, 0x80000000);
  machine.Code({0xc6, 0x43, 0xf8, 0x01,                          // mov byte [ebx-8], 1
                0xc6, 0x04, 0x0b, 0x02,                          // mov byte [ebx+ecx], 2
                0xc6, 0x44, 0x8b, 0x14, 0x03,                    // mov byte [ebx+ecx*4+20], 3
                0xc6, 0x84, 0x53, 0x05, 0x00, 0x00, 0x00, 0x04,  // mov byte [ebx+edx*2+5], 4
                0xc6, 0x05, 0x1f, 0x00, 0x02, 0x00, 0x05,        // mov byte [kData+0x1f], 5
                0x8d, 0x74, 0x0b, 0x01,                          // lea esi, [ebx+ecx+1]
                0x66, 0x8d, 0x7c, 0x0b, 0x01,                    // lea di, [ebx+ecx+1]
                0xcd, 0x80});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine.Peek<std::uint8_t>(kData + 0x08), 1);
  EXPECT_EQ(machine.Peek<std::uint8_t>(kData + 0x0c), 2);
  EXPECT_EQ(machine.Peek<std::uint8_t>(kData + 0x14), 3);
  EXPECT_EQ(machine.Peek<std::uint8_t>(kData + 0x15), 4);
  EXPECT_EQ(machine.Peek<std::uint8_t>(kData + 0x1f), 5);
  EXPECT_EQ(machine[kRsi], kData + 0x0d);
  EXPECT_EQ(machine[kRdi], (kData + 0x0d) & 0xffff);
}

TEST(ProtectedMode, SixteenBitAddressesAreCutTo16Bits) {
  Machine32 machine;
  machine.Map(0x8000, kPageSize, kReadWrite);
  machine.cpu->SetGpr(kRbx, 0x12348ff0);
  machine.cpu->SetGpr(kRsi, 0xffff0008);
  machine.cpu->SetGpr(kRcx, 0x70001);
  // mov byte [bx+si+1], 7; lea eax, [bx+si]; loop (cx) back to itself never; int 0x80
  machine.Code({0x67, 0xc6, 0x40, 0x01, 0x07, 0x67, 0x8d, 0x00, 0x67, 0xe2, 0xfd, 0xcd, 0x80});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine.Peek<std::uint8_t>(0x8ff9), 7);
  EXPECT_EQ(machine[kRax], 0x8ff8u);
  EXPECT_EQ(machine[kRcx], 0x70000u);  // LOOP counted in CX
}

TEST(ProtectedMode, BranchesWithAnOperandSizeOf16BitsCutTheTarget) {
  Machine32 machine;
  // o16 jmp +2 would lead to kCode + 6, of which 16 bits are left
  machine.Code({0x66, 0xe9, 0x02, 0x00, 0xcd, 0x80});
  const Stop stop = machine.Run();
  EXPECT_EQ(stop.kind, StopKind::kMemoryFault);
  EXPECT_EQ(stop.memory.address, (kCode + 6) & 0xffff);
  EXPECT_EQ(machine.cpu->rip(), (kCode + 6) & 0xffff);
}

TEST(ProtectedMode, ExecutionWrapsAt4GiB) {
  Machine32 machine;
  machine.cpu->SetRip(kCode);
  machine.Code({0xe9, 0xf0, 0xff, 0xfe, 0xff});  // jmp to kCode + 5 - 0x10010 = -0xb
  EXPECT_EQ(machine.Run().kind, StopKind::kMemoryFault);
  EXPECT_EQ(machine.cpu->rip(), 0xfffffff5u);
  machine.Map(0xfffff000, kPageSize, kReadWrite | kProtExec);
  machine.Map(0, kPageSize, kReadWrite | kProtExec);
  machine.Code({0xb8, 0x01, 0x02, 0x03}, 0xfffffffc);  // mov eax, 0x04030201, its last byte at 0
  machine.Code({0x04, 0xcd, 0x80}, 0);
  machine.cpu->SetRip(0xfffffffc);
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRax], 0x04030201u);
  EXPECT_EQ(machine.cpu->rip(), 3u);
}

TEST(ProtectedMode, SystemCallsSayHowTheyWereEntered) {
  Machine32 machine;
  machine.Code({0x0f, 0x34});
  Stop stop = machine.Run();
  EXPECT_EQ(stop.kind, StopKind::kSyscall);
  EXPECT_EQ(stop.entry, SyscallEntry::kSysenter);
  EXPECT_EQ(machine.cpu->rip(), kCode + 2);
  machine.Code({0x0f, 0x05}, kCode + 2);
  stop = machine.Run();
  EXPECT_EQ(stop.entry, SyscallEntry::kSyscall32);
  EXPECT_EQ(machine.cpu->rip(), kCode + 4);
  EXPECT_EQ(machine[kRcx], kCode + 4);

  Machine wide;
  wide.Code({0xcd, 0x80, 0x0f, 0x05, 0x0f, 0x34});
  EXPECT_EQ(wide.Run().entry, SyscallEntry::kInt80);
  EXPECT_EQ(wide[kRcx], 0u);
  EXPECT_EQ(wide.Run().entry, SyscallEntry::kSyscall64);
  EXPECT_EQ(wide.Run().exception, ExceptionKind::kInvalidOpcode);
}

TEST(ProtectedMode, AProgramStartsWithTheSegmentsOfLinux) {
  Machine32 narrow;
  EXPECT_EQ(narrow.cpu->selector(kCs), 0x23);
  for (const SegmentRegister reg : {kSs, kDs, kEs}) EXPECT_EQ(narrow.cpu->selector(reg), 0x2b);
  for (const SegmentRegister reg : {kFs, kGs}) EXPECT_EQ(narrow.cpu->selector(reg), 0);
  Machine wide;
  EXPECT_EQ(wide.cpu->selector(kCs), 0x33);
  EXPECT_EQ(wide.cpu->selector(kSs), 0x2b);
  for (const SegmentRegister reg : {kDs, kEs, kFs, kGs}) EXPECT_EQ(wide.cpu->selector(reg), 0);
}

TEST(ProtectedMode, GsReachesThreadLocalStorageOnBothSidesOfItsBase) {
  Machine32 machine;
  machine.cpu->SetTlsDescriptor(0, TlsDescriptorAt(kData + 0x100));
  machine.cpu->SetGpr(kRax, 0x63);
  machine.cpu->SetGpr(kRcx, 0xfffffff8);
  machine.Code({0x8e, 0xe8,                                // mov gs, eax
                0x65, 0xc7, 0x05, 0xfc, 0xff, 0xff, 0xff,  // mov dword gs:[-4], 7
                0x07, 0x00, 0x00, 0x00,                    //
                0x65, 0xff, 0x01,                          // inc dword gs:[ecx]
                0x8c, 0xea,                                // mov edx, gs
                0xcd, 0x80});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine.Peek<std::uint32_t>(kData + 0xfc), 7u);
  EXPECT_EQ(machine.Peek<std::uint32_t>(kData + 0xf8), 1u);
  EXPECT_EQ(machine[kRdx], 0x63u);
  EXPECT_EQ(machine.cpu->Get().gs_base, kData + 0x100);
}

TEST(ProtectedMode, SelectorsThatUserModeHasNotAreRefusedWithTheirErrorCode) {
  for (const int selector : {0x63, 0x18, 0x10, 0x7, 0x43, 0x83}) {
    Machine32 machine;
    machine.cpu->SetGpr(kRax, static_cast<std::uint64_t>(selector));
    machine.Code({0x8e, 0xe8});
    const Stop stop = machine.Run();
    EXPECT_EQ(stop.exception, ExceptionKind::kGeneralProtection) << selector;
    EXPECT_EQ(stop.error_code, static_cast<std::uint32_t>(selector & ~3));
    EXPECT_EQ(machine.cpu->rip(), kCode);
    EXPECT_EQ(machine.cpu->selector(kGs), 0);
  }
}

TEST(ProtectedMode, ANullSelectorCanBeLoadedButNotUsed) {
  Machine32 machine;
  machine.cpu->SetGpr(kRax, 3);
  machine.cpu->SetGpr(kRbx, kData);
  machine.Code({0x8e, 0xe8, 0x65, 0x8b, 0x03});  // mov gs, eax; mov eax, gs:[ebx]
  const Stop stop = machine.Run();
  EXPECT_EQ(stop.kind, StopKind::kException);
  EXPECT_EQ(stop.exception, ExceptionKind::kGeneralProtection);
  EXPECT_EQ(machine.cpu->rip(), kCode + 2);
  EXPECT_EQ(machine.cpu->selector(kGs), 3);
  machine.Code({0x8e, 0xd0}, kCode + 2);  // mov ss, eax
  EXPECT_EQ(machine.Run().exception, ExceptionKind::kGeneralProtection);
}

TEST(ProtectedMode, SegmentsCanBePushedAndPopped) {
  Machine32 machine;
  // push ds; pop gs; push fs; pop es (null); push ss; pop ss; mov eax, gs; int 0x80
  machine.Code({0x1e, 0x0f, 0xa9, 0x0f, 0xa0, 0x07, 0x16, 0x17, 0x8c, 0xe8, 0xcd, 0x80});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(machine[kRax], 0x2bu);
  EXPECT_EQ(machine.cpu->selector(kEs), 0);
  EXPECT_EQ(machine[kRsp], kStackTop - 256);
}

TEST(ProtectedMode, RegistersAreCutTo32Bits) {
  Machine32 machine;
  machine.cpu->SetGpr(kRax, ~std::uint64_t{0});
  EXPECT_EQ(machine[kRax], 0xffffffffu);
  Registers registers;
  registers.gpr.fill(~std::uint64_t{0});
  registers.rip = 0x1'0001'0000;
  machine.cpu->Set(registers);
  EXPECT_EQ(machine[kRdi], 0xffffffffu);
  EXPECT_EQ(machine.cpu->rip(), kCode);
}

}  // namespace
}  // namespace glovebox::engine::x86
