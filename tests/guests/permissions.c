// What a user who is not root may do, and in which order refusals come; uids, set-id bits, times,
// statx. Starts as root.
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

enum { kUser = 1000, kGroup = 1000, kOther = 2000 };

static int Make(const char* path, mode_t mode, uid_t owner, gid_t group) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (fd < 0 || write(fd, "12345", 5) != 5) return -1;
  return fchown(fd, owner, group) | fchmod(fd, mode) | close(fd);
}

static mode_t ModeOf(const char* path) {
  struct stat st;
  return stat(path, &st) == 0 ? st.st_mode & 07777 : 0xffff;
}

// As root, for the rest.
static void Preparing(void) {
  CHECK_EQ(Make("public", 0644, 0, 0), 0);
  CHECK_EQ(Make("secret", 0600, 0, 0), 0);
  CHECK_EQ(Make("mine", 0600, kUser, kGroup), 0);
  CHECK_EQ(Make("ours", 0060, 0, kGroup), 0);
  CHECK_EQ(Make("owner-denied", 0077, kUser, kGroup), 0);
  CHECK_EQ(Make("set-id", 06755, kUser, kGroup), 0);
  CHECK_EQ(mkdir("closed", 0700), 0);
  CHECK_EQ(mkdir("closed/in", 0777), 0);
  CHECK_EQ(mkdir("listed", 0744), 0);
  CHECK_EQ(Make("listed/file", 0666, 0, 0), 0);
  CHECK_EQ(mkdir("searched", 0711), 0);
  CHECK_EQ(Make("searched/file", 0666, 0, 0), 0);
  CHECK_EQ(mkdir("sticky", 0700), 0);
  CHECK_EQ(chmod("sticky", 01777), 0);
  CHECK_EQ(Make("sticky/theirs", 0666, kOther, kOther), 0);
  CHECK_EQ(Make("sticky/mine", 0666, kUser, kGroup), 0);
  CHECK_EQ(mkdir("home", 0755), 0);
  CHECK_EQ(chown("home", kUser, kGroup), 0);
  CHECK_EQ(mkdir("team", 0700), 0);
  CHECK_EQ(chown("team", 0, kOther), 0);
  CHECK_EQ(chmod("team", 02777), 0);
  // Root reads what nobody may, runs only what somebody may.
  CHECK_EQ(access("owner-denied", R_OK | W_OK), 0);
  CHECK_ERRNO(access("secret", X_OK), EACCES);
}

static void BecomingAUser(void) {
  uid_t r, e, s;
  gid_t groups[1] = {kGroup};
  CHECK_EQ(setgroups(1, groups), 0);
  CHECK_EQ(getgroups(0, NULL), 1);
  CHECK_EQ(setresgid(kGroup, kGroup, kGroup), 0);
  CHECK_EQ(setresuid(kUser, kUser, 0), 0);
  CHECK_EQ(seteuid(0), 0);  // the saved uid allows it
  CHECK_EQ(seteuid(kUser), 0);
  CHECK_EQ(setresuid(-1, -1, kUser), 0);
  CHECK_EQ(getresuid(&r, &e, &s), 0);
  CHECK(r == kUser && e == kUser && s == kUser);
  CHECK_ERRNO(setuid(0), EPERM);
  CHECK_ERRNO(setgid(0), EPERM);
  CHECK_ERRNO(setgroups(0, NULL), EPERM);
  CHECK_ERRNO(setresuid(0, -1, -1), EPERM);
}

static void Opening(void) {
  CHECK(open("public", O_RDONLY) >= 0);
  CHECK_ERRNO(open("public", O_WRONLY), EACCES);
  CHECK_ERRNO(open("public", O_RDONLY | O_TRUNC), EACCES);
  CHECK_ERRNO(open("secret", O_RDONLY), EACCES);
  CHECK(open("mine", O_RDWR) >= 0);
  CHECK(open("ours", O_RDWR) >= 0);
  CHECK_ERRNO(open("owner-denied", O_RDONLY), EACCES);  // only the owner's bits count for the owner
  CHECK_ERRNO(open("closed/in", O_RDONLY), EACCES);
  CHECK_ERRNO(open("closed/missing", O_RDONLY),
              EACCES);  // nothing is said of what is behind a closed door
  CHECK_ERRNO(open("closed", O_RDONLY), EACCES);
  CHECK(open("listed", O_RDONLY | O_DIRECTORY) >= 0);
  CHECK_ERRNO(open("listed/file", O_RDONLY), EACCES);
  CHECK_ERRNO(open("searched", O_RDONLY), EACCES);
  CHECK(open("searched/file", O_RDWR) >= 0);
  CHECK_ERRNO(open("searched/missing", O_RDONLY), ENOENT);
  CHECK_ERRNO(open("new", O_WRONLY | O_CREAT, 0644), EACCES);
  CHECK_ERRNO(open("secret", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
  CHECK(open("secret", O_PATH) >= 0);  // names it, opens nothing
  CHECK_ERRNO(truncate("public", 0), EACCES);
  CHECK_ERRNO(chdir("closed"), EACCES);
  CHECK_ERRNO(access("secret", R_OK), EACCES);
  CHECK_EQ(access("secret", F_OK), 0);
  CHECK_EQ(access("set-id", X_OK), 0);
  CHECK_ERRNO(execl("./secret", "x", NULL), EACCES);
}

static void Changing(void) {
  CHECK_ERRNO(mkdir("d", 0755), EACCES);
  CHECK_ERRNO(mkdir("closed", 0755), EEXIST);
  CHECK_ERRNO(unlink("public"), EACCES);
  CHECK_ERRNO(rmdir("closed"), EACCES);
  CHECK_ERRNO(rename("mine", "home/mine"), EACCES);
  CHECK_ERRNO(symlink("x", "y"), EACCES);
  CHECK_ERRNO(link("mine", "mine2"), EACCES);
  CHECK_EQ(link("mine", "home/linked"), 0);
  CHECK_ERRNO(unlink("sticky/theirs"), EPERM);
  CHECK_ERRNO(rename("sticky/theirs", "sticky/taken"), EPERM);
  CHECK_EQ(unlink("sticky/mine"), 0);
  CHECK_ERRNO(chmod("public", 0666), EPERM);
  CHECK_ERRNO(chown("mine", 0, -1), EPERM);
  CHECK_ERRNO(chown("mine", -1, 0), EPERM);
  CHECK_EQ(chown("mine", kUser, kGroup), 0);
  CHECK_EQ(chmod("mine", 0640), 0);
  CHECK_EQ(ModeOf("mine"), 0640);
  CHECK_ERRNO(mknod("home/device", S_IFCHR | 0600, 0x103), EPERM);
  CHECK_EQ(mknod("home/regular", S_IFREG | 0600, 0), 0);
  CHECK_ERRNO(chroot("home"), EPERM);
  // Writing and changing hands take the set-id bits away.
  CHECK_EQ(ModeOf("set-id"), 06755);
  int fd = open("set-id", O_WRONLY);
  CHECK_EQ(write(fd, "x", 1), 1);
  CHECK_EQ(ModeOf("set-id"), 0755);
  close(fd);
  CHECK_EQ(chmod("set-id", 06755), 0);
  CHECK_EQ(chown("set-id", -1, kGroup), 0);
  CHECK_EQ(ModeOf("set-id"), 0755);
  // What is made in a directory with the set-group-id bit has its group, and directories the bit.
  struct stat st;
  CHECK_EQ(mkdir("team/d", 0755), 0);
  CHECK_EQ(stat("team/d", &st), 0);
  CHECK_EQ(st.st_gid, kOther);
  CHECK_EQ(st.st_uid, kUser);
  CHECK_EQ(st.st_mode & 07777, 02755);
  CHECK_EQ(mknod("team/f", S_IFREG | 0644, 0), 0);
  CHECK_EQ(stat("team/f", &st), 0);
  CHECK_EQ(st.st_gid, kOther);
}

static void Times(void) {
  struct timespec times[2] = {{1, 1}, {2, 999999999}}, now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
  struct timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  CHECK_ERRNO(utimensat(AT_FDCWD, "public", times, 0), EPERM);
  CHECK_ERRNO(utimensat(AT_FDCWD, "public", now, 0), EACCES);
  CHECK_EQ(utimensat(AT_FDCWD, "public", omit, 0), 0);
  CHECK_EQ(utimensat(AT_FDCWD, "searched/file", NULL, 0), 0);  // who may write may say "now"
  CHECK_ERRNO(utimensat(AT_FDCWD, "searched/file", times, 0), EPERM);
  CHECK_EQ(utimensat(AT_FDCWD, "mine", times, 0), 0);
  struct stat st;
  CHECK_EQ(stat("mine", &st), 0);
  CHECK(st.st_atim.tv_sec == 1 && st.st_atim.tv_nsec == 1);
  CHECK(st.st_mtim.tv_sec == 2 && st.st_mtim.tv_nsec == 999999999);
  CHECK(st.st_ctim.tv_sec > 1000000);
  CHECK_EQ(symlink("mine", "home/link"), 0);
  CHECK_EQ(utimensat(AT_FDCWD, "home/link", times, AT_SYMLINK_NOFOLLOW), 0);
  CHECK_EQ(lstat("home/link", &st), 0);
  CHECK_EQ(st.st_mtim.tv_sec, 2);
}

// statx(2) by its layout: musl has no wrapper.
static void Statx(void) {
  struct {
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, spare0;
    uint64_t ino, size, blocks, attributes_mask;
    uint64_t rest[24];
  } x;
  memset(&x, 0xff, sizeof x);
  CHECK_EQ(syscall(SYS_statx, AT_FDCWD, "mine", 0, 0x7ff, &x), 0);
  CHECK_EQ(x.mask & 0x7ff, 0x7ff);
  CHECK_EQ(x.uid, kUser);
  CHECK_EQ(x.mode, S_IFREG | 0640);
  CHECK_EQ(x.size, 5);
  CHECK_EQ(x.nlink, 2);
  CHECK_EQ(x.spare0, 0);
  CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "closed/x", 0, 0x7ff, &x), EACCES);
  CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "mine", 0x40000000, 0x7ff, &x), EINVAL);
  CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "mine", 0, 0x80000000u, &x), EINVAL);
  CHECK_ERRNO(syscall(SYS_statx, 999, "mine", 0, 0x7ff, &x), EBADF);
  CHECK_EQ(syscall(SYS_statx, 999, "/", 0, 0x7ff, &x), 0);  // an absolute path needs no directory
}

int main(void) {
  if (geteuid() != 0) {
    printf("this test starts as root\n");
    return 1;
  }
  umask(022);
  CHECK_EQ(chmod(".", 0755), 0);
  Preparing();
  BecomingAUser();
  Opening();
  Changing();
  Times();
  Statx();
  REPORT();
}
