/* Threads that race on purpose: who gets what follows from the schedule alone, which the epoch
 * holds. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kThreads = 6, kRounds = 300000 };

static atomic_int next_ticket;
static long taken[kThreads];
static uint64_t order = 14695981039346656037u; /* plain on purpose: the last writer wins */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int waiting;

static void* Race(void* argument) {
  const int me = (int)(intptr_t)argument;
  for (;;) {
    const int ticket = atomic_fetch_add(&next_ticket, 1);
    if (ticket >= kRounds) break;
    taken[me]++;
    order = (order ^ (uint64_t)(me + 1)) * 1099511628211u;
    if (ticket % 50000 == 0) sched_yield();
  }
  pthread_mutex_lock(&mutex);
  waiting++;
  pthread_cond_broadcast(&condition);
  while (waiting < kThreads) pthread_cond_wait(&condition, &mutex);
  printf("thread %d took %ld\n", me, taken[me]);
  fflush(stdout);
  pthread_mutex_unlock(&mutex);
  return NULL;
}

int main(void) {
  pthread_t threads[kThreads];
  for (intptr_t i = 0; i < kThreads; i++) pthread_create(&threads[i], NULL, Race, (void*)i);
  for (int i = 0; i < kThreads; i++) pthread_join(threads[i], NULL);
  printf("order %016llx\n", (unsigned long long)order);
  int ends[2];
  if (pipe(ends) != 0) return 1;
  for (int child = 0; child < 4; child++) {
    if (fork() == 0) {
      for (volatile int i = 0; i < 100000 * (4 - child); i++) {
      }
      dprintf(ends[1], "child %d is process %d\n", child, getpid());
      _exit(child);
    }
  }
  close(ends[1]);
  char text[256];
  for (ssize_t got; (got = read(ends[0], text, sizeof text)) > 0;)
    fwrite(text, 1, (size_t)got, stdout);
  int status, sum = 0;
  while (wait(&status) > 0) sum += WEXITSTATUS(status);
  printf("sum %d\n", sum);
  return 0;
}
