// sethostname(2), setdomainname(2): the names of the machine are root's to change. Natively in a
// name space of its own.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int Is(const char* node, const char* domain) {
  struct utsname name;
  CHECK_EQ(uname(&name), 0);
  return strcmp(name.nodename, node) == 0 && strcmp(name.domainname, domain) == 0;
}

static int FileHolds(const char* path, const char* text) {
  char found[128] = "";
  const int fd = open(path, O_RDONLY);
  CHECK(read(fd, found, sizeof found - 1) >= 0);
  close(fd);
  return strcmp(found, text) == 0;
}

static void Names(void) {
  char name[65];
  CHECK_EQ(sethostname("one", 3), 0);
  CHECK_EQ(setdomainname("two.example", 11), 0);
  CHECK(Is("one", "two.example"));
  CHECK_EQ(gethostname(name, sizeof name), 0);
  CHECK_EQ(strcmp(name, "one"), 0);
  CHECK(FileHolds("/proc/sys/kernel/hostname", "one\n"));
  CHECK(FileHolds("/proc/sys/kernel/domainname", "two.example\n"));
  // As many bytes as it was told, and nothing of what was there.
  CHECK_EQ(sethostname("another-name", 7), 0);
  CHECK(Is("another", "two.example"));
  CHECK_EQ(sethostname("", 0), 0);
  CHECK(Is("", "two.example"));
  memset(name, 'n', sizeof name);
  CHECK_ERRNO(sethostname(name, 65), EINVAL);
  CHECK_ERRNO(syscall(SYS_sethostname, name, -1), EINVAL);
  CHECK_ERRNO(syscall(SYS_sethostname, 8, 4), EFAULT);
  CHECK_EQ(sethostname(name, 64), 0);
  name[64] = '\0';
  CHECK(Is(name, "two.example"));
  // A file as good as the call.
  const int fd = open("/proc/sys/kernel/hostname", O_WRONLY);
  CHECK(fd >= 0);
  CHECK_EQ(write(fd, "three\n", 6), 6);
  close(fd);
  CHECK(Is("three", "two.example"));
}

static void Others(void) {
  const pid_t child = fork();
  if (child == 0) {
    failures = 0;
    CHECK(Is("three", "two.example"));
    CHECK_EQ(setresuid(1000, 1000, 1000), 0);
    CHECK_ERRNO(sethostname("x", 1), EPERM);
    CHECK_ERRNO(setdomainname("x", 1), EPERM);
    CHECK_ERRNO(syscall(SYS_sethostname, 8, -1), EPERM);
    fflush(stdout);
    _exit(failures != 0);
  }
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

int main(void) {
  struct utsname name;
  CHECK_EQ(uname(&name), 0);
  // A box is all there is of its machine, and has no name spaces.
  if (unshare(CLONE_NEWUTS) != 0 && strcmp(name.nodename, "glovebox") != 0) return 77;
  Names();
  Others();
  REPORT();
}
