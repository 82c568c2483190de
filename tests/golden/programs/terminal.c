/* A pseudo-terminal with job control: a line typed, ^Z, continued, ^C, a new size, the end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t resized;
static void OnResize(int signal) {
  (void)signal;
  resized = 1;
}

static void Session(const char* name) {
  setsid();
  const int end = open(name, O_RDWR); /* its controlling terminal: it leads a session without one */
  dup2(end, 0);
  dup2(end, 1);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = OnResize;
  sigaction(SIGWINCH, &action, NULL);
  sigset_t blocked, none;
  sigemptyset(&none);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGWINCH);
  sigprocmask(SIG_BLOCK, &blocked, NULL);
  char line[64];
  for (;;) {
    struct pollfd input = {0, POLLIN, 0};
    const int ready = ppoll(&input, 1, NULL, &none);
    if (ready < 0 && errno == EINTR && resized) {
      struct winsize size;
      ioctl(0, TIOCGWINSZ, &size);
      dprintf(1, "[%d x %d]\n", size.ws_row, size.ws_col);
      resized = 0;
      continue;
    }
    const ssize_t got = read(0, line, sizeof line - 1);
    if (got <= 0) break;
    line[got] = 0;
    dprintf(1, "<%s>", line);
  }
  _exit(7);
}

/* What comes out of the terminal until it has said `until`. */
static void Expect(int master, const char* until) {
  char text[512] = "";
  size_t size = 0;
  while (strstr(text, until) == NULL) {
    const ssize_t got = read(master, text + size, sizeof text - 1 - size);
    if (got <= 0) break;
    size += (size_t)got;
    text[size] = 0;
  }
  for (const char* c = text; *c != 0; c++) printf(*c < ' ' ? "\\%03o" : "%c", *c);
  putchar('\n');
}

int main(void) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  grantpt(master);
  unlockpt(master);
  const pid_t child = fork();
  if (child == 0) Session(ptsname(master));
  int status = 0;
  dprintf(master, "hellp\177o\n");
  Expect(master, ">");
  const struct winsize size = {30, 100, 0, 0};
  ioctl(master, TIOCSWINSZ, &size);
  Expect(master, "]");
  write(master, "\032", 1);
  Expect(master, "^Z");
  /* A session of its own is an orphaned group: ^Z stops nobody in it, as on Linux. */
  printf("stopped: %d\n", waitpid(child, &status, WUNTRACED | WNOHANG));
  kill(child, SIGSTOP);
  waitpid(child, &status, WUNTRACED);
  printf("stopped by %d\n", WSTOPSIG(status));
  kill(child, SIGCONT);
  waitpid(child, &status, WCONTINUED);
  printf("continued %d\n", WIFCONTINUED(status) != 0);
  write(master, "\003", 1);
  waitpid(child, &status, 0);
  Expect(master, "^C");
  printf("ended by signal %d\n", WTERMSIG(status));
  return 0;
}
