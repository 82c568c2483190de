// /proc, /dev and /sys as programs read them.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static char text[1 << 20];

static ssize_t Read(const char* path) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) {
    printf("%s: errno %d\n", path, errno);
    ++failures;
    return -1;
  }
  ssize_t size = 0, got;
  while ((got = read(fd, text + size, sizeof text - 1 - (size_t)size)) > 0) size += got;
  CHECK_EQ(got, 0);
  text[size] = 0;
  close(fd);
  return size;
}

// The number behind `name` in the text; -1 where it is not there.
static long long Field(const char* name) {
  const char* at = strstr(text, name);
  return at == NULL ? -1 : atoll(at + strlen(name));
}

static void TestMaps(void) {
  char* const page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_EQ(mprotect(page + 4096, 4096, PROT_READ), 0);
  int fd = open("mapped", O_RDWR | O_CREAT, 0644);
  CHECK_EQ(ftruncate(fd, 8192), 0);
  char* const file = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
  struct stat st;
  CHECK_EQ(fstat(fd, &st), 0);
  CHECK(Read("/proc/self/maps") > 0);
  int found = 0, stack = 0;
  for (char* line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    unsigned long start, end, offset, major, minor, inode;
    char flags[8], name[256] = "";
    CHECK(sscanf(line, "%lx-%lx %4s %lx %lx:%lx %lu %255s", &start, &end, flags, &offset, &major,
                 &minor, &inode, name) >= 7);
    if (start == (uintptr_t)page || (start < (uintptr_t)page && end == (uintptr_t)page + 4096)) {
      CHECK(strcmp(flags, "rw-p") == 0);
      ++found;
    }
    if (start == (uintptr_t)page + 4096) {
      CHECK(strcmp(flags, "r--p") == 0);
      ++found;
    }
    if (start == (uintptr_t)file) {
      CHECK(strcmp(flags, "r--s") == 0);
      CHECK_EQ(offset, 4096);
      CHECK_EQ(inode, st.st_ino);
      CHECK(strstr(name, "/mapped") != NULL);
      ++found;
    }
    if (strcmp(name, "[stack]") == 0) {
      CHECK(start <= (uintptr_t)&found && (uintptr_t)&found < end);
      ++stack;
    }
  }
  CHECK_EQ(found, 3);
  CHECK_EQ(stack, 1);
  // How much of it is there.
  page[0] = 1;
  CHECK(Read("/proc/self/smaps") > 0);
  char line[64];
  snprintf(line, sizeof line, "%08lx-", (unsigned long)(uintptr_t)page);
  CHECK(strstr(text, "Private_Dirty:") != NULL && strstr(text, "VmFlags: ") != NULL);
  CHECK(Read("/proc/self/smaps_rollup") > 0);
  CHECK(Field("Rss:") > 0);
  CHECK_EQ(munmap(page, 8192) + munmap(file, 4096) + close(fd) + unlink("mapped"), 0);
}

static void TestNumbers(void) {
  CHECK(Read("/proc/self/status") > 0);
  CHECK_EQ(Field("\nPid:"), getpid());
  CHECK_EQ(Field("\nTgid:"), getpid());
  CHECK_EQ(Field("\nThreads:"), 1);
  CHECK_EQ(Field("\nUid:"), getuid());
  CHECK(Field("\nVmSize:") > 0 && Field("\nVmRSS:") > 0);
  CHECK(Field("\nVmLck:") >= 0);
  CHECK_EQ(prctl(PR_SET_NAME, "renamed"), 0);
  CHECK(Read("/proc/self/stat") > 0);
  int pid = 0;
  char name[32] = "", state = 0;
  CHECK_EQ(sscanf(text, "%d (%31[^)]) %c", &pid, name, &state), 3);
  CHECK_EQ(pid, getpid());
  CHECK(strcmp(name, "renamed") == 0);
  CHECK_EQ(state, 'R');
  int fields = 1;
  for (char* at = strchr(text, ')'); *at != 0; ++at) fields += *at == ' ';
  CHECK_EQ(fields, 51);
  CHECK(Read("/proc/self/statm") > 0);
  CHECK(atol(text) > 0);
  CHECK(Read("/proc/self/limits") > 0);
  struct rlimit limit;
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  CHECK_EQ(Field("Max open files"), (long long)limit.rlim_cur);
  CHECK(strncmp(text, "Limit                     Soft Limit           Hard Limit           Units",
                73) == 0);
  CHECK(Read("/proc/self/io") > 0);
  CHECK(Field("rchar:") >= 0);
  CHECK(Read("/proc/self/cgroup") > 0);
  CHECK(Read("/proc/self/oom_score") > 0);
  CHECK(Read("/proc/self/mounts") > 0);
  // The root of a chroot, in which Linux may run this, is no mount and not listed.
  CHECK(strstr(text, " /proc proc ") != NULL);
  CHECK(Read("/proc/self/mountinfo") > 0);
  CHECK(strstr(text, " - proc proc ") != NULL);
}

static void TestSettings(void) {
  int fd = open("/proc/self/comm", O_RDWR);
  CHECK_EQ(write(fd, "a name that is too long\n", 24), 24);
  CHECK_EQ(close(fd), 0);
  char name[17] = "";
  CHECK_EQ(prctl(PR_GET_NAME, name), 0);
  CHECK(strcmp(name, "a name that is ") == 0);
  CHECK(Read("/proc/self/comm") == 16);
  fd = open("/proc/self/oom_score_adj", O_RDWR | O_TRUNC);
  CHECK_EQ(write(fd, "500", 3), 3);
  CHECK_ERRNO(write(fd, "1001", 4), EINVAL);
  CHECK_ERRNO(write(fd, "x", 1), EINVAL);
  CHECK_EQ(close(fd), 0);
  pid_t child = fork();
  if (child == 0)
    _exit(Read("/proc/self/oom_score_adj") == 4 && strcmp(text, "500\n") == 0 ? 0 : 1);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

static void TestDescriptors(void) {
  int fd = open("f", O_RDWR | O_CREAT | O_APPEND, 0644);
  CHECK_EQ(write(fd, "12345", 5), 5);
  char path[64], target[256];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(path, target, sizeof target);
  CHECK(size > 2 && memcmp(target + size - 2, "/f", 2) == 0);
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  CHECK(Read(path) > 0);
  CHECK_EQ(Field("pos:"), 5);
  const char* const flags = strstr(text, "flags:");
  CHECK(flags != NULL);
  if (flags != NULL)
    CHECK_EQ(strtol(flags + 6, NULL, 8) & (O_ACCMODE | O_APPEND), O_RDWR | O_APPEND);
  CHECK_EQ(close(fd) + unlink("f"), 0);
  CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
  struct stat st;
  CHECK_EQ(stat("/dev/fd/0", &st) + stat("/dev/stdin", &st) + stat("/dev/shm", &st), 0);
  CHECK_EQ(stat("/dev/null", &st), 0);
  CHECK(S_ISCHR(st.st_mode));
}

static void TestMachine(void) {
  static const char* const kThere[] = {
      "/proc/cpuinfo",
      "/proc/meminfo",
      "/proc/stat",
      "/proc/uptime",
      "/proc/loadavg",
      "/proc/version",
      "/proc/filesystems",
      "/proc/mounts",
      "/proc/vmstat",
      "/proc/swaps",
      "/proc/devices",
      "/proc/sys/kernel/osrelease",
      "/proc/sys/kernel/pid_max",
      "/proc/sys/kernel/threads-max",
      "/proc/sys/kernel/shmmax",
      "/proc/sys/kernel/sem",
      "/proc/sys/vm/overcommit_memory",
      "/proc/sys/vm/max_map_count",
      "/proc/sys/fs/file-max",
      "/proc/sys/fs/pipe-max-size",
      "/proc/sys/fs/file-nr",
      "/sys/devices/system/cpu/online",
      "/sys/devices/system/cpu/possible",
      "/sys/devices/system/cpu/present",
  };
  for (size_t i = 0; i < sizeof kThere / sizeof *kThere; ++i) CHECK(Read(kThere[i]) > 0);
  CHECK(Read("/proc/meminfo") > 0);
  CHECK(Field("MemTotal:") > 0);
  CHECK(Read("/proc/stat") > 0);
  CHECK(Field("\nbtime ") > 0 && Field("\nprocesses ") >= 1);
  CHECK(Read("/sys/devices/system/cpu/online") > 0);
  CHECK_EQ(text[0], '0');
}

int main(void) {
  TestMaps();
  TestNumbers();
  TestSettings();
  TestDescriptors();
  TestMachine();
  REPORT();
}
