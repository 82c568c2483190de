// POSIX message queues: mq_overview(7).
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static volatile int told, told_code, told_value, told_pid;
static void OnSignal(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  ++told;
  told_code = info->si_code;
  told_value = info->si_value.sival_int;
  told_pid = info->si_pid;
}

static void TestOpen(const char* name) {
  CHECK_ERRNO(mq_open(name, O_RDWR), ENOENT);
  CHECK_ERRNO(mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
  struct mq_attr attributes = {.mq_maxmsg = 0, .mq_msgsize = 10};
  CHECK_ERRNO(mq_open(name, O_RDWR | O_CREAT, 0600, &attributes), EINVAL);
  attributes = (struct mq_attr){.mq_maxmsg = 3, .mq_msgsize = 16};
  mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
  CHECK(q >= 0);
  CHECK_EQ(fcntl(q, F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes), EEXIST);
  CHECK_EQ(mq_getattr(q, &attributes), 0);
  CHECK_EQ(attributes.mq_maxmsg, 3);
  CHECK_EQ(attributes.mq_msgsize, 16);
  CHECK_EQ(attributes.mq_curmsgs, 0);
  CHECK_EQ(attributes.mq_flags, 0);
  CHECK_EQ(mq_close(q), 0);
  CHECK_ERRNO(mq_close(q), EBADF);
}

static void TestMessages(const char* name) {
  mqd_t q = mq_open(name, O_RDWR);
  char text[16] = "";
  unsigned priority = 0;
  CHECK_EQ(mq_send(q, "low", 4, 1), 0);
  CHECK_EQ(mq_send(q, "high", 5, 9), 0);
  CHECK_EQ(mq_send(q, "low2", 5, 1), 0);
  CHECK_ERRNO(mq_send(q, "x", 1, 32768), EINVAL);
  CHECK_ERRNO(mq_send(q, text, 17, 0), EMSGSIZE);
  struct timespec past = {1, 0}, wrong = {1, 1000000000};
  CHECK_ERRNO(mq_timedsend(q, "full", 5, 0, &past), ETIMEDOUT);
  CHECK_ERRNO(mq_timedsend(q, "full", 5, 0, &wrong), EINVAL);
  struct mq_attr attributes = {.mq_flags = O_NONBLOCK}, old;
  CHECK_EQ(mq_setattr(q, &attributes, &old), 0);
  CHECK_EQ(old.mq_curmsgs, 3);
  CHECK_ERRNO(mq_send(q, "full", 5, 0), EAGAIN);
  struct pollfd poll_fd = {.fd = q, .events = POLLIN | POLLOUT};
  CHECK_EQ(poll(&poll_fd, 1, 0), 1);
  CHECK_EQ(poll_fd.revents, POLLIN);
  CHECK_ERRNO(mq_receive(q, text, 15, NULL), EMSGSIZE);
  CHECK_EQ(mq_receive(q, text, 16, &priority), 5);
  CHECK(strcmp(text, "high") == 0 && priority == 9);
  CHECK_EQ(mq_receive(q, text, 16, &priority), 4);
  CHECK(strcmp(text, "low") == 0 && priority == 1);
  CHECK_EQ(mq_receive(q, text, 16, NULL), 5);
  CHECK(strcmp(text, "low2") == 0);
  CHECK_ERRNO(mq_receive(q, text, 16, NULL), EAGAIN);
  CHECK_EQ(poll(&poll_fd, 1, 0), 1);
  CHECK_EQ(poll_fd.revents, POLLOUT);
  attributes.mq_flags = 0;
  CHECK_EQ(mq_setattr(q, &attributes, NULL), 0);
  CHECK_ERRNO(mq_timedreceive(q, text, 16, NULL, &past), ETIMEDOUT);
  // Empty messages count, too.
  CHECK_EQ(mq_send(q, "", 0, 0), 0);
  CHECK_EQ(mq_receive(q, text, 16, NULL), 0);
  // One process waits for another.
  pid_t child = fork();
  if (child == 0) _exit(mq_receive(q, text, 16, NULL) == 6 && strcmp(text, "hello") == 0 ? 0 : 1);
  CHECK_EQ(mq_send(q, "hello", 6, 0), 0);
  int status;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
  mqd_t reader = mq_open(name, O_RDONLY), writer = mq_open(name, O_WRONLY);
  CHECK_ERRNO(mq_send(reader, "x", 1, 0), EBADF);
  CHECK_ERRNO(mq_receive(writer, text, 16, NULL), EBADF);
  CHECK_ERRNO(mq_send(0, "x", 1, 0), EBADF);
  CHECK_EQ(mq_close(reader) + mq_close(writer) + mq_close(q), 0);
}

static void TestNotify(const char* name) {
  mqd_t q = mq_open(name, O_RDWR);
  struct sigaction action = {.sa_sigaction = OnSignal, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  event.sigev_value.sival_int = 4711;
  CHECK_EQ(mq_notify(q, &event), 0);
  CHECK_ERRNO(mq_notify(q, &event), EBUSY);
  CHECK_EQ(mq_notify(q, NULL), 0);
  CHECK_EQ(mq_notify(q, &event), 0);
  CHECK_EQ(mq_send(q, "a", 1, 0), 0);
  CHECK_EQ(told, 1);
  CHECK_EQ(told_code, SI_MESGQ);
  CHECK_EQ(told_value, 4711);
  CHECK_EQ(told_pid, getpid());
  // Once, and only on a queue that was empty.
  CHECK_EQ(mq_send(q, "b", 1, 0), 0);
  CHECK_EQ(mq_notify(q, &event), 0);
  CHECK_EQ(mq_send(q, "c", 1, 0), 0);
  CHECK_EQ(told, 1);
  char text[16];
  for (int i = 0; i < 3; ++i) CHECK_EQ(mq_receive(q, text, 16, NULL), 1);
  CHECK_EQ(mq_send(q, "d", 1, 0), 0);
  CHECK_EQ(told, 2);
  CHECK_EQ(mq_close(q), 0);
}

int main(void) {
  char name[64];
  snprintf(name, sizeof name, "/glovebox-%d", getpid());
  TestOpen(name);
  TestMessages(name);
  TestNotify(name);
  CHECK_EQ(mq_unlink(name), 0);
  CHECK_ERRNO(mq_unlink(name), ENOENT);
  REPORT();
}
