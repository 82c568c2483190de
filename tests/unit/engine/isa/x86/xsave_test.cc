// The XSAVE family where hardware is not the oracle: which components are in use, and faults.
#include "engine/isa/x86/xsave.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "tests/unit/engine/isa/x86/machine.h"

namespace glovebox::engine::x86 {
namespace {

constexpr GuestAddr kArea = kData + 64;
constexpr std::initializer_list<int> kXsave = {0x48, 0x0f, 0xae, 0x23};   // xsave64 [rbx]
constexpr std::initializer_list<int> kXsavec = {0x48, 0x0f, 0xc7, 0x23};  // xsavec64 [rbx]
constexpr std::initializer_list<int> kXrstor = {0x48, 0x0f, 0xae, 0x2b};  // xrstor64 [rbx]
constexpr std::initializer_list<int> kXgetbv = {0x0f, 0x01, 0xd0};

class Xsave : public testing::Test {
 protected:
  Stop Step(std::initializer_list<int> code, std::uint64_t components = 7) {
    machine_.Code(code);
    machine_.cpu->SetRip(kCode);
    machine_.cpu->SetGpr(kRax, components);
    machine_.cpu->SetGpr(kRdx, 0);
    return machine_.Run(1);
  }
  void At(GuestAddr area) { machine_.cpu->SetGpr(kRbx, area); }
  void SetXmm(std::uint64_t low, std::uint64_t high) {
    VectorRegisters vectors = machine_.cpu->GetVectors();
    vectors[3] = {low, 0, high, 0};
    machine_.cpu->SetVectors(vectors);
  }
  void SetHeader(std::uint64_t present, std::uint64_t compacted) {
    const std::array<std::uint64_t, 8> header = {present, compacted};
    machine_.Poke(kArea + kXHeaderAt,
                  std::span(reinterpret_cast<const std::uint8_t*>(&header), sizeof(header)));
  }
  std::uint64_t Present() { return machine_.Peek<std::uint64_t>(kArea + kXHeaderAt); }
  std::uint64_t Compacted() { return machine_.Peek<std::uint64_t>(kArea + kXHeaderAt + 8); }

  Machine machine_;
};

TEST_F(Xsave, AComponentIsInUseWhereItsValuesAreNotTheInitialOnes) {
  At(kArea);
  EXPECT_EQ(Step(kXsave).kind, StopKind::kBudget);
  EXPECT_EQ(Present(), 0u);
  SetXmm(1, 0);
  Step(kXsave);
  EXPECT_EQ(Present(), 2u);
  SetXmm(0, 1);
  Step(kXsave);
  EXPECT_EQ(Present(), 4u);
  Step({0xd9, 0xe8});  // fld1
  Step(kXsave);
  EXPECT_EQ(Present(), 5u);
  SetXmm(0, 0);
  Step({0xdb, 0xe3});  // fninit leaves the registers as they are
  Step(kXsave);
  EXPECT_EQ(Present(), 1u);
}

TEST_F(Xsave, TheCompactedFormatLeavesOutWhatIsNotInUse) {
  const std::vector<std::uint8_t> before(kXsaveBytes, 0xee);
  machine_.Poke(kArea, before);
  At(kArea);
  SetXmm(0, 0x77);
  EXPECT_EQ(Step(kXsavec, 6).kind, StopKind::kBudget);
  EXPECT_EQ(Compacted(), std::uint64_t{1} << 63 | 6);
  EXPECT_EQ(Present(), 4u);
  EXPECT_EQ(machine_.Peek<std::uint64_t>(kArea + kXAvxAt + 3 * 16), 0x77u);
  EXPECT_EQ(machine_.Peek<std::uint8_t>(kArea + 160), 0xee);  // XMM0
  EXPECT_EQ(machine_.Peek<std::uint8_t>(kArea + 24), 0xee);   // MXCSR goes with SSE
  EXPECT_EQ(machine_.Peek<std::uint8_t>(kArea + kXHeaderAt + 16), 0xee);
}

TEST_F(Xsave, AnMxcsrOfItsOwnMakesSsePresent) {
  At(kArea);
  const std::uint32_t mxcsr = 0x3f80;
  machine_.Poke(kData, std::span(reinterpret_cast<const std::uint8_t*>(&mxcsr), 4));
  At(kData);
  Step({0x0f, 0xae, 0x13});  // ldmxcsr [rbx]
  At(kArea);
  Step(kXsave, 4);
  EXPECT_EQ(Present(), 0u);
  EXPECT_EQ(machine_.Peek<std::uint32_t>(kArea + 24), 0x3f80u);
  Step(kXsave, 2);
  EXPECT_EQ(Present(), 2u);
}

TEST_F(Xsave, ASaveThatFaultsWritesNothing) {
  SetXmm(1, 1);
  Step({0xd9, 0xe8});  // fld1
  // The header is on the last page, the AVX component behind it.
  const GuestAddr end = kData + 4 * kPageSize;
  At(end - kXAvxAt);
  const Stop stop = Step(kXsave);
  EXPECT_EQ(stop.kind, StopKind::kMemoryFault);
  EXPECT_EQ(stop.memory.address, end);
  for (GuestAddr at = end - kXAvxAt; at < end; at += 8) {
    EXPECT_EQ(machine_.Peek<std::uint64_t>(at), 0u) << end - at;
  }
}

TEST_F(Xsave, ARestoreThatIsRefusedRestoresNothing) {
  SetXmm(1, 2);
  At(kArea);
  Step(kXsave);
  SetXmm(3, 4);
  const std::uint32_t reserved = 0x10000;
  machine_.Poke(kArea + 24, std::span(reinterpret_cast<const std::uint8_t*>(&reserved), 4));
  SetHeader(7, std::uint64_t{1} << 63 | 7);
  Stop stop = Step(kXrstor);
  EXPECT_EQ(stop.exception, ExceptionKind::kGeneralProtection);
  EXPECT_EQ(machine_.cpu->GetVectors()[3], (std::array<std::uint64_t, 4>{3, 0, 4, 0}));
  // Without SSE its MXCSR is not looked at.
  EXPECT_EQ(Step(kXrstor, 4).kind, StopKind::kBudget);
  EXPECT_EQ(machine_.cpu->GetVectors()[3], (std::array<std::uint64_t, 4>{3, 0, 2, 0}));
}

TEST_F(Xsave, TheAreaMustBeAligned) {
  for (const auto& code : {kXsave, kXsavec, kXrstor}) {
    At(kArea + 32);
    EXPECT_EQ(Step(code).exception, ExceptionKind::kGeneralProtection);
  }
}

TEST_F(Xsave, XgetbvShowsWhatIsEnabledAndWhatIsInUse) {
  const auto xgetbv = [&](std::uint64_t which) {
    machine_.cpu->SetGpr(kRcx, which);
    return Step(kXgetbv);
  };
  EXPECT_EQ(xgetbv(0).kind, StopKind::kBudget);
  EXPECT_EQ(machine_[kRax], 7u);
  EXPECT_EQ(machine_[kRdx], 0u);
  xgetbv(1);
  EXPECT_EQ(machine_[kRax], 0u);
  SetXmm(0, 1);
  xgetbv(1);
  EXPECT_EQ(machine_[kRax], 4u);
  EXPECT_EQ(xgetbv(2).exception, ExceptionKind::kGeneralProtection);
}

TEST_F(Xsave, TheHolderOfACpuSavesAndRestoresTheWholeArea) {
  SetXmm(5, 6);
  XsaveArea area;
  machine_.cpu->SaveXstate(area);
  SetXmm(7, 8);
  EXPECT_TRUE(machine_.cpu->RestoreXstate(area, kXAvx));
  EXPECT_EQ(machine_.cpu->GetVectors()[3], (std::array<std::uint64_t, 4>{7, 0, 6, 0}));
  EXPECT_TRUE(machine_.cpu->RestoreXstate(area, kXcr0));
  EXPECT_EQ(machine_.cpu->GetVectors()[3], (std::array<std::uint64_t, 4>{5, 0, 6, 0}));
  area[kXHeaderAt + 8] = std::byte{1};
  EXPECT_FALSE(machine_.cpu->RestoreXstate(area, kXcr0));
}

}  // namespace
}  // namespace glovebox::engine::x86
