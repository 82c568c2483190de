// Files that address spaces map shared: one memory, one account.
#include "engine/vfs/shared_file.h"

#include "engine/memory/address_space.h"
#include "tests/unit/engine/vfs/vfs_fixture.h"

namespace glovebox::engine {
namespace {

constexpr std::uint8_t kReadWrite = kProtRead | kProtWrite;

class SharedFileTest : public VfsTest {
 protected:
  void SetUp() override {
    VfsTest::SetUp();
    space_ = MakeSpace();
    file_ = MakeFile("/tmp/shared");
  }
  std::unique_ptr<AddressSpace> MakeSpace() {
    return AddressSpace::Make({.window_bytes = 8_GiB, .max_mappings = 100}, meter_).value();
  }
  GuestAddr Map(AddressSpace& space, RegularFile& file, std::uint64_t pages,
                std::uint64_t offset = 0) {
    MapRequest request;
    request.size_bytes = pages * kPageSize;
    request.protection = kReadWrite;
    request.shared = true;
    request.file = FileBacking{.shared = file.Share(offset + request.size_bytes).value(),
                               .offset_bytes = offset};
    return space.Map(request).value();
  }
  static bool Store(AddressSpace& space, GuestAddr at, std::string_view text) {
    return space.CopyOut(at, std::as_bytes(std::span(text))) == text.size();
  }
  static std::string Load(AddressSpace& space, GuestAddr at, std::size_t size) {
    std::string text(size, '?');
    text.resize(space.CopyIn(std::as_writable_bytes(std::span(text)), at));
    return text;
  }

  MemoryMeter meter_{1_MiB};
  std::unique_ptr<AddressSpace> space_;
  std::shared_ptr<RegularFile> file_;
};

TEST_F(SharedFileTest, StoresAndWritesMeetInOneMemory) {
  ASSERT_TRUE(Write(file_->content, 0, "written"));
  const GuestAddr at = Map(*space_, *file_, 1);
  EXPECT_EQ(Load(*space_, at, 7), "written");
  EXPECT_TRUE(Store(*space_, at, "STORE"));
  EXPECT_EQ(Text(file_->content), "STOREen");
  ASSERT_TRUE(Write(file_->content, 5, "XY"));
  EXPECT_EQ(Load(*space_, at, 7), "STOREXY");
  const auto other = MakeSpace();
  const GuestAddr there = Map(*other, *file_, 1);
  EXPECT_TRUE(Store(*other, there, "other"));
  EXPECT_EQ(Load(*space_, at, 7), "otherXY");
}

TEST_F(SharedFileTest, ABlobOfTheRootIsCopiedUpPageByPage) {
  const auto motd = std::static_pointer_cast<RegularFile>(Find("/etc/motd")->ref.inode);
  const std::uint64_t before = services->disk.used_bytes();
  const GuestAddr at = Map(*space_, *motd, 1);
  EXPECT_EQ(services->disk.used_bytes(), before);
  EXPECT_EQ(Load(*space_, at, 8), "welcome\n");
  EXPECT_EQ(services->disk.used_bytes(), before + kPageSize);
  EXPECT_TRUE(Store(*space_, at, "W"));
  EXPECT_EQ(Text(motd->content), "Welcome\n");
  EXPECT_EQ(motd->content.untouched_blob(), nullptr);
  EXPECT_EQ(meter_.used_bytes(), 0u) << "the disk limit has it";
}

TEST_F(SharedFileTest, PagesBehindTheEndFaultUntilTheFileGrows) {
  ASSERT_TRUE(Write(file_->content, 0, "x"));
  const GuestAddr at = Map(*space_, *file_, 3);
  EXPECT_EQ(Load(*space_, at + kPageSize, 1), "");
  EXPECT_EQ(space_->LastFault().kind, MemoryFaultKind::kBeyondFile);
  ASSERT_TRUE(file_->content.Resize(2 * kPageSize));
  EXPECT_TRUE(Store(*space_, at + kPageSize, "y"));
  ASSERT_TRUE(file_->content.Resize(1));
  EXPECT_FALSE(Store(*space_, at + kPageSize, "z"));
  ASSERT_TRUE(file_->content.Resize(2 * kPageSize));
  EXPECT_EQ(Load(*space_, at + kPageSize, 1), std::string(1, '\0'));
}

TEST_F(SharedFileTest, AFullDiskIsAFaultAndExact) {
  ASSERT_TRUE(file_->content.Resize(2 * kDiskBytes));
  const GuestAddr at = Map(*space_, *file_, 2 * kDiskBytes / kPageSize);
  const std::uint64_t room = services->disk.limit_bytes() - services->disk.used_bytes();
  std::uint64_t stored = 0;
  while (Store(*space_, at + stored, "s")) stored += kPageSize;
  EXPECT_EQ(stored, room / kPageSize * kPageSize);
  EXPECT_EQ(space_->LastFault().kind, MemoryFaultKind::kBeyondFile);
  ASSERT_TRUE(file_->content.Punch(0, 4 * kPageSize));
  EXPECT_TRUE(Store(*space_, at + stored, "s"));
}

TEST_F(SharedFileTest, WhatAMappingGrowsToMovesTheMemoryUnderAllOfThem) {
  ASSERT_TRUE(file_->content.Resize(4_MiB));
  const GuestAddr at = Map(*space_, *file_, 1);
  EXPECT_TRUE(Store(*space_, at, "first"));
  // Far behind: the object has to get a larger place on the host.
  const GuestAddr far = Map(*space_, *file_, 1, 3_MiB);
  EXPECT_TRUE(Store(*space_, far, "far"));
  EXPECT_EQ(Load(*space_, at, 5), "first");
  EXPECT_TRUE(Store(*space_, at, "FIRST"));
  std::string text(5, '?');
  ASSERT_EQ(file_->content.Read(0, std::as_writable_bytes(std::span(text))), 5u);
  EXPECT_EQ(text, "FIRST");
}

TEST_F(SharedFileTest, TheFileLivesAndIsChargedAsLongAsItIsMapped) {
  const GuestAddr at = Map(*space_, *file_, 1);
  ASSERT_TRUE(file_->content.Resize(kPageSize));
  EXPECT_TRUE(Store(*space_, at, "kept"));
  ASSERT_TRUE(files->Unlink(*Find("/tmp/shared"), who));
  const std::uint64_t charged = services->disk.used_bytes();
  file_.reset();
  EXPECT_EQ(services->disk.used_bytes(), charged);
  EXPECT_EQ(Load(*space_, at, 4), "kept");
  ASSERT_TRUE(space_->Unmap(at, kPageSize));
  EXPECT_LT(services->disk.used_bytes(), charged);
}

// Code that was decoded from one mapping is void when another one is stored to.
class Watcher : public CodeObserver {
 public:
  explicit Watcher(AddressSpace& space) : space_(space) {}
  void CodeChanged(GuestAddr address, std::uint64_t) override {
    ++changes;
    space_.UnmarkCode(PageFloor(address));
  }
  int changes = 0;

 private:
  AddressSpace& space_;
};

TEST_F(SharedFileTest, CodeOfAnotherSpaceIsVoidWhenItsBytesChange) {
  ASSERT_TRUE(file_->content.Resize(2 * kPageSize));
  const GuestAddr at = Map(*space_, *file_, 2);
  const auto other = MakeSpace();
  const GuestAddr there = Map(*other, *file_, 2);
  Watcher watcher(*other);
  other->SetCodeObserver(&watcher);
  ASSERT_TRUE(Store(*space_, at, "code"));
  ASSERT_FALSE(other->Resolve(there, 1, Access::kRead).has_value());
  other->MarkCode(there);
  EXPECT_TRUE(Store(*space_, at + kPageSize, "another page"));
  EXPECT_EQ(watcher.changes, 0);
  EXPECT_TRUE(Store(*space_, at + 1, "x"));
  EXPECT_EQ(watcher.changes, 1);
  EXPECT_TRUE(Store(*space_, at + 1, "y"));
  EXPECT_EQ(watcher.changes, 1) << "nothing is decoded any more";
  other->MarkCode(there);
  ASSERT_TRUE(Write(file_->content, 3, "written"));
  EXPECT_EQ(watcher.changes, 2);
}

}  // namespace
}  // namespace glovebox::engine
