// Spaces that have something outside of their windows.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/base/host_fd.h"
#include "engine/memory/address_space.h"

namespace glovebox::engine {
namespace {

constexpr std::uint8_t kReadWrite = kProtRead | kProtWrite;
constexpr std::uint64_t kTiB = 1024_GiB;
constexpr GuestAddr kAddressEnd = 0x7fff'ffff'f000;
constexpr GuestAddr kFar = 96 * kTiB;
constexpr GuestAddr kNear = 0x5500'0010'0000;
constexpr std::uint64_t kUnit = HostPlace::kUnitBytes;

class AddressSpacePlaceTest : public testing::Test {
 protected:
  std::unique_ptr<AddressSpace> Make(GuestAddr window_start = 0x5500'0000'0000) {
    auto made = AddressSpace::Make(
        {.max_mappings = 1000, .window_start = window_start, .address_end = kAddressEnd}, meter_);
    return made ? std::move(*made) : nullptr;
  }
  static Result<GuestAddr, MapError> Map(AddressSpace& space, GuestAddr address,
                                         std::uint64_t size_bytes, bool fixed = true) {
    MapRequest request;
    request.address = address;
    request.size_bytes = size_bytes;
    request.protection = kReadWrite;
    request.fixed = fixed;
    return space.Map(request);
  }
  static bool Write(AddressSpace& space, GuestAddr at, std::string_view text) {
    return space.CopyOut(at, std::as_bytes(std::span(text))) == text.size();
  }
  static std::string Read(AddressSpace& space, GuestAddr at, std::size_t size) {
    std::string text(size, '?');
    text.resize(space.CopyIn(std::as_writable_bytes(std::span(text)), at));
    return text;
  }

  MemoryMeter meter_{1_GiB};
};

TEST_F(AddressSpacePlaceTest, TerabytesThatNobodyTouchesTakeNothingOfTheHost) {
  const auto space = Make();
  const std::size_t before = meter_.host_mappings();
  ASSERT_TRUE(Map(*space, 0x7fff8000, 16 * kTiB));
  ASSERT_TRUE(Map(*space, kFar, 4 * kTiB));
  EXPECT_EQ(meter_.host_mappings(), before);
  EXPECT_EQ(space->Mappings().size(), 2u);
}

TEST_F(AddressSpacePlaceTest, PlacesAreTakenByAccessesAndLeftByUnmapping) {
  const auto space = Make();
  ASSERT_TRUE(Map(*space, kFar, 4 * kTiB));
  const std::size_t before = meter_.host_mappings();
  EXPECT_EQ(Read(*space, kFar + 5, 2), std::string(2, '\0'));
  EXPECT_TRUE(Write(*space, kFar + kTiB - 2, "text"));  // over the border of two units
  EXPECT_EQ(Read(*space, kFar + kTiB - 2, 4), "text");
  EXPECT_EQ(meter_.host_mappings(), before + 3);
  EXPECT_EQ(meter_.used_bytes(), 2 * kPageSize);
  ASSERT_TRUE(space->Unmap(kFar, kTiB));
  EXPECT_EQ(meter_.host_mappings(), before + 1);
  ASSERT_TRUE(space->Unmap(kFar, 4 * kTiB));
  EXPECT_EQ(meter_.host_mappings(), before);
  EXPECT_EQ(meter_.used_bytes(), 0u);
  ASSERT_TRUE(Map(*space, kFar, 4 * kTiB));
  EXPECT_EQ(Read(*space, kFar + kTiB - 2, 4), std::string(4, '\0'));
}

TEST_F(AddressSpacePlaceTest, AReservationThatTheWindowHasNoRoomForLiesOutsideOfIt) {
  for (const GuestAddr start : {GuestAddr{0}, GuestAddr{0x5500'0000'0000}}) {
    const auto space = Make(start);
    for (const std::uint64_t size : {129_GiB, 16 * kTiB, 20 * kTiB}) {
      const auto at = Map(*space, 0, size, false);
      ASSERT_TRUE(at) << size;
      EXPECT_TRUE(*at >= start + 128_GiB || *at + size <= start);
      EXPECT_TRUE(Write(*space, *at, "x"));
      EXPECT_TRUE(Write(*space, *at + size - 1, "y"));
    }
    EXPECT_FALSE(Map(*space, 0, 127 * kTiB, false));
  }
}

// The acid test: the host has something where the guest wants to go on.
TEST_F(AddressSpacePlaceTest, ASpaceGoesElsewhereWithAllThatItHolds) {
  const auto space = Make();
  ASSERT_TRUE(Map(*space, kNear, 1_GiB));
  ASSERT_TRUE(Map(*space, kFar, 4 * kTiB));
  EXPECT_TRUE(Write(*space, kNear + 77, "near"));
  EXPECT_TRUE(Write(*space, kFar + 77, "far"));
  // Shared memory, shown twice.
  MapRequest request{.address = kFar - kTiB, .size_bytes = 1_MiB, .protection = kReadWrite};
  request.fixed = request.shared = true;
  ASSERT_TRUE(space->Map(request));
  const auto second = space->Remap({.old_address = kFar - kTiB,
                                    .old_size_bytes = 0,
                                    .new_size_bytes = 1_MiB,
                                    .may_move = true,
                                    .fixed_address = kNear + 2_GiB});
  ASSERT_TRUE(second);
  EXPECT_TRUE(Write(*space, kFar - kTiB + 5, "shared"));

  std::byte* const old_base = space->base();
  const GuestAddr wanted = kFar + 2 * kTiB;
  void* const blocker = ::mmap(space->Host(wanted), kPageSize, PROT_NONE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  ASSERT_EQ(blocker, space->Host(wanted));
  const std::uint64_t used = meter_.used_bytes();
  EXPECT_TRUE(Write(*space, wanted, "moved"));
  ::munmap(blocker, kPageSize);
  EXPECT_NE(space->base(), old_base);
  EXPECT_EQ(meter_.used_bytes(), used + kPageSize);
  EXPECT_EQ(Read(*space, wanted, 5), "moved");
  EXPECT_EQ(Read(*space, kNear + 77, 4), "near");
  EXPECT_EQ(Read(*space, kFar + 77, 3), "far");
  EXPECT_EQ(Read(*space, *second + 5, 6), "shared");
  EXPECT_TRUE(Write(*space, *second + 5, "SHARED"));
  EXPECT_EQ(Read(*space, kFar - kTiB + 5, 6), "SHARED");
  EXPECT_TRUE(space->Unmap(0, kAddressEnd));
  EXPECT_EQ(meter_.used_bytes(), 0u);
}

// No base has room for the first and the last addresses on the host.
TEST_F(AddressSpacePlaceTest, WhatIsAccessedLiesNoFurtherApartThanAHostHas) {
#ifdef GLOVEBOX_HOST_LACKS_ADDRESSES
  GTEST_SKIP() << "AddressSanitizer takes addresses of the host that this needs";
#endif
  const auto space = Make(0);
  const GuestAddr last = kAddressEnd - kPageSize;
  EXPECT_EQ(Map(*space, last, kPageSize).error(), MapError::kTooManySpaces);
  EXPECT_LT(Map(*space, last, kPageSize, false).value(), 128_GiB);
  MapRequest request{.address = last, .size_bytes = kPageSize, .protection = kProtNone};
  request.fixed = true;
  EXPECT_TRUE(space->Map(request));
  EXPECT_EQ(space->Protect(last, kPageSize, kReadWrite).error(), MapError::kNoMemory);
  const GuestAddr far = 0x7d00'0000'0000;
  ASSERT_TRUE(Map(*space, far, kPageSize));
  EXPECT_TRUE(Write(*space, far, "far"));
  EXPECT_EQ(space
                ->Remap({.old_address = far,
                         .old_size_bytes = kPageSize,
                         .new_size_bytes = kPageSize,
                         .may_move = true,
                         .fixed_address = last - kPageSize})
                .error(),
            MapError::kNoMemory);
  const auto high = Make();
  ASSERT_TRUE(Map(*high, last, kPageSize));
  EXPECT_TRUE(Write(*high, last, "last"));
  EXPECT_EQ(Map(*high, 1_GiB, kPageSize).error(), MapError::kTooManySpaces);
  ASSERT_TRUE(high->Unmap(last, kPageSize));
  ASSERT_TRUE(Map(*high, 1_GiB, kPageSize));
  EXPECT_TRUE(Write(*high, 1_GiB, "first"));
}

TEST_F(AddressSpacePlaceTest, ManyForksWithTheSameLayoutLieInterleaved) {
  const auto space = Make();
  // As AddressSanitizer: shadow, heap by size classes.
  ASSERT_TRUE(Map(*space, 0x7fff8000, 16 * kTiB));
  ASSERT_TRUE(Map(*space, kFar, 4 * kTiB));
  std::vector<GuestAddr> places;
  for (int i = 0; i < 48; ++i) {
    places.push_back(kFar + i * 64_GiB);
    places.push_back(0x7fff8000 + (places.back() >> 3));
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    ASSERT_TRUE(Write(*space, places[i], std::to_string(i)));
  }
  std::vector<std::unique_ptr<AddressSpace>> children;
  for (int child = 0; child < 24; ++child) {
    auto made = space->Fork();
    ASSERT_TRUE(made) << child;
    children.push_back(std::move(*made));
    ASSERT_TRUE(Write(*children.back(), places[0], "child " + std::to_string(child)));
  }
  for (std::size_t child = 0; child < children.size(); ++child) {
    EXPECT_EQ(Read(*children[child], places[0], 7 + (child > 9)), "child " + std::to_string(child));
    EXPECT_EQ(Read(*children[child], places[95], 2), "95");
  }
  EXPECT_EQ(Read(*space, places[0], 1), "0");
  children.clear();
  EXPECT_EQ(meter_.used_bytes(), places.size() * kPageSize);
}

TEST_F(AddressSpacePlaceTest, SpacesOutsideOfTheirWindowsAreCounted) {
  std::vector<std::unique_ptr<AddressSpace>> spaces;
  for (std::size_t i = 0; i < MemoryMeter::kMaxSpreadSpaces; ++i) {
    spaces.push_back(Make(0));
    ASSERT_TRUE(Map(*spaces.back(), 200_GiB, kPageSize)) << i;
  }
  const auto one_more = Make(0);
  EXPECT_EQ(Map(*one_more, 200_GiB, kPageSize).error(), MapError::kTooManySpaces);
  EXPECT_LT(Map(*one_more, 200_GiB, kPageSize, false).value(), 128_GiB);  // a hint is only that
  EXPECT_EQ(spaces[0]->Fork().error(), MapError::kTooManySpaces);
  EXPECT_TRUE(one_more->Fork());
  spaces.pop_back();
  EXPECT_TRUE(Map(*one_more, 200_GiB, kPageSize));
}

// One page of each unit: what the host must have for that is counted, whatever the host has.
TEST_F(AddressSpacePlaceTest, AccessesAllOverTheAddressesEndAtACount) {
  const auto space = Make();
  const GuestAddr start = 0x1000'0000'0000;
  ASSERT_TRUE(Map(*space, start, 16 * kTiB));
  std::uint64_t units = 0;
  std::byte byte;
  while (space->CopyIn(std::span(&byte, 1), start + units * 2 * kUnit) == 1) ++units;
  EXPECT_EQ(space->LastFault().kind, MemoryFaultKind::kMemoryLimit);
  EXPECT_FALSE(meter_.host_failed());
  EXPECT_EQ(units, 4'096u);
  EXPECT_TRUE(space->Unmap(start, 16 * kTiB));
  EXPECT_LT(meter_.host_mappings(), 10u);
  EXPECT_LT(meter_.used_bytes(), 256 * kPageSize);
}

// The host's page tables are no memory of the guest, but they are bounded by its limit.
TEST_F(AddressSpacePlaceTest, ReadsAllOverAWindowAreCharged) {
  const auto space = Make();
  ASSERT_TRUE(Map(*space, kNear, 120_GiB));
  std::byte byte;
  constexpr std::uint64_t kFree = 1024;
  for (std::uint64_t i = 0; i < 2 * kFree; ++i) {
    ASSERT_EQ(space->CopyIn(std::span(&byte, 1), kNear + i * 2_MiB), 1u);
    if (i == kFree / 2) {
      EXPECT_EQ(meter_.used_bytes(), 0u);  // what is dense is free
    }
  }
  EXPECT_GE(meter_.used_bytes(), kFree * kPageSize);
  EXPECT_LE(meter_.used_bytes(), (kFree + 20) * kPageSize);
  // Addresses where nothing is, too: the flags of each 8 GiB are looked at.
  const std::uint64_t before = meter_.used_bytes();
  for (GuestAddr at = 0; at < kTiB; at += 8_GiB) EXPECT_EQ(Read(*space, at, 1), "");
  EXPECT_EQ(meter_.used_bytes(), before + 128 * kPageSize);
  EXPECT_EQ(space->LastFault().kind, MemoryFaultKind::kUnmapped);
}

TEST_F(AddressSpacePlaceTest, AsManyWindowsAsABoxMayHave) {
  std::vector<std::unique_ptr<AddressSpace>> spaces;
  for (int i = 0; i < 640; ++i) {
    spaces.push_back(Make(i % 2 == 0 ? 0 : 0x5500'0000'0000));
    ASSERT_NE(spaces.back(), nullptr) << i;
  }
}

TEST_F(AddressSpacePlaceTest, WhatWasNeverAccessedReadsAsZerosByADebugger) {
  const auto space = Make();
  MapRequest request{.address = kFar, .size_bytes = kTiB, .protection = kProtNone};
  request.fixed = true;
  ASSERT_TRUE(space->Map(request));
  const std::size_t before = meter_.host_mappings();
  std::byte byte{9};
  EXPECT_EQ(space->Peek(std::span(&byte, 1), kFar + 5), 1u);
  EXPECT_EQ(byte, std::byte{0});
  EXPECT_EQ(meter_.host_mappings(), before);
  byte = std::byte{7};
  EXPECT_EQ(space->Poke(kFar + 5, std::span(&byte, 1)), 1u);
  byte = std::byte{9};
  EXPECT_EQ(space->Peek(std::span(&byte, 1), kFar + 5), 1u);
  EXPECT_EQ(byte, std::byte{7});
}

}  // namespace
}  // namespace glovebox::engine
