// What can be done to mappings: mremap(2), madvise(2), mlock(2), mincore(2), MAP_GROWSDOWN,
// MAP_FIXED_NOREPLACE, mprotect(2) of what grows, remap_file_pages(2), huge reservations.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { kPage = 4096 };
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static sigjmp_buf escape;
static void OnFault(int signal) { siglongjmp(escape, signal); }
static int Touch(volatile char* at) {
  const int signal = sigsetjmp(escape, 1);
  if (signal == 0) *at = *at;
  return signal;
}
static char* Anonymous(size_t size, int flags) {
  return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
}
static void* Remap(void* at, size_t from, size_t to, int flags, void* target) {
  return (void*)syscall(SYS_mremap, at, from, to, flags, target);
}

static void TestRemap(void) {
  char* a = Anonymous(4 * kPage, MAP_PRIVATE);
  a[0] = 'a';
  a[3 * kPage] = 'd';
  // Kept in its old place, emptied; the contents move.
  char* b = Remap(a, 4 * kPage, 4 * kPage, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
  CHECK(b != MAP_FAILED && b != a);
  CHECK_EQ(b[0], 'a');
  CHECK_EQ(b[3 * kPage], 'd');
  CHECK_EQ(a[0], 0);
  a[0] = 'A';
  CHECK_EQ(b[0], 'a');
  CHECK_ERRNO((intptr_t)Remap(a, 4 * kPage, 8 * kPage, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL),
              EINVAL);
  CHECK_ERRNO((intptr_t)Remap(a, 4 * kPage, 4 * kPage, MREMAP_DONTUNMAP, NULL), EINVAL);
  // To where something is.
  char* c = Remap(b, 4 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, a + kPage);
  CHECK(c == a + kPage);
  CHECK_EQ(c[0], 'a');
  CHECK_EQ(a[0], 'A');
  CHECK_EQ(a[3 * kPage], 0);
  CHECK_EQ(Touch(b), SIGSEGV);
  CHECK_ERRNO((intptr_t)Remap(a, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, a + kPage),
              EINVAL);
  CHECK_ERRNO((intptr_t)Remap(a + 1, kPage, kPage, 0, NULL), EINVAL);
  CHECK_ERRNO((intptr_t)Remap(a, kPage, 0, 0, NULL), EINVAL);
  CHECK_ERRNO((intptr_t)Remap(a, kPage, kPage, 8, NULL), EINVAL);
  CHECK_ERRNO((intptr_t)Remap(b, kPage, 2 * kPage, 0, NULL), EFAULT);
  // Private memory has no second mapping.
  CHECK_ERRNO((intptr_t)Remap(a, 0, kPage, MREMAP_MAYMOVE, NULL), EINVAL);
  CHECK_EQ(munmap(a, 4 * kPage), 0);
  // Shared memory has, and does not grow with its mapping.
  a = Anonymous(2 * kPage, MAP_SHARED);
  a[kPage] = 's';
  b = Remap(a, 0, 2 * kPage, MREMAP_MAYMOVE, NULL);
  CHECK(b != MAP_FAILED && b[kPage] == 's');
  b[0] = 't';
  CHECK_EQ(a[0], 't');
  c = mremap(b, 2 * kPage, 3 * kPage, MREMAP_MAYMOVE);
  CHECK(c != MAP_FAILED && c[kPage] == 's');
  CHECK_EQ(Touch(c + 2 * kPage), SIGBUS);
  CHECK_EQ(munmap(a, 2 * kPage) + munmap(c, 3 * kPage), 0);
}

static void TestAdvice(void) {
  char* a = Anonymous(4 * kPage, MAP_PRIVATE);
  memset(a, 'x', 4 * kPage);
  CHECK_EQ(madvise(a + kPage, kPage, MADV_DONTNEED), 0);
  CHECK_EQ(a[kPage], 0);
  CHECK_EQ(a[2 * kPage], 'x');
  CHECK_EQ(madvise(a, kPage, MADV_WIPEONFORK), 0);
  CHECK_EQ(madvise(a + 2 * kPage, kPage, MADV_DONTFORK), 0);
  int status;
  pid_t child = fork();
  if (child == 0) {
    int wrong = a[0] != 0 || a[3 * kPage] != 'x' || Touch(a + 2 * kPage) != SIGSEGV;
    _exit(wrong);
  }
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(a[0], 'x');
  CHECK_EQ(madvise(a, kPage, MADV_KEEPONFORK) + madvise(a + 2 * kPage, kPage, MADV_DOFORK), 0);
  child = fork();
  if (child == 0) _exit(a[0] == 'x' && a[2 * kPage] == 'x' ? 0 : 1);
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_ERRNO(madvise(a + 1, kPage, MADV_DONTNEED), EINVAL);
  CHECK_ERRNO(madvise(a, kPage, 77), EINVAL);
  CHECK_EQ(madvise(a, 0, MADV_DONTNEED), 0);
  CHECK_EQ(munmap(a + kPage, kPage), 0);
  CHECK_ERRNO(madvise(a, 4 * kPage, MADV_DONTNEED), ENOMEM);
  CHECK_EQ(a[3 * kPage], 0);
  CHECK_EQ(munmap(a, 4 * kPage), 0);
  char* s = Anonymous(2 * kPage, MAP_SHARED);
  s[0] = s[kPage] = 's';
  CHECK_EQ(madvise(s, kPage, MADV_DONTNEED), 0);
  CHECK_EQ(s[0], 's');
  CHECK_EQ(madvise(s, kPage, MADV_REMOVE), 0);
  CHECK_EQ(s[0], 0);
  CHECK_EQ(s[kPage], 's');
  CHECK_ERRNO(madvise(s, kPage, MADV_WIPEONFORK), EINVAL);
  CHECK_ERRNO(madvise(s, kPage, MADV_FREE), EINVAL);
  CHECK_EQ(munmap(s, 2 * kPage), 0);
  a = Anonymous(kPage, MAP_PRIVATE);
  CHECK_ERRNO(madvise(a, kPage, MADV_REMOVE), EINVAL);
  unsigned char there[4] = {9, 9, 9, 9};
  CHECK_EQ(mincore(a, kPage, there), 0);
  CHECK_EQ(there[0] & 1, 0);
  CHECK_EQ(madvise(a, kPage, MADV_POPULATE_WRITE), 0);
  CHECK_EQ(mincore(a, kPage, there), 0);
  CHECK_EQ(there[0] & 1, 1);
  CHECK_EQ(there[1], 9);
  CHECK_EQ(mprotect(a, kPage, PROT_READ), 0);
  CHECK_ERRNO(madvise(a, kPage, MADV_POPULATE_WRITE), EINVAL);
  CHECK_EQ(munmap(a, kPage), 0);
  CHECK_ERRNO(mincore(a, kPage, there), ENOMEM);
}

static void TestLocks(void) {
  char* a = Anonymous(4 * kPage, MAP_PRIVATE);
  CHECK_EQ(mlock(a, kPage), 0);
  CHECK_ERRNO(madvise(a, kPage, MADV_DONTNEED), EINVAL);
  CHECK_ERRNO(msync(a, kPage, MS_INVALIDATE), EBUSY);
  CHECK_EQ(munlock(a, kPage), 0);
  CHECK_EQ(madvise(a, kPage, MADV_DONTNEED), 0);
  CHECK_ERRNO(msync(a, kPage, MS_SYNC | MS_ASYNC), EINVAL);
  CHECK_ERRNO(msync(a + 1, kPage, MS_SYNC), EINVAL);
  CHECK_ERRNO(mlockall(0), EINVAL);
  CHECK_ERRNO(mlockall(MCL_CURRENT | 64), EINVAL);
  CHECK_EQ(munlockall(), 0);
  pid_t child = fork();
  if (child == 0) {
    failures = 0;
    const struct rlimit two = {2 * kPage, 2 * kPage}, none = {0, 0};
    CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &two), 0);
    if (geteuid() == 0 && setuid(12345) != 0) _exit(1);
    CHECK_EQ(mlock(a, 2 * kPage), 0);
    CHECK_ERRNO(mlock(a + 2 * kPage, kPage), ENOMEM);
    CHECK_ERRNO((intptr_t)Anonymous(kPage, MAP_PRIVATE | MAP_LOCKED), EAGAIN);
    CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &none), 0);
    CHECK_ERRNO(mlock(a, kPage), EPERM);
    _exit(failures != 0);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(munmap(a, 4 * kPage), 0);
  CHECK_ERRNO(mlock(a, kPage), ENOMEM);
}

static void TestPlaces(void) {
  char* a = Anonymous(4 * kPage, MAP_PRIVATE);
  CHECK_ERRNO((intptr_t)mmap(a + kPage, kPage, PROT_READ,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
              EEXIST);
  CHECK_EQ(munmap(a + kPage, kPage), 0);
  CHECK(mmap(a + kPage, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
             0) == a + kPage);
  CHECK_EQ(munmap(a, 4 * kPage), 0);
  // Reservations cost nothing.
  const size_t huge = sizeof(void*) == 8 ? (size_t)64 << 30 : (size_t)1 << 30;
  char* r = mmap(NULL, huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(r != MAP_FAILED);
  CHECK_EQ(Touch(r + huge / 2), SIGSEGV);
  CHECK_EQ(mprotect(r + huge / 2, kPage, PROT_READ | PROT_WRITE), 0);
  CHECK_EQ(Touch(r + huge / 2), 0);
  CHECK_EQ(munmap(r, huge), 0);
  // What grows down, and its gap.
  char* area = mmap(NULL, 600 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_EQ(munmap(area, 600 * kPage), 0);
  char* stack = mmap(area + 590 * kPage, kPage, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
  CHECK(stack == area + 590 * kPage);
  CHECK_EQ(Touch(stack - kPage), 0);
  CHECK_EQ(Touch(stack - 10 * kPage), 0);
  CHECK_EQ(Touch(stack + kPage), SIGSEGV);
  CHECK_EQ(mprotect(stack, kPage, PROT_READ | PROT_GROWSDOWN), 0);
  CHECK_EQ(Touch(stack - 5 * kPage), SIGSEGV);
  CHECK_EQ(munmap(stack - 20 * kPage, 21 * kPage), 0);
  a = Anonymous(kPage, MAP_PRIVATE);
  CHECK_ERRNO(mprotect(a, kPage, PROT_READ | PROT_GROWSDOWN), EINVAL);
  CHECK_ERRNO(mprotect(a, kPage, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
  CHECK_ERRNO(mprotect(a, kPage, 0x100), EINVAL);
  CHECK_EQ(munmap(a, kPage), 0);
  CHECK_ERRNO((intptr_t)Anonymous(kPage, MAP_SHARED | MAP_GROWSDOWN), EINVAL);
  // Pages of a shared mapping in another order.
  volatile char* s = Anonymous(4 * kPage, MAP_SHARED);
  for (int i = 0; i < 4; ++i) s[i * kPage] = (char)('0' + i);
  CHECK_EQ(syscall(SYS_remap_file_pages, s, kPage, 0, 3, 0), 0);
  CHECK_EQ(s[0], '3');
  CHECK_EQ(s[kPage], '1');
  s[0] = 'x';
  CHECK_EQ(s[3 * kPage], 'x');
  CHECK_ERRNO(syscall(SYS_remap_file_pages, s, kPage, PROT_READ, 3, 0), EINVAL);
  CHECK_EQ(munmap((void*)s, 4 * kPage), 0);
  // RLIMIT_AS.
  pid_t child = fork();
  if (child == 0) {
    const struct rlimit little = {64 << 20, 64 << 20};
    setrlimit(RLIMIT_AS, &little);
    void* const more = Anonymous(128 << 20, MAP_PRIVATE);
    _exit(more == MAP_FAILED && errno == ENOMEM ? 0 : 1);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

int main(void) {
  signal(SIGSEGV, OnFault);
  signal(SIGBUS, OnFault);
  TestRemap();
  TestAdvice();
  TestLocks();
  TestPlaces();
  REPORT();
}
