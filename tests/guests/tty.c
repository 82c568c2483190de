// Pseudo-terminals and their line discipline, pty(7), termios(3), ioctl_tty(2).
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

static int master, slave;

static void open_pair(void) {
  master = posix_openpt(O_RDWR | O_NOCTTY);
  CHECK(master >= 0);
  CHECK_EQ(grantpt(master), 0);
  CHECK_EQ(unlockpt(master), 0);
  slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  CHECK(slave >= 0);
}

static void close_pair(void) {
  close(slave);
  close(master);
}

static void change(tcflag_t *(*word)(struct termios *), tcflag_t clear, tcflag_t set) {
  struct termios modes;
  CHECK_EQ(tcgetattr(slave, &modes), 0);
  *word(&modes) = (*word(&modes) & ~clear) | set;
  CHECK_EQ(tcsetattr(slave, TCSANOW, &modes), 0);
}
static tcflag_t *local(struct termios *modes) { return &modes->c_lflag; }
static tcflag_t *input(struct termios *modes) { return &modes->c_iflag; }
static tcflag_t *output(struct termios *modes) { return &modes->c_oflag; }

static void set_character(int which, int value) {
  struct termios modes;
  CHECK_EQ(tcgetattr(slave, &modes), 0);
  modes.c_cc[which] = (cc_t)value;
  CHECK_EQ(tcsetattr(slave, TCSANOW, &modes), 0);
}

// What was typed has reached the line discipline once somebody has asked for it.
static short events_of(int fd) {
  struct pollfd row = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI};
  CHECK(poll(&row, 1, 0) >= 0);
  return row.revents;
}

static void type(const char *text) {
  CHECK_EQ(write(master, text, strlen(text)), strlen(text));
  events_of(slave);
}

static const char *printable(const char *text, size_t size) {
  static char printed[512];
  size_t at = 0;
  for (size_t i = 0; i < size && at < sizeof printed - 8; ++i) {
    const unsigned char c = (unsigned char)text[i];
    at += (size_t)snprintf(printed + at, 8, c >= ' ' && c < 127 ? "%c" : "\\x%02x", c);
  }
  printed[at] = 0;
  return printed;
}

// A read finds exactly these bytes.
static void expect_read(int fd, const char *expected, int line) {
  char buffer[8192];
  events_of(slave);
  events_of(master);
  const ssize_t got = read(fd, buffer, sizeof buffer);
  if (got != (ssize_t)strlen(expected) || memcmp(buffer, expected, strlen(expected)) != 0) {
    printf("tty.c:%d: read gave %zd", line, got);
    printf(" \"%s\"", got > 0 ? printable(buffer, (size_t)got) : "");
    printf(", not \"%s\" (errno %d)\n", printable(expected, strlen(expected)), errno);
    ++failures;
  }
}
#define EXPECT_READ(expected) expect_read(slave, expected, __LINE__)
#define EXPECT_SHOWN(expected) expect_read(master, expected, __LINE__)

static void set_blocking(int fd, int blocking) {
  const int flags = fcntl(fd, F_GETFL);
  CHECK_EQ(fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK), 0);
}

#define EXPECT_NOTHING(fd)                  \
  do {                                      \
    char byte_;                             \
    events_of(slave);                       \
    set_blocking(fd, 0);                    \
    CHECK_ERRNO(read(fd, &byte_, 1), EAGAIN); \
    set_blocking(fd, 1);                    \
  } while (0)

static void names(void) {
  master = posix_openpt(O_RDWR | O_NOCTTY);
  CHECK(master >= 0);
  int lock = 0;
  CHECK_EQ(ioctl(master, TIOCGPTLCK, &lock), 0);
  CHECK_EQ(lock, 1);
  unsigned number = 0;
  CHECK_EQ(ioctl(master, TIOCGPTN, &number), 0);
  char path[64];
  snprintf(path, sizeof path, "/dev/pts/%u", number);
  CHECK(strcmp(ptsname(master), path) == 0);
  CHECK_ERRNO(open(path, O_RDWR | O_NOCTTY), EIO);
  CHECK_EQ(unlockpt(master), 0);
  CHECK_EQ(ioctl(master, TIOCGPTLCK, &lock), 0);
  CHECK_EQ(lock, 0);
  slave = open(path, O_RDWR | O_NOCTTY);
  CHECK(slave >= 0);
  CHECK(isatty(slave));
  CHECK(isatty(master));
  struct stat status;
  CHECK_EQ(fstat(slave, &status), 0);
  CHECK(S_ISCHR(status.st_mode));
  CHECK_EQ(major(status.st_rdev), 136);
  CHECK_EQ(minor(status.st_rdev), number);
  CHECK_EQ(status.st_uid, getuid());
  CHECK_EQ(fstat(master, &status), 0);
  CHECK_EQ(status.st_rdev, makedev(5, 2));
  char name[64];
  CHECK_EQ(ttyname_r(slave, name, sizeof name), 0);
  CHECK(strcmp(name, path) == 0);
  const int peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  CHECK(peer >= 0);
  CHECK_EQ(ttyname_r(peer, name, sizeof name), 0);
  CHECK(strcmp(name, path) == 0);
  close(peer);
  unsigned device = 0;
  CHECK_EQ(ioctl(slave, TIOCGDEV, &device), 0);
  CHECK_EQ(device, 136u << 8 | number);
  CHECK_ERRNO(lseek(slave, 0, SEEK_SET), ESPIPE);
  CHECK_ERRNO(ioctl(slave, TIOCGPTN, &number), ENOTTY);
  CHECK_ERRNO(ioctl(slave, 0x54ff, 0), ENOTTY);
  int discipline = -1;
  CHECK_EQ(ioctl(slave, TIOCGETD, &discipline), 0);
  CHECK_EQ(discipline, 0);
  close_pair();
  CHECK_ERRNO(open(path, O_RDWR | O_NOCTTY), ENOENT);
  CHECK(!isatty(0));
  CHECK_EQ(errno, ENOTTY);
}

static void modes(void) {
  open_pair();
  struct termios now;
  CHECK_EQ(tcgetattr(slave, &now), 0);
  CHECK_EQ(now.c_iflag, ICRNL | IXON);
  CHECK_EQ(now.c_oflag, OPOST | ONLCR);
  CHECK_EQ(now.c_cflag & (CSIZE | CREAD | PARENB), CS8 | CREAD);
  CHECK_EQ(now.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
  static const cc_t characters[] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0};
  for (size_t i = 0; i < sizeof characters; ++i) CHECK_EQ(now.c_cc[i], characters[i]);
  CHECK_EQ(cfgetospeed(&now), B38400);
  // The other end asks and sets the same ones.
  struct termios same;
  CHECK_EQ(tcgetattr(master, &same), 0);
  CHECK_EQ(same.c_lflag, now.c_lflag);
  now.c_cflag = (now.c_cflag & ~(tcflag_t)CSIZE) | CS7 | PARENB;
  CHECK_EQ(cfsetspeed(&now, B9600), 0);
  CHECK_EQ(tcsetattr(master, TCSADRAIN, &now), 0);
  CHECK_EQ(tcgetattr(slave, &same), 0);
  CHECK_EQ(same.c_cflag & (CSIZE | PARENB), CS8);
  CHECK_EQ(cfgetospeed(&same), B9600);
  // The short form keeps what it has not.
  struct {
    unsigned short iflag, oflag, cflag, lflag;
    unsigned char line, cc[8];
  } old;
  CHECK_EQ(ioctl(slave, TCGETA, &old), 0);
  CHECK_EQ(old.lflag, same.c_lflag & 0xffff);
  CHECK_EQ(old.cc[VEOF], 4);
  old.cc[VEOF] = 'z';
  old.iflag = 0;
  CHECK_EQ(ioctl(slave, TCSETA, &old), 0);
  CHECK_EQ(tcgetattr(slave, &now), 0);
  CHECK_EQ(now.c_cc[VEOF], 'z');
  CHECK_EQ(now.c_cc[VLNEXT], 22);
  CHECK_EQ(now.c_iflag, 0);
  // struct termios2: TCGETS2, TCSETS2.
  struct {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line, cc[19];
    uint32_t ispeed, ospeed;
  } wide;
  CHECK_EQ(sizeof wide, 44);
  CHECK_EQ(ioctl(slave, 0x802c542a, &wide), 0);
  CHECK_EQ(wide.ospeed, 9600);
  CHECK_EQ(wide.ispeed, 9600);
  wide.cflag = (wide.cflag & ~(uint32_t)0010017) | 0010000;  // BOTHER
  wide.ospeed = wide.ispeed = 12345;
  CHECK_EQ(ioctl(slave, 0x402c542b, &wide), 0);
  wide.ospeed = 0;
  CHECK_EQ(ioctl(slave, 0x802c542a, &wide), 0);
  CHECK_EQ(wide.ospeed, 12345);
  CHECK_ERRNO(ioctl(slave, TCGETS, (void *)8), EFAULT);
  CHECK_ERRNO(ioctl(slave, TCSETS, (void *)8), EFAULT);
  struct winsize size;
  CHECK_EQ(ioctl(slave, TIOCGWINSZ, &size), 0);
  CHECK_EQ(size.ws_row, 0);
  size = (struct winsize){.ws_row = 30, .ws_col = 100};
  CHECK_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
  memset(&size, 0, sizeof size);
  CHECK_EQ(ioctl(slave, TIOCGWINSZ, &size), 0);
  CHECK_EQ(size.ws_row, 30);
  CHECK_EQ(size.ws_col, 100);
  close_pair();
}

static void lines(void) {
  open_pair();
  change(local, ECHO, 0);
  type("one\ntwo\nthree");
  int count = -1;
  CHECK_EQ(ioctl(slave, FIONREAD, &count), 0);
  CHECK_EQ(count, 8);
  EXPECT_READ("one\n");
  char part[3];
  CHECK_EQ(read(slave, part, 3), 3);
  CHECK(memcmp(part, "two", 3) == 0);
  CHECK_EQ(read(slave, part, 0), 0);
  EXPECT_READ("\n");
  EXPECT_NOTHING(slave);
  type("\004");
  EXPECT_READ("three");
  type("\004");
  EXPECT_READ("");
  EXPECT_NOTHING(slave);
  // A buffer that ends just before the end-of-file character takes that too.
  type("abc\004def\n");
  CHECK_EQ(read(slave, part, 3), 3);
  EXPECT_READ("def\n");
  type("ab\004");
  CHECK_EQ(read(slave, part, 1), 1);
  EXPECT_READ("b");
  EXPECT_NOTHING(slave);
  type("cr\r");
  EXPECT_READ("cr\n");
  // Editing.
  type("abx\177c\n");
  EXPECT_READ("abc\n");
  type("\177\177a\n");
  EXPECT_READ("a\n");
  type("lost\025kept\n");
  EXPECT_READ("kept\n");
  type("one two_2  \027x\n");
  EXPECT_READ("one x\n");
  type("one, two\027\027x\n");
  EXPECT_READ("x\n");
  type("a\026\004\026\003\026\177b\n");
  EXPECT_READ("a\004\003\177b\n");
  set_character(VEOL, ';');
  type("eol;rest\n");
  EXPECT_READ("eol;");
  EXPECT_READ("rest\n");
  set_character(VEOL, 0);
  set_character(VERASE, 0);
  type("a\177b\n");
  EXPECT_READ("a\177b\n");
  set_character(VERASE, 0x7f);
  // Without IEXTEN there is neither.
  change(local, IEXTEN, 0);
  type("w x\027\026y\n");
  EXPECT_READ("w x\027\026y\n");
  change(local, 0, IEXTEN);
  // A character of UTF-8 is erased as a whole.
  type("\303\244\177x\n");
  EXPECT_READ("\303x\n");
  change(input, 0, IUTF8);
  type("\303\244\177x\342\202\254\177\n");
  EXPECT_READ("x\n");
  change(input, IUTF8, 0);
  // Input modes.
  change(input, ICRNL, INLCR);
  type("a\nb\rc\004");
  EXPECT_READ("a\rb\rc");
  change(input, INLCR, IGNCR);
  type("a\rb\n");
  EXPECT_READ("ab\n");
  change(input, IGNCR, ISTRIP | ICRNL);
  type("\341\n");
  EXPECT_READ("a\n");
  change(input, ISTRIP, 0);
  // A line that is too long ends all the same.
  char many[5002];
  memset(many, 'a', sizeof many);
  many[5000] = '\n';
  many[5001] = 0;
  type(many);
  char buffer[8192];
  CHECK_EQ(read(slave, buffer, sizeof buffer), 4096);
  CHECK_EQ(buffer[4094], 'a');
  CHECK_EQ(buffer[4095], '\n');
  close_pair();
}

static void echoes(void) {
  open_pair();
  type("hi\n");
  EXPECT_SHOWN("hi\r\n");
  EXPECT_READ("hi\n");
  type("ab\177\177\177");
  EXPECT_SHOWN("ab\b \b\b \b");
  type("x\001\177y\025");
  EXPECT_SHOWN("x^A\b \b\b \by\b \b\b \b");
  type("a\tb\177\177");
  EXPECT_SHOWN("a\tb\b \b\b\b\b\b\b\b\b");
  type("\025one two\027");
  EXPECT_SHOWN("\b \bone two\b \b\b \b\b \b");
  type("\022");
  EXPECT_SHOWN("^R\r\none ");
  type("\026\003\n");
  EXPECT_SHOWN("^\b^C\r\n");
  EXPECT_READ("one \003\n");
  // The column counts for tabs, also of what programs write.
  CHECK_EQ(write(slave, "> ", 2), 2);
  EXPECT_SHOWN("> ");
  type("\t\177\n");
  EXPECT_SHOWN("\t\b\b\b\b\b\b\r\n");
  EXPECT_READ("\n");
  type("q\004");
  EXPECT_SHOWN("q");
  EXPECT_READ("q");
  change(local, ECHOCTL, 0);
  type("a\001\177\n");
  EXPECT_SHOWN("a\001\r\n");
  EXPECT_READ("a\n");
  change(local, ECHOKE, 0);
  type("kill\025k\n");
  EXPECT_SHOWN("kill\025\r\nk\r\n");
  EXPECT_READ("k\n");
  change(local, ECHOE, ECHOCTL);
  type("ab\177c\n");
  EXPECT_SHOWN("ab^?c\r\n");
  EXPECT_READ("ac\n");
  change(local, 0, ECHOE | ECHOPRT);
  type("abc\177\177d\n");
  EXPECT_SHOWN("abc\\cb/d\r\n");
  EXPECT_READ("ad\n");
  change(local, ECHO | ECHOPRT, ECHONL);
  type("secret\n");
  EXPECT_SHOWN("\r\n");
  EXPECT_READ("secret\n");
  close_pair();
}

static void written(void) {
  open_pair();
  CHECK_EQ(write(slave, "a\nb\rc\td\n", 8), 8);
  EXPECT_SHOWN("a\r\nb\rc\td\r\n");
  change(output, TABDLY, XTABS);
  CHECK_EQ(write(slave, "ab\tc\t\n", 6), 6);
  EXPECT_SHOWN("ab      c       \r\n");
  change(output, XTABS | ONLCR, OCRNL);
  CHECK_EQ(write(slave, "a\rb\n", 4), 4);
  EXPECT_SHOWN("a\nb\n");
  change(output, OCRNL, ONOCR);
  CHECK_EQ(write(slave, "\n\ra\r\rb", 6), 6);
  EXPECT_SHOWN("\n\ra\rb");  // at the line's start only
  change(output, ONOCR, OLCUC);
  CHECK_EQ(write(slave, "up\n", 3), 3);
  EXPECT_SHOWN("UP\n");
  change(output, OPOST, 0);
  CHECK_EQ(write(slave, "raw\n", 4), 4);
  EXPECT_SHOWN("raw\n");
  close_pair();
}

static void raw(void) {
  open_pair();
  change(local, ICANON | ECHO | ISIG, 0);
  type("ab\003\n");
  EXPECT_READ("ab\003\n");
  int count = -1;
  CHECK_EQ(ioctl(slave, FIONREAD, &count), 0);
  CHECK_EQ(count, 0);
  EXPECT_NOTHING(slave);
  // MIN bytes make a reader and a poll ready; who does not wait gets what is there.
  set_character(VMIN, 3);
  type("xy");
  CHECK_EQ(events_of(slave) & POLLIN, 0);
  type("z");
  CHECK_EQ(events_of(slave) & POLLIN, POLLIN);
  EXPECT_READ("xyz");
  type("12");
  char two[2];
  CHECK_EQ(read(slave, two, 2), 2);
  type("34");
  set_blocking(slave, 0);
  EXPECT_READ("34");
  set_blocking(slave, 1);
  // Between two bytes.
  set_character(VTIME, 1);
  type("5");
  EXPECT_READ("5");
  // Of the whole read.
  set_character(VMIN, 0);
  EXPECT_READ("");
  set_character(VTIME, 0);
  EXPECT_READ("");
  set_blocking(slave, 0);
  EXPECT_READ("");
  set_character(VTIME, 1);
  char byte;
  CHECK_ERRNO(read(slave, &byte, 1), EAGAIN);
  set_blocking(slave, 1);
  type("67");
  EXPECT_READ("67");
  set_character(VTIME, 0);
  set_character(VMIN, 1);
  // What was typed raw is a line afterwards, and what was typed of a line is there at once.
  type("raw");
  change(local, 0, ICANON);
  EXPECT_READ("raw");
  type("li\004ne");
  change(local, ICANON, 0);
  char mixed[8];
  CHECK_EQ(read(slave, mixed, sizeof mixed), 5);
  CHECK(memcmp(mixed, "li\0ne", 5) == 0);
  // Flushing.
  type("gone");
  CHECK_EQ(tcflush(slave, TCIFLUSH), 0);
  EXPECT_NOTHING(slave);
  type("gone");
  struct termios now;
  CHECK_EQ(tcgetattr(slave, &now), 0);
  CHECK_EQ(tcsetattr(slave, TCSAFLUSH, &now), 0);
  EXPECT_NOTHING(slave);
  CHECK_EQ(write(slave, "seen", 4), 4);
  CHECK_EQ(events_of(master) & POLLIN, POLLIN);
  CHECK_EQ(tcflush(master, TCIFLUSH), 0);
  EXPECT_NOTHING(master);
  CHECK_ERRNO(tcflush(slave, 7), EINVAL);
  CHECK_EQ(tcdrain(slave), 0);
  CHECK_EQ(tcsendbreak(slave, 0), 0);
  CHECK_EQ(ioctl(slave, TIOCOUTQ, &count), 0);
  CHECK_EQ(count, 0);
  close_pair();
}

static void flow(void) {
  open_pair();
  change(local, ECHO, 0);
  type("\023");
  CHECK_EQ(events_of(slave) & POLLOUT, 0);
  set_blocking(slave, 0);
  CHECK_ERRNO(write(slave, "held", 4), EAGAIN);
  set_blocking(slave, 1);
  type("\021");
  CHECK_EQ(events_of(slave) & POLLOUT, POLLOUT);
  CHECK_EQ(write(slave, "on", 2), 2);
  EXPECT_SHOWN("on");
  EXPECT_NOTHING(slave);
  change(input, 0, IXANY);
  type("\023");
  CHECK_EQ(events_of(slave) & POLLOUT, 0);
  type("x\n");
  CHECK_EQ(events_of(slave) & POLLOUT, POLLOUT);
  EXPECT_READ("x\n");
  CHECK_EQ(tcflow(slave, TCOOFF), 0);
  CHECK_EQ(events_of(slave) & POLLOUT, 0);
  CHECK_EQ(tcflow(slave, TCOON), 0);
  CHECK_EQ(events_of(slave) & POLLOUT, POLLOUT);
  CHECK_EQ(tcflow(slave, TCIOFF), 0);
  EXPECT_SHOWN("\023");
  CHECK_EQ(tcflow(slave, TCION), 0);
  EXPECT_SHOWN("\021");
  CHECK_ERRNO(ioctl(slave, TCXONC, 9), EINVAL);
  change(input, IXON, 0);
  type("\023\n");
  EXPECT_READ("\023\n");
  close_pair();
}

static void ends(void) {
  open_pair();
  CHECK_EQ(events_of(master), POLLOUT);
  CHECK_EQ(events_of(slave), POLLOUT);
  CHECK_EQ(write(slave, "last", 4), 4);
  char path[64];
  snprintf(path, sizeof path, "%s", ptsname(master));
  close(slave);
  CHECK_EQ(events_of(master) & (POLLHUP | POLLIN), POLLHUP | POLLIN);
  char buffer[16];
  CHECK_EQ(read(master, buffer, sizeof buffer), 4);
  CHECK_ERRNO(read(master, buffer, sizeof buffer), EIO);
  // Typed while nobody has it open; it comes back to life.
  CHECK_EQ(write(master, "kept\n", 5), 5);
  slave = open(path, O_RDWR | O_NOCTTY);
  CHECK(slave >= 0);
  EXPECT_READ("kept\n");
  EXPECT_SHOWN("kept\r\n");
  CHECK_EQ(events_of(master) & POLLHUP, 0);
  close(master);
  CHECK_EQ(read(slave, buffer, sizeof buffer), 0);
  CHECK_ERRNO(write(slave, "x", 1), EIO);
  CHECK_ERRNO(ioctl(slave, TCGETS, buffer), EIO);
  CHECK_EQ(events_of(slave) & (POLLIN | POLLOUT | POLLERR | POLLHUP),
           POLLIN | POLLOUT | POLLERR | POLLHUP);
  CHECK(!isatty(slave));
  close(slave);
}

static void packets(void) {
  open_pair();
  int on = 1;
  CHECK_ERRNO(ioctl(slave, TIOCPKT, &on), ENOTTY);
  CHECK_EQ(ioctl(master, TIOCPKT, &on), 0);
  on = 0;
  CHECK_EQ(ioctl(master, TIOCGPKT, &on), 0);
  CHECK_EQ(on, 1);
  CHECK_EQ(write(slave, "data", 4), 4);
  char buffer[16];
  CHECK_EQ(read(master, buffer, sizeof buffer), 5);
  CHECK(memcmp(buffer, "\0data", 5) == 0);
  CHECK_EQ(tcflush(slave, TCIFLUSH), 0);
  CHECK_EQ(events_of(master) & POLLPRI, POLLPRI);
  CHECK_EQ(read(master, buffer, sizeof buffer), 1);
  CHECK_EQ(buffer[0], TIOCPKT_FLUSHREAD);
  change(input, IXON, 0);
  CHECK_EQ(read(master, buffer, sizeof buffer), 1);
  CHECK_EQ(buffer[0], TIOCPKT_NOSTOP);
  close_pair();
}

int main(void) {
  names();
  modes();
  lines();
  echoes();
  written();
  raw();
  flow();
  ends();
  packets();
  REPORT();
}
