#include <pthread.h>
#include <stdio.h>

/* Threads that count for themselves, for ever, until somebody sets `over`. */
volatile long counts[3];
volatile int over;

void tick(long number) { counts[number]++; }

static void* worker(void* argument) {
  long number = (long)argument;
  while (!over) {
    tick(number);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[2];
  for (long i = 0; i < 2; i++) pthread_create(&threads[i], NULL, worker, (void*)(i + 1));
  while (!over) counts[0]++;
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  printf("all over\n");
  return 0;
}
