// usage: endings MODE. Each way to end; run_endings.sh compares status and output with Linux.
// Without MODE: lists them.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static void AtExit(void) { puts("at exit"); }
static void Ignore(int signal) { (void)signal; }

static int Overflow(volatile int* depth) {
  volatile char frame[1024];
  frame[0] = (char)++*depth;
  if (*depth < 0) return 0;  // never
  return Overflow(depth) + frame[0];
}

static void EndReturn(void) {}
static void EndExit(void) { exit(42); }
static void EndExitLarge(void) { exit(0x1234); }
static void EndExitRaw(void) { _exit(-1); }
static void EndExitOneThread(void) { syscall(SYS_exit, 7); }
static void EndAbort(void) { abort(); }
static void EndAbortCaught(void) {
  signal(SIGABRT, Ignore);
  abort();
}
static void EndKill(void) { kill(getpid(), SIGKILL); }
static void EndTerm(void) { raise(SIGTERM); }
static void EndHangup(void) { raise(SIGHUP); }
static void EndRealTime(void) { raise(SIGRTMIN + 3); }
static void EndNull(void) { *(volatile int* volatile)NULL = 1; }
static void EndCallData(void) {
  static char data[16] = {(char)0xc3};
  void (*volatile call)(void) = (void (*)(void))(uintptr_t)data;
  call();
}
static void EndDivide(void) {
  __asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; div %%ecx" ::: "eax", "ecx", "edx");
}
static void EndUndefined(void) { __asm__ volatile("ud2"); }
static void EndBreakpoint(void) { __asm__ volatile("int3"); }
static void EndPrivileged(void) { __asm__ volatile("cli"); }
static void EndStack(void) {
  volatile int depth = 0;
  Overflow(&depth);
}
static void EndReadOnly(void) { *(char* volatile)(uintptr_t)"text" = 'T'; }
// A blocked or ignored fault kills all the same.
static void EndBlockedFault(void) {
  sigset_t set;
  sigfillset(&set);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGSEGV, Ignore);
  EndNull();
}
static void EndIgnoredFault(void) {
  signal(SIGILL, SIG_IGN);
  EndUndefined();
}
static void EndAlarm(void) {
  struct itimerval timer = {.it_value = {.tv_usec = 1000}};
  setitimer(ITIMER_REAL, &timer, NULL);
  for (;;) pause();
}
static void EndCpuLimit(void) {
  struct itimerval timer = {.it_value = {.tv_usec = 1000}};
  setitimer(ITIMER_PROF, &timer, NULL);
  for (;;) __asm__ volatile("");
}
static void EndPipe(void) {
  int fds[2];
  if (pipe(fds) == 0 && close(fds[0]) == 0 && write(fds[1], "x", 1) < 0) _exit(1);
}
static void EndFileSize(void) {
  struct rlimit limit = {100, 100};
  setrlimit(RLIMIT_FSIZE, &limit);
  FILE* file = tmpfile();
  for (int i = 0; i < 200; ++i) fputc('x', file);
  fflush(file);
}
static void EndBuffered(void) {
  printf("flushed at the end, no newline");
  exit(3);
}
static void EndUnflushed(void) {
  printf("lost");
  _exit(4);
}

static const struct {
  const char* name;
  void (*end)(void);
} kModes[] = {
    {"return", EndReturn},
    {"exit", EndExit},
    {"exit_large", EndExitLarge},
    {"exit_raw", EndExitRaw},
    {"exit_one_thread", EndExitOneThread},
    {"abort", EndAbort},
    {"abort_caught", EndAbortCaught},
    {"kill", EndKill},
    {"term", EndTerm},
    {"hangup", EndHangup},
    {"real_time", EndRealTime},
    {"null", EndNull},
    {"call_data", EndCallData},
    {"divide", EndDivide},
    {"undefined", EndUndefined},
    {"breakpoint", EndBreakpoint},
    {"privileged", EndPrivileged},
    {"stack", EndStack},
    {"read_only", EndReadOnly},
    {"blocked_fault", EndBlockedFault},
    {"ignored_fault", EndIgnoredFault},
    {"alarm", EndAlarm},
    {"cpu_limit", EndCpuLimit},
    {"pipe", EndPipe},
    {"file_size", EndFileSize},
    {"buffered", EndBuffered},
    {"unflushed", EndUnflushed},
};

int main(int argc, char** argv) {
  if (argc > 1) atexit(AtExit);
  for (size_t i = 0; i < sizeof kModes / sizeof *kModes; ++i) {
    if (argc < 2) {
      puts(kModes[i].name);
    } else if (strcmp(argv[1], kModes[i].name) == 0) {
      kModes[i].end();
    }
  }
  return 0;
}
