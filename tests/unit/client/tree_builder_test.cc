#include "client/tree/tree_builder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <set>

#include "engine/linux/default_root.h"
#include "tests/unit/client/temp_dir.h"

namespace glovebox::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Worked out by hand from tree.proto and the encoding of protobuf, not by this program.
constexpr std::string_view kGoldenRoot =
    "60cc77f7c2a6034c3ec13beabca6cf5d9112613e94444aff534340092c31af27";

// The listings of a tree, walked by path.
class TreeView {
 public:
  explicit TreeView(const Tree& tree) : tree_(tree) {}

  v1::Directory Directory(const v1::Digest& digest) const {
    v1::Directory listing;
    for (const BlobSource& blob : tree_.blobs) {
      if (HexOf(blob.digest) != digest.sha256()) continue;
      listing.ParseFromString(std::get<std::string>(blob.content));
    }
    return listing;
  }
  v1::Node At(std::vector<std::string> names) const {
    v1::Node node;
    *node.mutable_directory() = ToProto(tree_.root);
    for (const std::string& name : names) {
      v1::Node next;
      const v1::Directory listing = Directory(node.directory());
      for (const v1::Node& entry : listing.entries()) {
        if (entry.name() == name) next = entry;
      }
      node = next;
    }
    return node;
  }

 private:
  const Tree& tree_;
};

class TreeBuilderTest : public testing::Test {
 protected:
  TempDir host_;
  TreeBuilder builder_{{}};

  std::string FailureOf(const Result<void, Error>& result) const {
    return result ? "none" : result.error().reason + ": " + result.error().message;
  }
};

TEST_F(TreeBuilderTest, StartsWithTheDefaultRootAndNothingElse) {
  const Tree tree = *builder_.Build();
  const TreeView view(tree);
  const v1::Directory root = view.Directory(ToProto(tree.root));
  ASSERT_EQ(root.entries_size(), static_cast<int>(engine::kDefaultRoot.size()));
  for (int i = 0; i < root.entries_size(); ++i) {
    EXPECT_EQ("/" + root.entries(i).name(), engine::kDefaultRoot[static_cast<std::size_t>(i)].path);
    EXPECT_EQ(root.entries(i).mode(), engine::kDefaultRoot[static_cast<std::size_t>(i)].mode);
    EXPECT_EQ(root.entries(i).mtime_ns(), 0);
  }
  EXPECT_EQ(view.At({"tmp"}).mode(), 01777u);
}

TEST_F(TreeBuilderTest, KeepsTheRwxBitsAndNothingElseOfAFile) {
  const std::string program = host_.Write("prog", "#!", 04751);
  ASSERT_TRUE(builder_.AddFile(program, "/opt/deep/prog"));
  const Tree tree = *builder_.Build();
  const v1::Node node = TreeView(tree).At({"opt", "deep", "prog"});
  EXPECT_EQ(node.mode(), 0751u);
  EXPECT_EQ(node.uid(), 0u);
  EXPECT_EQ(node.mtime_ns(), 0);
  EXPECT_EQ(node.file().size_bytes(), 2u);
  EXPECT_EQ(TreeView(tree).At({"opt", "deep"}).mode(), 0755u);
}

TEST_F(TreeBuilderTest, KeepsTheTimeWhenAsked) {
  const std::string file = host_.Write("f", "x");
  const timespec times[2] = {{12, 34}, {12, 34}};
  ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  TreeBuilder builder({.keep_mtime = true});
  ASSERT_TRUE(builder.AddFile(file, "/f"));
  EXPECT_EQ(TreeView(*builder.Build()).At({"f"}).mtime_ns(), 12'000'000'034);
}

TEST_F(TreeBuilderTest, GivesTheSameRootWhateverTheOrder) {
  const std::string a = host_.Write("a", "one");
  const std::string b = host_.Write("b", "two");
  TreeBuilder other({});
  ASSERT_TRUE(builder_.AddFile(a, "/x/a") && builder_.AddFile(b, "/x/b") &&
              builder_.MakeDirectory("/w"));
  ASSERT_TRUE(other.MakeDirectory("/w") && other.AddFile(b, "/x/b") && other.AddFile(a, "/x/a"));
  EXPECT_EQ(builder_.Build()->root, other.Build()->root);
}

TEST_F(TreeBuilderTest, SortsEntriesByTheirBytes) {
  const std::string file = host_.Write("f", "x");
  for (const char* name : {"/d/\xc3\xa9", "/d/z", "/d/a.b", "/d/a", "/d/B"}) {
    ASSERT_TRUE(builder_.AddFile(file, name));
  }
  const Tree tree = *builder_.Build();
  const TreeView view(tree);
  const v1::Directory listing = view.Directory(view.At({"d"}).directory());
  std::vector<std::string> names;
  for (const v1::Node& node : listing.entries()) {
    names.push_back(node.name());
  }
  EXPECT_THAT(names, ElementsAre("B", "a", "a.b", "z", "\xc3\xa9"));
}

// The digest is part of the contract between clients: same root here, in other clients and in other
// builds.
TEST_F(TreeBuilderTest, HasTheGoldenDigest) {
  const std::string file = host_.Write("hello", "hello\n", 0755);
  ASSERT_TRUE(builder_.AddFile(file, "/bin/hello"));
  const Tree tree = *builder_.Build();
  const v1::Node hello = TreeView(tree).At({"bin", "hello"});
  EXPECT_EQ(hello.file().sha256(),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  EXPECT_EQ(HexOf(tree.root), kGoldenRoot);
}

TEST_F(TreeBuilderTest, LetsTheLastFileWin) {
  ASSERT_TRUE(builder_.AddFile(host_.Write("a", "first"), "/f"));
  ASSERT_TRUE(builder_.AddFile(host_.Write("b", "the second"), "/f"));
  EXPECT_EQ(TreeView(*builder_.Build()).At({"f"}).file().size_bytes(), 10u);
}

TEST_F(TreeBuilderTest, RefusesAFileWhereADirectoryIsAndTheOtherWayRound) {
  const std::string file = host_.Write("f", "x");
  ASSERT_TRUE(builder_.AddFile(file, "/data/f"));
  EXPECT_THAT(FailureOf(builder_.AddFile(file, "/data")),
              HasSubstr("PATH_CONFLICT: /data in the box is a directory"));
  EXPECT_THAT(FailureOf(builder_.AddFile(file, "/data/f/g")),
              HasSubstr("PATH_CONFLICT: /data/f in the box"));
  EXPECT_THAT(FailureOf(builder_.AddFile(file, "/")), HasSubstr("PATH_CONFLICT"));
}

TEST_F(TreeBuilderTest, SaysWhatIsWrongWithAHostFile) {
  EXPECT_THAT(FailureOf(builder_.AddFile(host_.Path("absent"), "/f")), HasSubstr("FILE_NOT_FOUND"));
  EXPECT_THAT(FailureOf(builder_.AddFile(host_.Path("."), "/f")), HasSubstr("is a directory"));
  const std::string pipe = host_.Path("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(FailureOf(builder_.AddFile(pipe, "/f")),
              HasSubstr("NOT_A_FILE"));  // and it does not hang
}

TEST_F(TreeBuilderTest, StoresABlobOnceHoweverOftenItIsNamed) {
  const std::string file = host_.Write("f", "same");
  ASSERT_TRUE(builder_.AddFile(file, "/a/f") && builder_.AddFile(file, "/b/f") &&
              builder_.AddFile(file, "/b/g"));
  const Tree tree = *builder_.Build();
  std::set<Digest> digests;
  for (const BlobSource& blob : tree.blobs) EXPECT_TRUE(digests.insert(blob.digest).second);
}

TEST_F(TreeBuilderTest, AddsADirectoryWithItsLinks) {
  host_.Write("d/sub/file", "x", 0640);
  ASSERT_EQ(::symlink("sub/file", host_.Path("d/link").c_str()), 0);
  ASSERT_EQ(::symlink("../outside", host_.Path("d/dangling").c_str()), 0);
  ASSERT_TRUE(builder_.AddDirectory(host_.Path("d"), "/data"));
  const Tree tree = *builder_.Build();
  EXPECT_EQ(TreeView(tree).At({"data", "sub", "file"}).mode(), 0640u);
  EXPECT_EQ(TreeView(tree).At({"data", "link"}).symlink(), "sub/file");
  EXPECT_EQ(TreeView(tree).At({"data", "dangling"}).symlink(), "../outside");
  EXPECT_THAT(FailureOf(builder_.AddDirectory(host_.Path("d/sub/file"), "/x")),
              HasSubstr("NOT_A_DIRECTORY"));
}

TEST_F(TreeBuilderTest, NoticesAFileThatChangedSinceItWasHashed) {
  const std::string path = host_.Write("f", "before");
  const auto source = HashHostFile(path);
  ASSERT_TRUE(source);
  const auto& file = std::get<BlobSource::File>(source->content);
  EXPECT_TRUE(ReopenHostFile(path, file.identity));
  std::ofstream(path, std::ios::app) << " and after";
  const auto reopened = ReopenHostFile(path, file.identity);
  ASSERT_FALSE(reopened);
  EXPECT_EQ(reopened.error().reason, "FILE_CHANGED");
}

TEST_F(TreeBuilderTest, NoticesAFileThatShrinksWhileItIsRead) {
  const std::string path = host_.Write("f", std::string(100'000, 'x'));
  const auto opened = OpenHostFile(path);
  ASSERT_TRUE(opened);
  const auto read =
      ReadPieces(opened->fd, path, opened->identity, 0, 4096,
                 [&](std::span<const std::byte>) { return ::truncate(path.c_str(), 10) == 0; });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().reason, "FILE_CHANGED");
}

}  // namespace
}  // namespace glovebox::client
