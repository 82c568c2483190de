#include "engine/memory/address_space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/host_fd.h"

namespace glovebox::engine {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr GuestAddr kAt = 0x100000;
constexpr std::uint8_t kReadWrite = kProtRead | kProtWrite;

class AddressSpaceTest : public testing::Test {
 protected:
  explicit AddressSpaceTest(std::uint64_t limit_bytes = 64 * kPageSize) : meter_(limit_bytes) {
    space_ = AddressSpace::Make({.window_bytes = 8_GiB, .max_mappings = 100}, meter_).value();
  }

  Result<GuestAddr, MapError> MapAt(GuestAddr address, std::uint64_t size_bytes,
                                    std::uint8_t protection = kReadWrite) {
    MapRequest request;
    request.address = address;
    request.size_bytes = size_bytes;
    request.protection = protection;
    request.fixed = true;
    return space_->Map(request);
  }
  static Result<GuestAddr, MapError> Remap(AddressSpace& space, GuestAddr from,
                                           std::uint64_t old_size, std::uint64_t new_size,
                                           bool may_move, std::optional<GuestAddr> to) {
    return space.Remap({.old_address = from,
                        .old_size_bytes = old_size,
                        .new_size_bytes = new_size,
                        .may_move = may_move,
                        .fixed_address = to});
  }
  bool Write(GuestAddr at, std::string_view text) {
    return space_->CopyOut(at, std::as_bytes(std::span(text))) == text.size();
  }
  std::string Read(GuestAddr at, std::size_t size) {
    std::string text(size, '?');
    text.resize(space_->CopyIn(std::as_writable_bytes(std::span(text)), at));
    return text;
  }
  // A host file with `text`, as a blob would be.
  HostFd File(std::string_view text) {
    HostFd fd(::memfd_create("blob", MFD_CLOEXEC));
    EXPECT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    return fd;
  }
  class OpenedFile : public HostFile {
   public:
    explicit OpenedFile(int fd) : fd_(fd) {}
    int Descriptor() override { return fd_; }

   private:
    int fd_;
  };
  Result<GuestAddr, MapError> MapFile(const HostFd& fd, std::uint64_t file_size,
                                      std::uint64_t size_bytes,
                                      std::uint8_t protection = kReadWrite) {
    MapRequest request;
    request.address = kAt;
    request.size_bytes = size_bytes;
    request.protection = protection;
    request.fixed = true;
    request.file = FileBacking{.host = std::make_shared<OpenedFile>(fd.get()),
                               .offset_bytes = 0,
                               .file_size_bytes = file_size};
    return space_->Map(request);
  }

  MemoryMeter meter_;
  std::unique_ptr<AddressSpace> space_;
};

class ForkTest : public AddressSpaceTest {
 protected:
  static std::string ReadIn(AddressSpace& space, GuestAddr at, std::size_t size) {
    std::string text(size, '?');
    text.resize(space.CopyIn(std::as_writable_bytes(std::span(text)), at));
    return text;
  }
  static bool WriteIn(AddressSpace& space, GuestAddr at, std::string_view text) {
    return space.CopyOut(at, std::as_bytes(std::span(text))) == text.size();
  }
};

TEST_F(ForkTest, PrivatePagesAreCopiedAndPartWays) {
  ASSERT_TRUE(MapAt(kAt, kPageSize * 3));
  EXPECT_TRUE(Write(kAt, "parent"));
  const std::uint64_t before = meter_.used_bytes();
  auto child = space_->Fork();
  ASSERT_TRUE(child);
  EXPECT_EQ(meter_.used_bytes(), 2 * before);
  EXPECT_EQ(ReadIn(**child, kAt, 6), "parent");
  EXPECT_TRUE(WriteIn(**child, kAt, "child!"));
  EXPECT_EQ(Read(kAt, 6), "parent");
  EXPECT_EQ(ReadIn(**child, kAt + 2 * kPageSize, 2), std::string(2, '\0'));
  child->reset();
  EXPECT_EQ(meter_.used_bytes(), before);
}

// Written pages are counted in chunks of 2 MiB; a run of them goes on over their edges.
TEST_F(ForkTest, ARunOfWrittenPagesIsCopiedOverTheEdgeOfAChunk) {
  constexpr GuestAddr kEdge = 4_MiB;
  ASSERT_TRUE(MapAt(kEdge - 2 * kPageSize, 4 * kPageSize));
  for (GuestAddr at = kEdge - 2 * kPageSize; at != kEdge + 2 * kPageSize; at += kPageSize) {
    ASSERT_TRUE(Write(at, "written"));
  }
  const auto child = space_->Fork();
  ASSERT_TRUE(child);
  for (GuestAddr at = kEdge - 2 * kPageSize; at != kEdge + 2 * kPageSize; at += kPageSize) {
    EXPECT_EQ(ReadIn(**child, at, 7), "written") << at;
  }
}

TEST_F(ForkTest, PrivateFilePagesShowTheFileOrWhatWasWrittenOverIt) {
  const HostFd file = File(std::string(kPageSize, 'a') + std::string(kPageSize, 'b'));
  ASSERT_TRUE(MapFile(file, 2 * kPageSize, 3 * kPageSize));
  EXPECT_TRUE(Write(kAt, "x"));
  auto child = space_->Fork();
  ASSERT_TRUE(child);
  EXPECT_EQ(ReadIn(**child, kAt, 2), "xa");
  EXPECT_EQ(ReadIn(**child, kAt + kPageSize, 1), "b");
  EXPECT_EQ(ReadIn(**child, kAt + 2 * kPageSize, 1), "");
  EXPECT_EQ((*child)->LastFault().kind, MemoryFaultKind::kBeyondFile);
}

TEST_F(ForkTest, SharedMemoryStaysSharedAlsoWhereItMovesAndIsChargedOnce) {
  MapRequest request;
  request.size_bytes = 2 * kPageSize;
  request.protection = kReadWrite;
  request.shared = true;
  const auto at = space_->Map(request);
  ASSERT_TRUE(at);
  EXPECT_EQ(meter_.used_bytes(), 0u);
  EXPECT_TRUE(Write(*at + kPageSize, "before"));
  auto child = space_->Fork();
  ASSERT_TRUE(child);
  EXPECT_EQ(meter_.used_bytes(), kPageSize);
  EXPECT_EQ(ReadIn(**child, *at + kPageSize, 6), "before");
  ASSERT_TRUE(Remap(**child, *at + kPageSize, kPageSize, kPageSize, true, kAt));
  EXPECT_TRUE(WriteIn(**child, kAt, "after!"));
  EXPECT_EQ(Read(*at + kPageSize, 6), "after!");
  ASSERT_TRUE(space_->Unmap(*at, 2 * kPageSize));
  EXPECT_EQ(meter_.used_bytes(), kPageSize) << "the child still holds it";
  EXPECT_EQ(ReadIn(**child, kAt, 6), "after!");
  child->reset();
  EXPECT_EQ(meter_.used_bytes(), 0u);
}

TEST_F(ForkTest, AForkBeyondTheMemoryLimitGivesBackWhatItTook) {
  ASSERT_TRUE(MapAt(kAt, 64_MiB));
  const std::string page(kPageSize, 'x');
  while (meter_.used_bytes() <= meter_.limit_bytes() / 2)
    ASSERT_TRUE(Write(kAt + meter_.used_bytes(), page));
  const std::uint64_t before = meter_.used_bytes();
  const auto child = space_->Fork();
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error(), MapError::kMemoryLimit);
  EXPECT_EQ(meter_.used_bytes(), before);
}

TEST_F(AddressSpaceTest, WhatWasWrittenIsReadBack) {
  ASSERT_TRUE(MapAt(kAt, kPageSize * 2));
  EXPECT_TRUE(Write(kAt + kPageSize - 2, "abcd"));
  EXPECT_EQ(Read(kAt + kPageSize - 2, 4), "abcd");
}

TEST_F(AddressSpaceTest, ReadingUntouchedMemoryIsFreeAndAFirstStoreCostsAPage) {
  ASSERT_TRUE(MapAt(kAt, 4_GiB));
  EXPECT_EQ(Read(kAt + 1_GiB, 2), std::string(2, '\0'));
  EXPECT_EQ(meter_.used_bytes(), 0u);
  EXPECT_TRUE(Write(kAt + 1_GiB, "x"));
  EXPECT_TRUE(Write(kAt + 1_GiB + 100, "y"));
  EXPECT_EQ(meter_.used_bytes(), kPageSize);
}

TEST_F(AddressSpaceTest, TheMemoryLimitIsExact) {
  ASSERT_TRUE(MapAt(kAt, 65 * kPageSize));
  for (std::uint64_t page = 0; page < 64; ++page) EXPECT_TRUE(Write(kAt + page * kPageSize, "x"));
  EXPECT_FALSE(Write(kAt + 64 * kPageSize, "x"));
  EXPECT_EQ(space_->LastFault().kind, MemoryFaultKind::kMemoryLimit);
  EXPECT_EQ(meter_.peak_bytes(), 64 * kPageSize);
}

class LargeAddressSpaceTest : public AddressSpaceTest {
 protected:
  LargeAddressSpaceTest() : AddressSpaceTest(64_MiB) {}
};

TEST_F(LargeAddressSpaceTest, EverySecondPageOfFourGiBMeetsTheMemoryLimitNotTheHostsMappings) {
  ASSERT_TRUE(MapAt(kAt, 4_GiB));
  std::uint64_t written = 0;
  while (written < 4_GiB / (2 * kPageSize) && Write(kAt + written * 2 * kPageSize, "x")) ++written;
  EXPECT_EQ(space_->LastFault().kind, MemoryFaultKind::kMemoryLimit);
  EXPECT_EQ(written, 64_MiB / kPageSize);
  std::ifstream maps("/proc/self/maps");
  const auto lines = std::count(std::istreambuf_iterator<char>(maps), {}, '\n');
  EXPECT_LT(lines, 1000);
}

TEST_F(AddressSpaceTest, UnmappingGivesPagesBackAndZeroesThem) {
  ASSERT_TRUE(MapAt(kAt, 3 * kPageSize));
  EXPECT_TRUE(Write(kAt + kPageSize, "old"));
  ASSERT_TRUE(space_->Unmap(kAt + kPageSize, kPageSize));
  EXPECT_EQ(meter_.used_bytes(), 0u);
  EXPECT_EQ(Read(kAt + kPageSize, 1), "");
  EXPECT_EQ(space_->LastFault().kind, MemoryFaultKind::kUnmapped);
  EXPECT_EQ(space_->Mappings().size(), 2u);
  ASSERT_TRUE(MapAt(kAt + kPageSize, kPageSize));
  EXPECT_EQ(Read(kAt + kPageSize, 3), std::string(3, '\0'));
  EXPECT_EQ(space_->Mappings().size(), 1u);
}

TEST_F(AddressSpaceTest, FixedMappingReplacesWhatWasThere) {
  ASSERT_TRUE(MapAt(kAt, 3 * kPageSize));
  EXPECT_TRUE(Write(kAt + kPageSize, "old"));
  ASSERT_TRUE(MapAt(kAt + kPageSize, kPageSize, kProtRead));
  EXPECT_EQ(Read(kAt + kPageSize, 3), std::string(3, '\0'));
  EXPECT_FALSE(Write(kAt + kPageSize, "x"));
  EXPECT_EQ(space_->LastFault().kind, MemoryFaultKind::kProtection);
}

TEST_F(AddressSpaceTest, NoReplaceFailsWhereSomethingIs) {
  ASSERT_TRUE(MapAt(kAt, kPageSize));
  MapRequest request;
  request.address = kAt;
  request.size_bytes = kPageSize;
  request.fixed = request.no_replace = true;
  EXPECT_EQ(space_->Map(request), std::unexpected(MapError::kExists));
}

TEST_F(AddressSpaceTest, WithoutAnAddressTheHighestFreeRangeBelowTheTopIsTaken) {
  space_->SetMmapTop(0x70000000);
  MapRequest request;
  request.size_bytes = 100;
  request.protection = kProtRead;
  EXPECT_EQ(space_->Map(request), 0x70000000 - kPageSize);
  EXPECT_EQ(space_->Map(request), 0x70000000 - 2 * kPageSize);
  request.address = kAt;
  EXPECT_EQ(space_->Map(request), kAt);  // a hint that is free
  EXPECT_EQ(space_->Map(request), 0x70000000 - 3 * kPageSize);
}

TEST_F(AddressSpaceTest, ProtectionIsObeyedAndTheChargeStays) {
  ASSERT_TRUE(MapAt(kAt, 2 * kPageSize));
  EXPECT_TRUE(Write(kAt, "kept"));
  ASSERT_TRUE(space_->Protect(kAt, kPageSize, kProtNone));
  EXPECT_EQ(Read(kAt, 4), "");
  EXPECT_EQ(space_->LastFault().kind, MemoryFaultKind::kProtection);
  EXPECT_EQ(meter_.used_bytes(), kPageSize);
  ASSERT_TRUE(space_->Protect(kAt, kPageSize, kProtRead));
  EXPECT_EQ(Read(kAt, 4), "kept");
  EXPECT_FALSE(Write(kAt, "x"));
  EXPECT_EQ(space_->Protect(kAt + kPageSize, 2 * kPageSize, kProtRead),
            std::unexpected(MapError::kNoMemory));
  EXPECT_FALSE(Write(kAt + kPageSize, "x"));  // changed up to the hole
}

TEST_F(AddressSpaceTest, CopiesStopExactlyBeforeTheFirstByteThatCannotBeAccessed) {
  ASSERT_TRUE(MapAt(kAt, kPageSize));
  EXPECT_EQ(space_->CopyOut(kAt + kPageSize - 3, std::as_bytes(std::span("12345", 5))), 3u);
  EXPECT_EQ(space_->LastFault().address, kAt + kPageSize);
  EXPECT_EQ(Read(kAt + kPageSize - 3, 5), "123");
}

TEST_F(AddressSpaceTest, AddressesBeyondTheWindowFault) {
  std::array<std::byte, 4> bytes{};
  for (const GuestAddr at : {8_GiB, ~GuestAddr{0}, GuestAddr{1} << 63}) {
    EXPECT_EQ(space_->CopyIn(bytes, at), 0u);
    EXPECT_EQ(space_->Peek(bytes, at), 0u);
    EXPECT_EQ(space_->Poke(at, bytes), 0u);
    EXPECT_TRUE(space_->Resolve(at, 4, Access::kRead).has_value());
  }
  EXPECT_TRUE(space_->Resolve(8_GiB - 1, 2, Access::kRead).has_value());
}

TEST_F(AddressSpaceTest, AStoreThatWillFaultOnItsSecondPageChargesNothing) {
  ASSERT_TRUE(MapAt(kAt, kPageSize));
  ASSERT_TRUE(MapAt(kAt + kPageSize, kPageSize, kProtRead));
  const auto fault = space_->Resolve(kAt + kPageSize - 1, 2, Access::kWrite);
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->address, kAt + kPageSize);
  EXPECT_EQ(meter_.used_bytes(), 0u);
}

TEST_F(AddressSpaceTest, PagesBeyondAFileFaultAndTheLastPageEndsInZeros) {
  const HostFd file = File("file contents");
  ASSERT_TRUE(MapFile(file, 13, 3 * kPageSize));
  EXPECT_EQ(Read(kAt, 14), std::string("file contents\0", 14));
  EXPECT_EQ(Read(kAt + kPageSize, 1), "");
  EXPECT_EQ(space_->LastFault().kind, MemoryFaultKind::kBeyondFile);
  EXPECT_FALSE(Write(kAt + 2 * kPageSize, "x"));
  EXPECT_EQ(space_->LastFault().kind, MemoryFaultKind::kBeyondFile);
  std::array<std::byte, 2> bytes{};
  EXPECT_EQ(space_->Peek(bytes, kAt + kPageSize - 1), 1u);
}

TEST_F(AddressSpaceTest, StoresToAFileMappingArePrivateAndDiscardShowsTheFileAgain) {
  const HostFd file = File("original");
  ASSERT_TRUE(MapFile(file, 8, kPageSize));
  EXPECT_EQ(meter_.used_bytes(), 0u);
  EXPECT_TRUE(Write(kAt, "changed!"));
  EXPECT_EQ(meter_.used_bytes(), kPageSize);
  ASSERT_TRUE(space_->Discard(kAt, kPageSize));
  EXPECT_EQ(Read(kAt, 8), "original");
  EXPECT_EQ(meter_.used_bytes(), 0u);
  std::array<char, 8> bytes{};
  EXPECT_EQ(::pread(file.get(), bytes.data(), bytes.size(), 0), 8);
  EXPECT_EQ(std::string_view(bytes.data(), 8), "original");
}

TEST_F(AddressSpaceTest, UnmappedFilePagesNoLongerShowTheFile) {
  const HostFd file = File("secret");
  ASSERT_TRUE(MapFile(file, 6, kPageSize));
  ASSERT_TRUE(space_->Unmap(kAt, kPageSize));
  ASSERT_TRUE(MapAt(kAt, kPageSize));
  EXPECT_EQ(Read(kAt, 6), std::string(6, '\0'));
}

TEST_F(AddressSpaceTest, RemapMovesContentsAndChargesAndLeavesAHole) {
  ASSERT_TRUE(MapAt(kAt, 2 * kPageSize));
  ASSERT_TRUE(MapAt(kAt + 2 * kPageSize, kPageSize, kProtRead));  // in the way
  EXPECT_TRUE(Write(kAt + kPageSize, "moved"));
  EXPECT_EQ(Remap(*space_, kAt, 2 * kPageSize, 4 * kPageSize, false, std::nullopt),
            std::unexpected(MapError::kNoMemory));
  const GuestAddr to =
      Remap(*space_, kAt, 2 * kPageSize, 4 * kPageSize, true, std::nullopt).value();
  EXPECT_NE(to, kAt);
  EXPECT_EQ(Read(to + kPageSize, 5), "moved");
  EXPECT_EQ(Read(kAt + kPageSize, 1), "");
  EXPECT_EQ(meter_.used_bytes(), kPageSize);
  EXPECT_TRUE(space_->IsMapped(to, 4 * kPageSize));
}

TEST_F(AddressSpaceTest, RemapGrowsInPlaceWhereThereIsRoomAndShrinks) {
  ASSERT_TRUE(MapAt(kAt, kPageSize));
  EXPECT_EQ(Remap(*space_, kAt, kPageSize, 3 * kPageSize, false, std::nullopt), kAt);
  EXPECT_TRUE(space_->IsMapped(kAt, 3 * kPageSize));
  EXPECT_EQ(Remap(*space_, kAt, 3 * kPageSize, kPageSize, false, std::nullopt), kAt);
  EXPECT_FALSE(space_->IsMapped(kAt + kPageSize, 1));
}

TEST_F(AddressSpaceTest, AFileMappingThatMovesTakesItsChangesAlong) {
  const HostFd file = File(std::string(kPageSize, 'a') + "second page");
  ASSERT_TRUE(MapFile(file, kPageSize + 11, 3 * kPageSize));
  EXPECT_TRUE(Write(kAt, "mine"));
  EXPECT_EQ(Remap(*space_, kAt, 3 * kPageSize, 3 * kPageSize, true, kAt + 16_MiB), kAt + 16_MiB);
  EXPECT_EQ(Read(kAt + 16_MiB, 5), "minea");
  EXPECT_EQ(Read(kAt + 16_MiB + kPageSize, 11), "second page");
  EXPECT_EQ(Read(kAt + 16_MiB + 2 * kPageSize, 1), "");
  EXPECT_EQ(meter_.used_bytes(), kPageSize);
  EXPECT_EQ(Read(kAt, 1), "");
  ASSERT_TRUE(MapAt(kAt, kPageSize));
  EXPECT_EQ(Read(kAt, 4), std::string(4, '\0'));
  EXPECT_TRUE(Remap(*space_, kAt + 16_MiB, 3 * kPageSize, 4 * kPageSize, true, std::nullopt));
}

TEST_F(AddressSpaceTest, AFileMappingGrowsButItsFileDoesNot) {
  const HostFd file = File("text");
  ASSERT_TRUE(MapFile(file, 4, kPageSize));
  EXPECT_EQ(Remap(*space_, kAt, kPageSize, 2 * kPageSize, false, std::nullopt), kAt);
  EXPECT_EQ(Read(kAt, 4), "text");
  EXPECT_EQ(Read(kAt + kPageSize, 1), "");
  EXPECT_EQ(space_->LastFault().kind, MemoryFaultKind::kBeyondFile);
}

TEST_F(AddressSpaceTest, AMappingThatIsKeptReadsAsZerosWhileTheNewOneHasTheContents) {
  ASSERT_TRUE(MapAt(kAt, kPageSize));
  ASSERT_TRUE(Write(kAt, "moved"));
  const auto to = space_->Remap({.old_address = kAt,
                                 .old_size_bytes = kPageSize,
                                 .new_size_bytes = kPageSize,
                                 .may_move = true,
                                 .keep_old = true});
  ASSERT_TRUE(to);
  EXPECT_EQ(Read(*to, 5), "moved");
  EXPECT_EQ(Read(kAt, 2), std::string(2, '\0'));
  EXPECT_EQ(meter_.used_bytes(), kPageSize);
}

TEST_F(AddressSpaceTest, AStackGrowsDownToItsLimitAndKeepsAGap) {
  constexpr GuestAddr kStack = 1_GiB;
  space_->SetStackLimit(64 * kPageSize);
  MapRequest request;
  request.address = kStack - kPageSize;
  request.size_bytes = kPageSize;
  request.protection = kReadWrite;
  request.fixed = true;
  request.traits = kGrowsDown;
  ASSERT_TRUE(space_->Map(request));
  EXPECT_TRUE(Write(kStack - 64 * kPageSize, "deep"));
  EXPECT_TRUE(space_->IsMapped(kStack - 64 * kPageSize, 64 * kPageSize));
  EXPECT_FALSE(Write(kStack - 65 * kPageSize, "deeper"));
  EXPECT_EQ(space_->LastFault().kind, MemoryFaultKind::kUnmapped);
}

TEST_F(AddressSpaceTest, HostMappingsAreCountedAndGivenBack) {
  const std::size_t before = meter_.host_mappings();
  MapRequest request;
  request.size_bytes = 4 * kPageSize;
  request.protection = kReadWrite;
  request.shared = true;
  const GuestAddr at = space_->Map(request).value();
  const std::size_t one = meter_.host_mappings() - before;
  EXPECT_GT(one, 0u);
  ASSERT_TRUE(space_->Protect(at, kPageSize, kProtRead));
  EXPECT_EQ(meter_.host_mappings() - before, one) << "the host's mapping is still one";
  ASSERT_TRUE(space_->Unmap(at + kPageSize, kPageSize));
  EXPECT_EQ(meter_.host_mappings() - before, 2 * one);
  ASSERT_TRUE(space_->Unmap(at, 4 * kPageSize));
  EXPECT_EQ(meter_.host_mappings(), before);
  space_.reset();
  EXPECT_EQ(meter_.host_mappings(), 0u);
}

TEST_F(AddressSpaceTest, FileMappingsKeepNoDescriptor) {
  HostFd file = File("text");
  ASSERT_TRUE(MapFile(file, 4, kPageSize));
  const int number = file.get();
  file.Reset();
  EXPECT_EQ(::dup(0), number);  // the lowest number is free again
  ::close(number);
  EXPECT_EQ(Read(kAt, 4), "text");
}

TEST_F(AddressSpaceTest, MappingsAreLimited) {
  std::uint64_t made = 0;
  while (MapAt(kAt + made * 2 * kPageSize, kPageSize)) ++made;
  EXPECT_EQ(made, 100u);
  EXPECT_EQ(MapAt(kAt + made * 2 * kPageSize, kPageSize),
            std::unexpected(MapError::kTooManyMappings));
  EXPECT_TRUE(space_->Unmap(kAt, kPageSize));
  EXPECT_TRUE(MapAt(kAt, kPageSize));
}

TEST_F(AddressSpaceTest, BadRangesAreRefused) {
  EXPECT_EQ(MapAt(kAt + 1, kPageSize), std::unexpected(MapError::kInvalid));
  EXPECT_EQ(MapAt(kAt, 0), std::unexpected(MapError::kInvalid));
  EXPECT_EQ(MapAt(8_GiB - kPageSize, 2 * kPageSize), std::unexpected(MapError::kNoMemory));
  EXPECT_EQ(MapAt(0, ~std::uint64_t{0}), std::unexpected(MapError::kNoMemory));
  EXPECT_EQ(space_->Unmap(kAt, ~std::uint64_t{0}), std::unexpected(MapError::kInvalid));
  EXPECT_EQ(space_->Protect(kAt, ~std::uint64_t{0}, 0), std::unexpected(MapError::kNoMemory));
}

TEST_F(AddressSpaceTest, AHugeReservationCostsNoChargeAndCanGoAgain) {
  ASSERT_TRUE(MapAt(kAt, 7_GiB));
  EXPECT_TRUE(Write(kAt + 3_GiB, "x"));
  ASSERT_TRUE(space_->Protect(kAt, 7_GiB, kProtRead));
  EXPECT_EQ(Read(kAt + 3_GiB, 1), "x");
  EXPECT_FALSE(Write(kAt + 3_GiB, "y"));
  ASSERT_TRUE(space_->Unmap(kAt, 7_GiB));
  EXPECT_EQ(meter_.used_bytes(), 0u);
}

TEST_F(AddressSpaceTest, TheMeterIsGivenBackWithTheSpace) {
  ASSERT_TRUE(MapAt(kAt, 4 * kPageSize));
  EXPECT_TRUE(Write(kAt, "x"));
  space_.reset();
  EXPECT_EQ(meter_.used_bytes(), 0u);
}

class RecordingObserver final : public CodeObserver {
 public:
  void CodeChanged(GuestAddr address, std::uint64_t size_bytes) override {
    changes.emplace_back(address, size_bytes);
  }
  std::vector<std::pair<GuestAddr, std::uint64_t>> changes;
};

TEST_F(AddressSpaceTest, EveryWriterToACodePageTellsTheObserver) {
  RecordingObserver observer;
  ASSERT_TRUE(MapAt(kAt, 2 * kPageSize, kReadWrite | kProtExec));
  EXPECT_TRUE(Write(kAt, "code"));
  space_->SetCodeObserver(&observer);
  EXPECT_FALSE(space_->Resolve(kAt, 1, Access::kExecute).has_value());
  space_->MarkCode(kAt);
  EXPECT_TRUE(Write(kAt + kPageSize, "data"));  // the page beside it
  EXPECT_TRUE(observer.changes.empty());

  EXPECT_TRUE(Write(kAt + 4, "ab"));
  const std::byte byte{1};
  space_->Poke(kAt + 9, std::span(&byte, 1));
  EXPECT_FALSE(space_->Resolve(kAt + 16, 8, Access::kWrite).has_value());
  EXPECT_THAT(observer.changes, ElementsAre(Pair(kAt + 4, 2), Pair(kAt + 9, 1), Pair(kAt + 16, 8)));
  EXPECT_EQ(space_->flags()[kAt >> kPageShift] & kPlain, 0);  // until the observer unmarks it

  observer.changes.clear();
  ASSERT_TRUE(space_->Protect(kAt, kPageSize, kProtRead));
  ASSERT_TRUE(space_->Discard(kAt, kPageSize));
  ASSERT_TRUE(MapAt(kAt, kPageSize));
  EXPECT_THAT(observer.changes,
              ElementsAre(Pair(kAt, kPageSize), Pair(kAt, kPageSize), Pair(kAt, kPageSize)));
  space_->SetCodeObserver(nullptr);
}

}  // namespace
}  // namespace glovebox::engine
