#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t seen;

static void handler(int number, siginfo_t* info, void* context) { seen = seen * 10 + number % 10; }

int main(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGUSR2, &action, NULL);
  raise(SIGUSR1);
  raise(SIGUSR2);
  printf("seen %d\n", seen);
  fflush(stdout);
  volatile int* nowhere = (int*)16;
  *nowhere = 1;
  return 0;
}
