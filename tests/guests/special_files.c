// Files that are no plain ones: device nodes, files without a name, openat2(2)'s ways, splice(2)
// and its kin, sizes of pipes.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

// linux/openat2.h, which not every C library brings along.
struct OpenHow {
  uint64_t flags, mode, resolve;
};
enum {
  RESOLVE_NO_XDEV = 1,
  RESOLVE_NO_MAGICLINKS = 2,
  RESOLVE_NO_SYMLINKS = 4,
  RESOLVE_BENEATH = 8,
  RESOLVE_IN_ROOT = 16
};
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

static void TestDevices(void) {
  if (geteuid() != 0) return;
  struct stat st;
  char c = 'x';
  CHECK_EQ(mknod("null", S_IFCHR | 0666, makedev(1, 3)), 0);
  CHECK_EQ(stat("null", &st), 0);
  CHECK(S_ISCHR(st.st_mode));
  CHECK_EQ(st.st_rdev, makedev(1, 3));
  CHECK_EQ(st.st_mode & 07777, 0644);
  CHECK_ERRNO(mknod("null", S_IFCHR | 0666, makedev(1, 3)), EEXIST);
  int fd = open("null", O_RDWR);
  if (fd >= 0) {  // not on a file system without devices
    CHECK_EQ(write(fd, "abc", 3), 3);
    CHECK_EQ(read(fd, &c, 1), 0);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(mknod("zero", S_IFCHR | 0600, makedev(1, 5)), 0);
    fd = open("zero", O_RDONLY);
    CHECK_EQ(read(fd, &c, 1), 1);
    CHECK_EQ(c, 0);
    CHECK_EQ(close(fd) + unlink("zero"), 0);
    CHECK_EQ(mknod("full", S_IFCHR | 0600, makedev(1, 7)), 0);
    fd = open("full", O_WRONLY);
    CHECK_ERRNO(write(fd, "x", 1), ENOSPC);
    CHECK_EQ(close(fd) + unlink("full"), 0);
    CHECK_EQ(mknod("nobody", S_IFCHR | 0600, makedev(250, 77)), 0);
    CHECK_ERRNO(open("nobody", O_RDONLY), ENXIO);
    CHECK_EQ(unlink("nobody"), 0);
  }
  CHECK_EQ(unlink("null"), 0);
  CHECK_EQ(mknod("socket", S_IFSOCK | 0600, 0), 0);
  CHECK_EQ(stat("socket", &st), 0);
  CHECK(S_ISSOCK(st.st_mode));
  CHECK_ERRNO(open("socket", O_RDWR), ENXIO);
  CHECK_EQ(unlink("socket"), 0);
  CHECK_ERRNO(mknod("dir", S_IFDIR | 0700, 0), EPERM);
  CHECK_ERRNO(mknod("what", 0170000 | 0700, 0), EINVAL);
  CHECK_EQ(chmod(".", 0777), 0);
  pid_t child = fork();
  if (child == 0) {
    if (setuid(12345) != 0) _exit(1);
    _exit(mknod("mine", S_IFCHR | 0600, makedev(1, 3)) == -1 && errno == EPERM ? 0 : 1);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

static void TestNameless(void) {
  int fd = open(".", O_TMPFILE | O_RDWR, 0600);
  if (fd < 0 && errno == EOPNOTSUPP) return;
  CHECK(fd >= 0);
  struct stat st;
  CHECK_EQ(fstat(fd, &st), 0);
  CHECK_EQ(st.st_nlink, 0);
  CHECK_EQ(write(fd, "named", 5), 5);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  CHECK_EQ(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
  CHECK_EQ(fstat(fd, &st), 0);
  CHECK_EQ(st.st_nlink, 1);
  if (geteuid() == 0) CHECK_EQ(linkat(fd, "", AT_FDCWD, "named2", AT_EMPTY_PATH), 0);
  unlink("named2");
  CHECK_EQ(unlink("named") + close(fd), 0);
  fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  CHECK_ERRNO(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), ENOENT);
  CHECK_EQ(close(fd), 0);
  // What has lost its last name gets none again.
  fd = open("gone", O_RDWR | O_CREAT, 0600);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  CHECK_EQ(unlink("gone"), 0);
  CHECK_ERRNO(linkat(AT_FDCWD, path, AT_FDCWD, "back", AT_SYMLINK_FOLLOW), ENOENT);
  CHECK_EQ(close(fd), 0);
}

static int Open2(int directory, const char* path, uint64_t flags, uint64_t resolve) {
  struct OpenHow how = {.flags = flags, .resolve = resolve};
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}
static void Opens(int directory, const char* path, uint64_t resolve) {
  int fd = Open2(directory, path, O_RDONLY, resolve);
  if (fd < 0) printf("%s with %llx: errno %d\n", path, (unsigned long long)resolve, errno);
  CHECK(fd >= 0);
  close(fd);
}

static void TestOpenat2(void) {
  CHECK_EQ(mkdir("r", 0755) + mkdir("r/etc", 0755) + mkdir("r/sub", 0755), 0);
  int fd = open("r/etc/file", O_CREAT | O_RDWR, 0644);
  CHECK_EQ(close(fd), 0);
  CHECK_EQ(symlink("/etc/file", "r/absolute") + symlink("../etc/file", "r/sub/up") +
               symlink("../../../../etc/file", "r/sub/far"),
           0);
  int r = open("r", O_RDONLY | O_DIRECTORY), sub = open("r/sub", O_RDONLY | O_DIRECTORY);
  Opens(r, "absolute", RESOLVE_IN_ROOT);
  Opens(r, "/etc/file", RESOLVE_IN_ROOT);
  Opens(r, "sub/far", RESOLVE_IN_ROOT);
  Opens(r, "../../etc/file", RESOLVE_IN_ROOT);
  Opens(r, "sub/up", RESOLVE_BENEATH);
  CHECK_ERRNO(Open2(sub, "up", O_RDONLY, RESOLVE_BENEATH), EXDEV);
  CHECK_ERRNO(Open2(r, "absolute", O_RDONLY, RESOLVE_BENEATH), EXDEV);
  CHECK_ERRNO(Open2(r, "/etc/file", O_RDONLY, RESOLVE_BENEATH), EXDEV);
  CHECK_ERRNO(Open2(r, "sub/up", O_RDONLY, RESOLVE_NO_SYMLINKS), ELOOP);
  Opens(r, "etc/file", RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
  CHECK_ERRNO(Open2(AT_FDCWD, "/proc/self/fd/0", O_RDONLY, RESOLVE_NO_MAGICLINKS), ELOOP);
  CHECK_ERRNO(Open2(AT_FDCWD, "/proc/self/cmdline", O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
  Opens(r, "sub/up", RESOLVE_NO_XDEV);
  CHECK_ERRNO(Open2(r, "etc/file", O_RDONLY, RESOLVE_IN_ROOT | RESOLVE_BENEATH), EINVAL);
  CHECK_ERRNO(Open2(r, "etc/file", O_RDONLY, 0x1000), EINVAL);
  CHECK_ERRNO(Open2(r, "etc/file", O_RDONLY | (1ull << 40), 0), EINVAL);
  struct {
    struct OpenHow how;
    uint64_t more;
  } later = {{.flags = O_RDONLY}, 0};
  fd = (int)syscall(SYS_openat2, r, "etc/file", &later, sizeof later);
  CHECK(fd >= 0);
  CHECK_EQ(close(fd), 0);
  later.more = 1;
  CHECK_ERRNO(syscall(SYS_openat2, r, "etc/file", &later, sizeof later), E2BIG);
  CHECK_ERRNO(syscall(SYS_openat2, r, "etc/file", &later, 8), EINVAL);
  CHECK_EQ(close(r) + close(sub), 0);
  CHECK_EQ(unlink("r/absolute") + unlink("r/sub/up") + unlink("r/sub/far") + unlink("r/etc/file") +
               rmdir("r/etc") + rmdir("r/sub") + rmdir("r"),
           0);
}

static void TestSplice(void) {
  int a[2], b[2];
  CHECK_EQ(pipe(a) + pipe(b), 0);
  int fd = open("s", O_RDWR | O_CREAT, 0644);
  CHECK_EQ(write(fd, "0123456789", 10), 10);
  loff_t offset = 2;
  char text[32] = "";
  CHECK_EQ(splice(fd, &offset, a[1], NULL, 5, 0), 5);
  CHECK_EQ(offset, 7);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10);
  CHECK_EQ(tee(a[0], b[1], 100, 0), 5);
  CHECK_EQ(read(a[0], text, 32), 5);
  CHECK(memcmp(text, "23456", 5) == 0);
  CHECK_EQ(splice(b[0], NULL, a[1], NULL, 3, 0), 3);
  CHECK_EQ(splice(a[0], NULL, fd, NULL, 100, 0), 3);
  CHECK_EQ(pread(fd, text, 32, 0), 13);
  CHECK(memcmp(text, "0123456789234", 13) == 0);
  CHECK_EQ(read(b[0], text, 32), 2);
  CHECK_ERRNO(splice(fd, NULL, fd, NULL, 1, 0), EINVAL);
  CHECK_ERRNO(splice(a[0], &offset, fd, NULL, 1, 0), ESPIPE);
  CHECK_ERRNO(splice(a[0], NULL, a[1], NULL, 1, 0), EINVAL);
  CHECK_ERRNO(splice(a[1], NULL, fd, NULL, 1, 0), EBADF);
  CHECK_ERRNO(splice(a[0], NULL, fd, NULL, 1, 0x100), EINVAL);
  CHECK_ERRNO(splice(a[0], NULL, fd, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
  CHECK_EQ(splice(a[0], NULL, fd, NULL, 0, 0), 0);
  CHECK_ERRNO(tee(a[0], fd, 1, 0), EINVAL);
  CHECK_ERRNO(tee(a[0], b[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
  struct iovec parts[2] = {{"abc", 3}, {"defg", 4}};
  CHECK_EQ(vmsplice(a[1], parts, 2, 0), 7);
  CHECK_EQ(read(a[0], text, 32), 7);
  CHECK(memcmp(text, "abcdefg", 7) == 0);
  CHECK_EQ(write(a[1], "back", 4), 4);
  struct iovec room = {text, 32};
  CHECK_EQ(vmsplice(a[0], &room, 1, 0), 4);
  CHECK(memcmp(text, "back", 4) == 0);
  CHECK_ERRNO(vmsplice(fd, parts, 2, 0), EBADF);
  CHECK_EQ(close(a[1]), 0);
  CHECK_EQ(splice(a[0], NULL, fd, NULL, 10, 0), 0);
  CHECK_EQ(close(a[0]) + close(b[0]) + close(b[1]) + close(fd) + unlink("s"), 0);
}

static void TestPipeSizes(void) {
  int fds[2];
  CHECK_EQ(pipe(fds), 0);
  CHECK_EQ(fcntl(fds[0], F_GETPIPE_SZ), 65536);
  CHECK_EQ(fcntl(fds[0], F_SETPIPE_SZ, 5000), 8192);
  CHECK_EQ(fcntl(fds[1], F_GETPIPE_SZ), 8192);
  CHECK_EQ(fcntl(fds[1], F_SETPIPE_SZ, 0), 4096);
  CHECK_EQ(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
  static char block[1 << 18];
  CHECK_EQ(write(fds[1], block, 4096), 4096);
  CHECK_ERRNO(write(fds[1], block, 1), EAGAIN);
  CHECK_EQ(fcntl(fds[1], F_SETPIPE_SZ, 1 << 18), 1 << 18);
  CHECK_EQ(write(fds[1], block, sizeof block), (1 << 18) - 4096);
  CHECK_ERRNO(fcntl(fds[1], F_SETPIPE_SZ, 4096), EBUSY);
  int fd = open("p", O_RDWR | O_CREAT, 0600);
  CHECK_ERRNO(fcntl(fd, F_GETPIPE_SZ), EBADF);
  CHECK_EQ(close(fd) + unlink("p") + close(fds[0]) + close(fds[1]), 0);
}

int main(void) {
  umask(022);
  TestDevices();
  TestNameless();
  TestOpenat2();
  TestSplice();
  TestPipeSizes();
  REPORT();
}
