#include "engine/vfs/mount_table.h"

#include "tests/unit/engine/vfs/vfs_fixture.h"

namespace glovebox::engine {
namespace {

class MountTableTest : public VfsTest {
 protected:
  Result<void, Errno> Bind(const std::string& from, const std::string& to) {
    return files->mounts.Add({0, Find(to)->ref, Find(from)->ref.inode, true, "x", "ext4", ""});
  }
};

TEST_F(MountTableTest, BoundDirectoryIsAtBothPlacesUntilItIsTakenAway) {
  MakeFile("/etc/f");
  const auto covered = Find("/tmp")->ref.inode;
  ASSERT_TRUE(Bind("/etc", "/tmp"));
  EXPECT_EQ(Find("/tmp/f")->ref.inode, Find("/etc/f")->ref.inode);
  EXPECT_TRUE(Find("/tmp")->is_mounted);
  EXPECT_FALSE(Find("/etc")->is_mounted);
  EXPECT_EQ(files->mounts.FindAt(Find("/etc")->ref), nullptr);
  const MountRow* const row = files->mounts.FindAt(Find("/tmp")->ref);
  ASSERT_NE(row, nullptr);
  files->mounts.Remove(row->id);
  EXPECT_EQ(Find("/tmp")->ref.inode, covered);
}

TEST_F(MountTableTest, DirectoriesCannotCoverEachOtherInACircle) {
  const PathRef etc = Find("/etc")->ref;
  const PathRef tmp = Find("/tmp")->ref;
  ASSERT_TRUE(files->mounts.Add({0, tmp, etc.inode, true, "x", "ext4", ""}));
  // By a path that was there before: /etc would be over /tmp over /etc.
  EXPECT_EQ(files->mounts.Add({0, etc, tmp.inode, true, "x", "ext4", ""}).error(), kELOOP);
  EXPECT_EQ(files->mounts.rows().size(), 1u);
}

TEST_F(MountTableTest, DirectoryOverItselfHidesNothing) {
  MakeFile("/etc/f");
  ASSERT_TRUE(Bind("/etc", "/etc"));
  EXPECT_TRUE(Find("/etc/f"));
  const MountRow* const row = files->mounts.FindAt(Find("/etc")->ref);
  ASSERT_NE(row, nullptr);
  files->mounts.Remove(row->id);
  EXPECT_TRUE(Find("/etc/f"));
}

TEST_F(MountTableTest, VolumeThatIsFullTakesNoMoreBlocksThanItIsToldTo) {
  const auto volume = files->services()->MakeVolume(kRootDevice);
  volume->size_bytes = 2 * FileContent::kBlockBytes;
  const auto file = MakeFile("/tmp/f");
  ASSERT_TRUE(Write(file->content, 0, std::string(2 * FileContent::kBlockBytes, 'x')));
  EXPECT_EQ(Write(file->content, 2 * FileContent::kBlockBytes, "x").error(), kENOSPC);
  ASSERT_TRUE(file->content.Resize(0));
  EXPECT_EQ(volume->used_bytes, 0u);
  EXPECT_TRUE(Write(file->content, 0, "x"));
}

TEST_F(MountTableTest, ReadOnlyVolumeRefusesNewNamesAndTheLossOfOld) {
  MakeFile("/tmp/f");
  files->services()->MakeVolume(kRootDevice)->options = kVolumeReadOnly;
  EXPECT_EQ(files->MakeDirectory(*FindNew("/tmp/d"), 0755, who).error(), kEROFS);
  EXPECT_EQ(files->Unlink(*FindNew("/tmp/f"), who).error(), kEROFS);
  files->services()->MakeVolume(kRootDevice)->options = 0;
  EXPECT_TRUE(files->Unlink(*FindNew("/tmp/f"), who));
}

}  // namespace
}  // namespace glovebox::engine
