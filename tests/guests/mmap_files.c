// Files that are mapped: shared mappings are the file, coherent between processes and with read(2)
// and write(2); what lies beyond the end; memfd_create(2) and seals.
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { kPage = 4096 };

static sigjmp_buf escape;
static volatile int caught_signal, caught_code;
static void* volatile caught_address;
static void OnFault(int signal, siginfo_t* info, void* context) {
  (void)context;
  caught_signal = signal;
  caught_code = info->si_code;
  caught_address = info->si_addr;
  siglongjmp(escape, 1);
}
// The signal that a load (or store) at the address raises; 0 for none.
static int Touch(volatile char* at, int write_too) {
  caught_signal = 0;
  if (sigsetjmp(escape, 1) == 0) {
    char value = *at;
    if (write_too) *at = value;
  }
  return caught_signal;
}

static int NewFile(const char* name, const char* text) {
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
  CHECK(fd >= 0);
  CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  return fd;
}

static void TestCoherence(void) {
  int fd = NewFile("map1", "hello");
  char* a = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char* b = mmap(NULL, kPage, PROT_READ, MAP_SHARED, fd, 0);
  CHECK(a != MAP_FAILED && b != MAP_FAILED);
  CHECK(memcmp(a, "hello", 6) == 0);
  a[0] = 'J';
  char text[6] = "";
  CHECK_EQ(pread(fd, text, 5, 0), 5);
  CHECK(strcmp(text, "Jello") == 0);
  CHECK(memcmp(b, "Jello", 5) == 0);
  CHECK_EQ(pwrite(fd, "C", 1, 0), 1);
  CHECK_EQ(a[0], 'C');
  CHECK_EQ(b[0], 'C');
  // Behind the end within the page: writable, but not of the file.
  a[10] = 'x';
  struct stat st;
  CHECK_EQ(fstat(fd, &st), 0);
  CHECK_EQ(st.st_size, 5);
  CHECK_EQ(pread(fd, text, 5, 5), 0);
  // A process that is forked shares it, whichever way it comes there.
  pid_t child = fork();
  if (child == 0) {
    a[1] = 'A';
    _exit(pwrite(fd, "L", 1, 2) == 1 ? 0 : 1);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK(memcmp(b, "CALlo", 5) == 0);
  // Another that maps it by itself, too.
  child = fork();
  if (child == 0) {
    int own = open("map1", O_RDWR);
    char* c = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
    if (c == MAP_FAILED || memcmp(c, "CALlo", 5) != 0) _exit(1);
    c[3] = 'L';
    _exit(munmap(c, kPage));
  }
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  CHECK_EQ(a[3], 'L');
  // The mapping outlives descriptor and name.
  CHECK_EQ(close(fd), 0);
  CHECK_EQ(unlink("map1"), 0);
  a[4] = 'O';
  CHECK(memcmp(b, "CALLO", 5) == 0);
  CHECK_EQ(msync(a, kPage, MS_SYNC), 0);
  CHECK_EQ(munmap(a, kPage), 0);
  CHECK_EQ(munmap(b, kPage), 0);
}

static void TestProtection(void) {
  int fd = NewFile("map2", "text");
  CHECK_EQ(close(fd), 0);
  fd = open("map2", O_RDONLY);
  CHECK_ERRNO((intptr_t)mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
  char* a = mmap(NULL, kPage, PROT_READ, MAP_SHARED, fd, 0);
  CHECK(a != MAP_FAILED);
  CHECK_ERRNO(mprotect(a, kPage, PROT_READ | PROT_WRITE), EACCES);
  CHECK_EQ(mprotect(a, kPage, PROT_NONE), 0);
  CHECK_EQ(mprotect(a, kPage, PROT_READ), 0);
  CHECK_EQ(a[0], 't');
  CHECK_EQ(munmap(a, kPage), 0);
  // Private ones may be written all the same, and the file does not notice.
  a = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(a != MAP_FAILED);
  a[0] = 'n';
  char c = 0;
  CHECK_EQ(pread(fd, &c, 1, 0), 1);
  CHECK_EQ(c, 't');
  CHECK_EQ(munmap(a, kPage), 0);
  CHECK_EQ(close(fd), 0);
  fd = open("map2", O_WRONLY);
  CHECK_ERRNO((intptr_t)mmap(NULL, kPage, PROT_READ, MAP_SHARED, fd, 0), EACCES);
  CHECK_ERRNO((intptr_t)mmap(NULL, kPage, PROT_WRITE, MAP_PRIVATE, fd, 0), EACCES);
  CHECK_EQ(close(fd), 0);
  fd = open("map2", O_RDWR);
  CHECK_ERRNO((intptr_t)mmap(NULL, kPage, PROT_READ, MAP_SHARED, fd, 1), EINVAL);
  CHECK_ERRNO((intptr_t)mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0), EINVAL);
  CHECK_ERRNO((intptr_t)mmap(NULL, kPage, PROT_READ, 0, fd, 0), EINVAL);
  CHECK_ERRNO((intptr_t)mmap(NULL, kPage, PROT_READ, MAP_SHARED, -1, 0), EBADF);
  CHECK_EQ(close(fd), 0);
  CHECK_EQ(unlink("map2"), 0);
}

static void TestEnd(void) {
  int fd = NewFile("map3", "0123456789");
  char* a = mmap(NULL, 3 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(a != MAP_FAILED);
  CHECK_EQ(Touch(a, 1), 0);
  CHECK_EQ(Touch(a + kPage - 1, 1), 0);
  CHECK_EQ(Touch(a + kPage, 0), SIGBUS);
  CHECK_EQ(caught_code, BUS_ADRERR);
  CHECK(caught_address == a + kPage);
  CHECK_EQ(Touch(a + 2 * kPage + 5, 1), SIGBUS);
  // The file grows below it.
  CHECK_EQ(ftruncate(fd, 2 * kPage), 0);
  CHECK_EQ(Touch(a + kPage, 1), 0);
  CHECK_EQ(a[kPage], 0);
  a[kPage + 7] = 'y';
  char c = 0;
  CHECK_EQ(pread(fd, &c, 1, kPage + 7), 1);
  CHECK_EQ(c, 'y');
  CHECK_EQ(Touch(a + 2 * kPage, 0), SIGBUS);
  CHECK_EQ(pwrite(fd, "end", 3, 2 * kPage), 3);
  CHECK(memcmp(a + 2 * kPage, "end", 3) == 0);
  // And shrinks: what is cut off is gone, and the rest of the last page is zeros.
  CHECK_EQ(ftruncate(fd, 5), 0);
  CHECK_EQ(Touch(a + kPage, 0), SIGBUS);
  CHECK_EQ(memcmp(a, "01234\0\0\0\0\0", 10), 0);
  CHECK_EQ(ftruncate(fd, 3 * kPage), 0);
  CHECK_EQ(a[kPage + 7], 0);
  CHECK_EQ(a[2 * kPage], 0);
  CHECK_EQ(a[6], 0);
  // A hole that is punched reads as zeros everywhere.
  memset(a, 'z', 3 * kPage);
  CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kPage, kPage), 0);
  CHECK_EQ(a[kPage - 1], 'z');
  CHECK_EQ(a[kPage], 0);
  CHECK_EQ(a[2 * kPage - 1], 0);
  CHECK_EQ(a[2 * kPage], 'z');
  a[kPage] = 'n';
  CHECK_EQ(pread(fd, &c, 1, kPage), 1);
  CHECK_EQ(c, 'n');
  // System calls meet the end as EFAULT, or get as far as it.
  CHECK_EQ(ftruncate(fd, kPage), 0);
  int pipe_fds[2];
  CHECK_EQ(pipe(pipe_fds), 0);
  CHECK_ERRNO(write(pipe_fds[1], a + kPage, 10), EFAULT);
  CHECK_EQ(close(pipe_fds[0]) + close(pipe_fds[1]), 0);
  CHECK_EQ(munmap(a, 3 * kPage), 0);
  CHECK_EQ(close(fd), 0);
  CHECK_EQ(unlink("map3"), 0);
}

// read(2) of a file into a mapping of itself, offsets, and growing mappings.
static void TestOffsets(void) {
  int fd = NewFile("map4", "");
  CHECK_EQ(ftruncate(fd, 16 * kPage), 0);
  for (int i = 0; i < 16; ++i) {
    char c = (char)('a' + i);
    CHECK_EQ(pwrite(fd, &c, 1, i * kPage), 1);
  }
  char* a = mmap(NULL, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4 * kPage);
  CHECK(a != MAP_FAILED);
  CHECK_EQ(a[0], 'e');
  CHECK_EQ(a[kPage], 'f');
  CHECK_EQ(pread(fd, a, 1, 9 * kPage), 1);
  char c = 0;
  CHECK_EQ(pread(fd, &c, 1, 4 * kPage), 1);
  CHECK_EQ(c, 'j');
  char* b = mremap(a, 2 * kPage, 6 * kPage, MREMAP_MAYMOVE);
  CHECK(b != MAP_FAILED);
  CHECK_EQ(b[0], 'j');
  CHECK_EQ(b[5 * kPage], 'j');
  b[5 * kPage] = 'J';
  CHECK_EQ(pread(fd, &c, 1, 9 * kPage), 1);
  CHECK_EQ(c, 'J');
  // A second mapping of the same memory.
  char* d = mremap(b, 0, 2 * kPage, MREMAP_MAYMOVE);
  CHECK(d != MAP_FAILED && d != b);
  d[1] = 'd';
  CHECK_EQ(b[1], 'd');
  CHECK_EQ(munmap(d, 2 * kPage), 0);
  // Holes in the middle leave the rest.
  CHECK_EQ(munmap(b + kPage, 2 * kPage), 0);
  CHECK_EQ(b[3 * kPage], 'h');
  CHECK_EQ(Touch(b + kPage, 0), SIGSEGV);
  CHECK_EQ(caught_code, SEGV_MAPERR);
  CHECK_EQ(munmap(b, 6 * kPage), 0);
  // A sparse file stays so: only what is touched takes space.
  CHECK_EQ(ftruncate(fd, 0), 0);
  CHECK_EQ(ftruncate(fd, 1 << 20), 0);
  a = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(a != MAP_FAILED);
  a[512 * 1024] = 1;
  struct stat st;
  CHECK_EQ(msync(a, 1 << 20, MS_SYNC), 0);
  CHECK_EQ(fsync(fd), 0);
  CHECK_EQ(fstat(fd, &st), 0);
  CHECK(st.st_blocks > 0 && st.st_blocks < 1024);
  CHECK_EQ(munmap(a, 1 << 20), 0);
  CHECK_EQ(close(fd), 0);
  CHECK_EQ(unlink("map4"), 0);
}

// Private mappings of a file that was just written, and MAP_PRIVATE's copies.
static void TestPrivate(void) {
  int fd = NewFile("map5", "private");
  CHECK_EQ(ftruncate(fd, 2 * kPage), 0);
  char* a = mmap(NULL, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  char* s = mmap(NULL, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(a != MAP_FAILED && s != MAP_FAILED);
  CHECK(memcmp(a, "private", 7) == 0);
  a[0] = 'P';
  CHECK_EQ(s[0], 'p');
  s[1] = 'R';
  CHECK_EQ(a[0], 'P');
  CHECK_EQ(a[1], 'r');
  CHECK_EQ(madvise(a, kPage, MADV_DONTNEED), 0);
  CHECK(memcmp(a, "pRivate", 7) == 0);
  // A page that nobody has looked at shows what was written before.
  s[kPage] = 'q';
  CHECK_EQ(a[kPage], 'q');
  CHECK_EQ(munmap(a, 2 * kPage) + munmap(s, 2 * kPage), 0);
  CHECK_EQ(close(fd), 0);
  CHECK_EQ(unlink("map5"), 0);
}

static int MemfdCreate(const char* name, unsigned flags) {
  return (int)syscall(SYS_memfd_create, name, flags);
}

static void TestMemfd(void) {
  CHECK_ERRNO(MemfdCreate("x", 0x80), EINVAL);
  char* name = malloc(300);
  memset(name, 'n', 299);
  name[299] = 0;
  CHECK_ERRNO(MemfdCreate(name, 0), EINVAL);
  name[249] = 0;
  int fd = MemfdCreate(name, MFD_CLOEXEC);
  CHECK(fd >= 0);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
  CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
  CHECK_EQ(close(fd), 0);
  free(name);
  fd = MemfdCreate("sealed", MFD_ALLOW_SEALING);
  CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
  struct stat st;
  CHECK_EQ(fstat(fd, &st), 0);
  CHECK(S_ISREG(st.st_mode));
  CHECK_EQ(st.st_mode & 0777, 0777);
  CHECK_EQ(st.st_nlink, 0);
  char link[64] = "", path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  CHECK_EQ(readlink(path, link, sizeof link - 1), (ssize_t)strlen("/memfd:sealed (deleted)"));
  CHECK(strcmp(link, "/memfd:sealed (deleted)") == 0);
  CHECK_EQ(ftruncate(fd, kPage), 0);
  CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, 0x1000), EINVAL);
  CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
  CHECK_ERRNO(ftruncate(fd, 10), EPERM);
  CHECK_EQ(ftruncate(fd, 2 * kPage), 0);
  CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
  CHECK_ERRNO(ftruncate(fd, 3 * kPage), EPERM);
  CHECK_ERRNO(pwrite(fd, "x", 1, 2 * kPage), EPERM);
  CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
  char* a = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(a != MAP_FAILED);
  CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
  CHECK_EQ(munmap(a, kPage), 0);
  CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
  CHECK_ERRNO(pwrite(fd, "x", 1, 0), EPERM);
  CHECK_ERRNO((intptr_t)mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
  a = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(a != MAP_FAILED);
  CHECK_EQ(a[0], 'x');
  CHECK_EQ(munmap(a, kPage), 0);
  CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
  CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), EPERM);
  CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  // The same file once more, by way of /proc.
  int again = open(path, O_RDONLY);
  CHECK(again >= 0);
  char c = 0;
  CHECK_EQ(read(again, &c, 1), 1);
  CHECK_EQ(c, 'x');
  CHECK_EQ(close(again) + close(fd), 0);
  fd = NewFile("map6", "");
  CHECK_EQ(close(fd) + unlink("map6"), 0);
}

static void TestPosixSharedMemory(void) {
  CHECK_ERRNO(shm_open("/none", O_RDWR, 0600), ENOENT);
  int fd = shm_open("/glovebox-test", O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0);
  CHECK_ERRNO(shm_open("/glovebox-test", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
  CHECK_EQ(ftruncate(fd, kPage), 0);
  int* a = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(a != MAP_FAILED);
  pid_t child = fork();
  if (child == 0) {
    int own = shm_open("/glovebox-test", O_RDWR, 0);
    int* b = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, own, 0);
    b[3] = 42;
    _exit(0);
  }
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(a[3], 42);
  CHECK_EQ(shm_unlink("/glovebox-test"), 0);
  CHECK_ERRNO(shm_unlink("/glovebox-test"), ENOENT);
  struct stat st;
  CHECK_EQ(stat("/dev/shm", &st), 0);
  CHECK_EQ(st.st_mode & 07777, 01777);
  CHECK_EQ(munmap(a, kPage) + close(fd), 0);
}

int main(void) {
  struct sigaction action = {.sa_sigaction = OnFault, .sa_flags = SA_SIGINFO};
  sigaction(SIGBUS, &action, NULL);
  sigaction(SIGSEGV, &action, NULL);
  TestCoherence();
  TestProtection();
  TestEnd();
  TestOffsets();
  TestPrivate();
  TestMemfd();
  TestPosixSharedMemory();
  REPORT();
}
