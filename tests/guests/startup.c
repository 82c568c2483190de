// What a program finds when it starts: stack, auxiliary vector, environment, constructors, standard
// input; and itself again.
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

enum { kManyArguments = 3000 };

extern char** environ;
static int constructed;
static __thread int thread_local_value = 42;
static __thread char thread_local_zero[5000];

__attribute__((constructor)) static void Construct(void) { ++constructed; }

static void Image(char** argv) {
  CHECK_EQ(constructed, 1);
  CHECK_EQ(thread_local_value, 42);
  CHECK_EQ(thread_local_zero[4999], 0);
  CHECK_EQ(getauxval(AT_PAGESZ), 4096);
  CHECK_EQ(getauxval(AT_CLKTCK), 100);
  CHECK_EQ(getauxval(AT_UID), getuid());
  CHECK_EQ(getauxval(AT_EGID), getegid());
  CHECK_EQ(getauxval(AT_SECURE), 0);
  CHECK_EQ(getauxval(AT_BASE), 0);
  CHECK(getauxval(AT_HWCAP) != 0);
  CHECK(strcmp((const char*)getauxval(AT_PLATFORM), sizeof(long) == 8 ? "x86_64" : "i686") == 0);
  CHECK(getauxval(AT_RANDOM) != 0);
  const char* name = (const char*)getauxval(AT_EXECFN);
  CHECK(name != NULL && strstr(name, "startup") != NULL);
  const ElfW(Phdr)* headers = (const ElfW(Phdr)*)getauxval(AT_PHDR);
  CHECK_EQ(getauxval(AT_PHENT), sizeof(ElfW(Phdr)));
  int loads = 0;
  for (unsigned long i = 0; i < getauxval(AT_PHNUM); ++i) loads += headers[i].p_type == PT_LOAD;
  CHECK(loads >= 2);
  CHECK(getauxval(AT_ENTRY) != 0);
  // System V ABI x86-64, 3.4.1: argc, argv, 0, envp, 0, auxv; the strings above them.
  CHECK(environ == argv + (uintptr_t)((long*)argv)[-1] + 1);
  CHECK(argv[((long*)argv)[-1]] == NULL);
  CHECK((uintptr_t)argv[0] > (uintptr_t)environ);
  CHECK_EQ((uintptr_t)&((long*)argv)[-1] % 16, 0);
  unsigned mxcsr;
  unsigned short control;
  __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(control));
  CHECK_EQ(mxcsr & ~0x3fu, 0x1f80);
  CHECK_EQ(control, 0x37f);
  unsigned long flags;
  __asm__ volatile("pushf; pop %0" : "=r"(flags));
  CHECK_EQ(flags & 0x400, 0);  // direction
}

static void StandardInput(void) {
  char text[64];
  struct stat st;
  CHECK_EQ(fstat(0, &st), 0);
  CHECK(S_ISFIFO(st.st_mode));
  CHECK_ERRNO(lseek(0, 0, SEEK_CUR), ESPIPE);
  CHECK_ERRNO(pread(0, text, 1, 0), ESPIPE);
  CHECK_ERRNO(lseek(1, 0, SEEK_END), ESPIPE);
  CHECK_ERRNO(write(0, "x", 1), EBADF);
  CHECK_EQ(isatty(0), 0);
  CHECK_EQ(errno, ENOTTY);
  CHECK_EQ(read(0, text, 5), 5);
  CHECK(memcmp(text, "01234", 5) == 0);
  CHECK_EQ(read(0, text, 0), 0);
  CHECK_EQ(getchar(), '5');
  CHECK(fgets(text, sizeof text, stdin) != NULL);
  CHECK(strcmp(text, "6789ab") == 0);
  CHECK_EQ(getchar(), EOF);
  CHECK_EQ(read(0, text, 10), 0);
  CHECK_EQ(read(0, text, 10), 0);  // the end stays
}

static unsigned Depth(unsigned level) {
  volatile char page[4096];
  page[0] = page[4095] = (char)level;
  return level == 0 ? 0 : 1 + Depth(level - 1) + (unsigned)(page[0] - page[4095]);
}

static sigjmp_buf back;
static volatile uintptr_t fault_address, handler_stack;

static void OnOverflow(int signal, siginfo_t* info, void* context) {
  int local;
  (void)signal;
  (void)context;
  fault_address = (uintptr_t)info->si_addr;
  handler_stack = (uintptr_t)&local;
  siglongjmp(back, 1);
}

static int Endless(volatile int* counter) {
  volatile int frame[256];
  frame[0] = ++*counter;
  if (*counter < 0) return 0;  // never
  return Endless(counter) + frame[0];
}

static void Stack(void) {
  static char other[1 << 16];
  CHECK_EQ(Depth(1500), 1500);  // grows by itself: 6 MiB of the 8
  stack_t to = {.ss_sp = other, .ss_size = sizeof other};
  CHECK_EQ(sigaltstack(&to, NULL), 0);
  struct sigaction action = {.sa_sigaction = OnOverflow, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  CHECK_EQ(sigaction(SIGSEGV, &action, NULL), 0);
  for (int i = 0; i < 2; ++i) {
    volatile int counter = 0;
    int here;
    if (sigsetjmp(back, 1) == 0) Endless(&counter);
    CHECK(counter > 1000);
    CHECK(handler_stack >= (uintptr_t)other && handler_stack < (uintptr_t)other + sizeof other);
    CHECK((uintptr_t)&here - fault_address > (7u << 20) &&
          (uintptr_t)&here - fault_address < (9u << 20));
  }
}

static void Again(char** argv) {
  static char* arguments[kManyArguments + 3];
  static char* environment[] = {"FIRST=1", "EMPTY=", "NOEQUALS", "LONG=", NULL};
  char* word = malloc(100001);
  memset(word, 'w', 100000);
  word[100000] = 0;
  memcpy(word, "LONG=", 5);
  environment[3] = word;
  arguments[0] = "";
  arguments[1] = "again";
  for (int i = 2; i < kManyArguments; ++i)
    arguments[i] = i % 2 ? "" : "an argument of some length with blanks";
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGUSR1, SIG_IGN);
  sigaction(SIGHUP, &(struct sigaction){.sa_sigaction = OnOverflow, .sa_flags = SA_SIGINFO}, NULL);
  raise(SIGUSR2);
  if (chdir("/") != 0) return;
  (void)argv;
  execve("/proc/self/exe", arguments, environment);
  CHECK(0);
}

static void AfterExec(int argc, char** argv) {
  CHECK_EQ(argc, kManyArguments);
  for (int i = 2; i < argc; ++i)
    CHECK_EQ(strlen(argv[i]), i % 2 ? 0 : strlen("an argument of some length with blanks"));
  CHECK(strcmp(environ[0], "FIRST=1") == 0 && strcmp(environ[1], "EMPTY=") == 0 &&
        strcmp(environ[2], "NOEQUALS") == 0);
  CHECK_EQ(strlen(environ[3]), 100000);
  CHECK(environ[4] == NULL);
  // execve(2): handlers go, ignored signals, the mask and what is pending stay; the alternate stack
  // goes.
  struct sigaction action;
  sigaction(SIGUSR1, NULL, &action);
  CHECK(action.sa_handler == SIG_IGN);
  sigaction(SIGHUP, NULL, &action);
  CHECK(action.sa_handler == SIG_DFL);
  sigset_t set;
  sigprocmask(SIG_BLOCK, NULL, &set);
  CHECK(sigismember(&set, SIGUSR2));
  sigpending(&set);
  CHECK(sigismember(&set, SIGUSR2));
  stack_t stack;
  sigaltstack(NULL, &stack);
  CHECK(stack.ss_flags & SS_DISABLE);
  char here[64];
  CHECK(getcwd(here, sizeof here) != NULL && strcmp(here, "/") == 0);
}

int main(int argc, char** argv) {
  if (argc > 2) {
    AfterExec(argc, argv);
    REPORT();
  }
  Image(argv);
  StandardInput();
  Stack();
  if (failures == 0) Again(argv);
  REPORT();
}
