// Handlers, masks, alternate stacks, restart, faults, waiting for signals.
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t count, last, code, depth, max_depth;
static volatile int sender;
static void* volatile address;
static volatile uintptr_t stack_seen;

static void Simple(int signal) {
  ++count;
  last = signal;
}

static void Detailed(int signal, siginfo_t* info, void* context) {
  ++count;
  last = signal;
  code = info->si_code;
  sender = info->si_pid;
  address = info->si_addr;
  int local;
  stack_seen = (uintptr_t)&local;
  (void)context;
}

static void Install(int signal, void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
  CHECK_EQ(sigaction(signal, &action, NULL), 0);
}

static void Sending(void) {
  Install(SIGUSR1, Detailed, 0);
  count = 0;
  CHECK_EQ(raise(SIGUSR1), 0);
  CHECK_EQ(count, 1);
  CHECK_EQ(code, SI_TKILL);
  CHECK_EQ(kill(getpid(), SIGUSR1), 0);
  CHECK_EQ(count, 2);
  CHECK_EQ(code, SI_USER);
  CHECK_EQ(sender, getpid());
  union sigval value = {.sival_int = 5};
  CHECK_EQ(sigqueue(getpid(), SIGUSR1, value), 0);
  CHECK_EQ(code, SI_QUEUE);
  CHECK_EQ(kill(getpid(), 0), 0);
  CHECK_ERRNO(kill(getpid(), 65), EINVAL);
  CHECK_ERRNO(syscall(SYS_tkill, 0, SIGUSR1), EINVAL);
  struct sigaction old;
  CHECK_ERRNO(sigaction(SIGKILL, &(struct sigaction){.sa_handler = Simple}, NULL), EINVAL);
  CHECK_ERRNO(sigaction(0, NULL, &old), EINVAL);
  CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
  CHECK(old.sa_sigaction == Detailed);
  // One shot.
  struct sigaction once = {.sa_handler = Simple, .sa_flags = SA_RESETHAND};
  CHECK_EQ(sigaction(SIGUSR2, &once, NULL), 0);
  raise(SIGUSR2);
  CHECK_EQ(sigaction(SIGUSR2, NULL, &old), 0);
  CHECK(old.sa_handler == SIG_DFL);
  CHECK(signal(SIGUSR2, SIG_IGN) != SIG_ERR);
  CHECK_EQ(raise(SIGUSR2), 0);
  CHECK_EQ(raise(SIGCHLD), 0);  // ignored by default
}

static void Blocking(void) {
  sigset_t set, old, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN + 1);
  CHECK_EQ(sigprocmask(SIG_BLOCK, &set, &old), 0);
  count = 0;
  raise(SIGUSR1);
  raise(SIGUSR1);
  CHECK_EQ(count, 0);
  CHECK_EQ(sigpending(&pending), 0);
  CHECK(sigismember(&pending, SIGUSR1));
  CHECK(!sigismember(&pending, SIGUSR2));
  CHECK_EQ(sigprocmask(SIG_SETMASK, &old, NULL), 0);
  CHECK_EQ(count, 1);  // standard signals do not queue
  Install(SIGRTMIN + 1, Detailed, 0);
  sigprocmask(SIG_BLOCK, &set, NULL);
  count = 0;
  for (int i = 0; i < 3; ++i) sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
  sigprocmask(SIG_SETMASK, &old, NULL);
  CHECK_EQ(count, 3);  // real-time signals do
  CHECK_ERRNO(sigprocmask(99, &set, NULL), EINVAL);
  // sigsuspend lets it in and puts the mask back.
  sigprocmask(SIG_BLOCK, &set, NULL);
  raise(SIGUSR1);
  sigset_t none;
  sigemptyset(&none);
  count = 0;
  CHECK_ERRNO(sigsuspend(&none), EINTR);
  CHECK_EQ(count, 1);
  sigprocmask(SIG_BLOCK, NULL, &pending);
  CHECK(sigismember(&pending, SIGUSR1));
  raise(SIGUSR1);
  siginfo_t info;
  CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
  struct timespec zero = {0, 1000};
  CHECK_ERRNO(sigtimedwait(&set, &info, &zero), EAGAIN);
  sigprocmask(SIG_SETMASK, &old, NULL);
}

static void Nest(int signal) {
  ++depth;
  if (depth > max_depth) max_depth = depth;
  if (count++ < 3) raise(signal);
  --depth;
}

static void Nesting(void) {
  struct sigaction action = {.sa_handler = Nest};
  sigaction(SIGUSR1, &action, NULL);
  count = depth = max_depth = 0;
  raise(SIGUSR1);
  CHECK_EQ(max_depth, 1);  // blocked while its handler runs
  action.sa_flags = SA_NODEFER;
  sigaction(SIGUSR1, &action, NULL);
  count = depth = max_depth = 0;
  raise(SIGUSR1);
  CHECK_EQ(max_depth, 4);
}

static void AlternateStack(void) {
  static char stack[65536];
  stack_t to = {.ss_sp = stack, .ss_size = sizeof stack}, old;
  CHECK_EQ(sigaltstack(&to, &old), 0);
  CHECK_EQ(old.ss_flags, SS_DISABLE);
  Install(SIGUSR1, Detailed, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK(stack_seen >= (uintptr_t)stack && stack_seen < (uintptr_t)stack + sizeof stack);
  Install(SIGUSR1, Detailed, 0);
  raise(SIGUSR1);
  CHECK(stack_seen < (uintptr_t)stack || stack_seen >= (uintptr_t)stack + sizeof stack);
  to.ss_size = 100;
  CHECK_ERRNO(sigaltstack(&to, NULL), ENOMEM);
  to.ss_flags = SS_DISABLE;
  CHECK_EQ(sigaltstack(&to, NULL), 0);
}

// The registers, vector registers included, survive a handler that changes them all; what it writes
// into the frame is there after the return.
#ifdef __x86_64__
enum { kSeenRegister = REG_RBX, kChangedRegister = REG_R12 };
#else
enum { kSeenRegister = REG_ESI, kChangedRegister = REG_EDI };
#endif

static void Scramble(int signal, siginfo_t* info, void* context) {
  (void)info;
  volatile double x = signal;
  for (int i = 0; i < 10; ++i) x = x * 1.5 + i;
  __asm__ volatile("pxor %%xmm0,%%xmm0; pxor %%xmm7,%%xmm7; fldz; fstp %%st(0)" ::: "xmm0", "xmm7");
#ifdef __x86_64__
  __asm__ volatile("pxor %%xmm8,%%xmm8; pxor %%xmm15,%%xmm15" ::: "xmm8", "xmm15");
#endif
  ucontext_t* u = context;
  CHECK_EQ(u->uc_mcontext.gregs[kSeenRegister], 0x1234567);
  u->uc_mcontext.gregs[kChangedRegister] = 77;
  ++count;
}

static void Context(void) {
  Install(SIGUSR1, Scramble, 0);
  count = 0;
  uint64_t in[2] = {0x1111222233334444, 0x5555666677778888}, out[2] = {0, 0};
  long changed = 1;
#ifdef __x86_64__
  __asm__ volatile(
      "movdqu %[in], %%xmm8\n"
      "mov $0x1234567, %%rbx\n"
      "mov $5, %%r12\n"
      "mov $39, %%eax\n"
      "syscall\n"  // getpid
      "mov %%rax, %%rdi\n"
      "mov $10, %%esi\n"  // SIGUSR1
      "mov $62, %%eax\n"
      "syscall\n"  // kill
      "movdqu %%xmm8, %[out]\n"
      "mov %%r12, %[changed]\n"
      : [out] "=m"(out), [changed] "=m"(changed)
      : [in] "m"(in)
      : "rax", "rbx", "rcx", "rdi", "rsi", "r11", "r12", "xmm8", "memory");
#else
  __asm__ volatile(
      "movdqu %[in], %%xmm7\n"
      "mov $0x1234567, %%esi\n"
      "mov $5, %%edi\n"
      "mov $20, %%eax\n"
      "int $0x80\n"  // getpid
      "mov %%eax, %%ebx\n"
      "mov $10, %%ecx\n"  // SIGUSR1
      "mov $37, %%eax\n"
      "int $0x80\n"  // kill
      "movdqu %%xmm7, %[out]\n"
      "mov %%edi, %[changed]\n"
      : [out] "=m"(out), [changed] "=m"(changed)
      : [in] "m"(in)
      : "eax", "ebx", "ecx", "esi", "edi", "xmm7", "memory");
#endif
  CHECK_EQ(count, 1);
  CHECK(out[0] == in[0] && out[1] == in[1]);
  CHECK_EQ(changed, 77);
}

static sigjmp_buf back;
static void Jump(int signal, siginfo_t* info, void* context) {
  (void)context;
  last = signal;
  code = info->si_code;
  address = info->si_addr;
  siglongjmp(back, 1);
}

static void Faults(void) {
  volatile int* volatile low =
      (volatile int*)16;  // volatile: the compiler would warn of what we mean
  Install(SIGSEGV, Jump, 0);
  Install(SIGFPE, Jump, 0);
  Install(SIGILL, Jump, 0);
  Install(SIGTRAP, Jump, 0);
  if (sigsetjmp(back, 1) == 0) *low = 1;
  CHECK_EQ(last, SIGSEGV);
  CHECK_EQ(code, SEGV_MAPERR);
  CHECK(address == (void*)16);
#ifdef __x86_64__
  volatile int* volatile beyond = (volatile int*)0x8000000000000010;
  if (sigsetjmp(back, 1) == 0) *beyond = 1;  // not canonical
  CHECK_EQ(last, SIGSEGV);
  CHECK_EQ(code, SI_KERNEL);
  CHECK(address == NULL);
#endif
  if (sigsetjmp(back, 1) == 0) __asm__ volatile("ud2");
  CHECK_EQ(last, SIGILL);
  CHECK_EQ(code, ILL_ILLOPN);
  if (sigsetjmp(back, 1) == 0)
    __asm__ volatile("xor %%edx,%%edx; xor %%ecx,%%ecx; mov $1,%%eax; div %%ecx" ::
                         : "eax", "ecx", "edx");
  CHECK_EQ(last, SIGFPE);
  CHECK_EQ(code, FPE_INTDIV);
  if (sigsetjmp(back, 1) == 0) __asm__ volatile("int3");
  CHECK_EQ(last, SIGTRAP);
  if (sigsetjmp(back, 1) == 0) __asm__ volatile("hlt");
  CHECK_EQ(last, SIGSEGV);
  CHECK_EQ(code, SI_KERNEL);
}

// The CPU's own account of a fault, in the context.
static volatile long trap_number, trap_error;
static volatile uintptr_t trap_address;
static void OnTrap(int signal, siginfo_t* info, void* context) {
  const mcontext_t* machine = &((ucontext_t*)context)->uc_mcontext;
  (void)info;
  last = signal;
  trap_number = machine->gregs[REG_TRAPNO];
  trap_error = machine->gregs[REG_ERR];
#ifdef __x86_64__
  trap_address = (uintptr_t)machine->gregs[REG_CR2];
#else
  trap_address = machine->cr2;
#endif
  siglongjmp(back, 1);
}

static void Traps(void) {
  static const int kSignals[] = {SIGSEGV, SIGFPE, SIGILL, SIGTRAP};
  for (int i = 0; i < 4; ++i) Install(kSignals[i], OnTrap, 0);
  volatile char* page =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[0] = 1;
  CHECK_EQ(mprotect((void*)page, 4096, PROT_READ), 0);
  if (sigsetjmp(back, 1) == 0) page[5] = 1;
  CHECK_EQ(trap_number, 14);
  CHECK_EQ(trap_error, 7);  // present, write, user
  CHECK_EQ(trap_address, (uintptr_t)page + 5);
  CHECK_EQ(munmap((void*)page, 4096), 0);
  if (sigsetjmp(back, 1) == 0) (void)page[9];
  CHECK_EQ(trap_error, 4);
  CHECK_EQ(trap_address, (uintptr_t)page + 9);
  if (sigsetjmp(back, 1) == 0) page[9] = 2;
  CHECK_EQ(trap_error, 6);
  if (sigsetjmp(back, 1) == 0) ((void (*)(void))(uintptr_t)page)();
  CHECK_EQ(trap_error & ~0x10, 4);
  CHECK_EQ(trap_address, (uintptr_t)page);
  if (sigsetjmp(back, 1) == 0)
    __asm__ volatile("xor %%edx,%%edx; xor %%ecx,%%ecx; mov $1,%%eax; div %%ecx" ::
                         : "eax", "ecx", "edx");
  CHECK_EQ(trap_number, 0);
  CHECK_EQ(trap_error, 0);
  CHECK_EQ(trap_address, (uintptr_t)page);  // of the last page fault
  if (sigsetjmp(back, 1) == 0) __asm__ volatile("ud2");
  CHECK_EQ(trap_number, 6);
  if (sigsetjmp(back, 1) == 0) __asm__ volatile("int3");
  CHECK_EQ(trap_number, 3);
  if (sigsetjmp(back, 1) == 0) __asm__ volatile("hlt");
  CHECK_EQ(trap_number, 13);
  CHECK_EQ(trap_error, 0);
  if (sigsetjmp(back, 1) == 0) __asm__ volatile("int $0x42");
  CHECK_EQ(trap_number, 13);
  CHECK_EQ(trap_error, 0x42 * 8 + 2);
  // Single steps: a trap behind each instruction.
  if (sigsetjmp(back, 1) == 0)
#ifdef __x86_64__
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop" ::: "cc", "memory");
#else
    __asm__ volatile("pushf; orl $0x100, (%%esp); popf; nop" ::: "cc", "memory");
#endif
  CHECK_EQ(last, SIGTRAP);
  CHECK_EQ(trap_number, 1);
}

// A stack that is disarmed while its handler runs, and armed again by the return.
static void Disarming(void) {
  static char stack[65536];
  enum { kAutoDisarm = 1u << 31 };
  stack_t to = {.ss_sp = stack, .ss_flags = (int)kAutoDisarm, .ss_size = sizeof stack}, now;
  CHECK_EQ(sigaltstack(&to, NULL), 0);
  Install(SIGUSR1, Detailed, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK(stack_seen >= (uintptr_t)stack && stack_seen < (uintptr_t)stack + sizeof stack);
  CHECK_EQ(sigaltstack(NULL, &now), 0);
  CHECK_EQ(now.ss_flags, (int)kAutoDisarm);
  CHECK_EQ(now.ss_size, sizeof stack);
  to.ss_flags = SS_DISABLE;
  CHECK_EQ(sigaltstack(&to, NULL), 0);
}

static void Alarming(void) {
  Install(SIGALRM, Detailed, 0);
  struct itimerval timer = {{0, 0}, {0, 20000}}, left;
  count = 0;
  CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
  CHECK_EQ(getitimer(ITIMER_REAL, &left), 0);
  CHECK(left.it_value.tv_usec > 0 || left.it_value.tv_sec > 0);
  CHECK_ERRNO(pause(), EINTR);
  CHECK_EQ(count, 1);
  CHECK_EQ(alarm(5), 0);
  CHECK_EQ(alarm(0), 5);
  // A read that waits is interrupted, or goes on with SA_RESTART.
  int fds[2];
  CHECK_EQ(pipe(fds), 0);
  char c;
  setitimer(ITIMER_REAL, &timer, NULL);
  CHECK_ERRNO(read(fds[0], &c, 1), EINTR);
  struct timespec sleep = {10, 0}, rest;
  setitimer(ITIMER_REAL, &timer, NULL);
  CHECK_ERRNO(nanosleep(&sleep, &rest), EINTR);
  CHECK(rest.tv_sec >= 1 && rest.tv_sec <= 9);
  CHECK_ERRNO(setitimer(9, &timer, NULL), EINVAL);
  timer.it_value.tv_usec = 1000000;
  CHECK_ERRNO(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
  // A clock of CPU time goes off while the program works.
  Install(SIGVTALRM, Detailed, 0);
  struct itimerval cpu = {{0, 0}, {0, 5000}};
  count = 0;
  CHECK_EQ(setitimer(ITIMER_VIRTUAL, &cpu, NULL), 0);
  for (long long i = 0; count == 0 && i < 4000000000; ++i) __asm__ volatile("");
  CHECK_EQ(count, 1);
}

static volatile int write_end;
static void WriteByte(int signal) {
  (void)signal;
  ++count;
  if (write(write_end, "x", 1) != 1) _exit(9);
}

static void Restarting(void) {
  int fds[2];
  CHECK_EQ(pipe(fds), 0);
  write_end = fds[1];
  struct sigaction action = {.sa_handler = WriteByte, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  count = 0;
  struct itimerval timer = {{0, 0}, {0, 20000}};
  setitimer(ITIMER_REAL, &timer, NULL);
  char c = 0;
  CHECK_EQ(read(fds[0], &c, 1), 1);  // the handler supplies the byte, then the read starts again
  CHECK_EQ(c, 'x');
  CHECK_EQ(count, 1);
  close(fds[0]);
  Install(SIGPIPE, Detailed, 0);
  count = 0;
  CHECK_ERRNO(write(fds[1], "x", 1), EPIPE);
  CHECK_EQ(count, 1);
  CHECK_EQ(last, SIGPIPE);
  close(fds[1]);
}

int main(void) {
  Sending();
  Blocking();
  Nesting();
  AlternateStack();
  Context();
  Faults();
  Traps();
  Disarming();
  Alarming();
  Restarting();
  REPORT();
}
