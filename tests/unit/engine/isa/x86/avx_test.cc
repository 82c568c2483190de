// What comparison with hardware does not reach: faults in the middle of gathers and masked moves,
// and encodings that are not to be taken for AVX.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "tests/unit/engine/isa/x86/machine.h"

namespace glovebox::engine::x86 {
namespace {

constexpr GuestAddr kHole = kData + 4 * kPageSize;  // what lies behind the data is not mapped

template <typename T>
void SetVector(Machine& machine, std::size_t index, const std::array<T, 32 / sizeof(T)>& lanes) {
  VectorRegisters vectors = machine.cpu->GetVectors();
  std::memcpy(&vectors[index], &lanes, sizeof(lanes));
  machine.cpu->SetVectors(vectors);
}
template <typename T>
std::array<T, 32 / sizeof(T)> GetVector(const Machine& machine, std::size_t index) {
  std::array<T, 32 / sizeof(T)> lanes;
  const VectorRegisters vectors = machine.cpu->GetVectors();
  std::memcpy(&lanes, &vectors[index], sizeof(lanes));
  return lanes;
}

using Dwords = std::array<std::uint32_t, 8>;
using Quads = std::array<std::uint64_t, 4>;
constexpr std::uint32_t kOn = 0x80000000;

TEST(Avx, AGatherThatFaultsKeepsWhatItHasAndGoesOnBehindIt) {
  Machine machine;
  for (std::uint32_t i = 0; i < 8; ++i) {
    const std::uint32_t value = 100 + i;
    machine.Poke(kData + 4 * i, std::span(reinterpret_cast<const std::uint8_t*>(&value), 4));
  }
  constexpr std::uint32_t kFar = (kHole - kData) / 4;
  SetVector<std::uint32_t>(machine, 1, {0, 1, 2, kFar, 4, kFar + 1, 6, 7});               // indices
  SetVector<std::uint32_t>(machine, 2, {kOn, kOn, 0, kOn | 1, kOn, 0, 0x7fffffff, kOn});  // mask
  SetVector<std::uint32_t>(machine, 3, {1, 2, 3, 4, 5, 6, 7, 8});
  machine.cpu->SetGpr(kRbx, kData);
  machine.Code(
      {0xc4, 0xe2, 0x6d, 0x90, 0x1c, 0x8b, 0x0f, 0x05});  // vpgatherdd ymm3,[rbx+ymm1*4],ymm2
  Stop stop = machine.Run();
  EXPECT_EQ(stop.kind, StopKind::kMemoryFault);
  EXPECT_EQ(stop.memory.address, kHole);
  EXPECT_EQ(machine.cpu->rip(), kCode);
  EXPECT_EQ(machine.cpu->icount(), 0u);
  EXPECT_EQ(GetVector<std::uint32_t>(machine, 3), (Dwords{100, 101, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(GetVector<std::uint32_t>(machine, 2), (Dwords{0, 0, 0, ~0u, ~0u, 0, 0, ~0u}));

  machine.Map(kHole, kPageSize, kReadWrite);
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(GetVector<std::uint32_t>(machine, 3), (Dwords{100, 101, 3, 0, 104, 6, 7, 107}));
  EXPECT_EQ(GetVector<std::uint32_t>(machine, 2), Dwords{});
}

TEST(Avx, AGatherThatFaultsHalfWayIsTrappedFirst) {
  Machine machine;
  constexpr std::uint32_t kFar = (kHole - kData) / 4;
  SetVector<std::uint32_t>(machine, 1, {0, kFar, 0, 0, 0, 0, 0, 0});
  SetVector<std::uint32_t>(machine, 2, {kOn, kOn, 0, 0, 0, 0, 0, 0});
  Registers registers = machine.cpu->Get();
  registers.gpr[kRbx] = kData;
  registers.rflags |= kTf;
  machine.cpu->Set(registers);
  machine.Code({0xc4, 0xe2, 0x6d, 0x90, 0x1c, 0x8b});  // vpgatherdd ymm3,[rbx+ymm1*4],ymm2
  const Stop trap = machine.Run();
  EXPECT_EQ(trap.kind, StopKind::kException);
  EXPECT_EQ(trap.exception, ExceptionKind::kSingleStep);
  EXPECT_EQ(machine.cpu->rip(), kCode);
  EXPECT_EQ(machine.cpu->icount(), 0u);
  EXPECT_NE(machine.cpu->Get().rflags & kRf, 0u);
  EXPECT_EQ(GetVector<std::uint32_t>(machine, 2), (Dwords{0, ~0u}));
  // Nothing more to take: the fault.
  EXPECT_EQ(machine.Run().kind, StopKind::kMemoryFault);
}

TEST(Avx, AMaskedMoveTouchesNothingBehindItsMask) {
  Machine machine;
  const std::uint64_t value = 0x1122334455667788;
  machine.Poke(kHole - 8, std::span(reinterpret_cast<const std::uint8_t*>(&value), 8));
  machine.cpu->SetGpr(kRbx, kHole - 16);
  SetVector<std::uint64_t>(machine, 1, {0, std::uint64_t{1} << 63, 0, 0});
  SetVector<std::uint64_t>(machine, 2, {9, 9, 9, 9});
  // vpmaskmovq ymm2, ymm1, [rbx]; vpmaskmovq [rbx], ymm1, ymm1; syscall
  machine.Code({0xc4, 0xe2, 0xf5, 0x8c, 0x13, 0xc4, 0xe2, 0xf5, 0x8e, 0x0b, 0x0f, 0x05});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(GetVector<std::uint64_t>(machine, 2), (Quads{0, value, 0, 0}));
  EXPECT_EQ(machine.Peek<std::uint64_t>(kHole - 8), std::uint64_t{1} << 63);
  EXPECT_EQ(machine.Peek<std::uint64_t>(kHole - 16), 0u);
}

TEST(Avx, AMaskedStoreThatFaultsStoresNothing) {
  Machine machine;
  machine.cpu->SetGpr(kRbx, kHole - 16);
  SetVector<std::uint32_t>(machine, 1, {kOn, kOn, kOn, kOn, 0, kOn, 0, 0});
  machine.Code({0xc4, 0xe2, 0x75, 0x8e, 0x0b});  // vpmaskmovd [rbx], ymm1, ymm1
  const Stop stop = machine.Run();
  EXPECT_EQ(stop.kind, StopKind::kMemoryFault);
  EXPECT_EQ(stop.memory.address, kHole + 4);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(machine.Peek<std::uint32_t>(kHole - 16 + 4u * i), 0u);
}

TEST(Avx, ShortVectorsClearWhatLegacySseKeeps) {
  Machine machine;
  SetVector<std::uint64_t>(machine, 1, {1, 2, 3, 4});
  SetVector<std::uint64_t>(machine, 2, {5, 6, 7, 8});
  SetVector<std::uint64_t>(machine, 4, {9, 9, 9, 9});
  // paddq xmm1, xmm2; vpaddq xmm3, xmm1, xmm2; vmovq xmm4, xmm1; syscall
  machine.Code(
      {0x66, 0x0f, 0xd4, 0xca, 0xc5, 0xf1, 0xd4, 0xda, 0xc5, 0xfa, 0x7e, 0xe1, 0x0f, 0x05});
  EXPECT_EQ(machine.Run().kind, StopKind::kSyscall);
  EXPECT_EQ(GetVector<std::uint64_t>(machine, 1), (Quads{6, 8, 3, 4}));
  EXPECT_EQ(GetVector<std::uint64_t>(machine, 3), (Quads{11, 14, 0, 0}));
  EXPECT_EQ(GetVector<std::uint64_t>(machine, 4), (Quads{6, 0, 0, 0}));
}

TEST(Avx, OnlyAlignedMovesWantAlignment) {
  struct Move {
    std::vector<std::uint8_t> bytes;
    std::uint64_t alignment;
  };
  const Move moves[] = {
      {{0xc5, 0xf8, 0x28, 0x03}, 16},        // vmovaps xmm0, [rbx]
      {{0xc5, 0xfc, 0x28, 0x03}, 32},        // vmovaps ymm0, [rbx]
      {{0xc5, 0xfd, 0x7f, 0x03}, 32},        // vmovdqa [rbx], ymm0
      {{0xc5, 0xfd, 0xe7, 0x03}, 32},        // vmovntdq [rbx], ymm0
      {{0xc4, 0xe2, 0x7d, 0x2a, 0x03}, 32},  // vmovntdqa ymm0, [rbx]
      {{0xc5, 0xfc, 0x10, 0x03}, 1},         // vmovups ymm0, [rbx]
      {{0xc5, 0xff, 0xf0, 0x03}, 1},         // vlddqu ymm0, [rbx]
      {{0xc5, 0xfc, 0x58, 0x03}, 1},         // vaddps ymm0, ymm0, [rbx]
  };
  for (const Move& move : moves) {
    for (const std::uint64_t offset : {0, 1, 8, 16, 32, 48}) {
      Machine machine;
      machine.cpu->SetGpr(kRbx, kData + offset);
      machine.Poke(kCode, move.bytes);
      const bool fits = offset % move.alignment == 0;
      const Stop stop = machine.Run(1);
      EXPECT_EQ(stop.kind, fits ? StopKind::kBudget : StopKind::kException) << offset;
      if (fits) continue;
      EXPECT_EQ(stop.exception, ExceptionKind::kGeneralProtection);
    }
  }
}

TEST(Avx, EncodingsThatNoAvxInstructionHasAreInvalid) {
  const std::vector<std::uint8_t> encodings[] = {
      {0x66, 0xc5, 0xf8, 0x58, 0xc1},        // a prefix before VEX
      {0xf0, 0xc5, 0xf8, 0x58, 0xc1},        // LOCK
      {0x48, 0xc5, 0xf8, 0x58, 0xc1},        // REX
      {0xc5, 0xf0, 0x51, 0xc1},              // vsqrtps with a register in vvvv
      {0xc5, 0xfc, 0x12, 0xc1},              // vmovhlps of 256 bits
      {0xc4, 0xe2, 0xf9, 0x18, 0xc1},        // vbroadcastss with W
      {0xc4, 0xe2, 0x79, 0x19, 0xc1},        // vbroadcastsd of 128 bits
      {0xc4, 0xe2, 0x75, 0xdc, 0xc2},        // vaesenc of 256 bits (VAES)
      {0xc4, 0xe3, 0x75, 0x44, 0xc2, 0x00},  // vpclmulqdq of 256 bits (VPCLMULQDQ)
      {0xc4, 0xe2, 0x69, 0x90, 0x0c, 0x8b},  // vpgatherdd whose destination is its index
      {0xc4, 0xe2, 0x71, 0x90, 0x14, 0x8b},  // vpgatherdd whose mask is its index
      {0x62, 0xf1, 0x74, 0x08, 0x58, 0xc2},  // vaddps as AVX-512 has it
  };
  for (const auto& bytes : encodings) {
    Machine machine;
    machine.Poke(kCode, bytes);
    const Stop stop = machine.Run(1);
    EXPECT_EQ(stop.kind, StopKind::kException) << testing::PrintToString(bytes);
    EXPECT_EQ(stop.exception, ExceptionKind::kInvalidOpcode) << testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace glovebox::engine::x86
