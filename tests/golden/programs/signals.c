/* Faults and signals: handlers with siginfo on an alternate stack, return to the fault, timers, a fatal signal. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

static char *page;
static sigjmp_buf again;
static volatile int alarms;

static void OnFault(int number, siginfo_t *info, void *context) {
  printf("signal %d code %d offset %ld\n", number, info->si_code, (long)((char *)info->si_addr - page));
  mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void OnDivide(int number, siginfo_t *info, void *context) {
  printf("signal %d code %d\n", number, info->si_code);
  siglongjmp(again, 1);
}

static void OnAlarm(int number) { ++alarms; }

int main(void) {
  static char stack[65536];
  sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
  page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct sigaction action = {.sa_sigaction = OnFault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGSEGV, &action, NULL);
  page[17] = 'x';
  printf("stored %c\n", page[17]);

  action.sa_sigaction = OnDivide;
  sigaction(SIGFPE, &action, NULL);
  volatile int zero = 0, one = 1;
  if (!sigsetjmp(again, 1)) printf("never %d\n", one / zero);

  signal(SIGALRM, OnAlarm);
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 1000}, {0, 1000}}, NULL);
  while (alarms < 3) pause();
  printf("alarms %d\n", alarms);
  fflush(stdout);
  signal(SIGABRT, SIG_DFL);
  abort();
}
