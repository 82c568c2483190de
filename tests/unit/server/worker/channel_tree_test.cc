#include "server/worker/channel_tree.h"

#include <gmock/gmock.h>

#include <functional>
#include <string>

#include "glovebox/v1/tree.pb.h"

namespace glovebox::worker {
namespace {

namespace tree = glovebox::v1;

const std::string kHex(64, 'a');

tree::Node FileNode(const std::string& name) {
  tree::Node node;
  node.set_name(name);
  node.set_mode(0644);
  node.set_uid(1);
  node.set_gid(2);
  node.set_mtime_ns(-3);
  node.mutable_file()->set_sha256(kHex);
  node.mutable_file()->set_size_bytes(5);
  return node;
}

Result<std::vector<engine::TreeEntry>, Error> Parse(const tree::Directory& directory) {
  return ParseDirectory(directory.SerializeAsString(), Digest{});
}

TEST(ParseDirectoryTest, GivesEachKindOfEntryWithItsProperties) {
  tree::Directory directory;
  *directory.add_entries() = FileNode("a");
  tree::Node& folder = *directory.add_entries();
  folder.set_name("b");
  folder.mutable_directory()->set_sha256(kHex);
  tree::Node& link = *directory.add_entries();
  link.set_name("c");
  link.set_symlink("../x");
  const auto entries = Parse(directory);
  ASSERT_TRUE(entries.has_value()) << entries.error().message;
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].kind, engine::NodeKind::kFile);
  EXPECT_EQ((*entries)[0].mode, 0644u);
  EXPECT_EQ((*entries)[0].uid, 1u);
  EXPECT_EQ((*entries)[0].gid, 2u);
  EXPECT_EQ((*entries)[0].mtime_ns, -3);
  EXPECT_EQ((*entries)[0].digest.size_bytes, 5u);
  EXPECT_EQ(HexOf((*entries)[0].digest), kHex);
  EXPECT_EQ((*entries)[1].kind, engine::NodeKind::kDirectory);
  EXPECT_EQ((*entries)[2].kind, engine::NodeKind::kSymlink);
  EXPECT_EQ((*entries)[2].target, "../x");
}

struct BadRow {
  const char* what;
  std::function<void(tree::Node&)> change;
};

TEST(ParseDirectoryTest, RefusesEntriesThatBreakTheContract) {
  const BadRow rows[] = {
      {"no name", [](tree::Node& node) { node.set_name(""); }},
      {"dot", [](tree::Node& node) { node.set_name("."); }},
      {"dot dot", [](tree::Node& node) { node.set_name(".."); }},
      {"slash", [](tree::Node& node) { node.set_name("a/b"); }},
      {"NUL", [](tree::Node& node) { node.set_name(std::string("a\0b", 3)); }},
      {"long name", [](tree::Node& node) { node.set_name(std::string(256, 'a')); }},
      {"mode", [](tree::Node& node) { node.set_mode(0100644); }},
      {"no kind", [](tree::Node& node) { node.clear_kind(); }},
      {"short digest", [](tree::Node& node) { node.mutable_file()->set_sha256("aa"); }},
      {"upper-case digest",
       [](tree::Node& node) { node.mutable_file()->set_sha256(std::string(64, 'A')); }},
      {"empty target", [](tree::Node& node) { node.set_symlink(""); }},
      {"long target", [](tree::Node& node) { node.set_symlink(std::string(4096, 'a')); }},
  };
  for (const BadRow& row : rows) {
    tree::Directory directory;
    tree::Node node = FileNode("name");
    row.change(node);
    *directory.add_entries() = node;
    const auto entries = Parse(directory);
    ASSERT_FALSE(entries.has_value()) << row.what;
    EXPECT_EQ(entries.error().reason, "DIRECTORY_INVALID") << row.what;
  }
}

TEST(ParseDirectoryTest, RefusesNamesOutOfOrderOrTwice) {
  for (const char* second : {"a", "b"}) {
    tree::Directory directory;
    *directory.add_entries() = FileNode("b");
    *directory.add_entries() = FileNode(second);
    EXPECT_FALSE(Parse(directory).has_value()) << second;
  }
}

TEST(ParseDirectoryTest, RefusesBytesThatAreNoListing) {
  EXPECT_FALSE(ParseDirectory("\xff\xff\xff", Digest{}).has_value());
}

}  // namespace
}  // namespace glovebox::worker
