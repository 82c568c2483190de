// ids, limits, uname, prctl, pipes, poll and select, time, futex, getrandom, exec.
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1, FUTEX_WAIT_PRIVATE = 128 };  // linux/futex.h is not for musl

static long long NowNs(clockid_t clock) {
  struct timespec t;
  CHECK_EQ(clock_gettime(clock, &t), 0);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void Identity(void) {
  CHECK_EQ(getpid(), syscall(SYS_gettid));
  CHECK(getppid() > 0);
  CHECK_EQ(getpgid(0), getpgrp());
  CHECK_EQ(getuid(), geteuid());
  struct utsname name;
  CHECK_EQ(uname(&name), 0);
  CHECK(strcmp(name.sysname, "Linux") == 0);
  CHECK(strcmp(name.machine, "x86_64") == 0);
  CHECK_EQ(prctl(PR_SET_NAME, "a-name-longer-than-15"), 0);
  char comm[16];
  CHECK_EQ(prctl(PR_GET_NAME, comm), 0);
  CHECK(strcmp(comm, "a-name-longer-t") == 0);
  CHECK_ERRNO(prctl(12345, 0, 0, 0, 0), EINVAL);
  CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);
  struct sysinfo info;
  CHECK_EQ(sysinfo(&info), 0);
  CHECK(info.totalram > 0);
  cpu_set_t cpus;
  CHECK_EQ(sched_getaffinity(0, sizeof cpus, &cpus), 0);
  CHECK(CPU_COUNT(&cpus) >= 1);
  CHECK_EQ(sched_yield(), 0);
  CHECK_EQ(sysconf(_SC_PAGESIZE), 4096);
}

static void Limits(void) {
  struct rlimit limit, old;
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  old = limit;
  limit.rlim_cur = 20;
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  int fd, opened = 0;
  while ((fd = open("/dev/null", O_RDONLY)) >= 0) ++opened;
  CHECK_EQ(errno, EMFILE);
  CHECK(opened > 0 && opened <= 17);
  for (int i = 3; i < 20; ++i) close(i);
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  // The limit is of numbers, not of how many there are: those above it do not count.
  for (int i = 40; i < 70; ++i) CHECK_EQ(dup2(1, i), i);
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  fd = open("/dev/null", O_RDONLY);
  CHECK(fd >= 0 && fd < 20);
  close(fd);
  for (int i = 40; i < 70; ++i) CHECK_EQ(close(i), 0);
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  CHECK_ERRNO(getrlimit(99, &limit), EINVAL);
  limit.rlim_cur = 10;
  limit.rlim_max = 5;
  CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
  struct rusage usage;
  CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  CHECK_ERRNO(getrusage(7, &usage), EINVAL);
}

static void Pipes(void) {
  int fds[2];
  char buffer[70000];
  memset(buffer, 'p', sizeof buffer);
  CHECK_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
  CHECK_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(read(fds[0], buffer, 1), EAGAIN);
  CHECK_EQ(write(fds[1], "hello", 5), 5);
  int size = 0;
  CHECK_EQ(ioctl(fds[0], FIONREAD, &size), 0);
  CHECK_EQ(size, 5);
  CHECK_ERRNO(lseek(fds[0], 0, SEEK_CUR), ESPIPE);
  CHECK_ERRNO(pread(fds[0], buffer, 1, 0), ESPIPE);
  CHECK_EQ(read(fds[0], buffer, 3), 3);
  CHECK(memcmp(buffer, "hel", 3) == 0);
  // As much as fits; how the pages of a pipe fill up is the kernel's business.
  const long filled = write(fds[1], buffer, sizeof buffer);
  CHECK(filled > 50000 && filled <= 65534);
  CHECK_ERRNO(write(fds[1], buffer, 4096), EAGAIN);
  struct stat st;
  CHECK_EQ(fstat(fds[0], &st), 0);
  CHECK(S_ISFIFO(st.st_mode));
  struct pollfd polls[3] = {{fds[0], POLLIN, 0}, {fds[1], POLLOUT, 0}, {-1, POLLIN, 7}};
  CHECK_EQ(poll(polls, 3, 0), 1);
  CHECK_EQ(polls[0].revents, POLLIN);
  CHECK_EQ(polls[1].revents, 0);
  CHECK_EQ(polls[2].revents, 0);
  close(fds[1]);
  long total = 0, n;
  while ((n = read(fds[0], buffer, sizeof buffer)) > 0) total += n;
  CHECK_EQ(n, 0);
  CHECK_EQ(total, filled + 2);
  CHECK_EQ(poll(polls, 1, -1), 1);
  CHECK_EQ(polls[0].revents, POLLHUP);
  close(fds[0]);
  CHECK_EQ(poll(polls, 1, 0), 1);
  CHECK_EQ(polls[0].revents, POLLNVAL);
  CHECK_ERRNO(pipe2(fds, 0x40000000), EINVAL);
}

static void Selecting(void) {
  int fds[2];
  CHECK_EQ(pipe(fds), 0);
  fd_set in, out;
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_SET(fds[0], &in);
  FD_SET(fds[1], &out);
  struct timeval wait = {0, 0};
  CHECK_EQ(select(fds[1] + 1, &in, &out, NULL, &wait), 1);
  CHECK(!FD_ISSET(fds[0], &in));
  CHECK(FD_ISSET(fds[1], &out));
  FD_SET(fds[0], &in);
  long raw_wait[2] = {0, 20000};
  long long before = NowNs(CLOCK_MONOTONIC);
  CHECK_EQ(syscall(kSelect, fds[0] + 1, &in, NULL, NULL, raw_wait),
           0);  // musl keeps the time left to itself
  CHECK(NowNs(CLOCK_MONOTONIC) - before >= 20000000);
  CHECK_EQ(raw_wait[1], 0);
  before = NowNs(CLOCK_MONOTONIC);
  struct pollfd one = {fds[0], POLLIN, 0};
  CHECK_EQ(poll(&one, 1, 15), 0);
  CHECK(NowNs(CLOCK_MONOTONIC) - before >= 15000000);
  close(fds[0]);
  close(fds[1]);
  FD_ZERO(&in);
  FD_SET(fds[0], &in);
  CHECK_ERRNO(select(fds[0] + 1, &in, NULL, NULL, &wait), EBADF);
  CHECK_ERRNO(select(-1, NULL, NULL, NULL, &wait), EINVAL);
}

static void Time(void) {
  long long a = NowNs(CLOCK_MONOTONIC), b = NowNs(CLOCK_MONOTONIC);
  CHECK(b >= a);
  struct timespec t = {0, 30000000};
  CHECK_EQ(nanosleep(&t, NULL), 0);
  CHECK(NowNs(CLOCK_MONOTONIC) - b >= 30000000);
  t.tv_nsec = 1000000000;
  CHECK_ERRNO(nanosleep(&t, NULL), EINVAL);
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += 5000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_nsec -= 1000000000;
    ++until.tv_sec;
  }
  CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
  CHECK(NowNs(CLOCK_MONOTONIC) >= until.tv_sec * 1000000000LL + until.tv_nsec);
  struct timeval tv;
  CHECK_EQ(gettimeofday(&tv, NULL), 0);
  CHECK(labs((long)(time(NULL) - tv.tv_sec)) <= 1);
  CHECK(tv.tv_sec > 1600000000);
  CHECK_EQ(clock_getres(CLOCK_REALTIME, &t), 0);
  CHECK_ERRNO(syscall(kClockGettime, 99, &t), EINVAL);
  CHECK(NowNs(CLOCK_PROCESS_CPUTIME_ID) > 0);
  struct tms tms;
  CHECK(times(&tms) != (clock_t)-1);
  CHECK_ERRNO(syscall(kClockGettime, CLOCK_REALTIME, (void*)8), EFAULT);
}

static void Futex(void) {
  int word = 5;
  CHECK_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT, 6, NULL, NULL, 0), EAGAIN);
  CHECK_EQ(syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
  long t[2] = {0, 1000000};
  CHECK_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, t, NULL, 0), ETIMEDOUT);
  CHECK_ERRNO(syscall(SYS_futex, (char*)&word + 1, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
  unsigned char bytes[64] = {0}, more[64] = {0};
  CHECK_EQ(getrandom(bytes, 64, 0), 64);
  CHECK_EQ(getrandom(more, 64, GRND_NONBLOCK), 64);
  CHECK(memcmp(bytes, more, 64) != 0);
  CHECK_ERRNO(getrandom(bytes, 64, 0x80), EINVAL);
  int fd = open("/dev/urandom", O_RDONLY);
  CHECK_EQ(read(fd, bytes, 64), 64);
  close(fd);
  fd = open("/dev/full", O_RDWR);
  CHECK_ERRNO(write(fd, "x", 1), ENOSPC);
  CHECK_EQ(read(fd, bytes, 8), 8);
  close(fd);
  fd = open("/dev/null", O_RDWR);
  CHECK_EQ(write(fd, "x", 1), 1);
  CHECK_EQ(read(fd, bytes, 8), 0);
  close(fd);
  CHECK_ERRNO(syscall(999), ENOSYS);
}

static void Self(void) {
  char path[PATH_MAX], target[PATH_MAX] = {0};
  CHECK(readlink("/proc/self/exe", target, sizeof target - 1) > 0);
  CHECK(strstr(target, "process") != NULL);
  int fd = open("named-file", O_RDWR | O_CREAT, 0644);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  memset(target, 0, sizeof target);
  CHECK(readlink(path, target, sizeof target - 1) > 0);
  CHECK(strstr(target, "/named-file") != NULL);
  int again = open(path, O_RDONLY);
  CHECK(again >= 0);
  close(again);
  unlink("named-file");
  memset(target, 0, sizeof target);
  CHECK(readlink(path, target, sizeof target - 1) > 0);
  CHECK(strstr(target, " (deleted)") != NULL);
  close(fd);
  FILE* maps = fopen("/proc/self/maps", "r");
  CHECK(maps != NULL);
  char line[512];
  int stack = 0;
  while (fgets(line, sizeof line, maps) != NULL) stack |= strstr(line, "[stack]") != NULL;
  fclose(maps);
  CHECK(stack);
  FILE* status = fopen("/proc/self/status", "r");
  CHECK(status != NULL);
  CHECK(fgets(line, sizeof line, status) != NULL);
  CHECK(strncmp(line, "Name:\t", 6) == 0);
  fclose(status);
}

// Runs itself again with a marker, with one descriptor that stays and one that goes.
static void Executing(char** argv) {
  int stays = open("/dev/null", O_RDONLY);
  int goes = open("/dev/null", O_RDONLY | O_CLOEXEC);
  char numbers[2][16];
  snprintf(numbers[0], 16, "%d", stays);
  snprintf(numbers[1], 16, "%d", goes);
  CHECK_ERRNO(execl("/missing", "x", NULL), ENOENT);
  CHECK_ERRNO(execl("/dev", "x", NULL), EACCES);
  int fd = open("text", O_WRONLY | O_CREAT | O_TRUNC, 0755);
  CHECK_EQ(write(fd, "no program", 10), 10);
  close(fd);
  CHECK_ERRNO(execl("./text", "x", NULL), ENOEXEC);
  CHECK_EQ(chmod("text", 0644), 0);
  CHECK_ERRNO(execl("./text", "x", NULL), EACCES);
  char* huge = malloc(200000);
  memset(huge, 'a', 199999);
  huge[199999] = 0;
  CHECK_ERRNO(execl("/proc/self/exe", "x", huge, NULL), E2BIG);
  free(huge);
  if (failures != 0) return;
  char* environment[] = {"MARK=1", NULL};
  execle("/proc/self/exe", argv[0], "again", numbers[0], numbers[1], NULL, environment);
  CHECK(0);
}

static int Again(char** argv) {
  CHECK(fcntl(atoi(argv[2]), F_GETFD) == 0);
  CHECK_ERRNO(fcntl(atoi(argv[3]), F_GETFD), EBADF);
  CHECK(getenv("MARK") != NULL && strcmp(getenv("MARK"), "1") == 0);
  REPORT();
}

int main(int argc, char** argv) {
  if (argc == 4 && strcmp(argv[1], "again") == 0) return Again(argv);
  Identity();
  Limits();
  Pipes();
  Selecting();
  Time();
  Futex();
  Self();
  Executing(argv);
  REPORT();
}
