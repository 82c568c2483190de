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
