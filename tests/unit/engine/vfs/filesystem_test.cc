#include "engine/vfs/filesystem.h"

#include "tests/unit/engine/vfs/vfs_fixture.h"

namespace glovebox::engine {
namespace {

using FilesystemTest = VfsTest;

std::vector<std::string> Names(Directory& directory) {
  std::vector<std::string> names;
  const auto entries = directory.List(kFirstCookie, 1000);
  for (const DirectoryEntry& entry : *entries) names.push_back(entry.name);
  return names;
}

TEST_F(FilesystemTest, EntriesOfTheRootComeByNameAndNewOnesBehind) {
  MakeFile("/aaa");
  EXPECT_EQ(Names(*files->root()),
            (std::vector<std::string>{"bin", "etc", "loop", "private", "tmp", "aaa"}));
}

TEST_F(FilesystemTest, ListingGoesOnBehindWhatWasRemoved) {
  Directory& root = *files->root();
  const auto first = *root.List(kFirstCookie, 2);
  ASSERT_TRUE(files->Unlink(*FindNew("/loop"), who));
  const auto rest = *root.List(first.back().next_cookie, 100);
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[0].name, "private");
}

TEST_F(FilesystemTest, UnlinkedFileLivesOnInItsDescription) {
  const auto file = MakeFile("/tmp/f");
  ASSERT_TRUE(Write(file->content, 0, "kept"));
  ASSERT_TRUE(files->Unlink(*FindNew("/tmp/f"), who));
  EXPECT_EQ(file->link_count, 0u);
  EXPECT_EQ(Text(file->content), "kept");
  EXPECT_EQ(ErrorOf("/tmp/f"), kENOENT);
}

TEST_F(FilesystemTest, HardLinksShareOneFile) {
  const auto file = MakeFile("/tmp/f");
  ASSERT_TRUE(files->Link(file, *FindNew("/etc/g"), who));
  EXPECT_EQ(file->link_count, 2u);
  EXPECT_EQ(Find("/etc/g")->ref.inode, file);
  EXPECT_EQ(files->Link(file, *FindNew("/etc/g"), who).error(), kEEXIST);
  EXPECT_EQ(files->Link(Find("/etc")->ref.inode, *FindNew("/x"), who).error(), kEPERM);
}

TEST_F(FilesystemTest, HardLinksOfTheRootAreOneFileWhereverTheyAreSeenFirst) {
  tree.AddHardLink("/bin/other", "/etc/motd");
  Build(kDiskBytes);
  const auto other = std::static_pointer_cast<RegularFile>(Find("/bin/other")->ref.inode);
  EXPECT_EQ(other->link_count, 2u);
  ASSERT_TRUE(Write(other->content, 0, "changed"));
  // Gone by this name before anybody looked at the other one.
  ASSERT_TRUE(files->Unlink(*FindNew("/bin/other"), who));
  const auto motd = std::static_pointer_cast<RegularFile>(Find("/etc/motd")->ref.inode);
  EXPECT_EQ(motd, other);
  EXPECT_EQ(motd->link_count, 1u);
  EXPECT_EQ(Text(motd->content), "changed\n");
}

TEST_F(FilesystemTest, RenameReplacesFilesAndEmptyDirectories) {
  const auto file = MakeFile("/tmp/f");
  ASSERT_TRUE(files->Rename(*FindNew("/tmp/f"), *FindNew("/etc/motd"), 0, who));
  EXPECT_EQ(Find("/etc/motd")->ref.inode, file);
  ASSERT_TRUE(files->MakeDirectory(*FindNew("/tmp/d"), 0755, who));
  EXPECT_EQ(files->Rename(*FindNew("/tmp/d"), *FindNew("/etc/motd"), 0, who).error(), kENOTDIR);
  EXPECT_EQ(files->Rename(*FindNew("/etc/motd"), *FindNew("/tmp/d"), 0, who).error(), kEISDIR);
  EXPECT_EQ(files->Rename(*FindNew("/tmp/d"), *FindNew("/etc"), 0, who).error(), kENOTEMPTY);
  EXPECT_EQ(files->Rename(*FindNew("/tmp"), *FindNew("/tmp/d/x"), 0, who).error(), kEINVAL);
}

TEST_F(FilesystemTest, RemovedDirectoryTakesNoEntries) {
  ASSERT_TRUE(files->MakeDirectory(*FindNew("/tmp/d"), 0755, who));
  const auto inside = FindNew("/tmp/d/x");
  ASSERT_TRUE(files->RemoveDirectory(*FindNew("/tmp/d"), who));
  EXPECT_EQ(files->MakeFile(*inside, 0644, who).error(), kENOENT);
}

TEST_F(FilesystemTest, StickyDirectoryKeepsOthersFromDeleting) {
  MakeFile("/tmp/roots");
  who = Credentials::Of(1000, 0);
  EXPECT_EQ(files->Unlink(*FindNew("/tmp/roots"), who).error(), kEPERM);
  MakeFile("/tmp/mine");
  EXPECT_EQ(Find("/tmp/mine")->ref.inode->uid, 1000u);
  EXPECT_TRUE(files->Unlink(*FindNew("/tmp/mine"), who));
  EXPECT_EQ(files->Unlink(*FindNew("/etc/motd"), who).error(), kEACCES);
}

TEST_F(FilesystemTest, EachNodeIsChargedSoThatEmptyFilesCannotFillTheHost) {
  Build(10 * VfsServices::kInodeBytes);
  int made = 0;
  while (files->MakeFile(*FindNew("/tmp/" + std::to_string(made)), 0644, who)) ++made;
  EXPECT_EQ(made, 10);
  EXPECT_EQ(files->MakeDirectory(*FindNew("/tmp/d"), 0755, who).error(), kENOSPC);
  ASSERT_TRUE(files->Unlink(*FindNew("/tmp/0"), who));
  EXPECT_TRUE(files->MakeDirectory(*FindNew("/tmp/d"), 0755, who));
}

TEST_F(FilesystemTest, ChangesMoveTheTimesOfFileAndDirectory) {
  const auto file = MakeFile("/tmp/f");
  now_ns = 5'000'000'000;
  ASSERT_TRUE(files->Truncate(*file, 10, {}));
  EXPECT_EQ(file->mtime_ns, now_ns);
  EXPECT_EQ(Find("/tmp")->ref.inode->mtime_ns, 1'000'000'000);
  ASSERT_TRUE(files->Unlink(*FindNew("/tmp/f"), who));
  EXPECT_EQ(Find("/tmp")->ref.inode->mtime_ns, now_ns);
}

TEST_F(FilesystemTest, MountPointCannotBeMovedOrRemoved) {
  const auto dev = std::make_shared<TreeDirectory>(services, 0755u, kDevDevice);
  ASSERT_TRUE(files->Mount("dev", dev));
  EXPECT_EQ(files->RemoveDirectory(*FindNew("/dev"), who).error(), kEBUSY);
  EXPECT_EQ(files->Rename(*FindNew("/dev"), *FindNew("/x"), 0, who).error(), kEBUSY);
  const auto file = MakeFile("/f");
  EXPECT_EQ(files->Link(file, *FindNew("/dev/f"), who).error(), kEXDEV);
}

TEST_F(FilesystemTest, InodeNumbersFollowFromTheOrderOfUseAlone) {
  const std::uint64_t number = Find("/etc/motd")->ref.inode->number;
  Build(kDiskBytes);
  EXPECT_EQ(Find("/etc/motd")->ref.inode->number, number);
}

}  // namespace
}  // namespace glovebox::engine
