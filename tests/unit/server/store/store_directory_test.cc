#include "server/store/store_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "server/store/file_io.h"
#include "server/store/input_file.h"
#include "tests/unit/server/store/scratch.h"

namespace glovebox::server {
namespace {

TEST(StoreDirectory, IsPrivateAndHeldByOne) {
  const Scratch scratch;
  auto held = StoreDirectory::Acquire(scratch / "a/b/store");
  ASSERT_TRUE(held.has_value()) << held.error().message;
  struct stat status{};
  ASSERT_EQ(::stat((scratch / "a/b/store").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  const auto second = StoreDirectory::Acquire(scratch / "a/b/store");
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().reason, "STORE_IN_USE");
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
}

TEST(StoreDirectory, IsFreeOnceItsHolderIsGone) {
  const Scratch scratch;
  {
    ASSERT_TRUE(StoreDirectory::Acquire(scratch / "store").has_value());
  }
  EXPECT_TRUE(StoreDirectory::Acquire(scratch / "store").has_value());
}

TEST(StoreDirectory, OneThatOthersCanWriteToIsRefused) {
  const Scratch scratch;
  ASSERT_TRUE(StoreDirectory::Acquire(scratch / "store").has_value());
  ASSERT_EQ(::chmod((scratch / "store").c_str(), 0777), 0);
  EXPECT_EQ(StoreDirectory::Acquire(scratch / "store").error().reason, "STORE_NOT_PRIVATE");
}

TEST(StoreDirectory, SweepsWhatNoJobNeeds) {
  const Scratch scratch;
  auto store = StoreDirectory::Acquire(scratch / "store").value();
  for (const char* job : {"ended", "unfinished", "deleted"}) {
    std::ofstream(store.output_log(job)) << "x";
    std::ofstream(store.input(job)) << "x";
  }
  ASSERT_TRUE(store.Sweep([](std::string_view job) {
    return job == "ended"        ? StoreDirectory::Kept::kAll
           : job == "unfinished" ? StoreDirectory::Kept::kInputOnly
                                 : StoreDirectory::Kept::kNothing;
  }));
  EXPECT_TRUE(std::filesystem::exists(store.output_log("ended")));
  EXPECT_FALSE(std::filesystem::exists(store.output_log("unfinished")));
  EXPECT_TRUE(std::filesystem::exists(store.input("unfinished")));
  EXPECT_FALSE(std::filesystem::exists(store.input("deleted")));
}

TEST(InputFile, TakesBytesInOrderAndTheSameAgain) {
  const Scratch scratch;
  auto input = InputFile::Open(scratch / "in", 0, false).value();
  EXPECT_FALSE(std::filesystem::exists(scratch / "in"));
  ASSERT_TRUE(input->Write(0, BytesOf("hello"), false));
  ASSERT_TRUE(input->Write(3, BytesOf("lo world"), false));
  EXPECT_EQ(input->Read(0, 100).value(), "hello world");
  EXPECT_EQ(input->Write(20, BytesOf("x"), false).error().reason, "OFFSET_MISMATCH");
  EXPECT_EQ(input->Write(0, BytesOf("jello"), false).error().reason, "OFFSET_MISMATCH");
  EXPECT_EQ(input->Write(5, BytesOf(""), true).error().reason, "OFFSET_MISMATCH");
  ASSERT_TRUE(input->Write(11, BytesOf(""), true));
  EXPECT_TRUE(input->state().ended);
  EXPECT_EQ(input->Write(11, BytesOf("more"), false).error().reason, "INPUT_ENDED");
  ASSERT_TRUE(input->Write(6, BytesOf("world"), true));  // a client that says it all again
}

TEST(InputFile, WhatWasNotDurableIsCutAndWhatIsLostIsDamage) {
  const Scratch scratch;
  {
    auto input = InputFile::Open(scratch / "in", 0, false).value();
    ASSERT_TRUE(input->Write(0, BytesOf("durable, and not"), false));
  }
  auto input = InputFile::Open(scratch / "in", 7, false).value();
  EXPECT_EQ(input->Read(0, 100).value(), "durable");
  EXPECT_EQ(InputFile::Open(scratch / "in", 8, true).error().reason, "INPUT_DAMAGED");
}

}  // namespace
}  // namespace glovebox::server
