// Advisory locks between processes: flock(2), record locks and locks of open file descriptions of
// fcntl(2), waiting, deadlocks, /proc/locks.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static const char* const kName = "locks-file";

static int record(int fd, int command, int type, long start, long length) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  return fcntl(fd, command, &lock);
}

// What another process sees of a range: its exit status is 0 where `check` holds.
static int in_child(int (*check)(int), int argument) {
  pid_t child = fork();
  if (child == 0) _exit(check(argument));
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static int fresh(void) {
  int fd = open(kName, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  return fd;
}

static int flock_is_refused(int how) {
  int fd = fresh();
  return flock(fd, how | LOCK_NB) == -1 && errno == EWOULDBLOCK ? 0 : 1;
}
static int flock_is_granted(int how) { return flock(fresh(), how | LOCK_NB) == 0 ? 0 : 1; }
static int inherited_unlocks(int fd) { return flock(fd, LOCK_UN) == 0 ? 0 : 1; }

static void whole_files(void) {
  int fd = fresh();
  CHECK_ERRNO(flock(fd, 0), EINVAL);
  CHECK_ERRNO(flock(fd, LOCK_SH | LOCK_EX), EINVAL);
  CHECK_ERRNO(flock(999, LOCK_SH), EBADF);
  CHECK_EQ(flock(fd, LOCK_SH), 0);
  CHECK_EQ(in_child(flock_is_granted, LOCK_SH), 0);
  CHECK_EQ(in_child(flock_is_refused, LOCK_EX), 0);
  CHECK_EQ(flock(fd, LOCK_EX), 0);
  CHECK_EQ(in_child(flock_is_refused, LOCK_SH), 0);
  // Of the description: a second open conflicts, a duplicate does not.
  int other = fresh(), copy = dup(fd);
  CHECK_ERRNO(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
  CHECK_EQ(flock(copy, LOCK_EX | LOCK_NB), 0);
  close(fd);
  CHECK_ERRNO(flock(other, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  // A child's unlock is everybody's.
  CHECK_EQ(in_child(inherited_unlocks, copy), 0);
  CHECK_EQ(flock(other, LOCK_EX | LOCK_NB), 0);
  close(other);
  CHECK_EQ(flock(copy, LOCK_EX | LOCK_NB), 0);
  // Records and whole files do not see each other.
  other = fresh();
  CHECK_EQ(record(other, F_SETLK, F_WRLCK, 0, 0), 0);
  close(copy), close(other);
  // Directories too.
  fd = open(".", O_RDONLY);
  CHECK_EQ(flock(fd, LOCK_EX | LOCK_NB), 0);
  close(fd);
}

// Waiting: a pipe tells when the child is about to.
static int pipes[2];
static void handler(int signal) { (void)signal; }

static void waits(void) {
  int fd = fresh();
  CHECK_EQ(flock(fd, LOCK_EX), 0);
  CHECK_EQ(pipe(pipes), 0);
  pid_t child = fork();
  if (child == 0) {
    close(fd);
    int mine = fresh();
    CHECK_EQ(write(pipes[1], "w", 1), 1);
    CHECK_EQ(flock(mine, LOCK_EX), 0);
    CHECK_EQ(write(pipes[1], "g", 1), 1);
    _exit(failures);
  }
  char c = 0;
  CHECK_EQ(read(pipes[0], &c, 1), 1);
  usleep(2000);
  fcntl(pipes[0], F_SETFL, O_NONBLOCK);
  CHECK_ERRNO(read(pipes[0], &c, 1), EAGAIN);
  fcntl(pipes[0], F_SETFL, 0);
  CHECK_EQ(flock(fd, LOCK_UN), 0);
  CHECK_EQ(read(pipes[0], &c, 1), 1);
  CHECK_EQ(c, 'g');
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  // A signal ends the wait.
  CHECK_EQ(record(fd, F_SETLK, F_WRLCK, 0, 10), 0);
  child = fork();
  if (child == 0) {
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGALRM, &action, NULL);
    ualarm(5000, 5000);
    CHECK_ERRNO(record(fd, F_SETLKW, F_WRLCK, 9, 1), EINTR);
    CHECK_ERRNO(record(fd, F_SETLK, F_RDLCK, 0, 1), EAGAIN);
    CHECK_EQ(record(fd, F_SETLK, F_RDLCK, 10, 1), 0);
    _exit(failures);
  }
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  close(fd), close(pipes[0]), close(pipes[1]);
}

// The child's view of 40 bytes as letters: free, read, written.
static char view[41];
static int looks(int fd) {
  for (int i = 0; i < 40; i++) {
    struct flock lock = {.l_type = F_WRLCK, .l_start = i, .l_len = 1};
    if (fcntl(fd, F_GETLK, &lock) != 0) return 2;
    if (view[i] != (lock.l_type == F_UNLCK ? '.' : lock.l_type == F_RDLCK ? 'r' : 'w')) {
      printf("byte %d is %d, expected %s\n", i, lock.l_type, view);
      return 1;
    }
    if (lock.l_type != F_UNLCK && lock.l_pid != getppid()) return 3;
  }
  return 0;
}
static void expect(int fd, const char* text) {
  memset(view, '.', 40);
  memcpy(view, text, strlen(text));
  CHECK_EQ(in_child(looks, fd), 0);
}
static long found_start, found_length;
static int finds(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_start = 0, .l_len = 0};
  if (fcntl(fd, F_GETLK, &lock) != 0) return 2;
  return lock.l_start == found_start && lock.l_len == found_length ? 0 : 1;
}

static void records(void) {
  int fd = fresh();
  CHECK_EQ(ftruncate(fd, 100), 0);
  CHECK_ERRNO(record(fd, F_SETLK, 7, 0, 0), EINVAL);
  CHECK_ERRNO(record(fd, F_GETLK, F_UNLCK, 0, 0), EINVAL);
  CHECK_ERRNO(record(fd, F_SETLK, F_RDLCK, -1, 5), EINVAL);
  CHECK_ERRNO(record(fd, F_SETLK, F_RDLCK, 5, -6), EINVAL);
  CHECK_ERRNO(fcntl(fd, F_SETLK, (void*)16), EFAULT);
  struct flock strange = {.l_type = F_RDLCK, .l_whence = 9};
  CHECK_ERRNO(fcntl(fd, F_SETLK, &strange), EINVAL);
  int reads = open(kName, O_RDONLY), writes = open(kName, O_WRONLY);
  CHECK_ERRNO(record(reads, F_SETLK, F_WRLCK, 0, 1), EBADF);
  CHECK_ERRNO(record(writes, F_SETLK, F_RDLCK, 0, 1), EBADF);
  // Ranges are cut, joined and changed.
  CHECK_EQ(record(fd, F_SETLK, F_WRLCK, 10, 10), 0);
  expect(fd, "..........wwwwwwwwww");
  CHECK_EQ(record(fd, F_SETLK, F_UNLCK, 14, 2), 0);
  expect(fd, "..........wwww..wwww");
  CHECK_EQ(record(fd, F_SETLK, F_RDLCK, 12, 6), 0);
  expect(fd, "..........wwrrrrrrww");
  CHECK_EQ(record(fd, F_SETLK, F_RDLCK, 30, -2), 0);
  expect(fd, "..........wwrrrrrrww........rr");
  CHECK_EQ(record(fd, F_SETLK, F_UNLCK, 0, 13), 0);
  expect(fd, ".............rrrrrww........rr");
  CHECK_EQ(record(fd, F_SETLK, F_UNLCK, 0, 0), 0);
  expect(fd, "");
  CHECK_EQ(record(fd, F_SETLK, F_WRLCK, 5, 5), 0);
  CHECK_EQ(record(fd, F_SETLK, F_WRLCK, 10, 5), 0);
  found_start = 5, found_length = 10;
  CHECK_EQ(in_child(finds, fd), 0);
  CHECK_EQ(record(fd, F_SETLK, F_WRLCK, 12, 0), 0);
  found_length = 0;
  CHECK_EQ(in_child(finds, fd), 0);
  // Whoever closes any descriptor of the file loses them all.
  close(reads);
  expect(fd, "");
  struct flock at_end = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -90, .l_len = 3};
  CHECK_EQ(fcntl(fd, F_SETLK, &at_end), 0);
  CHECK_EQ(lseek(fd, 20, SEEK_SET), 20);
  struct flock at_position = {.l_type = F_RDLCK, .l_whence = SEEK_CUR, .l_start = 1, .l_len = 2};
  CHECK_EQ(fcntl(fd, F_SETLK, &at_position), 0);
  expect(fd, "..........www........rr");
  CHECK_EQ(dup2(writes, writes + 20), writes + 20);
  close(writes + 20);
  expect(fd, "");
  // The own ones are no conflict.
  CHECK_EQ(record(fd, F_SETLK, F_WRLCK, 0, 0), 0);
  struct flock own = {.l_type = F_WRLCK};
  CHECK_EQ(fcntl(fd, F_GETLK, &own), 0);
  CHECK_EQ(own.l_type, F_UNLCK);
  close(fd), close(writes);
}

// Two processes that want what the other has: one of them is told.
static void deadlock(void) {
  int fd = fresh(), status;
  CHECK_EQ(pipe(pipes), 0);
  CHECK_EQ(record(fd, F_SETLK, F_WRLCK, 0, 1), 0);
  pid_t child = fork();
  if (child == 0) {
    CHECK_EQ(record(fd, F_SETLK, F_WRLCK, 1, 1), 0);
    CHECK_EQ(write(pipes[1], "x", 1), 1);
    CHECK_EQ(record(fd, F_SETLKW, F_WRLCK, 0, 1), 0);
    _exit(failures);
  }
  char c;
  CHECK_EQ(read(pipes[0], &c, 1), 1);
  usleep(20000);
  CHECK_ERRNO(record(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
  CHECK_EQ(record(fd, F_SETLK, F_UNLCK, 0, 1), 0);
  CHECK_EQ(record(fd, F_SETLKW, F_WRLCK, 1, 1), 0);
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  close(fd), close(pipes[0]), close(pipes[1]);
}

static int ofd_is_refused(int fd) {
  (void)fd;
  int mine = fresh();
  return record(mine, F_SETLK, F_WRLCK, 0, 1) == -1 && errno == EAGAIN ? 0 : 1;
}
static int ofd_is_inherited(int fd) { return record(fd, F_OFD_SETLK, F_WRLCK, 0, 1) == 0 ? 0 : 1; }

static void descriptions(void) {
  int fd = fresh(), other = fresh();
  CHECK_EQ(record(fd, F_OFD_SETLK, F_WRLCK, 0, 1), 0);
  CHECK_EQ(in_child(ofd_is_refused, fd), 0);
  CHECK_EQ(in_child(ofd_is_inherited, fd), 0);
  CHECK_ERRNO(record(other, F_OFD_SETLK, F_RDLCK, 0, 1), EAGAIN);
  CHECK_ERRNO(record(other, F_SETLK, F_RDLCK, 0, 1), EAGAIN);
  struct flock lock = {.l_type = F_RDLCK};
  CHECK_EQ(fcntl(other, F_OFD_GETLK, &lock), 0);
  CHECK_EQ(lock.l_type, F_WRLCK);
  CHECK_EQ(lock.l_pid, -1);
  CHECK_EQ(lock.l_len, 1);
  lock.l_pid = 5;
  CHECK_ERRNO(fcntl(other, F_OFD_SETLK, &lock), EINVAL);
  // Closing another descriptor of the file changes nothing.
  close(other);
  CHECK_EQ(in_child(ofd_is_refused, fd), 0);
  close(fd);
  CHECK_EQ(in_child(ofd_is_refused, fd), 1);
}

static void listed(void) {
  int fd = fresh();
  CHECK_EQ(record(fd, F_SETLK, F_WRLCK, 3, 4), 0);
  FILE* file = fopen("/proc/locks", "r");
  CHECK(file != NULL);
  char line[256], kind[16], mandatory[16], type[16], where[64];
  int pid, seen = 0;
  unsigned long long start, end;
  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "%*d: %15s %15s %15s %d %63s %llu %llu", kind, mandatory, type, &pid, where,
               &start, &end) != 7 ||
        pid != getpid())
      continue;
    seen++;
    CHECK_EQ(strcmp(kind, "POSIX"), 0);
    CHECK_EQ(strcmp(mandatory, "ADVISORY"), 0);
    CHECK_EQ(strcmp(type, "WRITE"), 0);
    CHECK_EQ(start, 3);
    CHECK_EQ(end, 6);
  }
  CHECK_EQ(seen, 1);
  if (file) fclose(file);
  close(fd);
}

int main(void) {
  whole_files();
  waits();
  records();
  deadlock();
  descriptions();
  listed();
  CHECK_EQ(fcntl(0, F_GETLEASE), F_UNLCK);
  unlink(kName);
  REPORT();
}
