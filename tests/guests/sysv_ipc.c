// System V IPC: shared memory, semaphores, message queues; svipc(7).
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { kPage = 4096 };
union Argument {
  int value;
  struct semid_ds* status;
  unsigned short* array;
  struct seminfo* info;
};
struct Text {
  long type;
  char text[64];
};

static void OnAlarm(int signal) { (void)signal; }

static int WaitStatus(pid_t child) {
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  return status;
}

static void TestSharedMemory(void) {
  const key_t key = 0x676c0000 + (getpid() & 0xffff);
  CHECK_ERRNO(shmget(key, kPage, 0), ENOENT);
  CHECK_ERRNO(shmget(key, 0, IPC_CREAT | 0600), EINVAL);
  int id = shmget(key, 3 * kPage - 5, IPC_CREAT | IPC_EXCL | 0600);
  CHECK(id >= 0);
  CHECK_ERRNO(shmget(key, kPage, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
  CHECK_EQ(shmget(key, kPage, 0600), id);
  CHECK_ERRNO(shmget(key, 4 * kPage, 0600), EINVAL);
  struct shmid_ds status;
  CHECK_EQ(shmctl(id, IPC_STAT, &status), 0);
  CHECK_EQ(status.shm_segsz, 3 * kPage - 5);
  CHECK_EQ(status.shm_nattch, 0);
  CHECK_EQ(status.shm_perm.mode, 0600);
  CHECK_EQ(status.shm_cpid, getpid());
  CHECK_EQ(status.shm_lpid, 0);
  char* a = shmat(id, NULL, 0);
  CHECK(a != (char*)-1);
  CHECK_EQ(a[0], 0);
  a[3 * kPage - 1] = 7;
  char* b = shmat(id, NULL, SHM_RDONLY);
  CHECK(b != (char*)-1 && b != a);
  CHECK_EQ(b[3 * kPage - 1], 7);
  CHECK_ERRNO(mprotect(b, kPage, PROT_READ | PROT_WRITE), EACCES);
  CHECK_EQ(shmctl(id, IPC_STAT, &status), 0);
  CHECK_EQ(status.shm_nattch, 2);
  CHECK_EQ(status.shm_lpid, getpid());
  // Where an address is asked for.
  CHECK_ERRNO((intptr_t)shmat(id, a + 1, 0), EINVAL);
  CHECK_ERRNO((intptr_t)shmat(id, a, 0), EINVAL);
  CHECK_ERRNO((intptr_t)shmat(id, NULL, SHM_REMAP), EINVAL);
  CHECK(shmat(id, b + 1, SHM_RND | SHM_REMAP) == b);
  b[1] = 5;
  CHECK_EQ(a[1], 5);
  pid_t child = fork();
  if (child == 0) {
    struct shmid_ds now;
    shmctl(id, IPC_STAT, &now);
    a[0] = (char)now.shm_nattch;
    _exit(shmdt(a) == 0 && shmdt(a) == -1 && errno == EINVAL ? 0 : 1);
  }
  CHECK_EQ(WaitStatus(child), 0);
  CHECK_EQ(a[0], 4);
  CHECK_ERRNO(shmdt(a + kPage), EINVAL);
  CHECK_EQ(shmdt(b), 0);
  status.shm_perm.mode = 0640;
  CHECK_EQ(shmctl(id, IPC_SET, &status), 0);
  CHECK_EQ(shmctl(id, IPC_STAT, &status), 0);
  CHECK_EQ(status.shm_perm.mode, 0640);
  CHECK_EQ(status.shm_nattch, 1);
  // It lives as long as it is attached, without its key.
  CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
  CHECK_ERRNO(shmget(key, kPage, 0600), ENOENT);
  CHECK_EQ(shmctl(id, IPC_STAT, &status), 0);
  CHECK_EQ(status.shm_perm.mode, 0640 | SHM_DEST);
  a[2] = 3;
  CHECK_EQ(shmdt(a), 0);
  CHECK_ERRNO(shmctl(id, IPC_STAT, &status), EINVAL);
  CHECK_ERRNO(shmctl(-1, IPC_STAT, &status), EINVAL);
  CHECK_ERRNO((intptr_t)shmat(-1, NULL, 0), EINVAL);
  id = shmget(IPC_PRIVATE, kPage, 0600);
  int other = shmget(IPC_PRIVATE, kPage, 0600);
  CHECK(id >= 0 && other >= 0 && id != other);
  CHECK_EQ(shmctl(id, IPC_RMID, NULL) + shmctl(other, IPC_RMID, NULL), 0);
  CHECK_ERRNO(shmctl(id, IPC_RMID, NULL), EINVAL);
}

static void TestSemaphores(void) {
  CHECK_ERRNO(semget(IPC_PRIVATE, 0, 0600), EINVAL);
  CHECK_ERRNO(semget(IPC_PRIVATE, -1, 0600), EINVAL);
  int id = semget(IPC_PRIVATE, 3, 0600);
  CHECK(id >= 0);
  union Argument argument = {.value = 5};
  CHECK_EQ(semctl(id, 0, GETVAL), 0);
  CHECK_EQ(semctl(id, 1, SETVAL, argument), 0);
  CHECK_EQ(semctl(id, 1, GETVAL), 5);
  CHECK_EQ(semctl(id, 1, GETPID), getpid());
  argument.value = 32768;
  CHECK_ERRNO(semctl(id, 1, SETVAL, argument), ERANGE);
  CHECK_ERRNO(semctl(id, 3, GETVAL), EINVAL);
  unsigned short values[3] = {1, 2, 3};
  argument.array = values;
  CHECK_EQ(semctl(id, 0, SETALL, argument), 0);
  memset(values, 0, sizeof values);
  CHECK_EQ(semctl(id, 0, GETALL, argument), 0);
  CHECK_EQ(values[0] * 100 + values[1] * 10 + values[2], 123);
  struct semid_ds status;
  argument.status = &status;
  CHECK_EQ(semctl(id, 0, IPC_STAT, argument), 0);
  CHECK_EQ(status.sem_nsems, 3);
  CHECK_EQ(status.sem_perm.mode, 0600);
  CHECK_EQ(status.sem_otime, 0);
  // All or nothing.
  struct sembuf two[2] = {{0, -1, IPC_NOWAIT}, {1, -3, IPC_NOWAIT}};
  CHECK_ERRNO(semop(id, two, 2), EAGAIN);
  CHECK_EQ(semctl(id, 0, GETVAL), 1);
  two[1].sem_op = -2;
  CHECK_EQ(semop(id, two, 2), 0);
  CHECK_EQ(semctl(id, 0, GETVAL) + semctl(id, 1, GETVAL), 0);
  struct sembuf zero = {2, 0, IPC_NOWAIT};
  CHECK_ERRNO(semop(id, &zero, 1), EAGAIN);
  struct sembuf bad = {3, 1, 0};
  CHECK_ERRNO(semop(id, &bad, 1), EFBIG);
  CHECK_ERRNO(semop(id, two, 0), EINVAL);
  CHECK_ERRNO(semop(id, two, 501), E2BIG);
  CHECK_ERRNO(semop(id, (struct sembuf*)8, 1), EFAULT);
  CHECK_ERRNO(semop(-1, two, 1), EINVAL);
  struct sembuf most = {2, 32767, 0};
  CHECK_ERRNO(semop(id, &most, 1), ERANGE);
  struct timespec short_time = {0, 1000000}, wrong = {0, -1};
  struct sembuf down = {0, -1, 0};
  CHECK_ERRNO(semtimedop(id, &down, 1, &short_time), EAGAIN);
  CHECK_ERRNO(semtimedop(id, &down, 1, &wrong), EINVAL);
  // A child waits, is counted, and is let go.
  pid_t child = fork();
  if (child == 0) _exit(semop(id, &down, 1) == 0 ? 0 : 1);
  while (semctl(id, 0, GETNCNT) == 0) usleep(1000);
  CHECK_EQ(semctl(id, 0, GETNCNT), 1);
  CHECK_EQ(semctl(id, 0, GETZCNT), 0);
  struct sembuf up = {0, 1, 0};
  CHECK_EQ(semop(id, &up, 1), 0);
  CHECK_EQ(WaitStatus(child), 0);
  CHECK_EQ(semctl(id, 0, GETVAL), 0);
  CHECK_EQ(semctl(id, 0, GETNCNT), 0);
  // SEM_UNDO at the end of a process.
  child = fork();
  if (child == 0) {
    struct sembuf undo[2] = {{0, 4, SEM_UNDO}, {2, -1, SEM_UNDO}};
    _exit(semop(id, undo, 2) == 0 && semctl(id, 0, GETVAL) == 4 ? 0 : 1);
  }
  CHECK_EQ(WaitStatus(child), 0);
  CHECK_EQ(semctl(id, 0, GETVAL), 0);
  CHECK_EQ(semctl(id, 2, GETVAL), 3);
  // Waiting for zero, and the end of the set.
  child = fork();
  if (child == 0) {
    struct sembuf until_zero = {2, 0, 0};
    _exit(semop(id, &until_zero, 1) == -1 && errno == EIDRM ? 0 : 1);
  }
  while (semctl(id, 2, GETZCNT) == 0) usleep(1000);
  CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
  CHECK_EQ(WaitStatus(child), 0);
  CHECK_ERRNO(semctl(id, 0, GETVAL), EINVAL);
  // A signal ends the wait, whatever its handler says.
  id = semget(IPC_PRIVATE, 1, 0600);
  struct sigaction action = {.sa_handler = OnAlarm, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  alarm(1);
  CHECK_ERRNO(semop(id, &down, 1), EINTR);
  CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
}

static void TestMessages(void) {
  const key_t key = 0x676d0000 + (getpid() & 0xffff);
  CHECK_ERRNO(msgget(key, 0), ENOENT);
  int id = msgget(key, IPC_CREAT | 0600);
  CHECK(id >= 0);
  CHECK_EQ(msgget(key, 0), id);
  CHECK_ERRNO(msgget(key, IPC_CREAT | IPC_EXCL), EEXIST);
  struct Text m = {3, "three"}, got;
  CHECK_EQ(msgsnd(id, &m, 6, 0), 0);
  m = (struct Text){1, "one"};
  CHECK_EQ(msgsnd(id, &m, 4, 0), 0);
  m = (struct Text){2, "two, longer"};
  CHECK_EQ(msgsnd(id, &m, 12, 0), 0);
  m.type = 0;
  CHECK_ERRNO(msgsnd(id, &m, 4, 0), EINVAL);
  m.type = 1;
  CHECK_ERRNO(msgsnd(id, &m, 100000, 0), EINVAL);
  CHECK_ERRNO(msgsnd(-1, &m, 4, 0), EINVAL);
  struct msqid_ds status;
  CHECK_EQ(msgctl(id, IPC_STAT, &status), 0);
  CHECK_EQ(status.msg_qnum, 3);
  CHECK_EQ(status.__msg_cbytes, 22);
  CHECK_EQ(status.msg_qbytes, 16384);
  CHECK_EQ(status.msg_lspid, getpid());
  CHECK_EQ(status.msg_lrpid, 0);
  // The lowest type of at most two.
  CHECK_EQ(msgrcv(id, &got, 64, -2, 0), 4);
  CHECK_EQ(got.type, 1);
  CHECK(strcmp(got.text, "one") == 0);
  CHECK_ERRNO(msgrcv(id, &got, 64, 7, IPC_NOWAIT), ENOMSG);
  CHECK_ERRNO(msgrcv(id, &got, 3, 2, 0), E2BIG);
  CHECK_EQ(msgrcv(id, &got, 3, 2, MSG_NOERROR), 3);
  CHECK(memcmp(got.text, "two", 3) == 0);
  m = (struct Text){4, "four"};
  CHECK_EQ(msgsnd(id, &m, 5, 0), 0);
  CHECK_EQ(msgrcv(id, &got, 64, 3, MSG_EXCEPT), 5);
  CHECK_EQ(got.type, 4);
  CHECK_EQ(msgrcv(id, &got, 64, 0, 0), 6);
  CHECK_EQ(got.type, 3);
  CHECK_ERRNO(msgrcv(id, &got, 64, 0, IPC_NOWAIT), ENOMSG);
  // Messages without text; a full queue.
  m.type = 9;
  CHECK_EQ(msgsnd(id, &m, 0, 0), 0);
  CHECK_EQ(msgrcv(id, &got, 0, 0, 0), 0);
  CHECK_EQ(got.type, 9);
  status.msg_qbytes = 100;
  CHECK_EQ(msgctl(id, IPC_SET, &status), 0);
  CHECK_EQ(msgsnd(id, &m, 60, 0), 0);
  CHECK_ERRNO(msgsnd(id, &m, 60, IPC_NOWAIT), EAGAIN);
  // A sender waits until there is room.
  pid_t child = fork();
  if (child == 0) {
    m.type = 10;
    _exit(msgsnd(id, &m, 60, 0) == 0 ? 0 : 1);
  }
  CHECK_EQ(msgrcv(id, &got, 64, 9, 0), 60);
  CHECK_EQ(msgrcv(id, &got, 64, 10, 0), 60);
  CHECK_EQ(WaitStatus(child), 0);
  // A receiver waits until the queue goes.
  child = fork();
  if (child == 0) {
    m.type = 1;
    msgsnd(id, &m, 1, 0);
    _exit(msgrcv(id, &got, 64, 77, 0) == -1 && errno == EIDRM ? 0 : 1);
  }
  CHECK_EQ(msgrcv(id, &got, 64, 1, 0), 1);
  usleep(20000);
  CHECK_EQ(msgctl(id, IPC_RMID, NULL), 0);
  const int end = WaitStatus(child);
  CHECK(WIFEXITED(end) && WEXITSTATUS(end) == 0);
  CHECK_ERRNO(msgctl(id, IPC_STAT, &status), EINVAL);
  CHECK_ERRNO(msgrcv(id, &got, 64, 0, 0), EINVAL);
}

static void TestPermissions(void) {
  if (geteuid() != 0) return;
  int id = shmget(IPC_PRIVATE, kPage, 0600), set = semget(IPC_PRIVATE, 1, 0644);
  int queue = msgget(IPC_PRIVATE, 0622);
  pid_t child = fork();
  if (child == 0) {
    failures = 0;
    if (setuid(12345) != 0) _exit(1);
    struct shmid_ds status;
    CHECK_ERRNO((intptr_t)shmat(id, NULL, SHM_RDONLY), EACCES);
    CHECK_ERRNO(shmctl(id, IPC_STAT, &status), EACCES);
    CHECK_ERRNO(shmctl(id, IPC_RMID, NULL), EPERM);
    CHECK_EQ(semctl(set, 0, GETVAL), 0);
    struct sembuf up = {0, 1, 0}, zero = {0, 0, 0};
    CHECK_ERRNO(semop(set, &up, 1), EACCES);
    CHECK_EQ(semop(set, &zero, 1), 0);
    CHECK_ERRNO(semctl(set, 0, IPC_RMID), EPERM);
    struct Text m = {1, "x"};
    CHECK_EQ(msgsnd(queue, &m, 1, 0), 0);
    CHECK_ERRNO(msgrcv(queue, &m, 1, 0, 0), EACCES);
    _exit(failures != 0);
  }
  CHECK_EQ(WaitStatus(child), 0);
  CHECK_EQ(shmctl(id, IPC_RMID, NULL) + semctl(set, 0, IPC_RMID) + msgctl(queue, IPC_RMID, NULL),
           0);
}

int main(void) {
  TestSharedMemory();
  TestSemaphores();
  TestMessages();
  TestPermissions();
  REPORT();
}
