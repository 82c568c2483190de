// Address space that is reserved in terabytes, and mappings where runtimes want them: sanitizers'
// shadows and heaps, the views of Java's ZGC, the heaps of Go and of GHC. 64-bit programs only.
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static const size_t kPage = 4096;
static const size_t kMiB = (size_t)1 << 20;
static const size_t kGiB = (size_t)1 << 30;
static const size_t kTiB = (size_t)1 << 40;
static const uintptr_t kTaskEnd = 0x7ffffffff000;

static sigjmp_buf escape;
static void OnFault(int signal) { siglongjmp(escape, signal); }
// The signal that a load or a store at `at` raises.
static int Load(volatile char* at) {
  const int signal = sigsetjmp(escape, 1);
  if (signal == 0) (void)*at;
  return signal;
}
static int Store(volatile char* at) {
  const int signal = sigsetjmp(escape, 1);
  if (signal == 0) *at = 1;
  return signal;
}
static char* Reserve(size_t size, int protection) {
  return mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}
static char* At(uintptr_t address, size_t size, int protection, int flags) {
  return mmap((void*)address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags,
              -1, 0);
}
// What a child that runs `body` exits with.
static int InChild(int (*body)(char*), char* argument) {
  const pid_t child = fork();
  if (child == 0) _exit(body(argument));
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void TestReservations(void) {
  const size_t sizes[] = {200 * kGiB, kTiB, 16 * kTiB, 40 * kTiB};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    char* const at = Reserve(sizes[i], PROT_NONE);
    CHECK(at != MAP_FAILED);
    if (at == MAP_FAILED) continue;
    char* const middle = at + sizes[i] / 2;
    CHECK_EQ(Load(at), SIGSEGV);
    CHECK_EQ(Store(middle), SIGSEGV);
    CHECK_EQ(Load(at + sizes[i] - 1), SIGSEGV);
    // Some of it is committed, as allocators do.
    CHECK_EQ(mprotect(middle, 4 * kMiB, PROT_READ | PROT_WRITE), 0);
    CHECK_EQ(Store(middle), 0);
    CHECK_EQ(Store(middle + 4 * kMiB - 1), 0);
    CHECK_EQ(Load(middle + 4 * kMiB), SIGSEGV);
    CHECK_EQ(middle[0] + middle[4 * kMiB - 1] + middle[1], 2);
    // Each of these over all of it.
    CHECK_EQ(msync(at, sizes[i], MS_ASYNC), 0);
    CHECK_EQ(madvise(at, sizes[i], MADV_DONTNEED), 0);
    CHECK_EQ(middle[0], 0);
    CHECK_EQ(mprotect(at, sizes[i], PROT_READ), 0);
    CHECK_EQ(Load(at + sizes[i] / 4), 0);
    CHECK_EQ(Store(at + sizes[i] / 4), SIGSEGV);
    CHECK_EQ(munmap(at, sizes[i]), 0);
    CHECK_EQ(Load(middle), SIGSEGV);
  }
  char* const at = Reserve(16 * kTiB, PROT_READ | PROT_WRITE);
  CHECK(at != MAP_FAILED);
  for (size_t i = 0; i < 16; ++i) CHECK_EQ(Store(at + i * kTiB), 0);
  for (size_t i = 0; i < 16; ++i) CHECK_EQ(at[i * kTiB], 1);
  // With a hole.
  CHECK_EQ(munmap(at + kTiB / 2, 2 * kTiB), 0);
  CHECK_EQ(Load(at + kTiB), SIGSEGV);
  CHECK_ERRNO(msync(at, 16 * kTiB, MS_ASYNC), ENOMEM);
  CHECK_ERRNO(madvise(at, 16 * kTiB, MADV_DONTNEED), ENOMEM);
  CHECK_EQ(at[0] + at[3 * kTiB], 0);
  CHECK_ERRNO(mprotect(at, 16 * kTiB, PROT_NONE), ENOMEM);
  CHECK_EQ(munmap(at, 16 * kTiB), 0);
  CHECK_ERRNO((intptr_t)Reserve(128 * kTiB, PROT_NONE), ENOMEM);
  CHECK_ERRNO((intptr_t)Reserve(~(size_t)0 - 2 * kPage, PROT_NONE), ENOMEM);
}

struct Place {
  const char* what;
  uintptr_t address;
  size_t size;
};

static int ChildOfPlaces(char* at) {
  if (at[0] != 'p' || at[kPage] != 0) return 1;
  at[0] = 'c';
  at[5 * kPage] = 'c';
  return at[0] == 'c' ? 7 : 2;
}

static void TestPlaces(void) {
  const struct Place places[] = {
      {"ZGC's first view", 4 * kTiB, 64 * kGiB},
      {"ZGC's second view", 8 * kTiB, 64 * kGiB},
      {"Go's heap", 0xc000000000, 64 * kMiB},
      {"GHC's heap", 0x4200000000, kTiB},
      {"AddressSanitizer's shadow of its heap", 0x0c007fff8000, kTiB / 2},
      {"AddressSanitizer's heap", 0x600000000000, 4 * kTiB},
      {"ThreadSanitizer's meta shadow", 0x300000000000, 4 * kTiB},
      {"ThreadSanitizer's heap", 0x7b0000000000, kTiB},
  };
  for (size_t i = 0; i < sizeof places / sizeof *places; ++i) {
    const struct Place* const p = &places[i];
    char* const at = At(p->address, p->size, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE);
    CHECK(at == (char*)p->address);
    if (at != (char*)p->address) continue;
    CHECK_ERRNO((intptr_t)At(p->address, kPage, PROT_READ, MAP_FIXED_NOREPLACE), EEXIST);
    CHECK_EQ(Store(at), 0);
    CHECK_EQ(Store(at + p->size - 1), 0);
    // An access of two pages.
    if (p->size > kPage) {
      uint64_t word = 0x1122334455667788;
      memcpy(at + kPage - 3, &word, sizeof word);
      word = 0;
      memcpy(&word, at + kPage - 3, sizeof word);
      CHECK(word == 0x1122334455667788);
      memset(at + kPage - 3, 0, sizeof word);
    }
    // What system calls copy.
    int pipe_ends[2];
    CHECK_EQ(pipe(pipe_ends), 0);
    at[0] = 'p';
    CHECK_EQ(write(pipe_ends[1], at, 1), 1);
    CHECK_EQ(read(pipe_ends[0], at + p->size - 1, 1), 1);
    CHECK_EQ(at[p->size - 1], 'p');
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    if (p->size > 8 * kPage) {
      CHECK_EQ(InChild(ChildOfPlaces, at), 7);
      CHECK_EQ(at[0], 'p');
      CHECK_EQ(at[5 * kPage], 0);
    }
    CHECK_EQ(munmap(at, p->size), 0);
    CHECK_EQ(Load(at), SIGSEGV);
  }
  // A hint is taken where it is free.
  char* const hinted = At(16 * kTiB, kPage, PROT_READ | PROT_WRITE, 0);
  CHECK(hinted == (char*)(16 * kTiB));
  char* const elsewhere = At(16 * kTiB, kPage, PROT_READ, 0);
  CHECK(elsewhere != hinted && elsewhere != MAP_FAILED);
  munmap(hinted, kPage);
  munmap(elsewhere, kPage);
  CHECK_ERRNO((intptr_t)At(kTaskEnd, kPage, PROT_READ, MAP_FIXED), ENOMEM);
  CHECK_ERRNO((intptr_t)At(kTaskEnd - kPage, 2 * kPage, PROT_READ, MAP_FIXED), ENOMEM);
  CHECK_ERRNO((intptr_t)At(~(uintptr_t)0 - 2 * kPage + 1, kPage, PROT_READ, MAP_FIXED), ENOMEM);
}

// What the units of the host's addresses must not show: neighbours, borders, what is gone.
static void TestBorders(void) {
  char* const at = At(9 * kTiB, 256 * kMiB, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE);
  for (size_t border = 64 * kMiB; border < 256 * kMiB; border += 64 * kMiB) {
    memset(at + border - 5, (int)(border >> 26), 10);
    CHECK_EQ(at[border - 1], border >> 26);
    CHECK_EQ(at[border], border >> 26);
  }
  // Holes of all sizes, mapped anew: zeros.
  for (size_t size = kPage; size < 128 * kMiB; size *= 8) {
    char* const hole = at + 128 * kMiB - size / 2 / kPage * kPage;
    hole[0] = 'h';
    CHECK_EQ(munmap(hole, size), 0);
    CHECK_EQ(Load(hole), SIGSEGV);
    CHECK(At((uintptr_t)hole, size, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE) == hole);
    CHECK_EQ(hole[0], 0);
    CHECK_EQ(hole[size - 1], 0);
    hole[size - 1] = 1;
  }
  CHECK_EQ(at[64 * kMiB], 1);
  at[0] = 'x';
  // Moved: within, out of, and into the ordinary places.
  char* const low = mremap(at, 2 * kPage, 3 * kPage, MREMAP_MAYMOVE);
  CHECK(low != MAP_FAILED && low != at);
  CHECK_EQ(low[0], 'x');
  CHECK_EQ(Load(at), SIGSEGV);
  CHECK(mremap(low, 3 * kPage, 3 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, (char*)(100 * kTiB)) ==
        (char*)(100 * kTiB));
  CHECK_EQ(((char*)(100 * kTiB))[0], 'x');
  CHECK_EQ(munmap((char*)(100 * kTiB), 3 * kPage), 0);
  // mincore(2) tells what was accessed.
  unsigned char resident[4] = {9, 9, 9, 9};
  char* const sparse = At(10 * kTiB, 4 * kPage, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE);
  sparse[kPage] = 1;
  CHECK_EQ(mincore(sparse, 4 * kPage, resident), 0);
  CHECK_EQ(resident[0] & 1, 0);
  CHECK_EQ(resident[1] & 1, 1);
  CHECK_EQ(munmap(sparse, 4 * kPage), 0);
  CHECK_EQ(munmap(at, 256 * kMiB), 0);
}

// Shared memory seen in three places, as ZGC does.
static int ChildOfViews(char* at) {
  if (strcmp(at, "seen") != 0) return 1;
  strcpy((char*)(8 * kTiB), "child");
  return strcmp((char*)(16 * kTiB), "child") == 0 ? 7 : 2;
}
static void TestViews(void) {
  const size_t size = 4 * kMiB;
  const int fd = memfd_create("heap", MFD_CLOEXEC);
  CHECK(fd >= 0);
  CHECK_EQ(ftruncate(fd, (off_t)size), 0);
  const uintptr_t views[] = {4 * kTiB, 8 * kTiB, 16 * kTiB};
  for (size_t i = 0; i < 3; ++i) {
    CHECK(At(views[i], 64 * kGiB, PROT_NONE, MAP_FIXED_NOREPLACE) == (char*)views[i]);
    CHECK(mmap((void*)views[i], size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
          (void*)views[i]);
  }
  strcpy((char*)views[0], "seen");
  CHECK(strcmp((char*)views[2], "seen") == 0);
  CHECK_EQ(InChild(ChildOfViews, (char*)views[0]), 7);
  CHECK(strcmp((char*)views[1], "child") == 0);
  char text[8] = {0};
  CHECK_EQ(pread(fd, text, 6, 0), 6);
  CHECK(strcmp(text, "child") == 0);
  for (size_t i = 0; i < 3; ++i) CHECK_EQ(munmap((void*)views[i], 64 * kGiB), 0);
  close(fd);
}

// Code that lies far away, and a file.
static void TestCodeAndFiles(void) {
  unsigned char* const code =
      (unsigned char*)At(0x210000000000, kPage, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_FIXED);
  memcpy(code, "\xb8\x2a\0\0\0\xc3", 6);  // mov eax, 42; ret
  int (*const function)(void) = (int (*)(void))(void*)code;
  CHECK_EQ(function(), 42);
  code[1] = 43;
  CHECK_EQ(function(), 43);
  munmap(code, kPage);
  const int fd = open("/proc/self/exe", O_RDONLY);
  char* const image =
      mmap((void*)(20 * kTiB), kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);
  CHECK(image == (char*)(20 * kTiB));
  CHECK_EQ(memcmp(image, "\177ELF", 4), 0);
  image[0] = 'w';
  CHECK_EQ(image[0] + image[1], 'w' + 'E');
  munmap(image, kPage);
  close(fd);
}

static int Forks(char* at) {
  // Each generation with its own.
  for (int i = 0; i < 3; ++i) {
    at[i * (intptr_t)kGiB] = (char)('0' + i);
    const pid_t child = fork();
    if (child == 0) continue;
    int status = -1;
    waitpid(child, &status, 0);
    if (at[i * (intptr_t)kGiB] != '0' + i) return 1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
  }
  return at[0] == '0' && at[kGiB] == '1' && at[2 * kGiB] == '2' ? 7 : 2;
}

// /proc/self/maps names them, and /proc/self/mem and process_vm_readv(2) read them.
static void TestProc(void) {
  const uintptr_t place = 0x123456789000;
  char* const at = At(place, 3 * kTiB, PROT_READ, MAP_FIXED_NOREPLACE);
  char line[400];
  FILE* const maps = fopen("/proc/self/maps", "r");
  int found = 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    found += strncmp(line, "123456789000-153456789000 r--p 00000000 00:00 0 ", 48) == 0;
  }
  fclose(maps);
  CHECK_EQ(found, 1);
  CHECK_EQ(mprotect(at + kTiB, kPage, PROT_NONE), 0);
  const int fd = open("/proc/self/mem", O_RDWR);
  char byte = 'x';
  CHECK_EQ(pread(fd, &byte, 1, (off_t)(place + kTiB)), 1);
  CHECK_EQ(byte, 0);
  CHECK_EQ(pwrite(fd, "y", 1, (off_t)(place + 2 * kTiB)), 1);
  CHECK_EQ(at[2 * kTiB], 'y');
  close(fd);
  struct iovec to = {&byte, 1}, from = {at + 2 * kTiB, 1};
  CHECK_EQ(process_vm_readv(getpid(), &to, 1, &from, 1, 0), 1);
  CHECK_EQ(byte, 'y');
  CHECK_EQ(munmap(at, 3 * kTiB), 0);
}

int main(void) {
  struct sigaction action = {.sa_handler = OnFault, .sa_flags = SA_NODEFER};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  TestReservations();
  TestPlaces();
  TestBorders();
  TestViews();
  TestCodeAndFiles();
  TestProc();
  char* const far = At(0x600000000000, 4 * kTiB, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE);
  CHECK_EQ(InChild(Forks, far), 7);
  CHECK_EQ(far[0], 0);
  REPORT();
}
