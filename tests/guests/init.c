// Who is the last parent of everybody: process 1 can be seen and asked, and whoever takes in an
// orphan is a process too.
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

// The number behind `field` in /proc/PID/status; -1 where there is none.
static int StatusField(int pid, const char* field) {
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE* const file = fopen(path, "r");
  int value = -1;
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':')
      value = atoi(line + strlen(field) + 1);
  }
  if (file != NULL) fclose(file);
  return value;
}

// The fourth and the third field of /proc/PID/stat.
static int ParentInStat(int pid, char* state) {
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return -1;
  if (read(fd, text, sizeof text - 1) < 0) text[0] = '\0';
  close(fd);
  const char* const rest = strrchr(text, ')');
  int parent = -1;
  if (rest == NULL || sscanf(rest + 1, " %c %d", state, &parent) != 2) return -1;
  return parent;
}

static void ProcessOneCanBeSeen(void) {
  struct stat status;
  char state = 0;
  CHECK_EQ(stat("/proc/1", &status), 0);
  CHECK(S_ISDIR(status.st_mode));
  CHECK_EQ(StatusField(1, "Pid"), 1);
  CHECK_EQ(StatusField(1, "Tgid"), 1);
  CHECK_EQ(StatusField(1, "PPid"), 0);
  CHECK_EQ(ParentInStat(1, &state), 0);
  CHECK(state == 'S' || state == 'R');
  // It is among the processes of a listing, before all others.
  DIR* const directory = opendir("/proc");
  const struct dirent* entry;
  int first = 0;
  while (first == 0 && (entry = readdir(directory)) != NULL) {
    if (isdigit((unsigned char)entry->d_name[0])) first = atoi(entry->d_name);
  }
  closedir(directory);
  CHECK_EQ(first, 1);
  CHECK_EQ(stat("/proc/1/task/1/stat", &status), 0);
}

static void ProcessOneCanBeAsked(void) {
  CHECK(kill(1, 0) == 0 || errno == EPERM);
  CHECK(getpgid(1) >= 0);
  CHECK(getsid(1) >= 0);
  CHECK(getpgid(1) == 1 || getpgid(1) == 0);
  errno = 0;
  CHECK(getpriority(PRIO_PROCESS, 1) != -1 || errno == 0);
  cpu_set_t set;
  CHECK_EQ(sched_getaffinity(1, sizeof set, &set), 0);
  CHECK_EQ(syscall(SYS_sched_getscheduler, 1), 0);
  CHECK_ERRNO(waitpid(1, NULL, WNOHANG), ECHILD);
  CHECK_ERRNO(setpgid(1, 0), ESRCH);
  if (geteuid() != 0) return;
  // It has no handlers, so it hears nothing of it.
  CHECK_EQ(kill(1, SIGWINCH), 0);
  CHECK_EQ(kill(1, 0), 0);
}

static void ParentIsAProcess(void) {
  char state = 0;
  const int parent = getppid();
  CHECK(parent > 0);
  CHECK_EQ(StatusField(getpid(), "PPid"), parent);
  CHECK_EQ(ParentInStat(getpid(), &state), parent);
  CHECK(kill(parent, 0) == 0 || errno == EPERM);
  CHECK_EQ(StatusField(parent, "Pid"), parent);
}

// What an orphan finds, as bits.
enum { kParentGone = 1, kHasNoParent = 2, kParentIsNone = 4, kStatDiffers = 8, kNoSignal = 16 };

static volatile sig_atomic_t heard;
static void Hear(int signal) { heard = signal; }

static void OrphanFindsANewParent(void) {
  int ready[2], told[2];
  CHECK_EQ(pipe(ready), 0);
  CHECK_EQ(pipe(told), 0);
  const pid_t middle = fork();
  if (middle == 0) {
    const pid_t before = getpid();
    if (fork() == 0) {
      signal(SIGUSR1, Hear);
      prctl(PR_SET_PDEATHSIG, SIGUSR1);
      char byte = 0;
      // Until the one between has ended: its end of the pipe is closed then.
      close(ready[0]);
      write(ready[1], "r", 1);
      while (getppid() == before) sched_yield();
      int found = 0;
      const int parent = getppid();
      char state = 0;
      if (parent == before) found |= kParentGone;
      if (parent <= 0) found |= kHasNoParent;
      if (kill(parent, 0) != 0 && errno != EPERM) found |= kParentIsNone;
      if (ParentInStat(getpid(), &state) != parent) found |= kStatDiffers;
      if (heard != SIGUSR1) found |= kNoSignal;
      byte = (char)found;
      write(told[1], &byte, 1);
      _exit(0);
    }
    char byte;
    read(ready[0], &byte, 1);
    _exit(0);
  }
  CHECK_EQ(waitpid(middle, NULL, 0), middle);
  close(told[1]);
  char found = -1;
  CHECK_EQ(read(told[0], &found, 1), 1);
  CHECK_EQ(found, 0);
  // It is nobody's business of ours how it ends.
  CHECK_EQ(read(told[0], &found, 1), 0);
  CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);
  close(told[0]);
  close(ready[0]);
  close(ready[1]);
}

// An orphan that has ended is reaped by whoever took it in: its number goes away.
static void OrphanLeavesNoZombie(void) {
  int told[2];
  CHECK_EQ(pipe(told), 0);
  const pid_t middle = fork();
  if (middle == 0) {
    const pid_t orphan = fork();
    if (orphan == 0) _exit(7);
    write(told[1], &orphan, sizeof orphan);
    _exit(0);
  }
  pid_t orphan = 0;
  CHECK_EQ(read(told[0], &orphan, sizeof orphan), (ssize_t)sizeof orphan);
  CHECK_EQ(waitpid(middle, NULL, 0), middle);
  CHECK_ERRNO(waitpid(orphan, NULL, 0), ECHILD);
  while (kill(orphan, 0) == 0) sched_yield();
  CHECK_EQ(errno, ESRCH);
  close(told[0]);
  close(told[1]);
}

// A subreaper is nearer than process 1.
static void SubreaperTakesItsOwn(void) {
  CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  const pid_t middle = fork();
  if (middle == 0) {
    const pid_t before = getpid();
    if (fork() == 0) {
      while (getppid() == before) sched_yield();
      _exit(9);
    }
    _exit(0);
  }
  CHECK_EQ(waitpid(middle, NULL, 0), middle);
  int status = 0;
  CHECK(waitpid(-1, &status, 0) > 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9);
  CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

int main(void) {
  ProcessOneCanBeSeen();
  ProcessOneCanBeAsked();
  ParentIsAProcess();
  OrphanFindsANewParent();
  OrphanLeavesNoZombie();
  SubreaperTakesItsOwn();
  REPORT();
}
