// capabilities(7): the sets of a thread through capset(2), setuid(2) and its kin, execve(2), and
// what each one lets its holder do. Natively it wants root.
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

// As in the kernel's headers, which not every C library comes with.
enum {
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_KILL,
  CAP_SETGID,
  CAP_SETUID,
  CAP_SETPCAP,
  CAP_LINUX_IMMUTABLE,
  CAP_SYS_CHROOT = 18,
  CAP_MKNOD = 27,
  CAP_MAC_OVERRIDE = 32,
};
enum {
  SECBIT_NOROOT = 1 << 0,
  SECBIT_NO_SETUID_FIXUP = 1 << 2,
  SECBIT_NO_SETUID_FIXUP_LOCKED = 1 << 3,
  SECBIT_KEEP_CAPS = 1 << 4,
  SECBIT_KEEP_CAPS_LOCKED = 1 << 5,
};
enum { kVersion1 = 0x19980330, kVersion2 = 0x20071026, kVersion3 = 0x20080522 };
struct header {
  uint32_t version;
  int pid;
};
struct data {
  uint32_t effective, permitted, inheritable;
};

#define BIT(capability) (UINT64_C(1) << (capability))

struct sets {
  uint64_t effective, permitted, inheritable;
};

static uint64_t all;  // what root has here

static int Capget(uint32_t version, pid_t pid, struct sets* out) {
  struct header header = {version, pid};
  struct data data[2] = {{0, 0, 0}, {0, 0, 0}};
  const int result = (int)syscall(SYS_capget, &header, data);
  out->effective = data[0].effective | (uint64_t)data[1].effective << 32;
  out->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
  out->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
  return result;
}

static struct sets Mine(void) {
  struct sets sets;
  CHECK_EQ(Capget(kVersion3, 0, &sets), 0);
  return sets;
}

static int Capset(uint64_t effective, uint64_t permitted, uint64_t inheritable) {
  struct header header = {kVersion3, 0};
  const struct data data[2] = {
      {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
      {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)}};
  return (int)syscall(SYS_capset, &header, data);
}

// Raw calls: those of the library tell every thread.
static int SetUids(uid_t real, uid_t effective, uid_t saved) {
#ifdef SYS_setresuid32
  return (int)syscall(SYS_setresuid32, real, effective, saved);
#else
  return (int)syscall(SYS_setresuid, real, effective, saved);
#endif
}
static int SetFsUid(uid_t id) {
#ifdef SYS_setfsuid32
  return (int)syscall(SYS_setfsuid32, id);
#else
  return (int)syscall(SYS_setfsuid, id);
#endif
}

static void Versions(void) {
  struct sets sets;
  CHECK_EQ(Capget(kVersion1, 0, &sets), 0);
  CHECK_EQ(sets.permitted, all & 0xffffffff);
  CHECK_EQ(Capget(kVersion2, getpid(), &sets), 0);
  CHECK_EQ(sets.permitted, all);
  CHECK_EQ(Capget(kVersion3, getppid(), &sets), 0);
  CHECK_EQ(sets.permitted, all);
  CHECK_ERRNO(Capget(kVersion3, -1, &sets), EINVAL);
  CHECK_ERRNO(Capget(kVersion3, 0x3ffffff0, &sets), ESRCH);
  CHECK_ERRNO(Capget(7, 0, &sets), EINVAL);
  struct header header = {7, 0};
  CHECK_EQ(syscall(SYS_capget, &header, NULL), 0);
  CHECK_EQ(header.version, kVersion3);
  header.pid = getppid();
  struct data data[2] = {{0, 0, 0}, {0, 0, 0}};
  CHECK_ERRNO(syscall(SYS_capset, &header, data), EPERM);
}

static void DroppedIsGone(void) {
  const uint64_t less = all & ~BIT(CAP_CHOWN);
  CHECK_EQ(Capset(less, all, 0), 0);
  CHECK_EQ(Mine().effective, less);
  CHECK_EQ(Mine().permitted, all);
  CHECK_ERRNO(chown(".", 7, 7), EPERM);
  CHECK_EQ(Capset(all, all, 0), 0);
  CHECK_EQ(Capset(less, less, 0), 0);
  CHECK_ERRNO(Capset(all, all, 0), EPERM);
  CHECK_ERRNO(Capset(all, less, 0), EPERM);
  // Inheritable: with CAP_SETPCAP, whatever the bounding set has.
  CHECK_EQ(Capset(less, less, BIT(CAP_CHOWN)), 0);
  CHECK_EQ(Mine().inheritable, BIT(CAP_CHOWN));
  CHECK_EQ(Capset(0, less, 0), 0);
  CHECK_ERRNO(Capset(0, less, BIT(CAP_CHOWN)), EPERM);
  CHECK_EQ(Capset(0, less, BIT(CAP_KILL)), 0);
  // Higher bits than there are capabilities are ignored.
  CHECK_EQ(Capset(UINT64_C(1) << 60, less | UINT64_C(1) << 60, 0), 0);
  CHECK_EQ(Mine().permitted, less);
}

static void UserIdsTakeAndGive(void) {
  CHECK_EQ(SetUids(-1, 1000, -1), 0);
  CHECK_EQ(Mine().effective, 0);
  CHECK_EQ(Mine().permitted, all);
  CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
  CHECK_EQ(SetUids(-1, 0, -1), 0);
  CHECK_EQ(Mine().effective, all);
  CHECK_EQ(SetUids(1000, 1000, 1000), 0);
  CHECK_EQ(Mine().permitted, 0);
  CHECK_ERRNO(SetUids(0, 0, 0), EPERM);
}

static void KeptCapabilities(void) {
  CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
  CHECK_EQ(prctl(PR_GET_SECUREBITS), SECBIT_KEEP_CAPS);
  CHECK_EQ(SetUids(1000, 1000, 1000), 0);
  CHECK_EQ(Mine().effective, 0);
  CHECK_EQ(Mine().permitted, all);
  CHECK_EQ(Capset(all, all, 0), 0);
  CHECK_EQ(SetUids(2000, 3000, 4000), 0);  // no user 0 leaves: nothing is lost
  CHECK_EQ(Mine().effective, all);
  CHECK_EQ(SetUids(-1, -1, 0), 0);
}

static void NoFixup(void) {
  CHECK_EQ(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED), 0);
  CHECK_EQ(SetUids(1000, 1000, 1000), 0);
  CHECK_EQ(Mine().effective, all);
  CHECK_ERRNO(prctl(PR_SET_SECUREBITS, 0), EPERM);
  CHECK_ERRNO(prctl(PR_SET_SECUREBITS, 0x1000), EPERM);
  CHECK_EQ(prctl(PR_SET_SECUREBITS,
                 SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED),
           0);
  CHECK_ERRNO(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), EPERM);
}

static void FileSystemUser(void) {
  const uint64_t of_files = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) |
                            BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_LINUX_IMMUTABLE) |
                            BIT(CAP_MKNOD) | BIT(CAP_MAC_OVERRIDE);
  CHECK_EQ(SetFsUid(1000), 0);
  CHECK_EQ(Mine().effective, all & ~of_files);
  CHECK_EQ(SetFsUid(0), 1000);
  CHECK_EQ(Mine().effective, all);
}

static void BoundingAndAmbient(void) {
  CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_KILL), 1);
  CHECK_EQ(prctl(PR_CAPBSET_DROP, CAP_KILL), 0);
  CHECK_EQ(prctl(PR_CAPBSET_READ, CAP_KILL), 0);
  CHECK_ERRNO(prctl(PR_CAPBSET_READ, 64), EINVAL);
  CHECK_ERRNO(prctl(PR_CAPBSET_DROP, 64), EINVAL);
  CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0), 0);
  CHECK_ERRNO(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0), EPERM);
  CHECK_ERRNO(prctl(PR_CAP_AMBIENT, 9, CAP_CHOWN, 0, 0), EINVAL);
  CHECK_ERRNO(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 64, 0, 0), EINVAL);
  CHECK_ERRNO(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0), EINVAL);
  CHECK_EQ(Capset(all, all, BIT(CAP_CHOWN)), 0);
  CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0), 0);
  CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0), 1);
  CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_CHOWN, 0, 0), 0);
  CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0), 0);
  CHECK_EQ(Capset(all, all, 0), 0);  // no longer inheritable: no longer ambient
  CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0), 0);
  CHECK_EQ(Capset(all & ~BIT(CAP_SETPCAP), all, BIT(CAP_CHOWN)), 0);
  CHECK_ERRNO(prctl(PR_CAPBSET_DROP, CAP_CHOWN), EPERM);
  CHECK_ERRNO(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT), EPERM);
}

// What one capability alone is good for.
static void EachAlone(void) {
  const int file = open("capabilities.file", O_CREAT | O_RDWR, 0600);
  CHECK(file >= 0);
  CHECK_EQ(fchown(file, 55, 55), 0);
  CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
  const pid_t other = fork();  // of root
  if (other == 0) {
    for (;;) pause();
  }
  CHECK_EQ(SetUids(1000, 1000, 1000), 0);
  CHECK_ERRNO(open("capabilities.file", O_RDONLY), EACCES);
  CHECK_EQ(Capset(BIT(CAP_DAC_READ_SEARCH), all, 0), 0);
  CHECK_EQ(close(open("capabilities.file", O_RDONLY)), 0);
  CHECK_ERRNO(open("capabilities.file", O_RDWR), EACCES);
  CHECK_EQ(Capset(BIT(CAP_DAC_OVERRIDE), all, 0), 0);
  CHECK_EQ(close(open("capabilities.file", O_RDWR)), 0);
  CHECK_ERRNO(fchmod(file, 0640), EPERM);
  CHECK_EQ(Capset(BIT(CAP_FOWNER), all, 0), 0);
  CHECK_EQ(fchmod(file, 0640), 0);
  CHECK_ERRNO(fchown(file, 56, 56), EPERM);
  CHECK_EQ(Capset(BIT(CAP_CHOWN), all, 0), 0);
  CHECK_EQ(fchown(file, 56, 56), 0);
  CHECK_ERRNO(chroot("/"), EPERM);
  CHECK_EQ(Capset(BIT(CAP_SYS_CHROOT), all, 0), 0);
  CHECK_EQ(chroot("/"), 0);
  CHECK_ERRNO(setgroups(0, NULL), EPERM);
  CHECK_EQ(Capset(BIT(CAP_SETGID), all, 0), 0);
  CHECK_EQ(setgroups(0, NULL), 0);
  CHECK_ERRNO(kill(other, 0), EPERM);
  CHECK_EQ(Capset(BIT(CAP_KILL), all, 0), 0);
  CHECK_EQ(kill(other, SIGKILL), 0);
  CHECK_EQ(waitpid(other, NULL, 0), other);
  CHECK_EQ(Capset(BIT(CAP_SETUID), all, 0), 0);
  CHECK_EQ(SetUids(-1, -1, 77), 0);
  CHECK_EQ(close(file), 0);
}

// Run anew as `program EXPECTED`: is it who it should be?
static int Show(const char* expected) {
  const struct sets sets = Mine();
  uid_t real, effective, saved;
  getresuid(&real, &effective, &saved);
  char actual[200];
  snprintf(actual, sizeof(actual),
           "uid %u %u %u, effective %s, permitted %s, chown %d, ambient %d, secure %lu, keep %d",
           (unsigned)real, (unsigned)effective, (unsigned)saved,
           sets.effective == all ? "all" : "not", sets.permitted == all ? "all" : "not",
           (int)(sets.effective >> CAP_CHOWN & 1),
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0),
           (unsigned long)getauxval(AT_SECURE), prctl(PR_GET_KEEPCAPS));
  if (strcmp(actual, expected) == 0) return 0;
  printf("%s, not\n%s\n", actual, expected);
  return 1;
}

static void Exec(const char* program, const char* expected) {
  fflush(stdout);
  execl(program, program, expected, (char*)NULL);
  CHECK_EQ(errno, 0);
}

static const char self[] = "/proc/self/exe";

static void OfRoot(void) {
  CHECK_EQ(Capset(0, 0, 0), 0);
  Exec(self, "uid 0 0 0, effective all, permitted all, chown 1, ambient 0, secure 0, keep 0");
}
static void OfUser(void) {
  CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
  CHECK_EQ(SetUids(1000, 1000, 1000), 0);
  Exec(self,
       "uid 1000 1000 1000, effective not, permitted not, chown 0, ambient 0, secure 0, keep 0");
}
static void WithAmbient(void) {
  CHECK_EQ(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
  CHECK_EQ(SetUids(1000, 1000, 1000), 0);
  CHECK_EQ(Capset(0, all, BIT(CAP_CHOWN)), 0);
  CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0), 0);
  Exec(self,
       "uid 1000 1000 1000, effective not, permitted not, chown 1, ambient 1, secure 0, keep 0");
}
static void WithoutRoot(void) {
  CHECK_EQ(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT), 0);
  Exec(self, "uid 0 0 0, effective not, permitted not, chown 0, ambient 0, secure 0, keep 0");
}
static void EffectiveUserAlone(void) {
  CHECK_EQ(SetUids(1000, 0, 0), 0);
  Exec(self, "uid 1000 0 0, effective all, permitted all, chown 1, ambient 0, secure 1, keep 0");
}
static void SetUidOfRoot(void) {
  CHECK_EQ(SetUids(1000, 1000, 1000), 0);
  Exec("./capabilities.setuid",
       "uid 1000 0 0, effective all, permitted all, chown 1, ambient 0, secure 1, keep 0");
}
static void SetUidRefused(void) {
  CHECK_EQ(SetUids(1000, 1000, 1000), 0);
  CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  Exec("./capabilities.setuid",
       "uid 1000 1000 1000, effective not, permitted not, chown 0, ambient 0, secure 0, keep 0");
}
// The real user is root: all is permitted, nothing effective.
static void SetUidOfUser(void) {
  Exec("./capabilities.setuid1000",
       "uid 0 1000 1000, effective not, permitted all, chown 0, ambient 0, secure 1, keep 0");
}

static void CopyOfSelf(const char* path, uid_t owner) {
  char buffer[65536];
  const int from = open("/proc/self/exe", O_RDONLY);
  const int to = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0755);
  ssize_t got;
  while ((got = read(from, buffer, sizeof(buffer))) > 0) CHECK_EQ(write(to, buffer, got), got);
  CHECK_EQ(close(from), 0);
  CHECK_EQ(fchown(to, owner, owner), 0);
  CHECK_EQ(fchmod(to, 04755), 0);
  CHECK_EQ(close(to), 0);
}

static void InChild(void (*test)(void)) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    failures = 0;
    test();
    fflush(stdout);
    _exit(failures != 0);
  }
  int status = -1;
  CHECK_EQ(waitpid(child, &status, 0), child);
  CHECK_EQ(status, 0);
}

int main(int argc, char** argv) {
  if (geteuid() != 0 && argc == 1) return 77;
  struct sets sets;
  all = Mine().permitted;
  if (argc == 2) {
    all = 0;  // of the bounding set, which execve(2) gives root
    for (int i = 0; prctl(PR_CAPBSET_READ, i) >= 0; ++i) {
      if (prctl(PR_CAPBSET_READ, i) == 1) all |= BIT(i);
    }
    return Show(argv[1]);
  }
  CHECK_EQ(Capget(kVersion3, 0, &sets), 0);
  CHECK_EQ(sets.effective, all);
  const uint64_t used = BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SETPCAP) | BIT(CAP_CHOWN) |
                        BIT(CAP_KILL) | BIT(CAP_SYS_CHROOT) | BIT(CAP_DAC_OVERRIDE) |
                        BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER);
  if ((all & used) != used || prctl(PR_GET_SECUREBITS) != 0) return 77;
  InChild(Versions);
  InChild(DroppedIsGone);
  InChild(UserIdsTakeAndGive);
  InChild(KeptCapabilities);
  InChild(NoFixup);
  InChild(FileSystemUser);
  InChild(BoundingAndAmbient);
  InChild(EachAlone);
  CopyOfSelf("./capabilities.setuid", 0);
  CopyOfSelf("./capabilities.setuid1000", 1000);
  InChild(OfRoot);
  InChild(OfUser);
  InChild(WithAmbient);
  InChild(WithoutRoot);
  InChild(EffectiveUserAlone);
  InChild(SetUidOfRoot);
  InChild(SetUidRefused);
  InChild(SetUidOfUser);
  CHECK_EQ(unlink("capabilities.file"), 0);
  CHECK_EQ(unlink("./capabilities.setuid"), 0);
  CHECK_EQ(unlink("./capabilities.setuid1000"), 0);
  REPORT();
}
