#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>

static pthread_barrier_t ready;
static __thread int own;
static volatile long shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void* worker(void* argument) {
  long number = (long)argument;
  own = (int)number * 10;
  pthread_setname_np(pthread_self(), number == 1 ? "first" : "second");
  pthread_barrier_wait(&ready);
  for (int i = 0; i < 1000; i++) {
    pthread_mutex_lock(&lock);
    shared += number;
    pthread_mutex_unlock(&lock);
  }
  return (void*)(long)own;
}

int main(void) {
  pthread_t threads[2];
  pthread_barrier_init(&ready, NULL, 3);
  for (long i = 0; i < 2; i++) pthread_create(&threads[i], NULL, worker, (void*)(i + 1));
  pthread_barrier_wait(&ready);
  long sum = 0;
  for (int i = 0; i < 2; i++) {
    void* result;
    pthread_join(threads[i], &result);
    sum += (long)result;
  }
  printf("shared %ld sum %ld\n", shared, sum);
  return 0;
}
