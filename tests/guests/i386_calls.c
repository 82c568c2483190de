// System calls of i386 that C libraries hardly make any more: the first generation with its 16 and
// 32-bit structures, multiplexers, calls whose 64-bit arguments take two registers, calls with
// 64-bit times; thread areas; sysenter and syscall.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

// What the kernel returns, errors included: no library between.
static long Raw(int number, long a, long b, long c, long d, long e, long f) {
  const long ends[2] = {number, f};
  long result;
  __asm__ volatile(
      "push %%ebp\n\tmov 4(%%eax), %%ebp\n\tmov (%%eax), %%eax\n\tint $0x80\n\tpop %%ebp"
      : "=a"(result)
      : "0"(ends), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
      : "memory");
  return result;
}
#define CALL6(n, a, b, c, d, e, f, ...) \
  Raw(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define CALL(...) CALL6(__VA_ARGS__, 0, 0, 0, 0, 0, 0)

struct OldStat {
  uint16_t dev, ino, mode, nlink, uid, gid, rdev;
  uint32_t size, atime, mtime, ctime;
};
struct NewStat {
  uint32_t dev, ino;
  uint16_t mode, nlink, uid, gid;
  uint32_t rdev, size, blksize, blocks, atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns,
      unused[2];
};
struct __attribute__((packed)) Stat64 {
  uint64_t dev;
  uint32_t pad, low_ino, mode, nlink, uid, gid;
  uint64_t rdev;
  uint32_t pad2;
  int64_t size;
  uint32_t blksize;
  uint64_t blocks;
  uint32_t atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
  uint64_t ino;
};

static void Stats(void) {
  const int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0640);
  CHECK_EQ(write(fd, "12345", 5), 5);
  CHECK_EQ(fchown(fd, 70000, 12), 0);  // beyond 16 bits
  struct NewStat now;
  struct Stat64 wide;
  memset(&now, 0xee, sizeof now);
  CHECK_EQ(CALL(106, "file", &now), 0);
  CHECK_EQ(now.size, 5);
  CHECK_EQ(now.mode, S_IFREG | 0640);
  CHECK_EQ(now.uid, 65534);
  CHECK_EQ(now.gid, 12);
  CHECK_EQ(now.nlink, 1);
  CHECK_EQ(CALL(195, "file", &wide), 0);
  CHECK_EQ(wide.size, 5);
  CHECK_EQ(wide.uid, 70000);
  CHECK_EQ(wide.low_ino, (uint32_t)wide.ino);
  CHECK_EQ(wide.ino, now.ino);
  CHECK_EQ(wide.mtime, now.mtime);
  struct Stat64 again;
  CHECK_EQ(CALL(197, fd, &again), 0);
  CHECK(again.ino == wide.ino && again.size == wide.size && again.ctime_ns == wide.ctime_ns);
  CHECK_EQ(CALL(300, AT_FDCWD, "file", &again, 0), 0);
  CHECK(again.ino == wide.ino && again.size == wide.size && again.ctime_ns == wide.ctime_ns);
  CHECK_EQ(symlink("file", "link"), 0);
  CHECK_EQ(CALL(107, "link", &now), 0);
  CHECK_EQ(now.mode & S_IFMT, S_IFLNK);
  CHECK_EQ(CALL(196, "link", &wide), 0);
  CHECK_EQ(wide.mode & S_IFMT, S_IFLNK);
  CHECK_EQ(CALL(108, fd, (void*)8), -EFAULT);
  CHECK_EQ(CALL(106, "missing", &now), -ENOENT);
  // Too large for 32 bits.
  const long not_large = CALL(5, "file", O_RDWR);
  CHECK_EQ(CALL(194, not_large, 0x80000005, 1),
           -EINVAL);  // ftruncate64, opened without O_LARGEFILE
  close((int)not_large);
  CHECK_EQ(CALL(193, "file", 0x80000005, 1), 0);  // truncate64
  CHECK_EQ(CALL(108, fd, &now), -EOVERFLOW);
  CHECK_EQ(CALL(197, fd, &wide), 0);
  CHECK_EQ(wide.size, 0x180000005);
  CHECK_EQ(CALL(5, "file", O_RDONLY), -EOVERFLOW);  // without O_LARGEFILE
  const long large = CALL(5, "file", O_RDONLY | 0100000);
  CHECK(large >= 0);
  CHECK_EQ(CALL(55, large, F_GETFL), 0100000);
  close((int)large);
  CHECK_EQ(CALL(193, "file", 3, 0), 0);  // truncate64
  CHECK_EQ(CALL(92, "file", -1), -EINVAL);
  CHECK_EQ(CALL(92, "file", 7), 0);
  const long small = CALL(5, "file", O_RDWR);
  CHECK_EQ(CALL(55, small, F_GETFL), O_RDWR);
  int64_t position = 0;
  CHECK_EQ(CALL(140, small, 0, 0x7ffffffe, &position, SEEK_SET), 0);
  CHECK_EQ(position, 0x7ffffffe);
  CHECK_EQ(CALL(4, small, "abc", 3), 1);  // up to the limit, then nothing
  CHECK_EQ(CALL(4, small, "abc", 3), -EFBIG);
  CHECK_EQ(CALL(140, small, 1, 2, &position, SEEK_SET), 0);
  CHECK_EQ(position, 0x100000002);
  CHECK_EQ(CALL(140, small, 0, 0, (void*)8, SEEK_CUR), -EFAULT);
  CHECK_EQ(CALL(19, small, -3, SEEK_SET), -EINVAL);
  close((int)small);
  close(fd);
}

static void Offsets(void) {
  const int fd = open("sparse", O_RDWR | O_CREAT | O_LARGEFILE, 0600);
  char text[8] = "";
  CHECK_EQ(CALL(181, fd, "wide", 4, 0x10, 1), 4);  // pwrite64 at 4 GiB and 16
  CHECK_EQ(CALL(180, fd, text, 8, 0x10, 1), 4);
  CHECK(memcmp(text, "wide", 4) == 0);
  CHECK_EQ(CALL(180, fd, text, 8, 0x10, 0x80000000), -EINVAL);
  struct iovec32 {
    void* base;
    uint32_t length;
  } vector[2] = {{text, 2}, {text + 4, 2}};
  CHECK_EQ(CALL(333, fd, vector, 2, 0x10, 1), 4);  // preadv
  CHECK(memcmp(text, "wi", 2) == 0 && memcmp(text + 4, "de", 2) == 0);
  CHECK_EQ(CALL(334, fd, vector, 2, 0x20, 1), 4);     // pwritev
  CHECK_EQ(CALL(378, fd, vector, 1, 0x20, 1, 0), 2);  // preadv2
  CHECK_EQ(CALL(146, fd, vector, -1), -EINVAL);
  vector[1].length = 0x80000000;
  CHECK_EQ(CALL(146, fd, vector, 2), -EINVAL);
  CHECK_EQ(CALL(272, fd, 0, 1, 0x1000, 0, 0), 0);  // fadvise64_64
  CHECK_EQ(CALL(272, fd, 0, 1, 0x1000, 0, 99), -EINVAL);
  CHECK_EQ(CALL(250, fd, 0, 1, 0x1000, 0), 0);     // fadvise64
  CHECK_EQ(CALL(225, fd, 0, 1, 0x1000), 0);        // readahead
  CHECK_EQ(CALL(314, fd, 0, 1, 0x1000, 0, 1), 0);  // sync_file_range
  CHECK_EQ(CALL(314, fd, 0, 0x80000000, 0, 0, 0), -EINVAL);
  CHECK_EQ(CALL(324, fd, 0, 0, 2, 0x1000, 0), 0);  // fallocate
  struct Stat64 wide;
  CHECK_EQ(CALL(197, fd, &wide), 0);
  CHECK_EQ(wide.size, 0x200001000);
  struct {
    int16_t type, whence;
    int32_t start, length, pid;
  } lock = {F_WRLCK, SEEK_SET, 5, 10, 77};
  CHECK_EQ(CALL(55, fd, 5, &lock), 0);
  CHECK_EQ(lock.type, F_UNLCK);
  CHECK_EQ(lock.start, 5);
  struct __attribute__((packed)) {
    int16_t type, whence;
    int64_t start, length;
    int32_t pid;
  } lock64 = {F_WRLCK, SEEK_SET, 0x100000000, 10, 77};
  CHECK_EQ(CALL(221, fd, 12, &lock64), 0);
  CHECK_EQ(lock64.type, F_UNLCK);
  lock64.type = F_WRLCK;
  CHECK_EQ(CALL(55, fd, 36, &lock64), -EINVAL);  // with a pid
  lock64.pid = 0;
  CHECK_EQ(CALL(55, fd, 36, &lock64), 0);
  CHECK_EQ(lock64.type, F_UNLCK);
  CHECK_EQ(lock64.start, 0x100000000);
  const int out = open("copy", O_RDWR | O_CREAT, 0600);
  int32_t from = 2;
  const int in = open("file", O_RDWR | O_TRUNC);
  CHECK_EQ(write(in, "abcdefgh", 8), 8);
  CHECK_EQ(CALL(187, out, in, &from, 3), 3);  // sendfile
  CHECK_EQ(from, 5);
  int64_t from64 = 5;
  CHECK_EQ(CALL(239, out, in, &from64, 3), 3);
  CHECK_EQ(from64, 8);
  CHECK_EQ(pread(out, text, 6, 0), 6);
  CHECK(memcmp(text, "cdefgh", 6) == 0);
  close(in);
  close(out);
  close(fd);
}

static void OldStats(void) {
  struct OldStat old;
  const long result = CALL(18, "/dev/null", &old);
  CHECK(result == 0 || result == -EOVERFLOW);  // an inode number need not fit
  if (result == 0) CHECK_EQ(old.mode & S_IFMT, S_IFCHR);
  CHECK_EQ(CALL(28, 99, &old), -EBADF);
  CHECK_EQ(CALL(84, "missing", &old), -ENOENT);
}

static void Directories(void) {
  CHECK_EQ(mkdir("d", 0755), 0);
  close(open("d/one", O_CREAT | O_WRONLY, 0600));
  struct __attribute__((packed)) {
    uint32_t ino, off;
    uint16_t length;
    char name[500];
  }* entry;
  char buffer[512];
  const int fd = open("d", O_RDONLY | O_DIRECTORY);
  const long size = CALL(141, fd, buffer, sizeof buffer);
  CHECK(size > 0);
  int found = 0;
  for (long at = 0; at < size; at += entry->length) {
    entry = (void*)(buffer + at);
    CHECK_EQ(entry->length % 4, 0);
    if (strcmp(entry->name, "one") == 0) {
      ++found;
      CHECK_EQ(buffer[at + entry->length - 1], DT_REG);
    }
  }
  CHECK_EQ(found, 1);
  CHECK_EQ(CALL(141, fd, buffer, sizeof buffer), 0);
  close(fd);
  struct __attribute__((packed)) {
    int32_t type, bsize;
    uint64_t blocks, free, available, files, free_files;
    int32_t id[2], name_length, fragment, flags, spare[4];
  } info64;
  CHECK_EQ(CALL(268, ".", 84, &info64), 0);
  CHECK_EQ(info64.name_length, 255);
  CHECK_EQ(CALL(268, ".", 88, &info64), -EINVAL);
  int32_t info[16];
  const long narrow = CALL(99, "/proc", info);
  CHECK_EQ(narrow, 0);
  CHECK_EQ(info[0], 0x9fa0);
  CHECK_EQ(info[9], 255);
}

static void Ids(void) {
  CHECK_EQ(CALL(24), getuid());
  CHECK_EQ(CALL(199), getuid());
  uint16_t ids16[3];
  uint32_t ids32[3];
  CHECK_EQ(CALL(165, &ids16[0], &ids16[1], &ids16[2]), 0);
  CHECK_EQ(CALL(209, &ids32[0], &ids32[1], &ids32[2]), 0);
  CHECK_EQ(ids16[0], ids32[0]);
  CHECK_EQ(ids16[2], ids32[2]);
  const uint32_t groups[3] = {5, 70001, 6};
  CHECK_EQ(CALL(206, 3, groups), 0);
  uint16_t narrow[3] = {0};
  CHECK_EQ(CALL(80, 3, narrow), 3);
  CHECK(narrow[0] == 5 || narrow[0] == 6);
  CHECK(narrow[0] == 65534 || narrow[1] == 65534 || narrow[2] == 65534);
  const uint16_t some[2] = {7, 8};
  CHECK_EQ(CALL(81, 2, some), 0);
  uint32_t back[4];
  CHECK_EQ(CALL(205, 4, back), 2);
  CHECK_EQ(back[0], 7);
  CHECK_EQ(back[1], 8);
  close(open("owned", O_CREAT | O_WRONLY, 0600));
  CHECK_EQ(CALL(182, "owned", 65535, 9), 0);  // 16 bits of ones: leave it
  struct Stat64 st;
  CHECK_EQ(CALL(195, "owned", &st), 0);
  CHECK_EQ(st.uid, getuid());
  CHECK_EQ(st.gid, 9);
  CHECK_EQ(CALL(212, "owned", 65535, -1), 0);  // 32-bit form: an id
  CHECK_EQ(CALL(195, "owned", &st), 0);
  CHECK_EQ(st.uid, 65535);
  CHECK_EQ(CALL(298, AT_FDCWD, "owned", 66000, -1, 0), 0);
  CHECK_EQ(CALL(195, "owned", &st), 0);
  CHECK_EQ(st.uid, 66000);
}

static void Memory(void) {
  uint32_t arguments[6] = {0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ~0u, 0};
  char* page = (char*)CALL(90, arguments);
  CHECK((uintptr_t)page < -4096ul);
  page[8191] = 1;
  CHECK_EQ(munmap(page, 8192), 0);
  arguments[5] = 5;
  CHECK_EQ(CALL(90, arguments), -EINVAL);
  CHECK_EQ(CALL(90, (void*)8), -EFAULT);
  const int fd = open("mapped", O_RDWR | O_CREAT, 0600);
  CHECK_EQ(pwrite(fd, "second page", 11, 4096), 11);
  page = (char*)CALL(192, 0, 4096, PROT_READ, MAP_PRIVATE, fd, 1);  // in pages
  CHECK(memcmp(page, "second page", 11) == 0);
  CHECK_EQ(CALL(192, 0xffffe000, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
           -ENOMEM);
  CHECK_EQ(CALL(192, 0, 0xfffff000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), -ENOMEM);
  close(fd);
}

static void Limits(void) {
  uint32_t narrow[2], old[2];
  uint64_t wide[2];
  CHECK_EQ(CALL(191, 3, narrow), 0);
  CHECK_EQ(CALL(340, 0, 3, 0, wide), 0);
  CHECK_EQ(narrow[0], wide[0]);
  CHECK_EQ(narrow[1], wide[1] > 0xffffffff ? 0xffffffff : wide[1]);
  CHECK_EQ(CALL(76, 3, old), 0);
  CHECK_EQ(old[1], wide[1] > 0x7fffffff ? 0x7fffffff : wide[1]);
  const uint32_t to[2] = {0, 0xffffffff};
  CHECK_EQ(CALL(191, 4, narrow), 0);
  if (narrow[1] == 0xffffffff) {
    CHECK_EQ(CALL(75, 4, to), 0);
    CHECK_EQ(CALL(340, 0, 4, 0, wide), 0);
    CHECK_EQ(wide[0], 0);
    CHECK(wide[1] == ~0ull);
  }
  CHECK_EQ(CALL(191, 99, narrow), -EINVAL);
}

static void Names(void) {
  char name[6][65], five[5][65], nine[5][9];
  CHECK_EQ(CALL(122, name), 0);
  CHECK_EQ(CALL(109, five), 0);
  CHECK_EQ(CALL(59, nine), 0);
  CHECK(memcmp(name, five, sizeof five) == 0);
  CHECK(strncmp(nine[0], name[0], 8) == 0 && nine[4][8] == 0);
  CHECK(strcmp(name[4], "x86_64") == 0);
  const long before = CALL(136, -1);
  CHECK_EQ(CALL(136, 8), before);  // PER_LINUX32
  CHECK_EQ(CALL(122, name), 0);
  CHECK(strcmp(name[4], "i686") == 0);
  CHECK_EQ(CALL(136, before), 8);
}

static volatile int entered, last_signal;
static uintptr_t handler_stack;
static void Plain(int signal) {
  ++entered;
  last_signal = signal;
  handler_stack = (uintptr_t)__builtin_frame_address(0) + 8;  // of the argument
}
static void Detailed(int signal, siginfo_t* info, void* context) {
  (void)context;
  ++entered;
  last_signal = signal;
  CHECK_EQ(info->si_pid, getpid());
}

static void OldSignals(void) {
  struct {
    void* handler;
    uint32_t mask, flags;
    void* restorer;
  } action = {Plain, 1 << (SIGUSR2 - 1), 0, NULL}, old;
  CHECK_EQ(CALL(67, SIGUSR1, &action, &old), 0);
  CHECK(old.handler == SIG_DFL);
  entered = 0;
  CHECK_EQ(CALL(37, getpid(), SIGUSR1), 0);  // no restorer: back through the kernel's code
  CHECK_EQ(entered, 1);
  CHECK_EQ(handler_stack % 16, 0);
  CHECK_EQ(CALL(67, SIGUSR1, NULL, &old), 0);
  CHECK(old.handler == Plain);
  CHECK_EQ(old.mask, 1 << (SIGUSR2 - 1));
  CHECK_EQ(CALL(67, SIGKILL, &action, NULL), -EINVAL);
  struct {
    void* handler;
    uint32_t flags;
    void* restorer;
    uint32_t mask[2];
  } now = {Detailed, SA_SIGINFO, NULL, {0, 0}};
  CHECK_EQ(CALL(174, SIGUSR1, &now, NULL, 8), 0);
  CHECK_EQ(CALL(37, getpid(), SIGUSR1), 0);
  CHECK_EQ(entered, 2);
  CHECK_EQ(CALL(174, SIGUSR1, &now, NULL, 4), -EINVAL);
  // One shot, by signal(2).
  CHECK_EQ(CALL(48, SIGUSR2, Plain), (long)SIG_DFL);
  CHECK_EQ(CALL(37, getpid(), SIGUSR2), 0);
  CHECK_EQ(last_signal, SIGUSR2);
  CHECK_EQ(CALL(48, SIGUSR2, SIG_IGN), (long)SIG_DFL);
  CHECK_EQ(CALL(48, SIGSTOP, Plain), -EINVAL);
  // Masks of 32 signals.
  uint32_t set = 1 << (SIGUSR1 - 1), before = 0, pending = 0;
  CHECK_EQ(CALL(126, SIG_BLOCK, &set, &before), 0);
  CHECK_EQ(CALL(126, 9, &set, NULL), -EINVAL);
  CHECK_EQ(CALL(37, getpid(), SIGUSR1), 0);
  CHECK_EQ(CALL(73, &pending), 0);
  CHECK_EQ(pending, set);
  CHECK_EQ(CALL(68), set);
  CHECK_EQ(entered, 3);
  CHECK_EQ(CALL(72, 0, 0, 0), -EINTR);  // sigsuspend with nothing blocked
  CHECK_EQ(entered, 4);
  CHECK_EQ(CALL(69, 0), set);
  CHECK_EQ(CALL(68), 0);
  CHECK_EQ(CALL(126, SIG_SETMASK, &before, NULL), 0);
  struct {
    void* base;
    int32_t flags;
    uint32_t size;
  } stack;
  CHECK_EQ(CALL(186, NULL, &stack), 0);
  CHECK_EQ(stack.flags, SS_DISABLE);
}

static void Times(void) {
  int32_t narrow[2], seconds = 0;
  int64_t wide[2];
  CHECK_EQ(CALL(265, 0, narrow), 0);
  CHECK_EQ(CALL(403, 0, wide), 0);
  CHECK(wide[0] - narrow[0] <= 1 && wide[0] > 1600000000);
  CHECK(wide[1] >= 0 && wide[1] < 1000000000);
  const long now = CALL(13, &seconds);
  CHECK_EQ(now, seconds);
  CHECK_EQ(CALL(406, 0, wide), 0);
  int32_t tms[4];
  CHECK(CALL(43, tms) >= 0);
  int32_t usage[18];
  CHECK_EQ(CALL(77, 0, usage), 0);
  CHECK(usage[4] > 0);  // KiB at most
  const int32_t short_sleep[2] = {0, 1000000};
  CHECK_EQ(CALL(162, short_sleep, NULL), 0);
  // The upper half of nanoseconds is padding.
  int64_t sleep64[2] = {0, 1000000 | (int64_t)0x55 << 32};
  CHECK_EQ(CALL(407, 1, 0, sleep64, NULL), 0);
  sleep64[1] = 1000000000;
  CHECK_EQ(CALL(407, 1, 0, sleep64, NULL), -EINVAL);
  sleep64[1] = 1000000;
  int word = 1;
  CHECK_EQ(CALL(422, &word, 0, 1, sleep64, NULL, 0), -ETIMEDOUT);
  CHECK_EQ(CALL(240, &word, 0, 1, short_sleep, NULL, 0), -ETIMEDOUT);
  CHECK_EQ(CALL(240, &word, 0, 2, short_sleep, NULL, 0), -EAGAIN);
  CHECK_EQ(CALL(414, NULL, 0, sleep64, NULL, 8), 0);           // ppoll_time64
  CHECK_EQ(CALL(309, NULL, 0, short_sleep, NULL, 8), 0);       // ppoll
  CHECK_EQ(CALL(413, 0, NULL, NULL, NULL, sleep64, NULL), 0);  // pselect6_time64
  int fds[2];
  CHECK_EQ(pipe(fds), 0);
  struct {
    uint32_t bits;
    uint32_t guard;
  } in = {1u << fds[0], 0x12345678};
  int32_t wait[2] = {0, 1000};
  uint32_t arguments[5] = {(uint32_t)fds[0] + 1, (uint32_t)(uintptr_t)&in, 0, 0,
                           (uint32_t)(uintptr_t)wait};
  CHECK_EQ(CALL(82, arguments), 0);  // select through a structure
  CHECK_EQ(in.bits, 0);
  CHECK_EQ(in.guard, 0x12345678);  // sets have words of 32 bits
  CHECK_EQ(write(fds[1], "x", 1), 1);
  in.bits = 1u << fds[0];
  CHECK_EQ(CALL(142, fds[0] + 1, &in, NULL, NULL, NULL), 1);
  CHECK_EQ(in.bits, 1u << fds[0]);
  const int64_t stamps[4] = {0x123456789, 5, 77, 0x3ffffffe};  // the second: UTIME_OMIT
  CHECK_EQ(CALL(412, AT_FDCWD, "mapped", stamps, 0), 0);
  int32_t sysinfo[16];
  CHECK_EQ(CALL(116, sysinfo), 0);
  CHECK(sysinfo[4] != 0 && sysinfo[13] >= 1);
  const uint32_t wanted = 1 << (SIGUSR1 - 1);
  uint32_t mask[2] = {wanted, 0};
  CHECK_EQ(CALL(421, mask, NULL, sleep64, 8), -EAGAIN);  // rt_sigtimedwait_time64
  CHECK_EQ(CALL(177, mask, NULL, short_sleep, 8), -EAGAIN);
}

static void Others(void) {
  int status;
  CHECK_EQ(CALL(7, -1, &status, 0), -ECHILD);
  CHECK_EQ(CALL(102, 0, NULL), -EINVAL);
  CHECK_EQ(CALL(102, 99, NULL), -EINVAL);
  CHECK_EQ(CALL(102, 1, (void*)8), -EFAULT);
  CHECK_EQ(CALL(117, 99, 0, 0, 0, 0, 0), -ENOSYS);
  CHECK_EQ(CALL(17), -ENOSYS);
  CHECK_EQ(CALL(166), -ENOSYS);  // vm86
  CHECK_EQ(CALL(222), -ENOSYS);  // never used
  CHECK_EQ(CALL(5000), -ENOSYS);
  CHECK_EQ(CALL(384, 0x1002, &status), -EINVAL);  // arch_prctl: no bases on i386
  uint32_t cpus[2] = {0, 0};
  CHECK(CALL(242, 0, 4, cpus) > 0 || CALL(242, 0, 128, NULL) < 0);
  CHECK_EQ(CALL(242, 0, 3, cpus), -EINVAL);
  uint32_t head = 0, size = 0;
  CHECK_EQ(CALL(311, &head, 24), -EINVAL);
  CHECK_EQ(CALL(311, &head, 12), 0);
  CHECK_EQ(CALL(312, 0, &head, &size), 0);
  CHECK_EQ(size, 12);
}

struct UserDescriptor {
  uint32_t entry, base, limit, flags;
};

static void ThreadAreas(void) {
  static uint32_t area[4] = {11, 22, 33, 44};
  struct UserDescriptor wanted = {~0u, (uint32_t)(uintptr_t)area, 0xfffff, 1 | 1 << 4 | 1 << 6};
  CHECK_EQ(CALL(243, &wanted), 0);
  CHECK(wanted.entry >= 12 && wanted.entry <= 14);
  uint32_t value;
  const uint32_t selector = wanted.entry << 3 | 3;
  __asm__ volatile("mov %1, %%fs\n\tmov %%fs:8, %0" : "=r"(value) : "r"(selector));
  CHECK_EQ(value, 33);
  // A loaded selector follows a change at once.
  wanted.base += 4;
  CHECK_EQ(CALL(243, &wanted), 0);
  __asm__ volatile("mov %%fs:8, %0" : "=r"(value));
  CHECK_EQ(value, 44);
  struct UserDescriptor held = {wanted.entry, 0, 0, 0};
  CHECK_EQ(CALL(244, &held), 0);
  CHECK_EQ(held.base, wanted.base);
  CHECK_EQ(held.limit, wanted.limit);
  CHECK_EQ(held.flags & 0x7f, wanted.flags);
  // In a handler and after it the selector is what it was.
  CHECK_EQ(CALL(48, SIGUSR1, Plain) < -4096, 0);
  CHECK_EQ(CALL(37, getpid(), SIGUSR1), 0);
  __asm__ volatile("mov %%fs:8, %0" : "=r"(value));
  CHECK_EQ(value, 44);
  __asm__ volatile("mov %0, %%fs" ::"r"(0));
  struct UserDescriptor bad = wanted;
  bad.entry = 11;
  CHECK_EQ(CALL(243, &bad), -EINVAL);
  bad = wanted;
  bad.flags = 0;  // 16 bits
  CHECK_EQ(CALL(243, &bad), -EINVAL);
  bad = wanted;
  bad.flags |= 2 << 1;  // code
  CHECK_EQ(CALL(243, &bad), -EINVAL);
  bad.entry = 99;
  CHECK_EQ(CALL(244, &bad), -EINVAL);
  CHECK_EQ(CALL(243, (void*)8), -EFAULT);
  const struct UserDescriptor empty = {wanted.entry, 0, 0, 1 << 3 | 1 << 5};
  CHECK_EQ(CALL(243, &empty), 0);
  held.base = 1;
  CHECK_EQ(CALL(244, &held), 0);
  CHECK_EQ(held.base, 0);
  int taken = 0;
  for (; taken < 4; ++taken) {
    struct UserDescriptor one = {~0u, 0x1000, 0xfff, 1};
    if (CALL(243, &one) == -ESRCH) break;
  }
  CHECK(taken >= 1 && taken <= 3);
}

// The way into the kernel that programs built into themselves before vDSOs had it.
static void Sysenter(void) {
  long result;
  __asm__ volatile(
      "call 1f\n\t"
      "jmp 2f\n"
      "1:\n\t"
      "push %%ecx\n\tpush %%edx\n\tpush %%ebp\n\tmov %%esp, %%ebp\n\tsysenter\n"
      "2:"
      : "=a"(result)
      : "0"(20)
      : "memory", "ecx", "edx");
  CHECK_EQ(result, getpid());
}

static sigjmp_buf no_such_instruction;
static void OnIllegal(int number) { siglongjmp(no_such_instruction, number); }

// The same on AMD's CPUs, whose Linux has `syscall` in its vDSO; on others it is no instruction of
// 32-bit code.
static void Syscall(void) {
  unsigned a = 0, b, c, d;
  __asm__("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
  const int is_amd = memcmp(&c, "cAMD", 4) == 0;
  signal(SIGILL, OnIllegal);
  const int caught = sigsetjmp(no_such_instruction, 1);
  if (caught == 0) {
    // mmap2: the second argument and the sixth are the ones that move.
    const int page = memfd_create("pages", 0);
    CHECK_EQ(ftruncate(page, 3 * 4096), 0);
    CHECK_EQ(pwrite(page, "second", 6, 4096), 6);
    const long ends[2] = {page, 1};
    long result;
    __asm__ volatile(
        "push %%ebp\n\t"
        "mov (%%eax), %%edi\n\tmov 4(%%eax), %%ebp\n\tmov $192, %%eax\n\t"
        "call 1f\n\t"
        "jmp 2f\n"
        "1:\n\t"
        "push %%ecx\n\tpush %%edx\n\tpush %%ebp\n\tmov %%ecx, %%ebp\n\tsyscall\n"
        "2:\n\t"
        "pop %%ebp"
        : "=a"(result)
        : "0"(ends), "b"(0), "c"(2 * 4096), "d"(PROT_READ), "S"(MAP_PRIVATE)
        : "memory", "edi");
    CHECK((unsigned long)result < -4096ul);
    CHECK(memcmp((void*)result, "second", 6) == 0);
    CHECK_EQ(munmap((void*)result, 2 * 4096), 0);
    close(page);
  }
  CHECK_EQ(caught, is_amd ? 0 : SIGILL);
  signal(SIGILL, SIG_DFL);
}

int main(void) {
  Stats();
  Offsets();
  OldStats();
  Directories();
  Ids();
  Memory();
  Limits();
  Names();
  OldSignals();
  Times();
  Others();
  ThreadAreas();
  Sysenter();
  Syscall();
  REPORT();
}
