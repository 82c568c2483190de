#include "server/store/blob_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "server/store/file_io.h"
#include "tests/unit/server/store/scratch.h"
#include "tests/unit/server/store/sync_probe.h"

namespace glovebox::server {
namespace {

using ::testing::ElementsAre;

class BlobStoreTest : public ::testing::Test {
 protected:
  void Reopen() { blobs_ = BlobStore::Open(scratch_.path()).value(); }
  void SetUp() override { Reopen(); }

  std::filesystem::path PathOf(const Digest& digest) const {
    return scratch_.path() / "blobs" / HexOf(digest).substr(0, 2) / HexOf(digest);
  }
  std::size_t Uploads() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(scratch_ / "uploads"))
      ++count;
    return count;
  }

  Scratch scratch_;
  std::unique_ptr<BlobStore> blobs_;
  const std::string text_ = std::string(100'000, 'g') + "lovebox";
  const Digest digest_ = DigestOf(BytesOf(text_));
};

TEST_F(BlobStoreTest, AnUploadInPiecesIsABlob) {
  EXPECT_THAT(blobs_->FindMissing({&digest_, 1}), ElementsAre(digest_));
  auto upload = blobs_->BeginUpload(digest_).value();
  ASSERT_TRUE(upload->Write(0, BytesOf(text_.substr(0, 5))));
  EXPECT_FALSE(upload->complete());
  ASSERT_TRUE(upload->Write(5, BytesOf(text_.substr(5))));
  EXPECT_TRUE(upload->complete());
  EXPECT_TRUE(blobs_->Has(digest_));
  EXPECT_EQ(blobs_->ReadAll(digest_, 1 << 20).value(), text_);
  EXPECT_TRUE(blobs_->QueryUpload(digest_).complete);
  struct stat status{};
  ASSERT_EQ(::stat(PathOf(digest_).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0400u);
  EXPECT_EQ(Uploads(), 0u);
}

TEST_F(BlobStoreTest, ABlobIsDurableBeforeItHasItsName) {
  std::vector<std::string> synced;
  bool named_before_sync = false;
  SetSyncHook([&](const std::string& path) {
    named_before_sync |= synced.empty() && std::filesystem::exists(PathOf(digest_));
    synced.push_back(path);
    return 0;
  });
  auto upload = blobs_->BeginUpload(digest_).value();
  ASSERT_TRUE(upload->Write(0, BytesOf(text_)));
  SetSyncHook(nullptr);
  ASSERT_EQ(synced.size(), 3u);  // the file, the name of its directory, its own name
  EXPECT_TRUE(synced[0].find("/uploads/") != std::string::npos);
  EXPECT_EQ(synced[1], std::filesystem::canonical(scratch_ / "blobs").string());
  EXPECT_EQ(synced[2], std::filesystem::canonical(PathOf(digest_).parent_path()).string());
  EXPECT_FALSE(named_before_sync);
}

TEST_F(BlobStoreTest, AnUploadThatBreaksOffGoesOnAfterARestart) {
  {
    auto upload = blobs_->BeginUpload(digest_).value();
    ASSERT_TRUE(upload->Write(0, BytesOf(text_.substr(0, 40'000))));
  }
  Reopen();
  EXPECT_EQ(blobs_->QueryUpload(digest_).committed_bytes, 40'000u);
  auto upload = blobs_->BeginUpload(digest_).value();
  EXPECT_EQ(upload->committed_bytes(), 40'000u);
  const auto gap = upload->Write(50'000, BytesOf("x"));
  EXPECT_EQ(gap.error().reason, "OFFSET_MISMATCH");
  ASSERT_TRUE(upload->Write(40'000, BytesOf(text_.substr(40'000))));
  EXPECT_TRUE(upload->complete());
}

TEST_F(BlobStoreTest, BytesOfAnotherBlobAreDropped) {
  std::string wrong = text_;
  wrong[7] = 'X';
  {
    auto upload = blobs_->BeginUpload(digest_).value();
    EXPECT_EQ(upload->Write(0, BytesOf(wrong)).error().reason, "DIGEST_MISMATCH");
  }
  EXPECT_FALSE(blobs_->Has(digest_));
  EXPECT_EQ(blobs_->QueryUpload(digest_).committed_bytes, 0u);
  auto again = blobs_->BeginUpload(digest_).value();
  ASSERT_TRUE(again->Write(0, BytesOf(text_)));
  EXPECT_TRUE(again->complete());
}

TEST_F(BlobStoreTest, MoreBytesThanTheBlobHasAreRefused) {
  auto upload = blobs_->BeginUpload(digest_).value();
  EXPECT_EQ(upload->Write(0, BytesOf(text_ + "!")).error().reason, "BLOB_TOO_LONG");
  EXPECT_EQ(upload->committed_bytes(), 0u);
}

TEST_F(BlobStoreTest, TwoUploadsOfOneBlobDoNotDisturbEachOther) {
  auto first = blobs_->BeginUpload(digest_).value();
  ASSERT_TRUE(first->Write(0, BytesOf(text_.substr(0, 10))));
  auto second = blobs_->BeginUpload(digest_).value();
  EXPECT_EQ(second->committed_bytes(), 0u);
  ASSERT_TRUE(second->Write(0, BytesOf(text_)));
  EXPECT_TRUE(second->complete());
  ASSERT_TRUE(first->Write(10, BytesOf(text_.substr(10))));
  EXPECT_TRUE(first->complete());
  first.reset();
  second.reset();
  EXPECT_EQ(blobs_->ReadAll(digest_, 1 << 20).value(), text_);
  EXPECT_EQ(Uploads(), 0u);
}

TEST_F(BlobStoreTest, TheEmptyBlobNeedsNoBytes) {
  const Digest empty = DigestOf(BytesOf(""));
  EXPECT_TRUE(blobs_->BeginUpload(empty).value()->complete());
  EXPECT_EQ(blobs_->ReadAll(empty, 10).value(), "");
}

TEST_F(BlobStoreTest, ABlobThatWasDamagedOnDiskIsFoundAtItsFirstOpenAndDropped) {
  ASSERT_TRUE(blobs_->BeginUpload(digest_).value()->Write(0, BytesOf(text_)));
  Reopen();
  {
    ASSERT_EQ(::chmod(PathOf(digest_).c_str(), 0600), 0);
    std::fstream file(PathOf(digest_), std::ios::in | std::ios::out);
    file.seekp(5);
    file.put('X');
  }
  const auto opened = blobs_->OpenVerified(digest_);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().reason, "BLOB_DAMAGED");
  EXPECT_EQ(opened.error().code, ErrorCode::kDataLoss);
  EXPECT_EQ(blobs_->losses(), 1u);
  EXPECT_FALSE(blobs_->Has(digest_));  // so the next client sends it again
}

TEST_F(BlobStoreTest, ABlobUnderAWrongSizeIsMissingAndStaysAsItIs) {
  ASSERT_TRUE(blobs_->BeginUpload(digest_).value()->Write(0, BytesOf(text_)));
  Digest wrong = digest_;
  wrong.size_bytes = 3;
  EXPECT_FALSE(blobs_->Has(wrong));
  EXPECT_EQ(blobs_->OpenVerified(wrong).error().reason, "BLOB_MISSING");
  EXPECT_TRUE(blobs_->OpenVerified(digest_).has_value());
}

TEST_F(BlobStoreTest, AFailedSyncPublishesNothing) {
  SetSyncHook([](const std::string& path) {
    return path.find("/uploads/") != std::string::npos ? EIO : 0;
  });
  const auto written = blobs_->BeginUpload(digest_).value()->Write(0, BytesOf(text_));
  SetSyncHook(nullptr);
  EXPECT_EQ(written.error().reason, "STORE_IO");
  EXPECT_FALSE(blobs_->Has(digest_));
  EXPECT_FALSE(std::filesystem::exists(PathOf(digest_)));
}

TEST_F(BlobStoreTest, WhatCannotBeResumedIsSweptAtTheNextStart) {
  std::ofstream(scratch_ / "uploads/abc.1") << "left by a daemon that was killed";
  {
    ASSERT_TRUE(blobs_->BeginUpload(digest_).value()->Write(0, BytesOf("g")));
  }
  Reopen();
  EXPECT_EQ(Uploads(), 1u);
  EXPECT_EQ(blobs_->QueryUpload(digest_).committed_bytes, 1u);
}

}  // namespace
}  // namespace glovebox::server
