#include "engine/vfs/file_content.h"

#include "tests/unit/engine/vfs/vfs_fixture.h"

namespace glovebox::engine {
namespace {

class FileContentTest : public VfsTest {
 protected:
  FileContent& Motd() {
    return std::static_pointer_cast<RegularFile>(Find("/etc/motd")->ref.inode)->content;
  }
};

TEST_F(FileContentTest, ReadShowsTheBlobOfTheRoot) { EXPECT_EQ(Text(Motd()), "welcome\n"); }

TEST_F(FileContentTest, WriteChangesTheOverlayAndNotTheBlob) {
  FileContent& motd = Motd();
  const Digest blob = *motd.untouched_blob();
  EXPECT_EQ(*Write(motd, 0, "WEL"), 3u);
  EXPECT_EQ(Text(motd), "WELcome\n");
  EXPECT_EQ(motd.untouched_blob(), nullptr);
  std::array<std::byte, 3> bytes;
  EXPECT_EQ(*services->blobs.Read(blob, 0, bytes), 3u);
  EXPECT_EQ(static_cast<char>(bytes[0]), 'w');
}

TEST_F(FileContentTest, ShrinkingThenGrowingShowsZerosInsteadOfTheBlob) {
  FileContent& motd = Motd();
  ASSERT_TRUE(motd.Resize(3));
  ASSERT_TRUE(motd.Resize(6));
  EXPECT_EQ(Text(motd), std::string("wel\0\0\0", 6));
}

TEST_F(FileContentTest, ShrinkingThenGrowingShowsZerosInsteadOfWrittenBytes) {
  FileContent content(services);
  ASSERT_TRUE(Write(content, 0, "abcdef"));
  ASSERT_TRUE(content.Resize(2));
  ASSERT_TRUE(content.Resize(6));
  EXPECT_EQ(Text(content), std::string("ab\0\0\0\0", 6));
}

TEST_F(FileContentTest, HoleCostsNothingAndReadsAsZeros) {
  FileContent content(services);
  const std::uint64_t before = services->disk.used_bytes();
  ASSERT_TRUE(Write(content, 10 * FileContent::kBlockBytes, "x"));
  EXPECT_EQ(services->disk.used_bytes() - before, FileContent::kBlockBytes);
  EXPECT_EQ(Text(content), std::string(10 * FileContent::kBlockBytes, '\0') + "x");
  EXPECT_EQ(content.NextData(0), 10 * FileContent::kBlockBytes);
  EXPECT_EQ(content.NextHole(0), 0u);
  EXPECT_EQ(content.NextHole(10 * FileContent::kBlockBytes), 10 * FileContent::kBlockBytes + 1);
}

TEST_F(FileContentTest, WriteBeyondTheDiskLimitIsCutThenEnospc) {
  Build(2 * FileContent::kBlockBytes);
  FileContent content(services);
  const std::string text(3 * FileContent::kBlockBytes, 'x');
  EXPECT_EQ(*Write(content, 0, text), 2 * FileContent::kBlockBytes);
  EXPECT_EQ(Write(content, 2 * FileContent::kBlockBytes, "y").error(), kENOSPC);
  EXPECT_EQ(content.size_bytes(), 2 * FileContent::kBlockBytes);
  ASSERT_TRUE(content.Resize(0));
  EXPECT_EQ(services->disk.used_bytes(), 0u);
  EXPECT_TRUE(Write(content, 0, "y"));
}

TEST_F(FileContentTest, DiskIsGivenBackWithTheFile) {
  {
    FileContent content(services);
    ASSERT_TRUE(Write(content, 0, "text"));
    EXPECT_GT(services->disk.used_bytes(), 0u);
  }
  EXPECT_EQ(services->disk.used_bytes(), 0u);
}

TEST_F(FileContentTest, PunchZeroesTheBlobTheBlocksAndPartsOfThem) {
  FileContent& motd = Motd();
  ASSERT_TRUE(motd.Punch(2, 3));
  EXPECT_EQ(Text(motd), std::string("we\0\0\0me\n", 8));
  ASSERT_TRUE(motd.Punch(0, ~std::uint64_t{0}));
  EXPECT_EQ(Text(motd), std::string(8, '\0'));
}

TEST_F(FileContentTest, BeyondTheLargestFileIsEfbig) {
  FileContent content(services);
  EXPECT_EQ(Write(content, FileContent::kMaxBytes, "x").error(), kEFBIG);
  EXPECT_EQ(content.Resize(FileContent::kMaxBytes + 1).error(), kEFBIG);
  EXPECT_EQ(content.Allocate(~std::uint64_t{0}, 2).error(), kEFBIG);
  EXPECT_EQ(content.Allocate(0, kDiskBytes + 1).error(), kENOSPC);
}

TEST_F(FileContentTest, ManyFilesKeepFewDescriptorsOpen) {
  for (int i = 0; i < 500; ++i) tree.AddFile("/many/" + std::to_string(i), std::to_string(i), 0644);
  Build(kDiskBytes);
  for (int i = 0; i < 500; ++i) {
    const auto file =
        std::static_pointer_cast<RegularFile>(Find("/many/" + std::to_string(i))->ref.inode);
    EXPECT_EQ(Text(file->content), std::to_string(i));
  }
  EXPECT_EQ(services->blobs.open_count(), BlobCache::kMaxOpen);
}

// A source that loses its blobs.
class LossySource : public TreeSource {
 public:
  Result<std::vector<TreeEntry>, Error> ReadDirectory(const Digest&) override {
    return Fail(ErrorCode::kDataLoss, "BLOB_DAMAGED", "directory");
  }
  Result<HostFd, Error> OpenFile(const Digest&) override {
    return Fail(ErrorCode::kDataLoss, "BLOB_DAMAGED", "file");
  }
};

TEST(BlobCacheTest, FailureOfTheSourceIsKeptForTheOperator) {
  LossySource source;
  BlobCache blobs(source);
  std::array<std::byte, 4> bytes;
  Digest digest;
  digest.size_bytes = 4;
  EXPECT_EQ(blobs.Read(digest, 0, bytes).error(), kEIO);
  ASSERT_TRUE(blobs.failure());
  EXPECT_EQ(blobs.failure()->reason, "BLOB_DAMAGED");
}

}  // namespace
}  // namespace glovebox::engine
