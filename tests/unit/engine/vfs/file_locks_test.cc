#include "engine/vfs/file_locks.h"

#include <gtest/gtest.h>

#include "tests/unit/engine/vfs/vfs_fixture.h"

namespace glovebox::engine {
namespace {

class FileLocksTest : public VfsTest {
 protected:
  FileLock Range(const void* owner, bool exclusive, std::uint64_t first, std::uint64_t last) {
    return {LockKind::kPosix, exclusive, owner, 1, first, last};
  }
  // What a third party is told of each byte.
  std::string View(const FileLocks& locks, std::uint64_t bytes) {
    std::string text;
    for (std::uint64_t i = 0; i < bytes; ++i) {
      const auto conflict = locks.FindConflict(Range(&stranger, true, i, i));
      text += !conflict ? '.' : conflict->exclusive ? 'w' : 'r';
    }
    return text;
  }

  int a = 0, b = 0, stranger = 0;
};

TEST_F(FileLocksTest, RangesAreCutAndJoined) {
  const auto file = MakeFile("/tmp/f");
  FileLocks& locks = file->MakeLocks();
  ASSERT_TRUE(locks.Take(Range(&a, true, 2, 5)));
  ASSERT_TRUE(locks.Take(Range(&a, true, 6, 7)));
  EXPECT_EQ(locks.held().size(), 1u);
  ASSERT_TRUE(locks.Release(Range(&a, false, 4, 4)));
  EXPECT_EQ(View(locks, 10), "..ww.www..");
  ASSERT_TRUE(locks.Take(Range(&a, false, 3, 6)));
  EXPECT_EQ(View(locks, 10), "..wrrrrw..");
  locks.ReleaseAll(LockKind::kPosix, &a);
  EXPECT_EQ(View(locks, 10), "..........");
}

TEST_F(FileLocksTest, ReadersShareAndOnesOwnLocksAreNoConflict) {
  const auto file = MakeFile("/tmp/f");
  FileLocks& locks = file->MakeLocks();
  ASSERT_TRUE(locks.Take(Range(&a, false, 0, 9)));
  EXPECT_FALSE(locks.FindConflict(Range(&b, false, 5, 5)));
  EXPECT_TRUE(locks.FindConflict(Range(&b, true, 5, 5)));
  EXPECT_FALSE(locks.FindConflict(Range(&a, true, 5, 5)));
  EXPECT_FALSE(
      locks.FindConflict(FileLock{.kind = LockKind::kFlock, .exclusive = true, .owner = &b}));
}

TEST_F(FileLocksTest, WaitingInACircleIsADeadlockUntilOneOfThemIsFree) {
  const auto file = MakeFile("/tmp/f");
  FileLocks& locks = file->MakeLocks();
  LockTable& table = services->locks;
  ASSERT_TRUE(locks.Take(Range(&a, true, 0, 0)));
  ASSERT_TRUE(locks.Take(Range(&b, true, 1, 1)));
  EXPECT_FALSE(table.WouldDeadlock(&a, &b));
  const LockTable::Wait wait{Range(&b, true, 0, 0), &locks};
  table.AddWait(wait);
  EXPECT_TRUE(table.WouldDeadlock(&a, &b));
  ASSERT_TRUE(locks.Release(Range(&a, true, 0, 0)));
  EXPECT_FALSE(table.WouldDeadlock(&a, &b));
  table.RemoveWait(wait);
}

TEST_F(FileLocksTest, LocksAreCountedChargedAndGiveBackWhatTheyCost) {
  const auto file = MakeFile("/tmp/f");
  const std::uint64_t before = services->disk.used_bytes();
  FileLocks& locks = file->MakeLocks();
  std::uint64_t taken = 0;
  while (locks.Take(Range(&a, true, 2 * taken, 2 * taken))) ++taken;
  EXPECT_EQ(taken, 4096u);
  EXPECT_EQ(services->disk.used_bytes(), before + taken * 128);
  EXPECT_EQ(locks.held().size(), taken);
  locks.ReleaseAll(LockKind::kPosix, &a);
  EXPECT_EQ(services->disk.used_bytes(), before);
}

}  // namespace
}  // namespace glovebox::engine
