// Watching nodes: inotify(7). What happens is printed as text and compared with what Linux says.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int queue;

static const struct {
  uint32_t bit;
  const char* name;
} kNames[] = {
    {IN_ACCESS, "access"},         {IN_MODIFY, "modify"},       {IN_ATTRIB, "attrib"},
    {IN_CLOSE_WRITE, "close_w"},   {IN_CLOSE_NOWRITE, "close"}, {IN_OPEN, "open"},
    {IN_MOVED_FROM, "moved_from"}, {IN_MOVED_TO, "moved_to"},   {IN_CREATE, "create"},
    {IN_DELETE, "delete"},         {IN_DELETE_SELF, "gone"},    {IN_MOVE_SELF, "moved"},
    {IN_IGNORED, "ignored"},       {IN_Q_OVERFLOW, "overflow"}, {IN_ISDIR, "dir"},
};

// All events that are there, as "WD:bits[:name]" with blanks between them; a cookie as "#" and the
// count of cookies so far.
static char text[8192];
static const char* events(void) {
  static char buffer[65536] __attribute__((aligned(8)));
  static uint32_t last_cookie;
  static int cookies;
  text[0] = 0;
  cookies = 0;
  for (;;) {
    ssize_t bytes = read(queue, buffer, sizeof buffer);
    if (bytes < 0) break;
    for (char* at = buffer; at < buffer + bytes;) {
      struct inotify_event* event = (struct inotify_event*)at;
      at += sizeof *event + event->len;
      char* out = text + strlen(text);
      out += sprintf(out, "%s%d:", out == text ? "" : " ", event->wd);
      const char* comma = "";
      for (size_t i = 0; i < sizeof kNames / sizeof kNames[0]; i++) {
        if (!(event->mask & kNames[i].bit)) continue;
        out += sprintf(out, "%s%s", comma, kNames[i].name);
        comma = ",";
      }
      if (event->cookie != 0) {
        if (event->cookie != last_cookie) cookies++;
        last_cookie = event->cookie;
        out += sprintf(out, "#%d", cookies);
      }
      if (event->len > 0) {
        CHECK_EQ(event->len % sizeof *event, 0);
        out += sprintf(out, ":%s", event->name);
      }
    }
  }
  CHECK_EQ(errno, EAGAIN);
  return text;
}

#define EXPECT(expected)                                                            \
  do {                                                                              \
    const char* actual_ = events();                                                 \
    if (strcmp(actual_, expected) != 0) {                                           \
      printf("%s:%d: \"%s\", not \"%s\"\n", __FILE__, __LINE__, actual_, expected); \
      ++failures;                                                                   \
    }                                                                               \
  } while (0)

static void make(const char* name) {
  int fd = open(name, O_WRONLY | O_CREAT, 0644);
  CHECK(fd >= 0);
  close(fd);
}

static void errors(void) {
  CHECK_ERRNO(inotify_init1(1), EINVAL);
  queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  CHECK_EQ(fcntl(queue, F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(inotify_add_watch(queue, ".", 0), EINVAL);
  CHECK_ERRNO(inotify_add_watch(queue, "missing", IN_OPEN), ENOENT);
  CHECK_ERRNO(inotify_add_watch(0, ".", IN_OPEN), EINVAL);
  CHECK_ERRNO(inotify_add_watch(999, ".", IN_OPEN), EBADF);
  CHECK_ERRNO(inotify_add_watch(queue, (const char*)16, IN_OPEN), EFAULT);
  CHECK_ERRNO(inotify_add_watch(queue, ".", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE), EINVAL);
  CHECK_ERRNO(inotify_rm_watch(queue, 1), EINVAL);
  CHECK_ERRNO(inotify_rm_watch(0, 1), EINVAL);
  CHECK_ERRNO(inotify_rm_watch(999, 1), EBADF);
  make("plain");
  CHECK_ERRNO(inotify_add_watch(queue, "plain", IN_OPEN | IN_ONLYDIR), ENOTDIR);
  CHECK_ERRNO(write(queue, "x", 1), EBADF);
  EXPECT("");
  unlink("plain");
}

static void files(void) {
  CHECK_EQ(inotify_add_watch(queue, ".", IN_ALL_EVENTS), 1);
  int fd = open("file", O_RDWR | O_CREAT, 0644);
  EXPECT("1:create:file 1:open:file");
  char c = 'x';
  CHECK_EQ(write(fd, "abcdef", 6), 6);
  CHECK_EQ(pread(fd, &c, 1, 0), 1);
  CHECK_EQ(pread(fd, &c, 1, 6), 0);
  CHECK_EQ(ftruncate(fd, 2), 0);
  CHECK_EQ(fchmod(fd, 0600), 0);
  EXPECT("1:modify:file 1:access:file 1:modify:file 1:attrib:file");
  close(fd);
  fd = open("file", O_RDONLY);
  close(fd);
  EXPECT("1:close_w:file 1:open:file 1:close:file");
  CHECK_EQ(chmod("file", 0640), 0);
  CHECK_EQ(truncate("file", 0), 0);
  EXPECT("1:attrib:file 1:modify:file");
  CHECK_EQ(chown("file", getuid(), getgid()), 0);
  struct timespec both[2] = {{1, 0}, {2, 0}}, first[2] = {{1, 0}, {0, UTIME_OMIT}};
  CHECK_EQ(utimensat(AT_FDCWD, "file", both, 0), 0);
  CHECK_EQ(utimensat(AT_FDCWD, "file", first, 0), 0);
  EXPECT("1:attrib:file 1:access:file");
  // The same twice in a row is told once.
  fd = open("file", O_WRONLY);
  CHECK_EQ(write(fd, "a", 1), 1);
  CHECK_EQ(write(fd, "b", 1), 1);
  close(fd);
  EXPECT("1:open:file 1:modify:file 1:close_w:file");
  CHECK_EQ(mkdir("sub", 0755), 0);
  CHECK_EQ(symlink("file", "link"), 0);
  CHECK_EQ(link("file", "second"), 0);
  CHECK_EQ(mkfifo("pipe", 0600), 0);
  EXPECT("1:create,dir:sub 1:create:link 1:create:second 1:create:pipe");
  CHECK_EQ(rename("second", "third"), 0);
  CHECK_EQ(rename("sub", "dir"), 0);
  EXPECT("1:moved_from#1:second 1:moved_to#1:third 1:moved_from,dir#2:sub 1:moved_to,dir#2:dir");
  CHECK_EQ(rename("third", "link"), 0);
  EXPECT("1:moved_from#1:third 1:moved_to#1:link");
  CHECK_EQ(unlink("link"), 0);
  CHECK_EQ(unlink("pipe"), 0);
  CHECK_EQ(rmdir("dir"), 0);
  EXPECT("1:delete:link 1:delete:pipe 1:delete,dir:dir");
}

static void nodes(void) {
  int watch = inotify_add_watch(queue, "file", IN_ALL_EVENTS);
  CHECK_EQ(watch, 2);
  // The directory first, then the file itself.
  int fd = open("file", O_RDONLY);
  EXPECT("1:open:file 2:open");
  CHECK_EQ(link("file", "other"), 0);
  EXPECT("2:attrib 1:create:other");
  CHECK_EQ(rename("other", "another"), 0);
  EXPECT("1:moved_from#1:other 1:moved_to#1:another 2:moved");
  CHECK_EQ(unlink("another"), 0);
  EXPECT("2:attrib 1:delete:another");
  CHECK_EQ(unlink("file"), 0);
  EXPECT("2:attrib 1:delete:file");
  // It is gone with the last descriptor.
  close(fd);
  const char* seen = events();
  CHECK(strstr(seen, "2:close 2:gone 2:ignored") != NULL);
  CHECK_ERRNO(inotify_rm_watch(queue, 2), EINVAL);
  // One that is replaced.
  make("a"), make("b");
  events();
  CHECK_EQ(inotify_add_watch(queue, "b", IN_ALL_EVENTS), 3);
  CHECK_EQ(rename("a", "b"), 0);
  EXPECT("1:moved_from#1:a 1:moved_to#1:b 3:attrib 3:gone 3:ignored");
  unlink("b");
  // A directory of its own.
  mkdir("d", 0755);
  events();
  CHECK_EQ(inotify_add_watch(queue, "d", IN_ALL_EVENTS), 4);
  make("d/x");
  EXPECT("4:create:x 4:open:x 4:close_w:x");
  CHECK_EQ(rename("d/x", "y"), 0);
  EXPECT("4:moved_from#1:x 1:moved_to#1:y");
  unlink("y");
  CHECK_EQ(rename("d", "e"), 0);
  EXPECT("1:delete:y 1:moved_from,dir#1:d 1:moved_to,dir#1:e 4:moved");
  CHECK_EQ(rmdir("e"), 0);
  EXPECT("4:gone 4:ignored 1:delete,dir:e");
}

static void masks(void) {
  CHECK_EQ(inotify_rm_watch(queue, 1), 0);
  EXPECT("1:ignored");
  make("f");
  EXPECT("");
  int watch = inotify_add_watch(queue, "f", IN_ATTRIB);
  CHECK_EQ(watch, 5);
  CHECK_ERRNO(inotify_add_watch(queue, "f", IN_OPEN | IN_MASK_CREATE), EEXIST);
  make("f");
  EXPECT("");
  CHECK_EQ(inotify_add_watch(queue, "f", IN_OPEN | IN_MASK_ADD), watch);
  chmod("f", 0600);
  make("f");
  EXPECT("5:attrib 5:open");
  CHECK_EQ(inotify_add_watch(queue, "f", IN_CLOSE), watch);
  chmod("f", 0644);
  make("f");
  EXPECT("5:close_w");
  CHECK_EQ(inotify_add_watch(queue, "f", IN_ATTRIB | IN_ONESHOT), watch);
  chmod("f", 0600);
  chmod("f", 0644);
  EXPECT("5:attrib 5:ignored");
  symlink("f", "l");
  watch = inotify_add_watch(queue, "l", IN_ATTRIB | IN_DONT_FOLLOW);
  chmod("f", 0600);
  EXPECT("");
  unlink("l");
  char expected[64];
  sprintf(expected, "%d:attrib %d:ignored", watch, watch);
  EXPECT(expected);
}

// A description lives as long as it is mapped: what is told of its end comes with the last mapping.
static void mappings(void) {
  make("f3");
  const int watch = inotify_add_watch(queue, "f3", IN_CLOSE | IN_OPEN | IN_MODIFY);
  char expected[64];
  int file = open("f3", O_RDWR);
  CHECK_EQ(ftruncate(file, 8192), 0);
  char* const map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CHECK(map != MAP_FAILED);
  snprintf(expected, sizeof expected, "%d:open %d:modify", watch, watch);
  CHECK(strcmp(events(), expected) == 0);
  CHECK_EQ(close(file), 0);
  CHECK(strcmp(events(), "") == 0);
  map[0] = 'x';
  CHECK_EQ(munmap(map, 4096), 0);
  CHECK(strcmp(events(), "") == 0);
  CHECK_EQ(munmap(map + 4096, 4096), 0);
  snprintf(expected, sizeof expected, "%d:close_w", watch);
  CHECK(strcmp(events(), expected) == 0);
  // For reading, and by a process that ends with it.
  file = open("f3", O_RDONLY);
  CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0) != MAP_FAILED);
  const pid_t child = fork();
  if (child == 0) _exit(0);
  CHECK_EQ(waitpid(child, NULL, 0), child);
  snprintf(expected, sizeof expected, "%d:open", watch);
  CHECK(strcmp(events(), expected) == 0);
  CHECK_EQ(close(file), 0);
  CHECK(strcmp(events(), "") == 0);
  CHECK_EQ(inotify_rm_watch(queue, watch), 0);
  events();
  CHECK_EQ(unlink("f3"), 0);
}

// So does its lock: flock(2).
static void locks_of_mappings(void) {
  make("f4");
  int file = open("f4", O_RDWR);
  CHECK_EQ(ftruncate(file, 4096), 0);
  CHECK_EQ(flock(file, LOCK_EX), 0);
  void* const map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
  CHECK_EQ(close(file), 0);
  file = open("f4", O_RDWR);
  CHECK_ERRNO(flock(file, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  CHECK_EQ(munmap(map, 4096), 0);
  CHECK_EQ(flock(file, LOCK_EX | LOCK_NB), 0);
  CHECK_EQ(close(file), 0);
  CHECK_EQ(unlink("f4"), 0);
}

static void reading(void) {
  CHECK_EQ(fcntl(queue, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  int watch = inotify_add_watch(queue, ".", IN_CREATE);
  struct pollfd row = {.fd = queue, .events = POLLIN};
  CHECK_EQ(poll(&row, 1, 0), 0);
  int set = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, queue, &event), 0);
  CHECK_EQ(epoll_wait(set, &event, 1, 0), 0);
  make("n1"), make("a-name-of-seventeen");
  CHECK_EQ(poll(&row, 1, 0), 1);
  CHECK_EQ(epoll_wait(set, &event, 1, 0), 1);
  int bytes = 0;
  CHECK_EQ(ioctl(queue, FIONREAD, &bytes), 0);
  CHECK_EQ(bytes, 16 + 16 + 16 + 32);
  char buffer[256] __attribute__((aligned(8)));
  CHECK_ERRNO(read(queue, buffer, 31), EINVAL);
  CHECK_EQ(read(queue, buffer, 79), 32);
  CHECK_EQ(read(queue, buffer, sizeof buffer), 48);
  struct inotify_event* first = (struct inotify_event*)buffer;
  CHECK_EQ(first->wd, watch);
  CHECK_EQ(first->len, 32);
  CHECK_EQ(strcmp(first->name, "a-name-of-seventeen"), 0);
  char path[64], link[64] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", queue);
  CHECK(readlink(path, link, sizeof link - 1) > 0);
  CHECK_EQ(strcmp(link, "anon_inode:inotify"), 0);
  unlink("n1"), unlink("a-name-of-seventeen"), unlink("f"), unlink("file");
  close(set), close(queue);
}

// fcntl(2), F_NOTIFY: a signal for what happens in a directory.
static int notices;
static siginfo_t noticed;
static void OnNotice(int signal, siginfo_t* info, void* context) {
  (void)signal, (void)context;
  ++notices;
  noticed = *info;
}

static void directory_signals(void) {
  const struct sigaction action = {.sa_sigaction = OnNotice, .sa_flags = SA_SIGINFO | SA_RESTART};
  CHECK_EQ(sigaction(SIGRTMIN, &action, NULL), 0);
  const int file = open("n1", O_CREAT | O_WRONLY, 0644);
  CHECK_ERRNO(fcntl(file, F_NOTIFY, DN_CREATE), ENOTDIR);
  const int directory = open(".", O_RDONLY);
  CHECK_EQ(fcntl(directory, F_NOTIFY, DN_MULTISHOT), 0);  // nothing to take back
  CHECK_EQ(fcntl(directory, F_SETSIG, SIGRTMIN), 0);
  CHECK_EQ(fcntl(directory, F_NOTIFY, DN_CREATE | DN_DELETE), 0);
  CHECK_EQ(fcntl(directory, F_GETOWN), getpid());
  CHECK_EQ(write(file, "x", 1), 1);
  CHECK_EQ(notices, 0);
  CHECK_EQ(mkdir("d", 0755), 0);
  CHECK_EQ(notices, 1);
  CHECK_EQ(noticed.si_fd, directory);
  CHECK_EQ(noticed.si_code, POLL_MSG);
  CHECK_EQ(noticed.si_band, POLLIN | POLLRDNORM | POLLMSG);
  CHECK_EQ(rmdir("d"), 0);
  CHECK_EQ(notices, 1);  // once
  CHECK_EQ(fcntl(directory, F_NOTIFY, DN_MODIFY | DN_MULTISHOT), 0);
  CHECK_EQ(write(file, "x", 1), 1);
  CHECK_EQ(write(file, "x", 1), 1);
  CHECK_EQ(notices, 3);
  CHECK_EQ(fcntl(directory, F_NOTIFY, DN_ATTRIB), 0);  // added to what there is
  CHECK_EQ(fchmod(file, 0600), 0);
  CHECK_EQ(notices, 4);
  CHECK_EQ(fcntl(directory, F_NOTIFY, 0), 0);
  CHECK_EQ(write(file, "x", 1), 1);
  CHECK_EQ(notices, 4);
  CHECK_EQ(fcntl(directory, F_NOTIFY, DN_DELETE), 0);
  CHECK_EQ(close(directory), 0);
  CHECK_EQ(close(file), 0);
  CHECK_EQ(unlink("n1"), 0);
  CHECK_EQ(notices, 4);
}

int main(void) {
  CHECK_EQ(mkdir("inotify-dir", 0755), 0);
  CHECK_EQ(chdir("inotify-dir"), 0);
  errors();
  files();
  nodes();
  masks();
  mappings();
  locks_of_mappings();
  reading();
  directory_signals();
  CHECK_EQ(chdir(".."), 0);
  CHECK_EQ(rmdir("inotify-dir"), 0);
  REPORT();
}
