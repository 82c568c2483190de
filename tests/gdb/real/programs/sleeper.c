#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_barrier_t ready;

static void tick(int number) { fprintf(stderr, "tick %d\n", number); }

static void* sleeper(void* argument) {
  pthread_barrier_wait(&ready);
  for (int i = 0; i < 3; i++) {
    usleep(1000);
    tick(i);
  }
  return argument;
}

static void both_are_there(void) {}

int main(void) {
  pthread_t thread;
  pthread_barrier_init(&ready, NULL, 2);
  pthread_create(&thread, NULL, sleeper, NULL);
  pthread_barrier_wait(&ready);
  both_are_there();
  pthread_join(thread, NULL);
  return 0;
}
