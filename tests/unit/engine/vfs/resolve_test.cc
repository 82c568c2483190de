#include "engine/vfs/resolve.h"

#include "tests/unit/engine/vfs/vfs_fixture.h"

namespace glovebox::engine {
namespace {

using ResolveTest = VfsTest;

TEST_F(ResolveTest, FindsFilesDirectoriesAndThroughLinks) {
  EXPECT_TRUE(Find("/etc/motd")->ref.inode->is(kTypeRegular));
  EXPECT_TRUE(Find("/etc")->ref.inode->is(kTypeDirectory));
  EXPECT_EQ(Find("/etc/link")->ref.inode, Find("/etc/motd")->ref.inode);
  EXPECT_EQ(Find("/etc/absolute")->ref.inode, Find("/bin/tool")->ref.inode);
  EXPECT_EQ(Find("etc/./../etc//motd")->ref.inode, Find("/etc/motd")->ref.inode);
}

TEST_F(ResolveTest, DotDotNeverLeavesTheRoot) {
  EXPECT_EQ(Find("/../../..")->ref.inode, files->root());
  EXPECT_EQ(Find("/etc/up")->ref.inode, Find("/etc/motd")->ref.inode);
  EXPECT_EQ(Find("../../etc/motd")->ref.inode, Find("/etc/motd")->ref.inode);
}

TEST_F(ResolveTest, ErrorsAreThoseOfLinux) {
  EXPECT_EQ(ErrorOf(""), kENOENT);
  EXPECT_EQ(ErrorOf("/missing"), kENOENT);
  EXPECT_EQ(ErrorOf("/missing/x"), kENOENT);
  EXPECT_EQ(ErrorOf("/etc/motd/x"), kENOTDIR);
  EXPECT_EQ(ErrorOf("/etc/motd/"), kENOTDIR);
  EXPECT_EQ(ErrorOf("/etc/motd/.."), kENOTDIR);
  EXPECT_EQ(ErrorOf("/loop"), kELOOP);
  EXPECT_EQ(ErrorOf("/" + std::string(256, 'x')), kENAMETOOLONG);
  EXPECT_EQ(ErrorOf("/" + std::string(255, 'x')), kENOENT);
}

TEST_F(ResolveTest, LastLinkIsFollowedOnlyWhereAskedForOrBeforeASlash) {
  ResolveOptions no_follow;
  no_follow.follow_last = false;
  EXPECT_TRUE(Find("/etc/link", no_follow)->ref.inode->is(kTypeSymlink));
  EXPECT_TRUE(Find("/loop", no_follow)->ref.inode->is(kTypeSymlink));
  tree.AddSymlink("/to-etc", "etc");
  Build(kDiskBytes);
  EXPECT_TRUE(Find("/to-etc", no_follow)->ref.inode->is(kTypeSymlink));
  EXPECT_TRUE(Find("/to-etc/", no_follow)->ref.inode->is(kTypeDirectory));
}

TEST_F(ResolveTest, FortyLinksAreFollowedAndNotOneMore) {
  tree.AddFile("/chain0", "end", 0644);
  for (int i = 1; i <= 41; ++i)
    tree.AddSymlink("/chain" + std::to_string(i), "chain" + std::to_string(i - 1));
  Build(kDiskBytes);
  EXPECT_TRUE(Find("/chain40"));
  EXPECT_EQ(ErrorOf("/chain41"), kELOOP);
}

TEST_F(ResolveTest, BeneathRefusesToLeaveItsStart) {
  ResolveOptions beneath;
  beneath.beneath = true;
  const auto etc = std::static_pointer_cast<Directory>(Find("/etc")->ref.inode);
  const ResolveStart start{files->root(), etc, who};
  EXPECT_TRUE(Resolve(start, "motd", beneath));
  EXPECT_EQ(Resolve(start, "..", beneath).error(), kEXDEV);
  EXPECT_EQ(Resolve(start, "/etc/motd", beneath).error(), kEXDEV);
  EXPECT_EQ(Resolve(start, "absolute", beneath).error(), kEXDEV);
  EXPECT_EQ(Resolve(start, "up", beneath).error(), kEXDEV);
  ResolveOptions no_links;
  no_links.no_symlinks = true;
  EXPECT_EQ(Resolve(start, "link", no_links).error(), kELOOP);
}

TEST_F(ResolveTest, SearchNeedsExecutePermission) {
  who = Credentials::Of(1000, 0);
  EXPECT_EQ(ErrorOf("/private/x"), kEACCES);
  EXPECT_TRUE(Find("/private"));
  who.capabilities.effective = MaskOf(Capability::kDacReadSearch);
  EXPECT_EQ(ErrorOf("/private/x"), kENOENT);
}

TEST_F(ResolveTest, PathOfADirectoryIsFoundAgainAndGoneOnesHaveNone) {
  ASSERT_TRUE(files->MakeDirectory(*FindNew("/tmp/a"), 0755, who));
  ASSERT_TRUE(files->MakeDirectory(*FindNew("/tmp/a/b"), 0755, who));
  const auto b = std::static_pointer_cast<Directory>(Find("/tmp/a/b")->ref.inode);
  EXPECT_EQ(*PathOf(files->root(), b), "/tmp/a/b");
  ASSERT_TRUE(files->Rename(*FindNew("/tmp/a"), *FindNew("/tmp/c"), 0, who));
  EXPECT_EQ(*PathOf(files->root(), b), "/tmp/c/b");
  ASSERT_TRUE(files->RemoveDirectory(*FindNew("/tmp/c/b"), who));
  EXPECT_EQ(PathOf(files->root(), b).error(), kENOENT);
  EXPECT_EQ(*PathOf(files->root(), files->root()), "/");
}

TEST_F(ResolveTest, DirectoriesAMillionDeepComeApartWithoutRecursion) {
  Build(2_GiB);
  auto at = std::static_pointer_cast<Directory>(Find("/tmp")->ref.inode);
  const auto top = at;
  for (int i = 0; i < 300'000; ++i) {
    const auto inner = std::make_shared<TreeDirectory>(services, 0755u, kRootDevice);
    ASSERT_TRUE(at->Insert("d", inner));
    at = inner;
  }
  EXPECT_EQ(PathOf(files->root(), at).error(), kENAMETOOLONG);
  at.reset();
  ASSERT_TRUE(top->Erase("d"));
  EXPECT_TRUE(*top->IsEmpty());
}

}  // namespace
}  // namespace glovebox::engine
