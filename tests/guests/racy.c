// Two threads that add to one number without a lock: how much is lost says how their instructions
// were interleaved. Its end result is printed, and nothing is right or wrong about it.
#include <pthread.h>
#include <stdio.h>

enum { kRounds = 50000 };
static volatile int number;

static void* adds(void* nothing) {
  for (int i = 0; i < kRounds; i++) {
    int seen = number;
    number = seen + 1;
  }
  return nothing;
}

int main(void) {
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, adds, NULL);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  printf("%d\n", number);
  return 0;
}
