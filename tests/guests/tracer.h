// What tests of ptrace(2) share: requests by number, since C libraries know different ones, and a
// tracer's two movements, to let go on and to wait.
#pragma once

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum Request {
  kTraceMe = 0,
  kPeekText = 1,
  kPeekData = 2,
  kPeekUser = 3,
  kPokeText = 4,
  kPokeData = 5,
  kPokeUser = 6,
  kCont = 7,
  kKill = 8,
  kStep = 9,
  kGetRegs = 12,
  kSetRegs = 13,
  kGetFpRegs = 14,
  kSetFpRegs = 15,
  kAttach = 16,
  kDetach = 17,
  kSyscall = 24,
  kSetOptions = 0x4200,
  kGetEventMessage = 0x4201,
  kGetSiginfo = 0x4202,
  kSetSiginfo = 0x4203,
  kGetRegset = 0x4204,
  kSetRegset = 0x4205,
  kSeize = 0x4206,
  kInterrupt = 0x4207,
  kListen = 0x4208,
  kPeekSiginfo = 0x4209,
  kGetSigmask = 0x420a,
  kSetSigmask = 0x420b,
  kGetSyscallInfo = 0x420e,
};
enum Option {
  kSysGood = 1,
  kFork = 2,
  kVfork = 4,
  kClone = 8,
  kExec = 16,
  kVforkDone = 32,
  kExit = 64,
  kExitKill = 0x100000,
};
enum Event {
  kEventFork = 1,
  kEventVfork,
  kEventClone,
  kEventExec,
  kEventVforkDone,
  kEventExit,
  kEventStop = 128
};

#define WALL 0x40000000

static inline long Trace(int request, pid_t pid, unsigned long address, unsigned long data) {
  return syscall(SYS_ptrace, (long)request, (long)pid, address, data);
}
#define TRACE(request, pid, address, data) \
  Trace(request, pid, (unsigned long)(address), (unsigned long)(data))

// Waits for the next stop of `pid`: its status above the lowest byte, or -1 where it has ended.
static inline int NextStop(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, WALL) != pid) return -2;
  return WIFSTOPPED(status) ? status >> 8 : -1;
}
static inline int ExitOf(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, WALL) != pid) return -2;
  return WIFEXITED(status) ? WEXITSTATUS(status) : WIFSIGNALED(status) ? -WTERMSIG(status) : -100;
}
static inline int Stopped(int signal, int event) { return signal | event << 8; }

typedef struct user_regs_struct Regs;
#ifdef __x86_64__
#define REG_IP(r) ((r).rip)
#define REG_SP(r) ((r).rsp)
#define REG_AX(r) ((r).rax)
#define REG_NR(r) ((r).orig_rax)
#define REG_ARG0(r) ((r).rdi)
#define REG_BX(r) ((r).rbx)
#else
#define REG_IP(r) ((r).eip)
#define REG_SP(r) ((r).esp)
#define REG_AX(r) ((r).eax)
#define REG_NR(r) ((r).orig_eax)
#define REG_ARG0(r) ((r).ebx)
#define REG_BX(r) ((r).ebx)
#endif

// A child that asks to be traced and stops: the parent has waited for that stop.
static inline pid_t Traced(void (*body)(void)) {
  fflush(stdout);
  const pid_t pid = fork();
  if (pid == 0) {
    if (TRACE(kTraceMe, 0, 0, 0) != 0) _exit(90);
    kill(getpid(), SIGSTOP);
    body();
    _exit(0);
  }
  CHECK_EQ(NextStop(pid), SIGSTOP);
  return pid;
}
