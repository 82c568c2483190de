// mount(2), umount2(2): file systems in memory. Natively in a name space of its own.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

// Is there a line of /proc/self/mounts (or mountinfo) that holds all of these?
static int Listed(const char* file, const char* first, const char* second) {
  FILE* const mounts = fopen(file, "r");
  char line[1024];
  int found = 0;
  while (mounts != NULL && fgets(line, sizeof line, mounts) != NULL)
    found += strstr(line, first) != NULL && strstr(line, second) != NULL;
  if (mounts != NULL) fclose(mounts);
  return found;
}

static void Touch(const char* path) {
  const int fd = open(path, O_CREAT | O_WRONLY, 0644);
  CHECK(fd >= 0);
  close(fd);
}

static void TestTmpfs(void) {
  struct stat above, below;
  CHECK_EQ(mkdir("covered", 0755), 0);
  Touch("covered/hidden");
  CHECK_EQ(stat("covered", &below), 0);
  CHECK_EQ(mount("the-source", "covered", "tmpfs", MS_NOSUID | MS_NODEV, "mode=710,uid=7,gid=8"),
           0);
  CHECK_EQ(stat("covered", &above), 0);
  CHECK_EQ(above.st_mode & 07777, 0710);
  CHECK_EQ(above.st_uid, 7);
  CHECK_EQ(above.st_gid, 8);
  CHECK(above.st_dev != below.st_dev);
  CHECK_ERRNO(access("covered/hidden", F_OK), ENOENT);
  struct statfs info;
  CHECK_EQ(statfs("covered", &info), 0);
  CHECK_EQ(info.f_type, 0x01021994);
  CHECK_EQ(Listed("/proc/self/mounts", "the-source ", " tmpfs rw,nosuid,nodev,relatime"), 1);
  CHECK_EQ(Listed("/proc/self/mountinfo", "/covered ", " - tmpfs the-source rw"), 1);
  Touch("covered/file");
  CHECK_EQ(mkdir("covered/inner", 0755), 0);
  CHECK_EQ(stat("covered/inner", &below), 0);
  CHECK_EQ(below.st_dev, above.st_dev);
  // ".." leads out of it.
  CHECK_EQ(access("covered/../covered/inner/../file", F_OK), 0);
  CHECK_EQ(access("covered/inner/../../covered/file", F_OK), 0);
  Touch("beside");
  CHECK_ERRNO(rename("beside", "covered/beside"), EXDEV);
  CHECK_ERRNO(link("beside", "covered/beside"), EXDEV);
  CHECK_ERRNO(rmdir("covered"), EBUSY);
  CHECK_ERRNO(rename("covered", "elsewhere"), EBUSY);
  // Another one over it, and it is there again.
  CHECK_EQ(mount("second", "covered", "tmpfs", 0, NULL), 0);
  CHECK_ERRNO(access("covered/file", F_OK), ENOENT);
  CHECK_EQ(stat("covered", &above), 0);
  CHECK_EQ(above.st_mode & 07777, 01777);
  CHECK_EQ(umount("covered"), 0);
  CHECK_EQ(access("covered/file", F_OK), 0);
}

static void TestBusy(void) {
  char before[4096], there[4096], now[4096];
  CHECK(getcwd(before, sizeof before) != NULL);
  CHECK_EQ(chdir("covered/inner"), 0);
  CHECK(getcwd(there, sizeof there) != NULL);
  CHECK_EQ(strncmp(there, before, strlen(before)), 0);
  CHECK_EQ(strcmp(there + strlen(before), "/covered/inner"), 0);
  CHECK_ERRNO(umount("../../covered"), EBUSY);
  CHECK_EQ(chdir(before), 0);
  CHECK(getcwd(now, sizeof now) != NULL);
  CHECK_EQ(strcmp(now, before), 0);
  int fd = open("covered/file", O_RDWR);
  CHECK_EQ(write(fd, "text", 4), 4);
  CHECK_ERRNO(umount("covered"), EBUSY);
  // Within another: the outer one is busy.
  CHECK_EQ(mount("none", "covered/inner", "tmpfs", 0, "size=1m"), 0);
  close(fd);
  CHECK_ERRNO(umount("covered"), EBUSY);
  CHECK_EQ(umount2("covered/inner", UMOUNT_NOFOLLOW), 0);
  // Lazily, while a file is open: it can still be read.
  fd = open("covered/file", O_RDWR);
  CHECK_EQ(umount2("covered", MNT_DETACH), 0);
  char text[8] = "";
  CHECK_EQ(read(fd, text, 8), 4);
  close(fd);
  CHECK_EQ(access("covered/hidden", F_OK), 0);
  CHECK_EQ(Listed("/proc/self/mounts", "the-source ", " tmpfs "), 0);
}

static int Holds(const char* path, const char* text) {
  char found[64] = "";
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return 0;
  const ssize_t size = read(fd, found, sizeof found - 1);
  close(fd);
  return size == (ssize_t)strlen(text) && strcmp(found, text) == 0;
}

static void Write(const char* path, const char* text) {
  const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
  CHECK(fd >= 0);
  CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
}

// A directory and a file at another place.
static void TestBind(void) {
  struct stat here, there;
  CHECK_EQ(mkdir("from", 0755), 0);
  CHECK_EQ(mkdir("from/inner", 0755), 0);
  CHECK_EQ(mkdir("to", 0755), 0);
  Write("from/file", "text");
  Touch("to/hidden");
  CHECK_EQ(mount("from", "to", NULL, MS_BIND, NULL), 0);
  CHECK(Holds("to/file", "text"));
  CHECK_ERRNO(access("to/hidden", F_OK), ENOENT);
  CHECK_EQ(stat("from", &here), 0);
  CHECK_EQ(stat("to", &there), 0);
  CHECK_EQ(here.st_ino, there.st_ino);
  CHECK_EQ(here.st_dev, there.st_dev);
  // One directory: what happens here happens there.
  Write("to/new", "other");
  CHECK(Holds("from/new", "other"));
  CHECK_EQ(unlink("from/new"), 0);
  CHECK_ERRNO(access("to/new", F_OK), ENOENT);
  CHECK_EQ(access("to/inner/../file", F_OK), 0);
  CHECK_EQ(Listed("/proc/self/mounts", "/to ", "rw"), 1);
  CHECK_EQ(Listed("/proc/self/mountinfo", "/to ", "/from "), 1);
  CHECK_EQ(Listed("/proc/self/mounts", "/from ", ""), 0);
  // The place is in use, the directory itself is not.
  CHECK_ERRNO(rmdir("to"), EBUSY);
  CHECK_ERRNO(rename("to", "elsewhere"), EBUSY);
  CHECK_EQ(rename("from/inner", "from/renamed"), 0);
  CHECK_EQ(access("to/renamed", F_OK), 0);
  CHECK_EQ(rmdir("to/renamed"), 0);
  CHECK_ERRNO(umount("from"), EINVAL);
  CHECK_EQ(umount("to"), 0);
  CHECK_EQ(access("to/hidden", F_OK), 0);
  CHECK_ERRNO(umount("to"), EINVAL);
  // Files.
  Write("target", "below");
  CHECK_EQ(mount("from/file", "target", NULL, MS_BIND, NULL), 0);
  CHECK(Holds("target", "text"));
  CHECK_EQ(Listed("/proc/self/mounts", "/target ", ""), 1);
  CHECK_ERRNO(unlink("target"), EBUSY);
  Write("target", "changed");
  CHECK(Holds("from/file", "changed"));
  CHECK_EQ(umount("target"), 0);
  CHECK(Holds("target", "below"));
  // Over itself, as those do who want a place of its own.
  CHECK_EQ(mount("from", "from", NULL, MS_BIND, NULL), 0);
  CHECK(Holds("from/file", "changed"));
  CHECK_EQ(Listed("/proc/self/mounts", "/from ", ""), 1);
  CHECK_EQ(mount(NULL, "from", NULL, MS_PRIVATE, NULL), 0);
  CHECK_EQ(umount("from"), 0);
  CHECK(Holds("from/file", "changed"));
  CHECK_ERRNO(mount("from", "target", NULL, MS_BIND, NULL), ENOTDIR);
  CHECK_ERRNO(mount("target", "to", NULL, MS_BIND, NULL), ENOTDIR);
  CHECK_ERRNO(mount("missing", "to", NULL, MS_BIND, NULL), ENOENT);
  CHECK_ERRNO(mount("", "to", NULL, MS_BIND, NULL), EINVAL);
  CHECK_ERRNO(mount(NULL, "to", NULL, MS_BIND, NULL), EINVAL);
  CHECK_EQ(unlink("target"), 0);
  CHECK_EQ(unlink("to/hidden"), 0);
  CHECK_EQ(rmdir("to"), 0);
  CHECK_EQ(unlink("from/file"), 0);
  CHECK_EQ(rmdir("from"), 0);
}

// A file system that cannot be changed, and others that forbid less.
static void TestOptions(void) {
  CHECK_EQ(mkdir("mnt", 0755), 0);
  CHECK_EQ(mount("none", "mnt", "tmpfs", 0, "size=64k,mode=755"), 0);
  Write("mnt/file", "text");
  CHECK_EQ(symlink("file", "mnt/link"), 0);
  CHECK_EQ(mkdir("mnt/dir", 0755), 0);
  CHECK_EQ(mkfifo("mnt/fifo", 0644), 0);
  // Not while somebody may write.
  const int open_file = open("mnt/file", O_WRONLY);
  CHECK_ERRNO(mount(NULL, "mnt", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
  close(open_file);
  CHECK_EQ(mount(NULL, "mnt", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID, NULL), 0);
  CHECK_EQ(Listed("/proc/self/mounts", "/mnt tmpfs ro,nosuid,relatime", "size=64k"), 1);
  struct statfs info;
  CHECK_EQ(statfs("mnt", &info), 0);
  CHECK_EQ(info.f_flags & 3, 3);
  CHECK_EQ(info.f_blocks, 16);
  CHECK(Holds("mnt/file", "text"));
  CHECK_ERRNO(open("mnt/file", O_WRONLY), EROFS);
  CHECK_ERRNO(open("mnt/file", O_RDONLY | O_TRUNC), EROFS);
  CHECK_ERRNO(open("mnt/new", O_CREAT | O_RDWR, 0644), EROFS);
  CHECK_ERRNO(open("mnt/file", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
  CHECK_ERRNO(mkdir("mnt/new", 0755), EROFS);
  CHECK_ERRNO(mkdir("mnt/dir", 0755), EEXIST);
  CHECK_ERRNO(symlink("x", "mnt/new"), EROFS);
  CHECK_ERRNO(mkfifo("mnt/new", 0644), EROFS);
  CHECK_ERRNO(link("mnt/file", "mnt/new"), EROFS);
  CHECK_ERRNO(unlink("mnt/file"), EROFS);
  CHECK_ERRNO(rmdir("mnt/dir"), EROFS);
  CHECK_ERRNO(rename("mnt/file", "mnt/new"), EROFS);
  CHECK_ERRNO(chmod("mnt/file", 0600), EROFS);
  CHECK_ERRNO(chown("mnt/file", 1, 1), EROFS);
  CHECK_ERRNO(utimensat(AT_FDCWD, "mnt/file", NULL, 0), EROFS);
  CHECK_ERRNO(truncate("mnt/file", 0), EROFS);
  CHECK_ERRNO(access("mnt/file", W_OK), EROFS);
  CHECK_ERRNO(access("mnt/dir", W_OK), EROFS);
  CHECK_EQ(access("mnt/fifo", W_OK), 0);
  CHECK_EQ(access("mnt/file", R_OK), 0);
  CHECK_EQ(mount(NULL, "mnt", NULL, MS_REMOUNT, NULL), 0);
  CHECK_EQ(Listed("/proc/self/mounts", "/mnt tmpfs rw,relatime", "size=64k"), 1);
  Write("mnt/new", "again");
  CHECK_ERRNO(mount(NULL, "mnt/dir", NULL, MS_REMOUNT, NULL), EINVAL);
  CHECK_ERRNO(mount(NULL, "mnt", NULL, MS_REMOUNT, "size=x"), EINVAL);
  CHECK_EQ(mount(NULL, "mnt", NULL, MS_REMOUNT | MS_NOEXEC, "size=128k"), 0);
  CHECK_EQ(statfs("mnt", &info), 0);
  CHECK_EQ(info.f_blocks, 32);
  // Programs cannot be run from there.
  CHECK_EQ(chmod("mnt/new", 0755), 0);
  char* const argv[] = {(char*)"new", NULL};
  CHECK_ERRNO(execv("mnt/new", argv), EACCES);
  CHECK_ERRNO(access("mnt/new", X_OK), EACCES);
  CHECK_EQ(access("mnt/dir", X_OK), 0);
  CHECK_EQ(umount("mnt"), 0);
}

// It holds what it was told to hold.
static void TestSize(void) {
  static char page[4096];
  CHECK_EQ(mount("none", "mnt", "tmpfs", 0, "size=16k"), 0);
  int fd = open("mnt/file", O_CREAT | O_RDWR, 0644);
  for (int i = 0; i < 4; ++i) CHECK_EQ(write(fd, page, sizeof page), (ssize_t)sizeof page);
  CHECK_ERRNO(write(fd, page, sizeof page), ENOSPC);
  struct statfs info;
  CHECK_EQ(statfs("mnt", &info), 0);
  CHECK_EQ(info.f_blocks, 4);
  CHECK_EQ(info.f_bfree, 0);
  CHECK_ERRNO(mount(NULL, "mnt", NULL, MS_REMOUNT, "size=8k"), EINVAL);
  CHECK_EQ(mount(NULL, "mnt", NULL, MS_REMOUNT, "size=20k"), 0);
  CHECK_EQ(write(fd, page, sizeof page), (ssize_t)sizeof page);
  CHECK_EQ(ftruncate(fd, 4096), 0);
  CHECK_EQ(statfs("mnt", &info), 0);
  CHECK_EQ(info.f_bfree, 4);
  close(fd);
  CHECK_EQ(umount("mnt"), 0);
}

static void TestMove(void) {
  CHECK_EQ(mkdir("other", 0755), 0);
  CHECK_EQ(mount("none", "mnt", "tmpfs", 0, NULL), 0);
  Write("mnt/file", "text");
  CHECK_EQ(mkdir("mnt/dir", 0755), 0);
  CHECK_EQ(mount("mnt", "other", NULL, MS_MOVE, NULL), 0);
  CHECK_ERRNO(access("mnt/file", F_OK), ENOENT);
  CHECK(Holds("other/file", "text"));
  CHECK(Holds("other/dir/../../other/file", "text"));
  CHECK_ERRNO(mount("mnt", "other", NULL, MS_MOVE, NULL), EINVAL);
  CHECK_ERRNO(mount("other", "other/dir", NULL, MS_MOVE, NULL), ELOOP);
  CHECK_EQ(umount("other"), 0);
  CHECK_EQ(rmdir("other"), 0);
  CHECK_EQ(rmdir("mnt"), 0);
}

static void TestErrors(void) {
  CHECK_ERRNO(umount("covered"), EINVAL);
  CHECK_ERRNO(umount("missing"), ENOENT);
  CHECK_ERRNO(umount2("covered", 0x100), EINVAL);
  CHECK_ERRNO(mount("none", "missing", "tmpfs", 0, NULL), ENOENT);
  CHECK_ERRNO(mount("none", "beside", "tmpfs", 0, NULL), ENOTDIR);
  CHECK_ERRNO(mount("none", "covered", "nosuchfs", 0, NULL), ENODEV);
  CHECK_ERRNO(mount("none", "covered", NULL, 0, NULL), EINVAL);
  CHECK_ERRNO(mount("none", "covered", "tmpfs", 0, "mode=9"), EINVAL);
  CHECK_ERRNO(mount("none", "covered", "tmpfs", 0, "what=1"), EINVAL);
  CHECK_ERRNO(mount("none", (const char*)8, "tmpfs", 0, NULL), EFAULT);
  CHECK_ERRNO(mount("none", "covered", NULL, MS_PRIVATE, NULL), EINVAL);
}

static void TestProc(void) {
  CHECK_EQ(mount("proc", "covered", "proc", 0, NULL), 0);
  char path[64];
  snprintf(path, sizeof path, "covered/%d/status", (int)getpid());
  CHECK_EQ(access(path, R_OK), 0);
  CHECK_EQ(access("covered/self/maps", R_OK), 0);
  CHECK_EQ(umount("covered"), 0);
}

static void TestOthers(void) {
  const pid_t pid = fork();
  if (pid == 0) {
    if (setresgid(1000, 1000, 1000) != 0 || setresuid(1000, 1000, 1000) != 0) _exit(1);
    CHECK_ERRNO(mount("none", "covered", "tmpfs", 0, NULL), EPERM);
    CHECK_ERRNO(mount("none", "missing", "tmpfs", 0, NULL), ENOENT);
    CHECK_ERRNO(umount("covered"), EPERM);
    fflush(stdout);
    _exit(failures != 0);
  }
  int status = 0;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
}

int main(void) {
  static char directory[] = "mounts.XXXXXX";
  // There are no name spaces in a box.
  (void)!unshare(CLONE_NEWNS);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 && errno == EPERM) return 77;
  CHECK(mkdtemp(directory) != NULL);
  chmod(directory, 0755);
  CHECK_EQ(chdir(directory), 0);
  TestTmpfs();
  TestBusy();
  TestBind();
  TestOptions();
  TestSize();
  TestMove();
  TestErrors();
  TestProc();
  TestOthers();
  CHECK_EQ(unlink("covered/hidden"), 0);
  CHECK_EQ(unlink("beside"), 0);
  CHECK_EQ(rmdir("covered"), 0);
  CHECK_EQ(chdir(".."), 0);
  CHECK_EQ(rmdir(directory), 0);
  REPORT();
}
