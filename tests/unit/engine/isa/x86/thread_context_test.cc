// Two guest threads take turns on one CPU: nothing of the one shows in the other.
#include <gtest/gtest.h>

#include "tests/unit/engine/isa/x86/machine.h"

namespace glovebox::engine::x86 {
namespace {

TEST(ThreadContext, TwoThreadsTakeTurnsOnOneCpu) {
  Machine machine;
  // stc; inc eax; addss xmm0, xmm1; fld1; jmp -12
  machine.Code({0xf9, 0xff, 0xc0, 0xf3, 0x0f, 0x58, 0xc1, 0xd9, 0xe8, 0xeb, 0xf5});
  ThreadContext first;
  machine.cpu->Save(first);
  machine.cpu->SetGpr(kRax, 1000);
  machine.cpu->SetFsBase(0x1234);
  ThreadContext second;
  machine.cpu->Save(second);

  Machine alone;
  alone.Code({0xf9, 0xff, 0xc0, 0xf3, 0x0f, 0x58, 0xc1, 0xd9, 0xe8, 0xeb, 0xf5});
  alone.Run(7 * 3);

  for (int turn = 0; turn < 3; ++turn) {
    machine.cpu->Load(first);
    machine.Run(7);
    machine.cpu->Save(first);
    machine.cpu->Load(second);
    machine.Run(5);
    machine.cpu->Save(second);
  }
  EXPECT_EQ(machine[kRax], 1003u);
  EXPECT_EQ(machine.cpu->Get().fs_base, 0x1234u);

  machine.cpu->Load(first);
  const Registers got = machine.cpu->Get();
  const Registers want = alone.cpu->Get();
  EXPECT_EQ(got.gpr, want.gpr);
  EXPECT_EQ(got.rip, want.rip);
  EXPECT_EQ(got.rflags, want.rflags);
  EXPECT_EQ(got.fs_base, 0u);
  FxsaveArea got_fx, want_fx;
  machine.cpu->SaveFx(got_fx);
  alone.cpu->SaveFx(want_fx);
  EXPECT_EQ(got_fx, want_fx);
}

}  // namespace
}  // namespace glovebox::engine::x86
