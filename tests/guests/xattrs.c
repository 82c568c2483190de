// Extended attributes, xattr(7).
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"

static void* volatile nowhere = (void*)8;
enum { kLacking = 77 };  // run_guest.sh takes it of a native run only

// Whether the directory's file system takes such attributes of us: older kernels' tmpfs has no
// user.*, NFS no trusted.*, and root of a container may not set the latter.
static int Takes(const char* name) {
  CHECK_EQ(mkdir("probe", 0755), 0);
  const int taken = setxattr("probe", name, "v", 1, 0);
  const int refused = taken == -1 && (errno == EOPNOTSUPP || errno == EPERM);
  CHECK(taken == 0 || refused);
  CHECK_EQ(rmdir("probe"), 0);
  if (refused) printf("%s: not on this machine\n", name);
  return !refused;
}

static int Has(const char* list, ssize_t size, const char* name) {
  for (ssize_t at = 0; at < size; at += (ssize_t)strlen(list + at) + 1) {
    if (strcmp(list + at, name) == 0) return 1;
  }
  return 0;
}

static void TestFile(void) {
  int fd = open("x", O_RDWR | O_CREAT, 0644);
  char value[256], list[1024];
  CHECK_ERRNO(getxattr("x", "user.one", value, sizeof value), ENODATA);
  CHECK_EQ(setxattr("x", "user.one", "first", 5, 0), 0);
  CHECK_EQ(getxattr("x", "user.one", value, sizeof value), 5);
  CHECK(memcmp(value, "first", 5) == 0);
  CHECK_EQ(getxattr("x", "user.one", NULL, 0), 5);
  CHECK_ERRNO(getxattr("x", "user.one", value, 4), ERANGE);
  CHECK_ERRNO(setxattr("x", "user.one", "", 0, XATTR_CREATE), EEXIST);
  CHECK_ERRNO(setxattr("x", "user.two", "", 0, XATTR_REPLACE), ENODATA);
  CHECK_ERRNO(setxattr("x", "user.two", "", 0, 4), EINVAL);
  CHECK_EQ(fsetxattr(fd, "user.two", "", 0, XATTR_CREATE), 0);
  CHECK_EQ(fgetxattr(fd, "user.two", value, sizeof value), 0);
  CHECK_EQ(fsetxattr(fd, "user.two", "second value", 12, XATTR_REPLACE), 0);
  CHECK_EQ(fgetxattr(fd, "user.two", value, sizeof value), 12);
  ssize_t size = listxattr("x", list, sizeof list);
  CHECK(size > 0 && Has(list, size, "user.one") && Has(list, size, "user.two"));
  CHECK_EQ(flistxattr(fd, NULL, 0), size);
  CHECK_ERRNO(listxattr("x", list, 3), ERANGE);
  CHECK_ERRNO(setxattr("x", "user.", "v", 1, 0), EINVAL);
  CHECK_ERRNO(setxattr("x", "", "v", 1, 0), ERANGE);
  CHECK_ERRNO(setxattr("x", "nonsense", "v", 1, 0), EOPNOTSUPP);
  CHECK_ERRNO(getxattr("x", "other.name", value, 1), EOPNOTSUPP);
  CHECK_ERRNO(setxattr("none", "user.one", "v", 1, 0), ENOENT);
  CHECK_ERRNO(setxattr("x", "user.one", nowhere, 1, 0), EFAULT);
  CHECK_ERRNO(setxattr("x", "user.one", nowhere, 65537, 0), E2BIG);
  CHECK_ERRNO(fgetxattr(-1, "user.one", value, 1), EBADF);
  CHECK_EQ(removexattr("x", "user.one"), 0);
  CHECK_ERRNO(removexattr("x", "user.one"), ENODATA);
  CHECK_EQ(fremovexattr(fd, "user.two"), 0);
  // A name of 255 bytes, and one of 256.
  char name[300] = "user.";
  memset(name + 5, 'n', 250);
  CHECK_EQ(setxattr("x", name, "v", 1, 0), 0);
  name[255] = 'n';
  CHECK_ERRNO(setxattr("x", name, "v", 1, 0), ERANGE);
  // They change the time of the last change, and go along with a link.
  struct stat before, after;
  CHECK_EQ(stat("x", &before), 0);
  usleep(20000);
  CHECK_EQ(setxattr("x", "user.time", "v", 1, 0), 0);
  CHECK_EQ(stat("x", &after), 0);
  CHECK(after.st_ctim.tv_sec > before.st_ctim.tv_sec ||
        after.st_ctim.tv_nsec > before.st_ctim.tv_nsec);
  CHECK_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
  CHECK_EQ(link("x", "y"), 0);
  CHECK_EQ(getxattr("y", "user.time", value, 1), 1);
  CHECK_EQ(unlink("x") + unlink("y") + close(fd), 0);
}

static void TestOthers(void) {
  char value[16];
  CHECK_EQ(mkdir("d", 0755), 0);
  CHECK_EQ(setxattr("d", "user.dir", "v", 1, 0), 0);
  CHECK_EQ(symlink("d", "l"), 0);
  CHECK_EQ(getxattr("l", "user.dir", value, 1), 1);
  CHECK_ERRNO(lsetxattr("l", "user.link", "v", 1, 0), EPERM);
  CHECK_ERRNO(lgetxattr("l", "user.dir", value, 1), ENODATA);
  CHECK_EQ(mkfifo("f", 0600), 0);
  CHECK_ERRNO(setxattr("f", "user.fifo", "v", 1, 0), EPERM);
  CHECK_EQ(rmdir("d") + unlink("l") + unlink("f"), 0);
}

// Who is not root neither sees nor sets trusted.*.
static void TestTrusted(void) {
  char value[16];
  CHECK_EQ(mkdir("d", 0755), 0);
  CHECK_EQ(symlink("d", "l"), 0);
  CHECK_EQ(setxattr("d", "user.dir", "v", 1, 0), 0);
  CHECK_EQ(setxattr("d", "trusted.t", "v", 1, 0), 0);
  CHECK_EQ(lsetxattr("l", "trusted.t", "v", 1, 0), 0);
  CHECK_EQ(chmod("d", 0777), 0);
  pid_t child = fork();
  if (child == 0) {
    failures = 0;
    if (setuid(12345) != 0) _exit(1);
    char list[256];
    const ssize_t size = listxattr("d", list, sizeof list);
    CHECK(Has(list, size, "user.dir") && !Has(list, size, "trusted.t"));
    CHECK_ERRNO(getxattr("d", "trusted.t", value, 1), ENODATA);
    CHECK_ERRNO(setxattr("d", "trusted.t", "v", 1, 0), EPERM);
    _exit(failures != 0);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(rmdir("d") + unlink("l"), 0);
}

int main(void) {
  setbuf(stdout, NULL);  // a child ends by _exit
  const int user = Takes("user.probe");
  const int trusted = Takes("trusted.probe");
  if (user) {
    TestFile();
    TestOthers();
  }
  if (user && trusted) TestTrusted();
  if (failures == 0 && !(user && trusted)) return kLacking;
  REPORT();
}
