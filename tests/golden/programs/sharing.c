/* Memory of a file between processes, locks that make them take turns, and who is told of what
 * happens in a directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kProcesses = 4, kRounds = 50 };
struct shared {
  volatile int next; /* plain: the lock guards it */
  volatile int order[kProcesses * kRounds];
};

static void TakeTurns(struct shared* shared, int me) {
  const int file = open("dir/lock", O_RDWR);
  for (int i = 0; i < kRounds; i++) {
    flock(file, LOCK_EX);
    const int at = shared->next;
    for (volatile int wait = 0; wait < 500 * me; wait++) {
    }
    shared->order[at] = me;
    shared->next = at + 1;
    flock(file, LOCK_UN);
  }
  _exit(0);
}

int main(void) {
  mkdir("dir", 0755);
  const int watch = inotify_init1(IN_NONBLOCK);
  inotify_add_watch(watch, "dir", IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVE | IN_DELETE);
  close(open("dir/lock", O_CREAT | O_RDWR, 0644));
  const int file = open("dir/memory", O_CREAT | O_RDWR, 0644);
  ftruncate(file, sizeof(struct shared));
  struct shared* shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  for (int i = 0; i < kProcesses; i++) {
    if (fork() == 0) TakeTurns(shared, i);
  }
  while (wait(NULL) > 0) {
  }
  uint64_t hash = 14695981039346656037u;
  for (int i = 0; i < shared->next; i++)
    hash = (hash ^ (uint64_t)shared->order[i]) * 1099511628211u;
  printf("%d turns, %016llx\n", shared->next, (unsigned long long)hash);
  int first = -1;
  pread(file, &first, sizeof first, 0); /* read(2) sees the mapping */
  printf("read %d\n", first);
  fflush(stdout);
  munmap(shared, sizeof *shared);

  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  fcntl(file, F_SETLK, &whole);
  if (fork() == 0) {
    const int refused = fcntl(file, F_SETLK, &whole) < 0 ? errno : 0;
    fcntl(file, F_GETLK, &whole);
    printf("lock: errno %d, held by the parent %d\n", refused, whole.l_pid == getppid());
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  close(file);
  rename("dir/memory", "dir/other");
  unlink("dir/other");
  char events[4096] __attribute__((aligned(8)));
  const ssize_t got = read(watch, events, sizeof events);
  for (ssize_t at = 0; at < got;) {
    const struct inotify_event* event = (const struct inotify_event*)(events + at);
    printf("%08x %s\n", event->mask, event->name);
    at += (ssize_t)sizeof *event + event->len;
  }
  return 0;
}
