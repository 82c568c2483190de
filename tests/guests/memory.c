// mmap, munmap, mprotect, mremap, brk, madvise, mincore.
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

static sigjmp_buf back;
static volatile int got_signal, got_code;
static void* volatile got_address;

static void OnFault(int signal, siginfo_t* info, void* context) {
  (void)context;
  got_signal = signal;
  got_code = info->si_code;
  got_address = info->si_addr;
  siglongjmp(back, 1);
}

// Touches the byte; returns the signal that came, 0 for none.
static int Poke(volatile char* address, int store) {
  got_signal = 0;
  if (sigsetjmp(back, 1) == 0) {
    if (store) {
      *address = 1;
    } else {
      (void)*address;
    }
  }
  return got_signal;
}

static void Anonymous(void) {
  char* p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED);
  CHECK_EQ(p[5000], 0);
  p[5000] = 7;
  CHECK_EQ(mprotect(p + 4096, 4096, PROT_READ), 0);
  CHECK_EQ(Poke(p + 5000, 0), 0);
  CHECK_EQ(Poke(p + 5000, 1), SIGSEGV);
  CHECK_EQ(got_code, SEGV_ACCERR);
  CHECK(got_address == p + 5000);
  CHECK_EQ(mprotect(p + 4096, 4096, PROT_NONE), 0);
  CHECK_EQ(Poke(p + 5000, 0), SIGSEGV);
  CHECK_EQ(mprotect(p + 4096, 4096, PROT_READ | PROT_WRITE), 0);
  CHECK_EQ(p[5000], 7);
  CHECK_EQ(munmap(p + 4096, 4096), 0);
  CHECK_EQ(Poke(p + 4096, 0), SIGSEGV);
  CHECK_EQ(got_code, SEGV_MAPERR);
  CHECK_EQ(Poke(p, 1), 0);
  CHECK_EQ(Poke(p + 8192, 1), 0);
  CHECK_ERRNO(mprotect(p, 3 * 4096, PROT_READ), ENOMEM);
  CHECK_EQ(munmap(p, 3 * 4096), 0);  // holes do not matter
  CHECK_ERRNO(munmap(p + 1, 4096), EINVAL);
  CHECK_ERRNO(munmap(p, 0), EINVAL);
  CHECK_ERRNO(syscall(SYS_mprotect, p + 1, 4096, PROT_READ), EINVAL);
  CHECK_ERRNO((intptr_t)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
  CHECK_ERRNO((intptr_t)mmap(NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
  CHECK_ERRNO((intptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
  CHECK_ERRNO((intptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 12), EINVAL);
  CHECK_ERRNO((intptr_t)mmap(NULL, SIZE_MAX - 65535, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
              ENOMEM);
}

static void Fixed(void) {
  char* p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(p, 'a', 4 * 4096);
  CHECK(mmap(p + 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
             0) == p + 4096);
  CHECK_EQ(p[4096], 0);
  CHECK_EQ(p[0], 'a');
  CHECK_EQ(p[8192], 'a');
  CHECK_ERRNO(
      (intptr_t)mmap(p, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
      EEXIST);
  CHECK_ERRNO(
      (intptr_t)mmap(p + 1, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
      EINVAL);
  CHECK_EQ(madvise(p + 8192, 4096, MADV_DONTNEED), 0);
  CHECK_EQ(p[8192], 0);
  CHECK_ERRNO(madvise(p, 4096, 12345), EINVAL);
  unsigned char vec[4];
  CHECK_EQ(mincore(p, 4 * 4096, vec), 0);
  CHECK_EQ(vec[0] & 1, 1);
  CHECK_ERRNO(mincore(p + 1, 4096, vec), EINVAL);
  CHECK_EQ(msync(p, 4096, MS_SYNC), 0);
  CHECK_ERRNO(msync(p, 4096, MS_SYNC | MS_ASYNC), EINVAL);
  munmap(p, 4 * 4096);
  CHECK_ERRNO(mincore(p, 4096, vec), ENOMEM);
}

static void Remapping(void) {
  char* p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 4; ++i) p[i * 4096] = (char)('a' + i);
  char* q = mremap(p, 4 * 4096, 64 * 4096, MREMAP_MAYMOVE);
  CHECK(q != MAP_FAILED);
  for (int i = 0; i < 4; ++i) CHECK_EQ(q[i * 4096], 'a' + i);
  CHECK_EQ(q[63 * 4096], 0);
  CHECK(mremap(q, 64 * 4096, 2 * 4096, 0) == q);
  CHECK_EQ(Poke(q + 2 * 4096, 0), SIGSEGV);
  CHECK_EQ(q[4096], 'b');
  CHECK_ERRNO((intptr_t)mremap(q, 2 * 4096, 0, MREMAP_MAYMOVE), EINVAL);
  CHECK_ERRNO((intptr_t)mremap(q + 1, 4096, 8192, MREMAP_MAYMOVE), EINVAL);
  char* place = mmap(NULL, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mremap(q, 2 * 4096, 2 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
  CHECK_EQ(place[4096], 'b');
  CHECK_EQ(Poke(q, 0), SIGSEGV);
  CHECK_ERRNO((intptr_t)mremap(q, 4096, 8192, MREMAP_MAYMOVE), EFAULT);
}

static void Files(void) {
  int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0644);
  char text[6000];
  for (int i = 0; i < 6000; ++i) text[i] = (char)('a' + i % 26);
  CHECK_EQ(write(fd, text, sizeof text), 6000);
  char* p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(p != MAP_FAILED);
  CHECK(memcmp(p, text, 6000) == 0);
  CHECK_EQ(p[6000], 0);
  p[0] = 'X';
  char first;
  CHECK_EQ(pread(fd, &first, 1, 0), 1);
  CHECK_EQ(first, 'a');
  munmap(p, 3 * 4096);
  char* second = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
  CHECK(second != MAP_FAILED);
  CHECK_EQ(second[0], text[4096]);
  munmap(second, 4096);
  CHECK_ERRNO((intptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 100), EINVAL);
  close(fd);
  fd = open("mapped", O_WRONLY);
  CHECK_ERRNO((intptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EACCES);
  close(fd);
  fd = open("mapped", O_RDONLY);
  CHECK_ERRNO((intptr_t)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
  close(fd);
  fd = open(".", O_RDONLY);
  CHECK_ERRNO((intptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
  close(fd);
  // A page wholly behind the end of a file is SIGBUS; first a file written here, then this program.
  fd = open("/tmp/written", O_RDWR | O_CREAT | O_TRUNC, 0600);
  unlink("/tmp/written");
  CHECK_EQ(pwrite(fd, "end", 3, 4997), 3);
  p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(p != MAP_FAILED);
  CHECK(memcmp(p + 4997, "end", 4) == 0);
  CHECK_EQ(Poke(p + 2 * 4096, 0), SIGBUS);
  CHECK_EQ(got_code, BUS_ADRERR);
  munmap(p, 3 * 4096);
  close(fd);
  fd = open("/proc/self/exe", O_RDONLY);
  off_t size = lseek(fd, 0, SEEK_END);
  size_t pages = ((size_t)size + 4095) / 4096;
  p = mmap(NULL, (pages + 1) * 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK(p != MAP_FAILED);
  CHECK(memcmp(p, "\177ELF", 4) == 0);
  CHECK_EQ(Poke(p + pages * 4096, 0), SIGBUS);
  CHECK_EQ(got_code, BUS_ADRERR);
  munmap(p, (pages + 1) * 4096);
  close(fd);
  fd = open("/dev/zero", O_RDWR);
  p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(p != MAP_FAILED);
  CHECK_EQ(p[100], 0);
  close(fd);
}

static void Breaking(void) {
  char* start = (char*)syscall(SYS_brk, 0);
  char* grown = (char*)syscall(SYS_brk, start + 3 * 4096);
  CHECK(grown == start + 3 * 4096);
  memset(start, 1, 3 * 4096);
  CHECK((char*)syscall(SYS_brk, start) == start);
  CHECK((char*)syscall(SYS_brk, start + 4096) == start + 4096);
  char* page = (char*)(((uintptr_t)start + 4095) & ~(uintptr_t)4095);
  CHECK_EQ(page[0], 0);  // what was given back comes back as zeros
  CHECK((char*)syscall(SYS_brk, 1) == start + 4096);
}

static void Code(void) {
  unsigned char* p =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const unsigned char first[] = {0xb8, 1, 0, 0, 0, 0xc3};  // mov eax, 1; ret
  memcpy(p, first, sizeof first);
  int (*call)(void) = (int (*)(void))(uintptr_t)p;
  CHECK_EQ(call(), 1);
  p[1] = 2;
  CHECK_EQ(call(), 2);
  CHECK_EQ(mprotect(p, 4096, PROT_READ), 0);
  got_signal = 0;
  if (sigsetjmp(back, 1) == 0) call();
  CHECK_EQ(got_signal, SIGSEGV);
  CHECK(got_address == p);
}

int main(void) {
  struct sigaction action = {.sa_sigaction = OnFault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  Anonymous();
  Fixed();
  Remapping();
  Files();
  Breaking();
  Code();
  REPORT();
}
