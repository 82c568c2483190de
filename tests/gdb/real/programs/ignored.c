#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t caught;
static volatile int value;

static void handler(int number, siginfo_t* info, void* context) {
  caught = number;
  value = info->si_value.sival_int;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR2, &action, NULL);
  signal(SIGUSR1, SIG_IGN);
  for (int i = 0; i < 3; i++) kill(getpid(), SIGUSR1);
  if (fork() == 0) _exit(0);
  wait(NULL);
  union sigval with = {.sival_int = 77};
  sigqueue(getpid(), SIGUSR2, with);
  printf("caught %d value %d\n", caught, value);
  return 0;
}
