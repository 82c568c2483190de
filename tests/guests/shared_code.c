// Code that changes by way of something else than the mapping that it runs from: a second mapping,
// one of another process, read(2) into it, write(2) to the file that is mapped, another thread.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { kPage = 4096 };
typedef int (*Function)(void);

// mov eax, value; ret: the same bytes on x86-64 and i386.
static void Encode(unsigned char* at, int value) {
  at[0] = 0xb8;
  memcpy(at + 1, &value, 4);
  at[5] = 0xc3;
}

static int File(void) {
  int fd = (int)syscall(SYS_memfd_create, "code", 0);
  CHECK(fd >= 0);
  CHECK_EQ(ftruncate(fd, 2 * kPage), 0);
  return fd;
}

static void TestSecondMapping(void) {
  int fd = File();
  unsigned char* w = mmap(NULL, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  unsigned char* x = mmap(NULL, 2 * kPage, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  CHECK(w != MAP_FAILED && x != MAP_FAILED);
  Function run = (Function)(uintptr_t)x;
  for (int i = 0; i < 100; ++i) {
    Encode(w, i);
    CHECK_EQ(run(), i);
  }
  // Data beside the code in its page.
  for (int i = 0; i < 100; ++i) w[100 + i] = (unsigned char)i;
  CHECK_EQ(run(), 99);
  Function other = (Function)(uintptr_t)(x + kPage + 16);
  Encode(w + kPage + 16, 7);
  CHECK_EQ(other(), 7);
  CHECK_EQ(run(), 99);
  // By write(2), by read(2) into the writable mapping, and by a hole.
  unsigned char code[6];
  Encode(code, 1234);
  CHECK_EQ(pwrite(fd, code, 6, 0), 6);
  CHECK_EQ(run(), 1234);
  int pipe_fds[2];
  CHECK_EQ(pipe(pipe_fds), 0);
  Encode(code, 4321);
  CHECK_EQ(write(pipe_fds[1], code, 6), 6);
  CHECK_EQ(read(pipe_fds[0], w, 6), 6);
  CHECK_EQ(run(), 4321);
  // By another process.
  pid_t child = fork();
  if (child == 0) {
    Encode(w, 55);
    _exit(run());
  }
  int status = 0;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(WEXITSTATUS(status), 55);
  CHECK_EQ(run(), 55);
  child = fork();
  if (child == 0) {
    Encode(code, 56);
    _exit(run() == 55 && pwrite(fd, code, 6, 0) == 6 ? run() : 0);
  }
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(WEXITSTATUS(status), 56);
  CHECK_EQ(run(), 56);
  CHECK_EQ(munmap(w, 2 * kPage) + munmap(x, 2 * kPage) + close(fd), 0);
}

static void TestReadIntoCode(void) {
  unsigned char* x =
      mmap(NULL, kPage, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int fd = File();
  Function run = (Function)(uintptr_t)x;
  for (int i = 0; i < 40; ++i) {
    unsigned char code[6];
    Encode(code, i);
    CHECK_EQ(pwrite(fd, code, 6, 0), 6);
    CHECK_EQ(pread(fd, x, 6, 0), 6);
    CHECK_EQ(run(), i);
  }
  // Code of a private mapping goes with the mapping.
  unsigned char* p = mmap(NULL, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  CHECK(p != MAP_FAILED);
  CHECK_EQ(((Function)(uintptr_t)p)(), 39);
  unsigned char code[6];
  Encode(code, 77);
  CHECK_EQ(pwrite(fd, code, 6, kPage), 6);
  CHECK(mmap(p, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, kPage) == p);
  CHECK_EQ(((Function)(uintptr_t)p)(), 77);
  // mremap and MADV_DONTNEED.
  Encode(x, 1);
  CHECK_EQ(run(), 1);
  unsigned char* moved = mremap(x, kPage, 2 * kPage, MREMAP_MAYMOVE);
  CHECK(moved != MAP_FAILED);
  CHECK_EQ(((Function)(uintptr_t)moved)(), 1);
  CHECK_EQ(madvise(moved, kPage, MADV_DONTNEED), 0);
  CHECK_EQ(moved[0], 0);
  Encode(moved, 2);
  CHECK_EQ(((Function)(uintptr_t)moved)(), 2);
  CHECK_EQ(munmap(moved, 2 * kPage) + munmap(p, kPage) + close(fd), 0);
}

struct Shared {
  unsigned char* w;
  Function run;
  volatile int turn;
};
static void* Writer(void* argument) {
  struct Shared* s = argument;
  for (int i = 0; i < 50; ++i) {
    while (s->turn != 2 * i) sched_yield();
    Encode(s->w, i + 1000);
    s->turn = 2 * i + 1;
  }
  return NULL;
}
static void TestThreads(void) {
  int fd = File();
  struct Shared s = {0};
  s.w = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  s.run = (Function)(uintptr_t)mmap(NULL, kPage, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, NULL, Writer, &s), 0);
  for (int i = 0; i < 50; ++i) {
    while (s.turn != 2 * i + 1) sched_yield();
    CHECK_EQ(s.run(), i + 1000);
    s.turn = 2 * i + 2;
  }
  CHECK_EQ(pthread_join(thread, NULL), 0);
}

int main(void) {
  TestSecondMapping();
  TestReadIntoCode();
  TestThreads();
  REPORT();
}
