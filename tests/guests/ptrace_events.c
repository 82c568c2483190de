// ptrace(2), several processes and threads: attaching, events, group stops, who waits for whom, and
// what becomes of tracees without a tracer.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "tracer.h"

static void Forks(void) {
  const pid_t pid = fork();
  if (pid == 0) _exit(3);
  int status = 0;
  waitpid(pid, &status, 0);
  const pid_t other = vfork();
  if (other == 0) _exit(4);
  waitpid(other, &status, 0);
  _exit(5);
}

static unsigned long Message(pid_t pid) {
  unsigned long message = 0;
  CHECK_EQ(TRACE(kGetEventMessage, pid, 0, &message), 0);
  return message;
}

static void TestForkEvents(void) {
  const pid_t pid = Traced(Forks);
  CHECK_EQ(TRACE(kSetOptions, pid, 0, kFork | kVfork | kVforkDone | kExit), 0);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), Stopped(SIGTRAP, kEventFork));
  const pid_t child = (pid_t)Message(pid);
  CHECK_EQ(NextStop(child), SIGSTOP);
  siginfo_t info;
  CHECK_EQ(TRACE(kGetSiginfo, pid, 0, &info), 0);
  CHECK_EQ(info.si_code, Stopped(SIGTRAP, kEventFork));
  // The child has the parent's options.
  CHECK_EQ(TRACE(kCont, child, 0, 0), 0);
  CHECK_EQ(NextStop(child), Stopped(SIGTRAP, kEventExit));
  CHECK_EQ(Message(child), 3 << 8);
  CHECK_EQ(TRACE(kCont, child, 0, 0), 0);
  CHECK_EQ(ExitOf(child), 3);
  // Only now its parent gets to know.
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGCHLD);
  CHECK_EQ(TRACE(kCont, pid, 0, SIGCHLD), 0);
  CHECK_EQ(NextStop(pid), Stopped(SIGTRAP, kEventVfork));
  const pid_t other = (pid_t)Message(pid);
  CHECK_EQ(NextStop(other), SIGSTOP);
  CHECK_EQ(TRACE(kDetach, other, 0, 0), 0);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  int stop = NextStop(pid);
  // The child's end may be heard of before or after.
  if (stop == SIGCHLD) {
    CHECK_EQ(TRACE(kCont, pid, 0, SIGCHLD), 0);
    stop = NextStop(pid);
  }
  CHECK_EQ(stop, Stopped(SIGTRAP, kEventVforkDone));
  CHECK_EQ(Message(pid), other);
  do {
    CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
    stop = NextStop(pid);
  } while (stop == SIGCHLD);
  CHECK_EQ(stop, Stopped(SIGTRAP, kEventExit));
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 5);
}

static const char* self;
static void Executes(void) {
  execl(self, self, "child", (char*)NULL);
  _exit(99);
}

static void TestExec(void) {
  pid_t pid = Traced(Executes);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGTRAP);
  siginfo_t info;
  CHECK_EQ(TRACE(kGetSiginfo, pid, 0, &info), 0);
  CHECK_EQ(info.si_code, SI_USER);
  CHECK_EQ(info.si_pid, pid);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 12);
  pid = Traced(Executes);
  CHECK_EQ(TRACE(kSetOptions, pid, 0, kExec | kSysGood), 0);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), Stopped(SIGTRAP, kEventExec));
  CHECK_EQ(Message(pid), pid);
  Regs regs;
  CHECK_EQ(TRACE(kGetRegs, pid, 0, &regs), 0);
  CHECK_EQ((long)REG_NR(regs), SYS_execve);
  CHECK_EQ(TRACE(kSyscall, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGTRAP | 0x80);
  CHECK_EQ(TRACE(kGetRegs, pid, 0, &regs), 0);
  CHECK_EQ((long)REG_AX(regs), 0);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 12);
}

static void* ThreadBody(void* argument) { return argument; }
static void Threads(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, ThreadBody, NULL);
  pthread_join(thread, NULL);
  _exit(6);
}

static void TestThreads(void) {
  const pid_t pid = Traced(Threads);
  CHECK_EQ(TRACE(kSetOptions, pid, 0, kClone), 0);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), Stopped(SIGTRAP, kEventClone));
  const pid_t thread = (pid_t)Message(pid);
  CHECK_EQ(NextStop(thread), SIGSTOP);
  Regs regs;
  CHECK_EQ(TRACE(kGetRegs, thread, 0, &regs), 0);
  CHECK_EQ((long)REG_AX(regs), 0);
  CHECK_EQ(TRACE(kGetRegs, pid, 0, &regs), 0);
  CHECK_EQ((long)REG_AX(regs), -ENOSYS);
  CHECK_EQ(TRACE(kCont, thread, 0, 0), 0);
  CHECK_EQ(ExitOf(thread), 0);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(ExitOf(pid), 6);
  CHECK_ERRNO(waitpid(thread, NULL, WALL), ECHILD);
}

static int gate[2];
static void WaitAtGate(void) {
  char byte = 0;
  if (read(gate[0], &byte, 1) != 1) _exit(101);
  _exit(byte);
}
static pid_t Untraced(void (*body)(void)) {
  fflush(stdout);
  const pid_t pid = fork();
  if (pid == 0) {
    body();
    _exit(0);
  }
  return pid;
}

static void TestAttach(void) {
  CHECK_EQ(pipe(gate), 0);
  pid_t pid = Untraced(WaitAtGate);
  CHECK_EQ(TRACE(kAttach, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGSTOP);
  siginfo_t info;
  CHECK_EQ(TRACE(kGetSiginfo, pid, 0, &info), 0);
  CHECK_EQ(info.si_signo, SIGSTOP);
  CHECK_EQ(TRACE(kDetach, pid, 0, 0), 0);
  CHECK_EQ(write(gate[1], "\x21", 1), 1);
  CHECK_EQ(ExitOf(pid), 0x21);
  // With a signal at last.
  pid = Untraced(WaitAtGate);
  CHECK_EQ(TRACE(kAttach, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGSTOP);
  CHECK_ERRNO(TRACE(kDetach, pid, 0, 65), EIO);
  CHECK_EQ(TRACE(kDetach, pid, 0, SIGTERM), 0);
  CHECK_EQ(ExitOf(pid), -SIGTERM);
  // Attached to while it is stopped.
  pid = Untraced(WaitAtGate);
  CHECK_EQ(kill(pid, SIGSTOP), 0);
  int status = 0;
  CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
  CHECK(WIFSTOPPED(status));
  CHECK_EQ(TRACE(kAttach, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGSTOP);
  CHECK_ERRNO(TRACE(kGetSiginfo, pid, 0, &info), EINVAL);  // of the process' stop
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGSTOP);  // its own
  CHECK_EQ(TRACE(kGetSiginfo, pid, 0, &info), 0);
  CHECK_EQ(kill(pid, SIGKILL), 0);
  CHECK_EQ(ExitOf(pid), -SIGKILL);
}

static void TestSeize(void) {
  pid_t pid = Untraced(WaitAtGate);
  CHECK_ERRNO(TRACE(kSeize, pid, 0, 0x4000), EIO);
  CHECK_EQ(TRACE(kSeize, pid, 0, kSysGood), 0);
  CHECK_EQ(waitpid(pid, NULL, WALL | WNOHANG), 0);
  CHECK_ERRNO(TRACE(kCont, pid, 0, 0), ESRCH);
  CHECK_EQ(TRACE(kInterrupt, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), Stopped(SIGTRAP, kEventStop));
  siginfo_t info;
  CHECK_EQ(TRACE(kGetSiginfo, pid, 0, &info), 0);
  CHECK_EQ(info.si_code, Stopped(SIGTRAP, kEventStop));
  // What is asked for during a stop comes behind it.
  CHECK_EQ(TRACE(kInterrupt, pid, 0, 0), 0);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), Stopped(SIGTRAP, kEventStop));
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  // A group stop, listened to.
  CHECK_EQ(kill(pid, SIGSTOP), 0);
  CHECK_EQ(NextStop(pid), SIGSTOP);
  CHECK_EQ(TRACE(kCont, pid, 0, SIGSTOP), 0);
  CHECK_EQ(NextStop(pid), Stopped(SIGSTOP, kEventStop));
  CHECK_EQ(TRACE(kListen, pid, 0, 0), 0);
  CHECK_ERRNO(TRACE(kCont, pid, 0, 0), ESRCH);
  CHECK_EQ(waitpid(pid, NULL, WALL | WNOHANG), 0);
  CHECK_EQ(kill(pid, SIGCONT), 0);
  CHECK_EQ(NextStop(pid), Stopped(SIGTRAP, kEventStop));
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), SIGCONT);
  CHECK_EQ(TRACE(kCont, pid, 0, SIGCONT), 0);
  CHECK_EQ(write(gate[1], "\x22", 1), 1);
  CHECK_EQ(ExitOf(pid), 0x22);
  // New children of who was seized begin with a stop of their own kind.
  pid = Untraced(WaitAtGate);
  CHECK_EQ(TRACE(kSeize, pid, 0, kExitKill), 0);
  CHECK_EQ(TRACE(kInterrupt, pid, 0, 0), 0);
  CHECK_EQ(NextStop(pid), Stopped(SIGTRAP, kEventStop));
  CHECK_EQ(TRACE(kDetach, pid, 0, 0), 0);
  CHECK_EQ(write(gate[1], "\x23", 1), 1);
  CHECK_EQ(ExitOf(pid), 0x23);
}

// Of who was attached to, a stop of its process is a stop without a siginfo.
static void TestGroupStop(void) {
  const pid_t pid = Traced(WaitAtGate);
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(kill(pid, SIGTSTP), 0);
  CHECK_EQ(NextStop(pid), SIGTSTP);
  siginfo_t info;
  CHECK_EQ(TRACE(kGetSiginfo, pid, 0, &info), 0);
  CHECK_EQ(TRACE(kCont, pid, 0, SIGSTOP), 0);
  CHECK_EQ(NextStop(pid), SIGSTOP);
  CHECK_ERRNO(TRACE(kGetSiginfo, pid, 0, &info), EINVAL);
  // It runs, though its process is stopped.
  CHECK_EQ(TRACE(kCont, pid, 0, 0), 0);
  CHECK_EQ(write(gate[1], "\x24", 1), 1);
  CHECK_EQ(ExitOf(pid), 0x24);
}

// A tracer that is not the parent: the parent hears of the end when the tracer has.
static void TestOtherTracer(void) {
  int ready[2], done[2];
  CHECK_EQ(pipe(ready), 0);
  CHECK_EQ(pipe(done), 0);
  const pid_t pid = Untraced(WaitAtGate);
  fflush(stdout);
  const pid_t tracer = fork();
  if (tracer == 0) {
    char byte = 'x';
    if (TRACE(kAttach, pid, 0, 0) != 0 || NextStop(pid) != SIGSTOP) _exit(1);
    if (TRACE(kCont, pid, 0, 0) != 0) _exit(2);
    if (write(gate[1], "\x25", 1) != 1) _exit(3);
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WALL) != 0) _exit(4);
    if (info.si_code != CLD_EXITED || info.si_status != 0x25) _exit(5);
    // The parent is told to look now.
    if (write(ready[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1) _exit(6);
    _exit(ExitOf(pid) == 0x25 ? 0 : 7);
  }
  char byte = 0;
  CHECK_EQ(read(ready[0], &byte, 1), 1);
  CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);  // a child, without news
  CHECK_EQ(write(done[1], &byte, 1), 1);
  CHECK_EQ(ExitOf(pid), 0x25);
  CHECK_EQ(ExitOf(tracer), 0);
  for (int i = 0; i < 2; ++i) {
    close(ready[i]);
    close(done[i]);
  }
}

// Tracees outlive their tracer, but for those that it has asked for.
static void TestTracerEnds(void) {
  for (int kills = 0; kills < 2; ++kills) {
    const pid_t pid = Untraced(WaitAtGate);
    fflush(stdout);
    const pid_t tracer = fork();
    if (tracer == 0) {
      if (TRACE(kAttach, pid, 0, 0) != 0 || NextStop(pid) != SIGSTOP) _exit(1);
      if (TRACE(kSetOptions, pid, 0, kills ? kExitKill : 0) != 0) _exit(2);
      _exit(0);
    }
    CHECK_EQ(ExitOf(tracer), 0);
    if (!kills) CHECK_EQ(write(gate[1], "\x26", 1), 1);
    CHECK_EQ(ExitOf(pid), kills ? -SIGKILL : 0x26);
  }
}

static void TestSigchld(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  const pid_t pid = Untraced(WaitAtGate);
  CHECK_EQ(TRACE(kSeize, pid, 0, 0), 0);
  CHECK_EQ(TRACE(kInterrupt, pid, 0, 0), 0);
  siginfo_t info;
  CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
  CHECK_EQ(info.si_pid, pid);
  CHECK_EQ(info.si_status, 0);  // of the process' stop: there is none
  memset(&info, 0, sizeof info);
  CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
  CHECK_EQ(info.si_code, CLD_TRAPPED);
  CHECK_EQ(info.si_status, Stopped(SIGTRAP, kEventStop));
  CHECK_EQ(NextStop(pid), Stopped(SIGTRAP, kEventStop));
  CHECK_EQ(waitpid(pid, NULL, WALL | WNOHANG), 0);  // told once
  CHECK_EQ(kill(pid, SIGKILL), 0);
  CHECK_EQ(ExitOf(pid), -SIGKILL);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
}

// Whoever is no superuser traces its own only.
static void TestPermissions(void) {
  const pid_t pid = Untraced(WaitAtGate);
  fflush(stdout);
  const pid_t other = fork();
  if (other == 0) {
    if (setresgid(1000, 1000, 1000) != 0 || setresuid(1000, 1000, 1000) != 0) _exit(77);
    errno = 0;
    if (TRACE(kAttach, pid, 0, 0) != -1 || errno != EPERM) _exit(1);
    if (TRACE(kSeize, pid, 0, 0) != -1 || errno != EPERM) _exit(2);
    _exit(0);
  }
  const int status = ExitOf(other);
  CHECK(status == 0 || status == 77);
  CHECK_EQ(kill(pid, SIGKILL), 0);
  CHECK_EQ(ExitOf(pid), -SIGKILL);
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "child") == 0) return 12;
  self = argv[0];
  TestForkEvents();
  TestExec();
  TestThreads();
  TestAttach();
  TestSeize();
  TestGroupStop();
  TestOtherTracer();
  TestTracerEnds();
  TestSigchld();
  TestPermissions();
  close(gate[0]);
  close(gate[1]);
  REPORT();
}
