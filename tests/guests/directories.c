// mkdir, rename, link, unlink, readdir, chdir, stat and what permissions and times become.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

enum { kNoReplace = 1, kExchange = 2 };  // RENAME_*, which musl lacks

static int Touch(const char* path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  return fd < 0 ? -1 : close(fd);
}

static int Count(const char* path) {
  DIR* dir = opendir(path);
  if (dir == NULL) return -1;
  int count = 0;
  while (readdir(dir) != NULL) ++count;
  closedir(dir);
  return count;
}

static void Making(void) {
  CHECK_EQ(mkdir("d", 0755), 0);
  CHECK_ERRNO(mkdir("d", 0755), EEXIST);
  CHECK_ERRNO(mkdir(".", 0755), EEXIST);
  CHECK_ERRNO(mkdir("x/y", 0755), ENOENT);
  CHECK_EQ(mkdir("slash/", 0700), 0);
  CHECK_EQ(Touch("f"), 0);
  CHECK_ERRNO(mkdir("f/y", 0755), ENOTDIR);
  CHECK_EQ(Count("d"), 2);
  CHECK_EQ(Touch("d/a"), 0);
  CHECK_EQ(Count("d"), 3);
  CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
  CHECK_ERRNO(rmdir("f"), ENOTDIR);
  CHECK_ERRNO(rmdir("d/."), EINVAL);
  CHECK_ERRNO(rmdir("d/.."), ENOTEMPTY);
  CHECK_ERRNO(unlink("d"), EISDIR);
  CHECK_ERRNO(unlink("missing"), ENOENT);
  CHECK_EQ(unlink("d/a"), 0);
  struct stat st;
  CHECK_EQ(stat("d", &st), 0);
  CHECK(S_ISDIR(st.st_mode));
  CHECK_EQ(st.st_mode & 07777, 0755);
  CHECK_EQ(mkfifo("fifo", 0600), 0);
  CHECK_EQ(stat("fifo", &st), 0);
  CHECK(S_ISFIFO(st.st_mode));
  CHECK_EQ(unlinkat(AT_FDCWD, "slash", AT_REMOVEDIR), 0);
  CHECK_ERRNO(mknod("dirnode", S_IFDIR | 0755, 0), EPERM);
}

static void Linking(void) {
  struct stat a, b;
  char target[32];
  CHECK_EQ(Touch("orig"), 0);
  CHECK_EQ(link("orig", "hard"), 0);
  CHECK_ERRNO(link("orig", "hard"), EEXIST);
  CHECK_ERRNO(link("d", "harddir"), EPERM);
  CHECK_EQ(stat("orig", &a), 0);
  CHECK_EQ(stat("hard", &b), 0);
  CHECK_EQ(a.st_ino, b.st_ino);
  CHECK_EQ(a.st_nlink, 2);
  CHECK_EQ(symlink("orig", "soft"), 0);
  CHECK_EQ(lstat("soft", &a), 0);
  CHECK(S_ISLNK(a.st_mode));
  CHECK_EQ(a.st_size, 4);
  CHECK_EQ(readlink("soft", target, sizeof target), 4);
  CHECK_EQ(readlink("soft", target, 2), 2);
  CHECK_ERRNO(readlink("orig", target, sizeof target), EINVAL);
  CHECK_ERRNO(syscall(SYS_readlink, "soft", target, (size_t)0),
              EINVAL);  // musl answers 0 by itself
  CHECK_ERRNO(symlink("", "empty"), ENOENT);
  CHECK_EQ(unlink("orig"), 0);
  CHECK_ERRNO(stat("soft", &a), ENOENT);
  CHECK_EQ(stat("hard", &b), 0);
  CHECK_EQ(b.st_nlink, 1);
}

static void Renaming(void) {
  CHECK_EQ(Touch("r1"), 0);
  CHECK_EQ(rename("r1", "r2"), 0);
  CHECK_ERRNO(access("r1", F_OK), ENOENT);
  CHECK_ERRNO(rename("missing", "r3"), ENOENT);
  CHECK_EQ(mkdir("ra", 0755), 0);
  CHECK_EQ(mkdir("ra/inner", 0755), 0);
  CHECK_ERRNO(rename("ra", "ra/inner/x"), EINVAL);
  CHECK_ERRNO(rename("ra", "r2"), ENOTDIR);
  CHECK_ERRNO(rename("r2", "ra"), EISDIR);
  CHECK_EQ(mkdir("rb", 0755), 0);
  CHECK_ERRNO(rename("rb", "ra"), ENOTEMPTY);
  CHECK_EQ(rename("rb", "ra/inner"), 0);
  CHECK_ERRNO(rename(".", "x"), EBUSY);
  CHECK_EQ(Touch("e1"), 0);
  CHECK_EQ(mkdir("e2", 0755), 0);
  CHECK_EQ(syscall(SYS_renameat2, AT_FDCWD, "e1", AT_FDCWD, "e2", kExchange), 0);
  struct stat st;
  CHECK_EQ(stat("e1", &st), 0);
  CHECK(S_ISDIR(st.st_mode));
  CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "e1", AT_FDCWD, "e2", kNoReplace), EEXIST);
  CHECK_EQ(link("e2", "e3"), 0);
  CHECK_EQ(rename("e2", "e3"), 0);  // the same file: nothing happens
  CHECK_EQ(access("e2", F_OK), 0);
}

static void Moving(void) {
  char start[4096], here[4096];
  CHECK(getcwd(start, sizeof start) != NULL);
  CHECK_EQ(mkdir("deep", 0755), 0);
  CHECK_EQ(chdir("deep"), 0);
  CHECK(getcwd(here, sizeof here) != NULL);
  CHECK_EQ(strlen(here), strlen(start) + 5);
  CHECK_ERRNO(syscall(SYS_getcwd, here, (size_t)2), ERANGE);
  CHECK_EQ(Touch("file"), 0);
  CHECK_EQ(access("../deep/file", F_OK), 0);
  int fd = open("..", O_RDONLY | O_DIRECTORY);
  CHECK_EQ(faccessat(fd, "deep/file", F_OK, 0), 0);
  CHECK_EQ(unlink("file"), 0);
  CHECK_EQ(fchdir(fd), 0);
  int gone = open("deep", O_RDONLY | O_DIRECTORY);
  CHECK_EQ(rmdir("deep"), 0);
  CHECK_ERRNO(openat(gone, "x", O_WRONLY | O_CREAT, 0644), ENOENT);
  CHECK_EQ(fchdir(gone), 0);
  CHECK_ERRNO(syscall(SYS_getcwd, here, sizeof here), ENOENT);
  CHECK_EQ(fchdir(fd), 0);
  CHECK_ERRNO(chdir("hard"), ENOTDIR);
  CHECK_ERRNO(fchdir(999), EBADF);
  close(fd);
  CHECK_EQ(chdir("/../../.."), 0);
  CHECK(getcwd(here, sizeof here) != NULL);
  CHECK(strcmp(here, "/") == 0);
  CHECK_EQ(chdir(start), 0);
}

static void Listing(void) {
  CHECK_EQ(mkdir("many", 0755), 0);
  char name[64];
  for (int i = 0; i < 500; ++i) {
    snprintf(name, sizeof name, "many/file-%d", i);
    CHECK_EQ(Touch(name), 0);
  }
  CHECK_EQ(Count("many"), 502);
  // Removing while listing sees every file once.
  DIR* dir = opendir("many");
  int removed = 0;
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    CHECK_EQ(entry->d_type, DT_REG);
    CHECK_EQ(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    ++removed;
  }
  CHECK_EQ(removed, 500);
  rewinddir(dir);
  closedir(dir);
  CHECK_EQ(rmdir("many"), 0);
  char buffer[16];
  int fd = open(".", O_RDONLY);
  CHECK_ERRNO(syscall(SYS_getdents64, fd, buffer, 8), EINVAL);
  close(fd);
  fd = open("hard", O_RDONLY);
  CHECK_ERRNO(syscall(SYS_getdents64, fd, buffer, 16), ENOTDIR);
  close(fd);
}

static void Properties(void) {
  struct stat st;
  CHECK_EQ(Touch("p"), 0);
  CHECK_EQ(chmod("p", 0640), 0);
  CHECK_EQ(stat("p", &st), 0);
  CHECK_EQ(st.st_mode, S_IFREG | 0640);
  CHECK_EQ(st.st_blksize, 4096);
  struct timespec times[2] = {{100, 5}, {200, 7}};
  CHECK_EQ(utimensat(AT_FDCWD, "p", times, 0), 0);
  CHECK_EQ(stat("p", &st), 0);
  CHECK_EQ(st.st_atim.tv_sec, 100);
  CHECK_EQ(st.st_mtim.tv_sec, 200);
  CHECK_EQ(st.st_mtim.tv_nsec, 7);
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_nsec = UTIME_NOW;
  CHECK_EQ(utimensat(AT_FDCWD, "p", times, 0), 0);
  CHECK_EQ(stat("p", &st), 0);
  CHECK_EQ(st.st_atim.tv_sec, 100);
  CHECK(st.st_mtim.tv_sec > 1000000);
  times[0].tv_nsec = 2000000000;
  CHECK_ERRNO(utimensat(AT_FDCWD, "p", times, 0), EINVAL);
  CHECK_EQ(access("p", R_OK | W_OK), 0);
  CHECK_ERRNO(access("p", 8), EINVAL);
  CHECK_ERRNO(chmod("missing", 0600), ENOENT);
  CHECK_ERRNO(fstat(999, &st), EBADF);
  CHECK_ERRNO(syscall(kFstatat, AT_FDCWD, "", &st, 0), ENOENT);
  CHECK_EQ(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH), 0);
  CHECK(S_ISDIR(st.st_mode));
  struct statfs fs;
  CHECK_EQ(statfs(".", &fs), 0);
  CHECK_EQ(fs.f_namelen, 255);
  mode_t old = umask(077);
  CHECK_EQ(old, 022);
  CHECK_EQ(mkdir("masked", 0777), 0);
  CHECK_EQ(stat("masked", &st), 0);
  CHECK_EQ(st.st_mode & 07777, 0700);
  umask(022);
}

int main(void) {
  umask(022);
  Making();
  Linking();
  Renaming();
  Moving();
  Listing();
  Properties();
  REPORT();
}
