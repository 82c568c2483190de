#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <vector>

#include "engine/isa/x86/alu.h"
#include "engine/isa/x86/conditions.h"
#include "engine/isa/x86/lazy_flags.h"
#include "tests/unit/engine/isa/x86/machine.h"

namespace glovebox::engine::x86 {
namespace {

constexpr std::uint64_t kBit[] = {kCf, kPf, kAf, kZf, kSf, kOf};

std::uint64_t Combination(unsigned bits) {
  std::uint64_t flags = 0;
  for (unsigned i = 0; i < 6; ++i) flags |= (bits >> i & 1) != 0 ? kBit[i] : 0;
  return flags;
}

TEST(LazyFlags, EveryCombinationOfFlagsIsKept) {
  for (unsigned bits = 0; bits < 64; ++bits) {
    LazyFlags flags;
    flags.Set(Combination(bits));
    EXPECT_EQ(flags.Materialise(), Combination(bits));
  }
}

TEST(LazyFlags, SettingTheCarryLeavesTheOthersAlone) {
  for (unsigned bits = 0; bits < 64; ++bits) {
    for (const bool cf : {false, true}) {
      LazyFlags flags;
      flags.Set(Combination(bits));
      flags.SetCf(cf);
      EXPECT_EQ(flags.Materialise(), (Combination(bits) & ~std::uint64_t{kCf}) | FlagIf(cf, kCf));
    }
  }
}

// The flags of a + b + carry and a - b - borrow, bit by bit as the manual has them (Intel SDM vol.
// 1, 3.4.3.1).
std::uint64_t Expected(std::uint8_t a, std::uint8_t b, int carry, bool subtract) {
  const int wide = subtract ? a - b - carry : a + b + carry;
  const int half = subtract ? (a & 15) - (b & 15) - carry : (a & 15) + (b & 15) + carry;
  const int as_signed = subtract
                            ? static_cast<std::int8_t>(a) - static_cast<std::int8_t>(b) - carry
                            : static_cast<std::int8_t>(a) + static_cast<std::int8_t>(b) + carry;
  const auto result = static_cast<std::uint8_t>(wide);
  return FlagIf(wide < 0 || wide > 255, kCf) | FlagIf(std::popcount(result) % 2 == 0, kPf) |
         FlagIf(half < 0 || half > 15, kAf) | FlagIf(result == 0, kZf) |
         FlagIf(result >= 128, kSf) | FlagIf(as_signed < -128 || as_signed > 127, kOf);
}

TEST(LazyFlags, AllByteAdditionsAndSubtractionsMatchTheManual) {
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      for (const int carry : {0, 1}) {
        LazyFlags flags;
        flags.SetCf(carry != 0);
        const auto x = static_cast<std::uint8_t>(a);
        const auto y = static_cast<std::uint8_t>(b);
        Adc::Apply<true, std::uint8_t>(flags, x, y);
        ASSERT_EQ(flags.Materialise(), Expected(x, y, carry, false)) << a << "+" << b;
        flags.SetCf(carry != 0);
        Sbb::Apply<true, std::uint8_t>(flags, x, y);
        ASSERT_EQ(flags.Materialise(), Expected(x, y, carry, true)) << a << "-" << b;
      }
    }
  }
}

TEST(LazyFlags, TheSignAndTheCarryComeFromTheWidthsTopBit) {
  LazyFlags flags;
  Add::Apply<true, std::uint16_t>(flags, 0x8000, 0x8000);
  EXPECT_EQ(flags.Materialise(), kCf | kZf | kOf | kPf);
  Add::Apply<true, std::uint32_t>(flags, 0x7fffffff, 1);
  EXPECT_EQ(flags.Materialise(), kSf | kOf | kAf | kPf);
  Sub::Apply<true, std::uint64_t>(flags, 0, 1);
  EXPECT_EQ(flags.Materialise(), kCf | kSf | kAf | kPf);
}

TEST(LazyFlags, IncrementKeepsTheCarry) {
  LazyFlags flags;
  flags.SetCf(true);
  Inc::Apply<true, std::uint8_t>(flags, 0x7f);
  EXPECT_EQ(flags.Materialise(), kCf | kOf | kSf | kAf);
  Dec::Apply<true, std::uint8_t>(flags, 0x80);
  EXPECT_EQ(flags.Materialise(), kCf | kOf | kAf);
}

// One Jcc over every combination of flags: taken or not by the truth table of the SDM (vol. 2,
// appendix B).
TEST(Conditions, AllSixteenFollowTheTruthTable) {
  for (int code = 0; code < 16; ++code) {
    Machine machine;
    machine.Code({0x70 | code, 0x02, 0xb0, 0x01, 0x0f, 0x05});  // jcc +2; mov al, 1; syscall
    for (unsigned bits = 0; bits < 64; ++bits) {
      const std::uint64_t f = Combination(bits);
      const bool cf = f & kCf, zf = f & kZf, sf = f & kSf, of = f & kOf, pf = f & kPf;
      const bool even[] = {of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of};
      Registers registers = machine.cpu->Get();
      registers.rip = kCode;
      registers.rflags = f;
      registers.gpr[kRax] = 0;
      machine.cpu->Set(registers);
      EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
      const bool taken = even[code / 2] != (code % 2 == 1);
      ASSERT_EQ(machine[kRax], taken ? 0u : 1u) << "condition " << code << " flags " << f;
      EXPECT_EQ(machine[kR11] & kStatusFlags, f);
    }
  }
}

// Every byte pair through a fused comparison and each condition, against the unfused pair.
TEST(Conditions, FusedComparisonsBranchAsSeparateOnesDo) {
  for (const int compare : {0x38, 0x84}) {  // cmp, test r/m8, r8
    for (int code = 0; code < 16; ++code) {
      Machine fused;
      Machine separate;
      fused.Code({compare, 0xd9, 0x70 | code, 0x02, 0xb0, 0x01, 0x0f, 0x05});
      separate.Code({compare, 0xd9, 0x90, 0x70 | code, 0x02, 0xb0, 0x01, 0x0f, 0x05});
      for (unsigned a = 0; a < 256; a += 17) {
        for (unsigned b = 0; b < 256; b += 15) {
          for (Machine* const machine : {&fused, &separate}) {
            machine->cpu->SetRip(kCode);
            machine->cpu->SetGpr(kRax, 0);
            machine->cpu->SetGpr(kRcx, a);
            machine->cpu->SetGpr(kRbx, b);
            EXPECT_EQ(machine->Run().kind, StopKind::kSyscall);
          }
          ASSERT_EQ(fused[kRax], separate[kRax]) << compare << " " << code << " " << a << " " << b;
          ASSERT_EQ(fused[kR11], separate[kR11]);
        }
      }
    }
  }
}

}  // namespace
}  // namespace glovebox::engine::x86
