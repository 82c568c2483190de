// What sanitizers find, and programs that are right: the argument says which.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int zero;
static int shared;
static atomic_int turn;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int *make(int n) {
  int *list = malloc(n * sizeof *list);
  for (int i = 0; i < n; ++i) list[i] = i;
  return list;
}
static void *locked(void *unused) {
  for (int i = 0; i < 1000; ++i) {
    pthread_mutex_lock(&lock);
    ++shared;
    pthread_mutex_unlock(&lock);
  }
  return unused;
}
// One after the other, but nothing that orders them: a race in whatever order they run.
static void *racing(void *mine) {
  while (atomic_load_explicit(&turn, memory_order_relaxed) != (int)(long)mine) usleep(100);
  shared += 1 + (int)(long)mine;
  atomic_store_explicit(&turn, 1 + (int)(long)mine, memory_order_relaxed);
  return NULL;
}
static void in_threads(void *(*body)(void *)) {
  pthread_t threads[2];
  for (long i = 0; i < 2; ++i) pthread_create(&threads[i], NULL, body, (void *)i);
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
}
static int right(void) {
  long sum = 0;
  for (int size = 1; size < 100000; size = size * 3 / 2 + 1) {
    int *const list = make(size);
    sum += list[size - 1];
    free(list);
  }
  in_threads(locked);
  const pid_t child = fork();
  if (child == 0) {
    int *const list = make(1000);
    free(list);
    exit(shared == 2000 ? 7 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("%ld %d %d\n", sum, shared, WEXITSTATUS(status));
  return 0;
}

int main(int argc, char **argv) {
  const char *const what = argc > 1 ? argv[1] : "right";
  if (strcmp(what, "right") == 0) return right();
  if (strcmp(what, "use-after-free") == 0) {
    int *const list = make(10);
    free(list);
    return list[3 + zero];
  }
  if (strcmp(what, "overflow") == 0) {
    char text[8];
    memset(text, 'x', sizeof text + 1 + zero);
    return text[zero];
  }
  if (strcmp(what, "leak") == 0) {
    make(10);
    make(20);
    return 0;
  }
  if (strcmp(what, "undefined") == 0) {
    int largest = 0x7fffffff - zero;
    int sum = largest + argc;
    int shifted = 1 << (32 + zero);
    printf("%d %d\n", sum != 0, shifted != 12345);
    return 0;
  }
  in_threads(racing);
  printf("%d\n", shared);
  return 0;
}
