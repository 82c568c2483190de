// open, read, write, lseek, dup, fcntl, truncate, fallocate, sendfile, copy_file_range.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"

static void* volatile kBadAddress = (void*)8;  // volatile: the compiler would warn of what we mean

static void Opening(void) {
  CHECK_ERRNO(open("missing", O_RDONLY), ENOENT);
  CHECK_ERRNO(open("", O_RDONLY), ENOENT);
  CHECK_ERRNO(open(kBadAddress, O_RDONLY), EFAULT);
  int fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0644);
  CHECK(fd >= 0);
  CHECK_ERRNO(open("a", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
  CHECK_ERRNO(open("a/b", O_RDONLY), ENOTDIR);
  CHECK_ERRNO(open("a/", O_RDONLY), ENOTDIR);
  CHECK_ERRNO(open("new/", O_WRONLY | O_CREAT, 0644), EISDIR);
  CHECK_ERRNO(open("a", O_RDONLY | O_DIRECTORY), ENOTDIR);
  CHECK_ERRNO(open(".", O_RDWR), EISDIR);
  CHECK_ERRNO(open(".", O_RDONLY | O_CREAT, 0644), EISDIR);
  char longname[300];
  memset(longname, 'x', sizeof longname);
  longname[299] = 0;
  CHECK_ERRNO(open(longname, O_RDONLY), ENAMETOOLONG);
  char* longpath = malloc(5000);
  memset(longpath, '/', 4999);
  longpath[4999] = 0;
  CHECK_ERRNO(open(longpath, O_RDONLY), ENAMETOOLONG);
  free(longpath);
  CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
  CHECK_EQ(fcntl(fd, F_GETFD), 0);
  CHECK_EQ(close(fd), 0);
  CHECK_ERRNO(close(fd), EBADF);
  CHECK_ERRNO(read(fd, longname, 1), EBADF);
  fd = open("a", O_WRONLY);
  CHECK_ERRNO(read(fd, longname, 1), EBADF);
  close(fd);
  fd = open("a", O_RDONLY | O_CLOEXEC);
  CHECK_ERRNO(write(fd, "x", 1), EBADF);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  close(fd);
  CHECK_EQ(symlink("a", "link"), 0);
  CHECK_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
  CHECK_EQ(symlink("loop2", "loop1"), 0);
  CHECK_EQ(symlink("loop1", "loop2"), 0);
  CHECK_ERRNO(open("loop1", O_RDONLY), ELOOP);
  CHECK_EQ(symlink("target-made-through-link", "dangling"), 0);
  fd = open("dangling", O_WRONLY | O_CREAT, 0600);
  CHECK(fd >= 0);
  close(fd);
  CHECK_EQ(access("target-made-through-link", F_OK), 0);
  CHECK_ERRNO(open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
  fd = open("a", O_PATH);
  CHECK(fd >= 0);
  CHECK_ERRNO(read(fd, longname, 1), EBADF);
  struct stat st;
  CHECK_EQ(fstat(fd, &st), 0);
  close(fd);
  fd = open(".", O_TMPFILE | O_RDWR, 0600);
  if (fd >= 0) {
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_nlink, 0);
    CHECK_EQ(write(fd, "tmp", 3), 3);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK_EQ(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
    CHECK_EQ(stat("named", &st), 0);
    CHECK_EQ(st.st_size, 3);
    close(fd);
  }
}

static void ReadingAndWriting(void) {
  int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0644);
  char buffer[64] = {0};
  CHECK_EQ(write(fd, "hello world", 11), 11);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 11);
  CHECK_EQ(read(fd, buffer, 10), 0);
  CHECK_EQ(lseek(fd, -5, SEEK_END), 6);
  CHECK_EQ(read(fd, buffer, 64), 5);
  CHECK(memcmp(buffer, "world", 5) == 0);
  CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
  CHECK_ERRNO(lseek(fd, 0, 99), EINVAL);
  CHECK_EQ(pread(fd, buffer, 5, 0), 5);
  CHECK(memcmp(buffer, "hello", 5) == 0);
  CHECK_EQ(pwrite(fd, "J", 1, 0), 1);
  CHECK_ERRNO(pread(fd, buffer, 1, -1), EINVAL);
  struct iovec out[2] = {{"ab", 2}, {"cde", 3}};
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK_EQ(writev(fd, out, 2), 5);
  char x[3], y[20];
  struct iovec in[2] = {{x, 3}, {y, 20}};
  CHECK_EQ(preadv(fd, in, 2, 0), 11);
  CHECK(memcmp(x, "abc", 3) == 0 && memcmp(y, "de world", 8) == 0);
  CHECK_ERRNO(syscall(SYS_writev, fd, out, -1L), EINVAL);
  CHECK_EQ(read(fd, kBadAddress, 0), 0);
  lseek(fd, 0, SEEK_SET);
  CHECK_ERRNO(read(fd, kBadAddress, 4), EFAULT);
  CHECK_ERRNO(write(fd, kBadAddress, 4), EFAULT);
  // A hole reads as zeros.
  CHECK_EQ(lseek(fd, 100000, SEEK_SET), 100000);
  CHECK_EQ(write(fd, "end", 3), 3);
  CHECK_EQ(pread(fd, buffer, 4, 50000), 4);
  CHECK(memcmp(buffer, "\0\0\0\0", 4) == 0);
  CHECK_EQ(lseek(fd, 200000, SEEK_DATA), -1);
  CHECK_EQ(errno, ENXIO);
  CHECK_EQ(lseek(fd, 100000, SEEK_HOLE), 100003);
  CHECK_EQ(ftruncate(fd, 4), 0);
  CHECK_EQ(ftruncate(fd, 8), 0);
  CHECK_EQ(pread(fd, buffer, 64, 0), 8);
  CHECK(memcmp(buffer, "abcd\0\0\0\0", 8) == 0);
  CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
  CHECK_ERRNO(truncate("missing", 0), ENOENT);
  CHECK_ERRNO(truncate(".", 0), EISDIR);
  struct stat st;
  CHECK_EQ(fallocate(fd, 0, 0, 10000), 0);
  CHECK_EQ(fstat(fd, &st), 0);
  CHECK_EQ(st.st_size, 10000);
  CHECK_ERRNO(fallocate(fd, 0, 0, 0), EINVAL);
  close(fd);
  fd = open("data", O_WRONLY | O_APPEND);
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  CHECK_EQ(write(fd, "tail", 4), 4);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10004);
  close(fd);
}

static void Duplicating(void) {
  int fd = open("dup", O_RDWR | O_CREAT | O_TRUNC, 0644);
  int copy = dup(fd);
  CHECK_EQ(write(fd, "abc", 3), 3);
  CHECK_EQ(lseek(copy, 0, SEEK_CUR), 3);  // one position for both
  CHECK_EQ(dup2(fd, 100), 100);
  CHECK_EQ(dup2(100, 100), 100);
  CHECK_ERRNO(dup2(fd, -1), EBADF);
  CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
  CHECK_EQ(dup3(fd, 101, O_CLOEXEC), 101);
  CHECK_EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(fd, F_DUPFD, 200), 200);
  CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 200), 201);
  CHECK_ERRNO(fcntl(fd, F_DUPFD, -1), EINVAL);
  CHECK_ERRNO(fcntl(999, F_GETFD), EBADF);
  CHECK_EQ(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK), 0);
  CHECK_EQ(fcntl(copy, F_GETFL) & (O_APPEND | O_NONBLOCK), O_APPEND | O_NONBLOCK);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  CHECK_EQ(fcntl(fd, F_SETLK, &lock), 0);
  CHECK_EQ(fcntl(fd, F_GETLK, &lock), 0);
  CHECK_EQ(lock.l_type, F_UNLCK);
  int size;
  CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
  CHECK_EQ(ioctl(fd, FIONREAD, &size), 0);
  CHECK_EQ(size, 2);
  CHECK_ERRNO(ioctl(fd, 0x5401, &size), ENOTTY);
  // The file lives on without a name.
  CHECK_EQ(unlink("dup"), 0);
  char buffer[4];
  CHECK_EQ(pread(fd, buffer, 4, 0), 3);
  struct stat st;
  CHECK_EQ(fstat(fd, &st), 0);
  CHECK_EQ(st.st_nlink, 0);
  for (int i = 3; i < 300; ++i) close(i);
}

static void Copying(void) {
  int from = open("from", O_RDWR | O_CREAT | O_TRUNC, 0644);
  int to = open("to", O_RDWR | O_CREAT | O_TRUNC, 0644);
  CHECK_EQ(write(from, "0123456789", 10), 10);
  off_t offset = 2;
  CHECK_EQ(sendfile(to, from, &offset, 5), 5);
  CHECK_EQ(offset, 7);
  CHECK_EQ(lseek(from, 0, SEEK_CUR), 10);
  CHECK_EQ(lseek(to, 0, SEEK_CUR), 5);
  CHECK_ERRNO(sendfile(to, -1, &offset, 5), EBADF);
  loff_t in = 8, at = 0;
  CHECK_EQ(copy_file_range(from, &in, to, &at, 100, 0), 2);
  char buffer[8];
  CHECK_EQ(pread(to, buffer, 8, 0), 5);
  CHECK(memcmp(buffer, "89456", 5) == 0);
  // Much at once.
  size_t size = 3 << 20;
  char* big = malloc(size);
  for (size_t i = 0; i < size; ++i) big[i] = (char)(i * 7 + i / 4096);
  CHECK_EQ(pwrite(from, big, size, 5), (long long)size);
  char* back = calloc(1, size);
  CHECK_EQ(pread(from, back, size, 5), (long long)size);
  CHECK(memcmp(big, back, size) == 0);
  close(from);
  close(to);
}

int main(void) {
  umask(022);
  Opening();
  ReadingAndWriting();
  Duplicating();
  Copying();
  REPORT();
}
