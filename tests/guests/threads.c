// Threads: clone(2) as libcs use it, futex(2) beneath mutexes, conditions, semaphores and barriers;
// signals among threads; ends of threads and of processes that have several.
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { kThreads = 8, kRounds = 20000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long plain_counter;
static atomic_long atomic_counter;
static __thread long own_counter;

static pid_t tid(void) { return (pid_t)syscall(SYS_gettid); }

static void* counts(void* argument) {
  for (int i = 0; i < kRounds; i++) {
    atomic_fetch_add(&atomic_counter, 1);
    own_counter++;
    if (i % 4 != 0) continue;
    pthread_mutex_lock(&mutex);
    plain_counter++;
    pthread_mutex_unlock(&mutex);
  }
  CHECK_EQ(own_counter, kRounds);
  return argument;
}

static void counting_together(void) {
  pthread_t threads[kThreads];
  for (intptr_t i = 0; i < kThreads; i++)
    CHECK_EQ(pthread_create(&threads[i], NULL, counts, (void*)i), 0);
  for (intptr_t i = 0; i < kThreads; i++) {
    void* result;
    CHECK_EQ(pthread_join(threads[i], &result), 0);
    CHECK_EQ((intptr_t)result, i);
  }
  CHECK_EQ(atomic_counter, (long)kThreads * kRounds);
  CHECK_EQ(plain_counter, (long)kThreads * kRounds / 4);
  CHECK_EQ(own_counter, 0);
}

// A token goes round: each thread waits for its number.
static int turn;
static void* passes_on(void* argument) {
  const int mine = (int)(intptr_t)argument;
  for (int round = 0; round < 100; round++) {
    pthread_mutex_lock(&mutex);
    while (turn % kThreads != mine) pthread_cond_wait(&condition, &mutex);
    turn++;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void conditions(void) {
  pthread_t threads[kThreads];
  for (intptr_t i = 0; i < kThreads; i++) pthread_create(&threads[i], NULL, passes_on, (void*)i);
  for (int i = 0; i < kThreads; i++) pthread_join(threads[i], NULL);
  CHECK_EQ(turn, 100 * kThreads);
}

static void* holds_for_a_while(void* argument) {
  pthread_mutex_lock(&mutex);
  sem_post(argument);
  const struct timespec moment = {0, 50000000};
  nanosleep(&moment, NULL);
  pthread_mutex_unlock(&mutex);
  return NULL;
}

static void timed_waits(void) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_nsec -= 1000000000;
    until.tv_sec++;
  }
  pthread_mutex_lock(&mutex);
  CHECK_EQ(pthread_cond_timedwait(&condition, &mutex, &until), ETIMEDOUT);
  pthread_mutex_unlock(&mutex);
  sem_t held;
  sem_init(&held, 0, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, holds_for_a_while, &held);
  sem_wait(&held);
  clock_gettime(CLOCK_REALTIME, &until);
  CHECK_EQ(pthread_mutex_timedlock(&mutex, &until), ETIMEDOUT);
  CHECK_EQ(pthread_mutex_lock(&mutex), 0);
  pthread_mutex_unlock(&mutex);
  pthread_join(thread, NULL);
  CHECK_ERRNO(sem_timedwait(&held, &until), ETIMEDOUT);
}

static pthread_barrier_t barrier;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static void* meets(void* argument) {
  (void)argument;
  long serial = 0;
  for (int i = 0; i < 50; i++) {
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) serial++;
    pthread_rwlock_rdlock(&lock);
    sched_yield();
    pthread_rwlock_unlock(&lock);
    pthread_rwlock_wrlock(&lock);
    pthread_rwlock_unlock(&lock);
  }
  return (void*)serial;
}

static void barriers(void) {
  pthread_barrier_init(&barrier, NULL, kThreads);
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; i++) pthread_create(&threads[i], NULL, meets, NULL);
  long serials = 0;
  for (int i = 0; i < kThreads; i++) {
    void* serial;
    pthread_join(threads[i], &serial);
    serials += (long)serial;
  }
  CHECK_EQ(serials, 50);
}

static pthread_mutex_t robust;
static void* dies_with_lock(void* argument) {
  pthread_mutex_lock(&robust);
  return argument;
}

static void robust_mutexes(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attributes);
  pthread_t thread;
  pthread_create(&thread, NULL, dies_with_lock, NULL);
  pthread_join(thread, NULL);
  CHECK_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
  CHECK_EQ(pthread_mutex_consistent(&robust), 0);
  CHECK_EQ(pthread_mutex_unlock(&robust), 0);
  CHECK_EQ(pthread_mutex_lock(&robust), 0);
  CHECK_EQ(pthread_mutex_unlock(&robust), 0);
}

static pthread_mutex_t inheriting;
static long inherited_counter;
static void* counts_with_inheritance(void* argument) {
  for (int i = 0; i < 2000; i++) {
    pthread_mutex_lock(&inheriting);
    const long was = inherited_counter;
    if (i % 100 == 0) sched_yield();
    inherited_counter = was + 1;
    pthread_mutex_unlock(&inheriting);
  }
  return argument;
}

static void mutexes_with_priority_inheritance(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  if (pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) != 0) return;  // musl < 1.2
  CHECK_EQ(pthread_mutex_init(&inheriting, &attributes), 0);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, counts_with_inheritance, NULL);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  CHECK_EQ(inherited_counter, 8000);
}

struct shared {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  int stage;
};

static void between_processes(void) {
  struct shared* const shared =
      mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_t mutex_attributes;
  pthread_mutexattr_init(&mutex_attributes);
  pthread_mutexattr_setpshared(&mutex_attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->mutex, &mutex_attributes);
  pthread_condattr_t condition_attributes;
  pthread_condattr_init(&condition_attributes);
  pthread_condattr_setpshared(&condition_attributes, PTHREAD_PROCESS_SHARED);
  pthread_cond_init(&shared->condition, &condition_attributes);
  const pid_t child = fork();
  for (int round = 0; round < 50; round++) {
    pthread_mutex_lock(&shared->mutex);
    while (shared->stage % 2 != (child == 0)) pthread_cond_wait(&shared->condition, &shared->mutex);
    shared->stage++;
    pthread_cond_signal(&shared->condition);
    pthread_mutex_unlock(&shared->mutex);
  }
  if (child == 0) _exit(0);
  int status;
  waitpid(child, &status, 0);
  CHECK_EQ(status, 0);
  CHECK_EQ(shared->stage, 100);
  munmap(shared, sizeof *shared);
}

static atomic_int caught_by;
static void on_signal(int number) {
  (void)number;
  atomic_store(&caught_by, tid());
}

static atomic_int sleeper_tid;
static void* sleeps(void* argument) {
  (void)argument;
  atomic_store(&sleeper_tid, tid());
  while (atomic_load(&caught_by) == 0) {
    const struct timespec moment = {0, 1000000};
    nanosleep(&moment, NULL);
  }
  return NULL;
}

static void signals_to_threads(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  pthread_t thread;
  pthread_create(&thread, NULL, sleeps, NULL);
  while (atomic_load(&sleeper_tid) == 0) sched_yield();
  pthread_kill(thread, SIGUSR1);
  pthread_join(thread, NULL);
  CHECK_EQ(caught_by, sleeper_tid);
  // One that all others block is taken by the one that does not.
  caught_by = 0;
  sleeper_tid = 0;
  pthread_create(&thread, NULL, sleeps, NULL);
  while (atomic_load(&sleeper_tid) == 0) sched_yield();
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, &old);
  kill(getpid(), SIGUSR1);
  pthread_join(thread, NULL);
  CHECK_EQ(caught_by, sleeper_tid);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  // pthread_join(3) comes back when the thread has let go of its memory, which is before it is gone.
  while (syscall(SYS_tgkill, getpid(), sleeper_tid, 0) == 0) sched_yield();
  CHECK_EQ(errno, ESRCH);
}

static void* is_cancelled(void* argument) {
  while (argument == NULL) pause();
  return NULL;
}

static void cancellation(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, is_cancelled, NULL);
  CHECK_EQ(pthread_cancel(thread), 0);
  void* result;
  CHECK_EQ(pthread_join(thread, &result), 0);
  CHECK(result == PTHREAD_CANCELED);
}

static void* ends_all(void* argument) { exit((int)(intptr_t)argument); }
static void* becomes_another(void* argument) {
  (void)argument;
  execl("/proc/self/exe", "threads", "as-child", (char*)NULL);
  exit(127);
}
static void* outlives_the_leader(void* argument) {
  (void)argument;
  const struct timespec moment = {0, 10000000};
  nanosleep(&moment, NULL);
  exit(33);
}
static void* dies(void* argument) {
  raise(SIGSEGV);
  return argument;
}

// The status of a process whose second thread runs `body`, while the first waits or has ended.
static int status_with(void* (*body)(void*), int leader_ends) {
  const pid_t child = fork();
  if (child == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, body, (void*)21);
    if (leader_ends) pthread_exit(NULL);
    for (;;) pause();
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  return status;
}

static void ends(void) {
  CHECK_EQ(WEXITSTATUS(status_with(ends_all, 0)), 21);
  CHECK_EQ(WEXITSTATUS(status_with(becomes_another, 0)), 77);
  CHECK_EQ(WEXITSTATUS(status_with(outlives_the_leader, 1)), 33);
  CHECK_EQ(WTERMSIG(status_with(dies, 0)), SIGSEGV);
}

static void* returns_tid(void* argument) {
  *(pid_t*)argument = tid();
  return NULL;
}

static void identities(void) {
  pid_t other = 0;
  pthread_t thread;
  CHECK_EQ(tid(), getpid());
  pthread_create(&thread, NULL, returns_tid, &other);
  pthread_join(thread, NULL);
  CHECK(other != 0 && other != getpid());
  // pthread_join(3) returns when the thread's word is cleared, a moment before its number is free.
  while (syscall(SYS_tkill, other, 0) == 0) sched_yield();
  CHECK(errno == ESRCH);
  char name[32];
  pthread_setname_np(pthread_self(), "leader");
  snprintf(name, sizeof name, "/proc/self/task/%d/comm", tid());
  const int fd = open(name, O_RDONLY);
  CHECK(fd >= 0);
  memset(name, 0, sizeof name);
  CHECK_EQ(read(fd, name, sizeof name), 7);
  CHECK(strcmp(name, "leader\n") == 0);
  close(fd);
}

// include/uapi/linux/futex.h, which musl does not bring along.
enum {
  FUTEX_WAIT_PRIVATE = 128,
  FUTEX_WAKE_PRIVATE,
  FUTEX_CMP_REQUEUE_PRIVATE = 132,
  FUTEX_WAKE_OP_PRIVATE,
  FUTEX_WAIT_BITSET_PRIVATE = 137,
  FUTEX_WAKE_BITSET_PRIVATE,
};

static long futex(void* word, int op, unsigned value, void* timeout, void* word2, unsigned value3) {
  return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}
static unsigned words[2];
static atomic_int waiting, woken;
static void* waits_for_bits(void* argument) {
  atomic_fetch_add(&waiting, 1);
  CHECK_EQ(futex(&words[0], FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (unsigned)(intptr_t)argument),
           0);
  atomic_fetch_add(&woken, 1);
  return NULL;
}

static void wait_until(atomic_int* value, int wanted) {
  while (atomic_load(value) < wanted) sched_yield();
  const struct timespec moment = {0, 20000000};  // and the last one is in the kernel
  nanosleep(&moment, NULL);
}

static void futexes(void) {
  CHECK_ERRNO(futex(&words[0], FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EAGAIN);
  CHECK_ERRNO(futex((char*)words + 1, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
  CHECK_ERRNO(futex((void*)16, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
  CHECK_ERRNO(futex(&words[0], FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0), EINVAL);
  struct timespec moment = {0, 1000};
  CHECK_ERRNO(futex(&words[0], FUTEX_WAIT_PRIVATE, 0, &moment, NULL, 0), ETIMEDOUT);
  CHECK_EQ(futex(&words[0], FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
  pthread_t threads[4];
  for (intptr_t i = 0; i < 4; i++)
    pthread_create(&threads[i], NULL, waits_for_bits, (void*)((intptr_t)1 << i));
  wait_until(&waiting, 4);
  CHECK_EQ(futex(&words[0], FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 0x10), 0);
  CHECK_EQ(futex(&words[0], FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 4), 1);
  CHECK_ERRNO(futex(&words[0], FUTEX_CMP_REQUEUE_PRIVATE, 1, (void*)1, &words[1], 1), EAGAIN);
  CHECK_EQ(futex(&words[0], FUTEX_CMP_REQUEUE_PRIVATE, 1, (void*)1, &words[1], 0), 2);
  CHECK_EQ(futex(&words[1], FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 1);
  // Adds 5 to the second word, and wakes its waiters where it was 0.
  const unsigned add_5_if_0 = 1u << 28 | 5 << 12;
  CHECK_EQ(futex(&words[0], FUTEX_WAKE_OP_PRIVATE, 1, (void*)1, &words[1], add_5_if_0), 1);
  CHECK_EQ(words[1], 5);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  CHECK_EQ(woken, 4);
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "as-child") == 0) return 77;
  counting_together();
  conditions();
  timed_waits();
  barriers();
  robust_mutexes();
  mutexes_with_priority_inheritance();
  between_processes();
  signals_to_threads();
  cancellation();
  ends();
  identities();
  futexes();
  REPORT();
}
