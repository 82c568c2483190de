// Sessions, process groups and the terminal that controls them: credentials(7), setsid(2),
// tcsetpgrp(3), and what is stopped or hung up when.
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int master;
static char path[64];
static int talk[2];  // what a child tells its parent

static void open_master(void) {
  master = posix_openpt(O_RDWR | O_NOCTTY);
  CHECK(master >= 0);
  CHECK_EQ(grantpt(master), 0);
  CHECK_EQ(unlockpt(master), 0);
  snprintf(path, sizeof path, "%s", ptsname(master));
  CHECK_EQ(pipe(talk), 0);
}

static void close_master(void) {
  if (master >= 0) close(master);
  close(talk[0]);
  close(talk[1]);
}

static volatile sig_atomic_t last_signal;
static void note(int number) { last_signal = number; }
static void handle(int number, int flags) {
  struct sigaction action = {.sa_handler = note, .sa_flags = flags};
  CHECK_EQ(sigaction(number, &action, NULL), 0);
}

static void tell(char what) { CHECK_EQ(write(talk[1], &what, 1), 1); }
static char hear(void) {
  char what = 0;
  CHECK_EQ(read(talk[0], &what, 1), 1);
  return what;
}

// A child that leads a session which the terminal controls; it ends with the number of failures.
static pid_t lead(void (*body)(int tty)) {
  fflush(stdout);
  const pid_t child = fork();
  if (child != 0) return child;
  failures = 0;
  alarm(60);
  close(master);
  CHECK_EQ(setsid(), getpid());
  const int tty = open(path, O_RDWR);
  CHECK(tty >= 0);
  body(tty);
  fflush(stdout);
  _exit(failures);
}

static int end_of(pid_t child) {
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  return status;
}

static void expect_good(pid_t child) { CHECK_EQ(end_of(child), 0); }

// What the terminal shows comes in pieces: the kernel hands it on when it finds time.
static void expect_shown(int end, const char *text) {
  char shown[64] = "";
  const size_t size = strlen(text);
  for (size_t at = 0; at < size;) {
    const ssize_t got = read(end, shown + at, size - at);
    CHECK(got > 0);
    if (got <= 0) return;
    at += (size_t)got;
  }
  CHECK(memcmp(shown, text, size) == 0);
}

// --- who controls what ---

static void controls(int tty) {
  CHECK_EQ(tcgetsid(tty), getpid());
  CHECK_EQ(tcgetpgrp(tty), getpid());
  const int again = open("/dev/tty", O_RDWR);
  CHECK(again >= 0);
  CHECK_EQ(tcgetpgrp(again), getpid());
  close(again);
  CHECK_EQ(ioctl(tty, TIOCSCTTY, 0), 0);
  char stat[512] = "";
  const int file = open("/proc/self/stat", O_RDONLY);
  CHECK(read(file, stat, sizeof stat - 1) > 0);
  close(file);
  int number = 0, foreground = 0;
  const char *rest = strrchr(stat, ')');
  CHECK(rest != NULL && sscanf(rest, ") %*c %*d %*d %*d %d %d", &number, &foreground) == 2);
  CHECK_EQ(number >> 8, 136);
  CHECK_EQ(foreground, getpid());
  CHECK_ERRNO(tcsetpgrp(tty, -3), EINVAL);
  CHECK_ERRNO(tcsetpgrp(tty, 99999999), ESRCH);
  CHECK_ERRNO(tcsetpgrp(tty, getppid()), EPERM);
  // Another terminal is nobody's, and does not become this session's.
  const int other = posix_openpt(O_RDWR | O_NOCTTY);
  unlockpt(other);
  const int slave = open(ptsname(other), O_RDWR);
  CHECK_ERRNO(tcgetpgrp(slave), ENOTTY);
  CHECK_ERRNO(tcgetsid(slave), ENOTTY);
  CHECK_EQ(tcgetpgrp(other), 0);
  CHECK_ERRNO(ioctl(slave, TIOCSCTTY, 0), EPERM);
  CHECK_ERRNO(ioctl(slave, TIOCNOTTY), ENOTTY);
  close(slave);
  close(other);
  // A child inherits it; one with a session of its own has none.
  const pid_t child = fork();
  if (child == 0) {
    failures = 0;
    CHECK_EQ(tcgetsid(tty), getppid());
    CHECK_EQ(setsid(), getpid());
    CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    CHECK_ERRNO(tcgetpgrp(tty), ENOTTY);
    CHECK_ERRNO(ioctl(tty, TIOCSCTTY, 0), EPERM);
    fflush(stdout);
    _exit(failures);
  }
  expect_good(child);
  // Given up: the session hears of it.
  handle(SIGHUP, 0);
  handle(SIGCONT, 0);
  CHECK_EQ(ioctl(tty, TIOCNOTTY), 0);
  CHECK(last_signal == SIGHUP || last_signal == SIGCONT);
  CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
  CHECK_ERRNO(tcgetpgrp(tty), ENOTTY);
  CHECK_EQ(ioctl(tty, TIOCSCTTY, 0), 0);
  CHECK_EQ(tcgetpgrp(tty), getpid());
}

static void no_ctty(int tty) {
  (void)tty;
  CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
}

// --- keys ---

static void waits_for_keys(int tty) {
  (void)tty;
  handle(SIGINT, 0);
  handle(SIGQUIT, 0);
  handle(SIGTSTP, 0);
  handle(SIGWINCH, 0);
  for (;;) {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &all, NULL);
    tell('r');
    last_signal = 0;
    sigsuspend(&none);
    const int got = last_signal;
    sigprocmask(SIG_SETMASK, &none, NULL);
    tell((char)got);
    if (got == SIGQUIT) return;
  }
}

static void keys(void) {
  open_master();
  const pid_t child = lead(waits_for_keys);
  CHECK_EQ(hear(), 'r');
  CHECK_EQ(tcgetpgrp(master), child);
  CHECK_EQ(write(master, "typed\003", 6), 6);
  CHECK_EQ(hear(), SIGINT);
  CHECK_EQ(hear(), 'r');
  CHECK_EQ(write(master, "\032", 1), 1);
  CHECK_EQ(hear(), SIGTSTP);
  CHECK_EQ(hear(), 'r');
  const struct winsize size = {.ws_row = 11, .ws_col = 22};
  CHECK_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
  CHECK_EQ(hear(), SIGWINCH);
  CHECK_EQ(hear(), 'r');
  CHECK_EQ(ioctl(master, TIOCSIG, SIGINT), 0);
  CHECK_EQ(hear(), SIGINT);
  CHECK_EQ(hear(), 'r');
  CHECK_ERRNO(ioctl(master, TIOCSIG, SIGKILL), EINVAL);
  CHECK_EQ(write(master, "\034", 1), 1);
  CHECK_EQ(hear(), SIGQUIT);
  expect_good(child);
  // What was typed together with the key is thrown away before it was shown.
  expect_shown(master, "^C^Z^\\");
  close_master();
}

static void reads_a_line(int tty) {
  handle(SIGINT, SA_RESTART);
  tell('r');
  char line[16];
  CHECK_EQ(read(tty, line, sizeof line), 3);
  CHECK_EQ(last_signal, SIGINT);
  handle(SIGINT, 0);
  tell('r');
  CHECK_ERRNO(read(tty, line, sizeof line), EINTR);
}

// ^C throws away what was typed, and a read that it meets starts again.
static void interrupted_reads(void) {
  open_master();
  const pid_t child = lead(reads_a_line);
  CHECK_EQ(hear(), 'r');
  CHECK_EQ(write(master, "lost\003ab\n", 8), 8);
  CHECK_EQ(hear(), 'r');
  // One that comes before the read only calls the handler; so they come until one has met it.
  int status = -1;
  pid_t ended = 0;
  while ((ended = waitpid(child, &status, WNOHANG)) == 0) {
    (void)!write(master, "\003", 1);
    usleep(1000);
  }
  CHECK_EQ(ended, child);
  CHECK_EQ(status, 0);
  close_master();
}

static void dies_of_keys(int tty) {
  tell('r');
  char byte;
  (void)!read(tty, &byte, 1);
}

static void fatal_keys(void) {
  open_master();
  const pid_t child = lead(dies_of_keys);
  CHECK_EQ(hear(), 'r');
  CHECK_EQ(write(master, "\003", 1), 1);
  CHECK_EQ(WTERMSIG(end_of(child)), SIGINT);
  close_master();
}

// --- the background ---

// A child in a group of its own.
static pid_t background(void (*body)(int), int tty) {
  fflush(stdout);
  const pid_t child = fork();
  if (child != 0) {
    setpgid(child, child);
    return child;
  }
  failures = 0;
  setpgid(0, 0);
  body(tty);
  fflush(stdout);
  _exit(failures);
}

static void expect_stop(pid_t child, int by) {
  int status = 0;
  CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
  CHECK(WIFSTOPPED(status));
  CHECK_EQ(WSTOPSIG(status), by);
}

static void reads(int tty) {
  char line[16];
  CHECK_EQ(read(tty, line, sizeof line), 4);
  CHECK(memcmp(line, "for\n", 4) == 0);
}
static void sets_modes(int tty) {
  struct termios modes;
  CHECK_EQ(tcgetattr(tty, &modes), 0);
  CHECK_EQ(tcsetattr(tty, TCSANOW, &modes), 0);
}
static void writes(int tty) { CHECK_EQ(write(tty, "bg\n", 3), 3); }
static void ignores(int tty) {
  signal(SIGTTIN, SIG_IGN);
  signal(SIGTTOU, SIG_IGN);
  char byte;
  CHECK_ERRNO(read(tty, &byte, 1), EIO);
  writes(tty);
  sets_modes(tty);
  CHECK_EQ(tcsetpgrp(tty, getpgrp()), 0);
  CHECK_EQ(tcsetpgrp(tty, getppid()), 0);
  signal(SIGTTOU, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTTOU);
  sigprocmask(SIG_BLOCK, &set, NULL);
  sets_modes(tty);
}
static void catches(int tty) {
  handle(SIGTTIN, 0);
  char byte;
  CHECK_ERRNO(read(tty, &byte, 1), EINTR);
  CHECK_EQ(last_signal, SIGTTIN);
}

static void sleeps(int tty) {
  (void)tty;
  pause();
}

static void shell(int tty) {
  signal(SIGTTOU, SIG_IGN);
  pid_t child = background(reads, tty);
  expect_stop(child, SIGTTIN);
  CHECK_EQ(tcsetpgrp(tty, child), 0);
  CHECK_EQ(kill(-child, SIGCONT), 0);
  tell('t');
  expect_good(child);
  CHECK_EQ(tcgetpgrp(tty), child);
  CHECK_EQ(tcsetpgrp(tty, getpgrp()), 0);

  signal(SIGTTOU, SIG_DFL);
  child = background(writes, tty);
  expect_good(child);
  child = background(sets_modes, tty);
  expect_stop(child, SIGTTOU);
  CHECK_EQ(kill(child, SIGKILL), 0);
  CHECK_EQ(WTERMSIG(end_of(child)), SIGKILL);
  struct termios modes;
  CHECK_EQ(tcgetattr(tty, &modes), 0);
  modes.c_lflag |= TOSTOP;
  CHECK_EQ(tcsetattr(tty, TCSANOW, &modes), 0);
  child = background(writes, tty);
  expect_stop(child, SIGTTOU);
  modes.c_lflag &= ~(tcflag_t)TOSTOP;
  CHECK_EQ(tcsetattr(tty, TCSANOW, &modes), 0);
  CHECK_EQ(kill(child, SIGCONT), 0);
  expect_good(child);
  expect_good(background(ignores, tty));
  expect_good(background(catches, tty));

  // ^Z stops the foreground; the shell goes on.
  signal(SIGTTOU, SIG_IGN);
  child = background(sleeps, tty);
  CHECK_EQ(tcsetpgrp(tty, child), 0);
  tell('z');
  expect_stop(child, SIGTSTP);
  CHECK_EQ(tcsetpgrp(tty, getpgrp()), 0);
  CHECK_EQ(kill(child, SIGKILL), 0);
  CHECK_EQ(WTERMSIG(end_of(child)), SIGKILL);
}

static void jobs(void) {
  open_master();
  const pid_t child = lead(shell);
  CHECK_EQ(hear(), 't');
  CHECK_EQ(write(master, "for\n", 4), 4);
  CHECK_EQ(hear(), 'z');
  CHECK_EQ(write(master, "\032", 1), 1);
  expect_good(child);
  close_master();
}

// --- hangups ---

static void waits_for_hangup(int tty) {
  handle(SIGHUP, 0);
  handle(SIGCONT, 0);
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGHUP);
  sigprocmask(SIG_BLOCK, &set, &old);
  tell('r');
  last_signal = 0;
  while (last_signal != SIGHUP) sigsuspend(&old);
  char byte;
  CHECK_EQ(read(tty, &byte, 1), 0);
  CHECK_ERRNO(write(tty, "x", 1), EIO);
  CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
  tell('h');
}

static void hangup(void) {
  open_master();
  const pid_t child = lead(waits_for_hangup);
  CHECK_EQ(hear(), 'r');
  close(master);
  master = -1;
  CHECK_EQ(hear(), 'h');
  expect_good(child);
  close_master();
}

// The end of the leader: its foreground hears of it, and the terminal is free.
static void leaves_jobs_behind(int tty) {
  (void)tty;
  const pid_t job = fork();
  if (job == 0) {
    handle(SIGHUP, 0);
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, &old);
    tell('r');
    alarm(60);
    while (last_signal != SIGHUP) sigsuspend(&old);
    // Linux sends the signal first and takes the terminal away then.
    int controlled;
    while ((controlled = open("/dev/tty", O_RDWR)) >= 0) close(controlled);
    tell(errno == ENXIO ? 'h' : '?');
    _exit(0);
  }
  while (last_signal == 0 && hear() != 'r') continue;
}

static void end_of_leader(void) {
  open_master();
  expect_good(lead(leaves_jobs_behind));
  CHECK_EQ(hear(), 'h');
  CHECK_EQ(tcgetpgrp(master), 0);
  close_master();
}

// A stopped group that loses the last one who could continue it gets SIGHUP and SIGCONT.
static void leaves_stopped_group(int tty) {
  (void)tty;
  const pid_t middle = fork();
  if (middle == 0) {
    const pid_t stopped = fork();
    if (stopped == 0) {
      setpgid(0, 0);
      handle(SIGHUP, 0);
      raise(SIGSTOP);
      tell(last_signal == SIGHUP ? 'h' : '?');
      // Orphaned: a terminal's stop signals do nothing, and reading is an error.
      raise(SIGTSTP);
      char byte;
      const long got = read(tty, &byte, 1);
      tell(got == -1 && errno == EIO ? 'o' : '?');
      _exit(0);
    }
    setpgid(stopped, stopped);
    int status;
    waitpid(stopped, &status, WUNTRACED);
    _exit(WIFSTOPPED(status) ? 0 : 1);
  }
  // Who waits for the middle one is in its own group: the stopped one is an orphan then, unless
  // its new parent is of this session.
  CHECK_EQ(end_of(middle), 0);
  CHECK_EQ(hear(), 'h');
  CHECK_EQ(hear(), 'o');
}

static void orphans(void) {
  open_master();
  expect_good(lead(leaves_stopped_group));
  close_master();
}

static void forked(void) {
  int end = -1;
  fflush(stdout);
  const struct winsize size = {.ws_row = 7, .ws_col = 9};
  struct winsize copy = size;
  const pid_t child = forkpty(&end, NULL, NULL, &copy);
  if (child == 0) {
    struct winsize found;
    if (!isatty(0) || !isatty(2) || tcgetpgrp(0) != getpid()) _exit(1);
    if (ioctl(1, TIOCGWINSZ, &found) != 0 || found.ws_col != 9) _exit(2);
    if (write(1, "hello\n", 6) != 6) _exit(3);
    char line[16];
    _exit(read(0, line, sizeof line) == 4 ? 0 : 4);
  }
  CHECK(child > 0);
  expect_shown(end, "hello\r\n");
  CHECK_EQ(write(end, "bye\n", 4), 4);
  expect_good(child);
  close(end);
}

int main(void) {
  open_master();
  expect_good(lead(controls));
  close_master();
  open_master();
  const pid_t child = fork();
  if (child == 0) {
    setsid();
    open(path, O_RDWR | O_NOCTTY);
    no_ctty(0);
    open(path, O_WRONLY);  // only who may read gets it
    no_ctty(0);
    _exit(failures);
  }
  expect_good(child);
  close_master();
  keys();
  interrupted_reads();
  fatal_keys();
  jobs();
  hangup();
  end_of_leader();
  orphans();
  forked();
  REPORT();
}
