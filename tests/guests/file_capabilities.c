// Capabilities of files, capabilities(7): the attribute, what takes it away, and what a program
// gets by it. Natively it wants root and a file system that has such attributes; 77 says that one
// of them is not there.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "check.h"

enum { kChown = 0, kFsetid = 4, kNetBindService = 10, kNetRaw = 13, kSysTime = 25 };
#define BIT(capability) (1u << (capability))
static const char kName[] = "security.capability";
static const char kProgram[] = "./with_capabilities";

struct stored {
  uint32_t magic, permitted, inheritable, permitted_high, inheritable_high, root;
};
enum { kEffective = 1, kBytes2 = 20, kBytes3 = 24 };

static int Put(const char* path, uint32_t permitted, uint32_t inheritable, int effective) {
  const struct stored value = {
      0x02000000u | (effective ? kEffective : 0), permitted, inheritable, 0, 0, 0};
  return setxattr(path, kName, &value, kBytes2, 0);
}

static uint64_t Field(const char* name) {
  FILE* const file = fopen("/proc/self/status", "r");
  char line[256];
  uint64_t value = ~0ull;
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, name, strlen(name)) == 0) value = strtoull(line + strlen(name), NULL, 16);
  }
  if (file != NULL) fclose(file);
  return value;
}

// Of the program: "permitted effective inheritable ambient secure dumpable" as hexadecimal numbers.
static int Show(const char* expected) {
  char found[128];
  snprintf(found, sizeof found, "%llx %llx %llx %llx %lu %d", (unsigned long long)Field("CapPrm:"),
           (unsigned long long)Field("CapEff:"), (unsigned long long)Field("CapInh:"),
           (unsigned long long)Field("CapAmb:"), getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE) == 1);
  if (strcmp(found, expected) != 0) printf("%s, not %s\n", found, expected);
  return strcmp(found, expected) != 0;
}

// Runs the program as user `uid`; its exit status, or 100 and the errno of exec.
static int Run(int uid, const char* expected) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    if (uid != 0 && (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0)) _exit(99);
    execl(kProgram, kProgram, expected, (char*)NULL);
    _exit(100 + errno);
  }
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void CopyOfSelf(void) {
  static char buffer[65536];
  const int from = open("/proc/self/exe", O_RDONLY),
            to = open(kProgram, O_CREAT | O_TRUNC | O_WRONLY, 0755);
  CHECK(from >= 0 && to >= 0);
  ssize_t bytes;
  while ((bytes = read(from, buffer, sizeof buffer)) > 0)
    CHECK_EQ(write(to, buffer, (size_t)bytes), bytes);
  close(from);
  CHECK_EQ(fchmod(to, 0755), 0);
  close(to);
}

static void Attribute(void) {
  struct stored value, read;
  memset(&value, 0, sizeof value);
  CHECK_ERRNO(getxattr(kProgram, kName, &read, sizeof read), ENODATA);
  value.magic = 0x01000000;
  CHECK_ERRNO(setxattr(kProgram, kName, &value, 12, 0), EINVAL);
  CHECK_ERRNO(setxattr(kProgram, kName, &value, kBytes2, 0), EINVAL);
  value.magic = 0x02000000;
  CHECK_ERRNO(setxattr(kProgram, kName, &value, kBytes3, 0), EINVAL);
  CHECK_ERRNO(setxattr(kProgram, kName, &value, 19, 0), EINVAL);
  CHECK_EQ(Put(kProgram, BIT(kNetRaw), BIT(kSysTime), 1), 0);
  CHECK_EQ(getxattr(kProgram, kName, &read, sizeof read), kBytes2);
  CHECK_EQ(read.magic, 0x02000001);
  CHECK_EQ(read.permitted, BIT(kNetRaw));
  CHECK_EQ(read.inheritable, BIT(kSysTime));
  char list[256];
  const ssize_t size = listxattr(kProgram, list, sizeof list);
  CHECK(size > 0 && memmem(list, (size_t)size, kName, sizeof kName) != NULL);
  CHECK_EQ(removexattr(kProgram, kName), 0);
  CHECK_ERRNO(getxattr(kProgram, kName, NULL, 0), ENODATA);
  // Nobody else may.
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    failures = 0;
    CHECK_EQ(chown(kProgram, 1000, 1000), 0);
    CHECK_EQ(setresuid(1000, 1000, 1000), 0);
    CHECK_ERRNO(Put(kProgram, BIT(kNetRaw), 0, 1), EPERM);
    fflush(stdout);
    _exit(failures != 0);
  }
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(chown(kProgram, 0, 0), 0);
}

static void GivenByExec(void) {
  // A plain program of a user's has none, of root's all: not told here.
  CHECK_EQ(Run(1000, "0 0 0 0 0 1"), 0);
  CHECK_EQ(Put(kProgram, BIT(kNetRaw), 0, 1), 0);
  CHECK_EQ(Run(1000, "2000 2000 0 0 1 0"), 0);
  CHECK_EQ(Put(kProgram, BIT(kNetRaw) | BIT(kNetBindService), 0, 0), 0);
  CHECK_EQ(Run(1000, "2400 0 0 0 1 0"), 0);
  // The file's inheritable ones meet those of the process, which are none.
  CHECK_EQ(Put(kProgram, 0, BIT(kNetRaw), 1), 0);
  CHECK_EQ(Run(1000, "0 0 0 0 1 1"), 0);
  CHECK_EQ(removexattr(kProgram, kName), 0);
}

// What the bounding set lacks: a program that counts on it does not start.
static void BoundingSet(void) {
  CHECK_EQ(Put(kProgram, BIT(kNetRaw), 0, 1), 0);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    failures = 0;
    CHECK_EQ(prctl(PR_CAPBSET_DROP, kNetRaw), 0);
    CHECK_EQ(Run(1000, ""), 100 + EPERM);
    CHECK_EQ(Put(kProgram, BIT(kNetRaw), 0, 0), 0);
    CHECK_EQ(Run(1000, "0 0 0 0 0 1"), 0);
    fflush(stdout);
    _exit(failures != 0);
  }
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(removexattr(kProgram, kName), 0);
}

static void NoNewPrivileges(void) {
  CHECK_EQ(Put(kProgram, BIT(kNetRaw), 0, 1), 0);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    failures = 0;
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_EQ(Run(1000, "0 0 0 0 1 1"), 0);
    fflush(stdout);
    _exit(failures != 0);
  }
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(removexattr(kProgram, kName), 0);
}

static int Has(void) { return getxattr(kProgram, kName, NULL, 0) == kBytes2; }

static void TakenAway(void) {
  CHECK_EQ(Put(kProgram, BIT(kNetRaw), 0, 1), 0);
  CHECK_EQ(chmod(kProgram, 0700), 0);
  CHECK(Has());
  CHECK_EQ(chown(kProgram, 0, 0), 0);
  CHECK(!Has());
  CHECK_EQ(Put(kProgram, BIT(kNetRaw), 0, 1), 0);
  int fd = open(kProgram, O_WRONLY | O_APPEND);
  CHECK(Has());
  CHECK_EQ(write(fd, "x", 1), 1);
  CHECK(!Has());
  CHECK_EQ(Put(kProgram, BIT(kNetRaw), 0, 1), 0);
  CHECK_EQ(ftruncate(fd, 100), 0);
  CHECK(!Has());
  close(fd);
  CHECK_EQ(Put(kProgram, BIT(kNetRaw), 0, 1), 0);
  CHECK_EQ(truncate(kProgram, 50), 0);
  CHECK(!Has());
  CHECK_EQ(Put(kProgram, BIT(kNetRaw), 0, 1), 0);
  fd = open(kProgram, O_WRONLY | O_TRUNC);
  CHECK(!Has());
  close(fd);
}

int main(int argc, char** argv) {
  if (argc == 2) return Show(argv[1]);
  if (geteuid() != 0) return 77;
  CopyOfSelf();
  if (Put(kProgram, 0, 0, 0) != 0 || prctl(PR_CAPBSET_READ, kNetRaw) != 1 ||
      prctl(PR_CAPBSET_READ, kNetBindService) != 1) {
    unlink(kProgram);
    return 77;
  }
  CHECK_EQ(removexattr(kProgram, kName), 0);
  Attribute();
  GivenByExec();
  BoundingSet();
  NoNewPrivileges();
  TakenAway();
  CHECK_EQ(unlink(kProgram), 0);
  REPORT();
}
