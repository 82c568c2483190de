// Random system calls for as long as one likes: call_storm [ROUNDS], 0 is for ever. In each round
// an overseer starts processes with threads that call every number of their ABI (64-bit ones those
// of i386 too), unknown ones among them, with descriptors of every kind, structures that mean
// something, bad pointers and huge values. What is drawn follows from the box' seed. Nothing is
// left out; but what privileged ones aim at the overseer misses it, and what is left of a round is
// killed, so that the next one starts.
#include "guest.h"

enum {
  kChildren = 6,
  kThreads = 2,
  kCallsEach = 120,
  kNumbers = 480,
  kPatienceMs = 40,
  kAlarmUs = 500,
  kOverseer = 2
};

typedef unsigned long Word;
typedef unsigned long long Wide;

// Of a thread: on its stack, so that each has its own.
typedef struct {
  Wide state;
  int privileged;
} Storm;

// SplitMix64: whatever a call writes over the state, it goes on.
static Word Next(Storm* storm) {
  storm->state += 0x9e3779b97f4a7c15u;
  Wide mixed = storm->state;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
  return (Word)(mixed ^ mixed >> 31);
}
static Word Below(Storm* storm, Word limit) { return Next(storm) % limit; }

// Processes have their own, threads share it: what one prepares another one may change.
static char arena[1 << 16] __attribute__((aligned(4096)));
static char stacks[kThreads][1 << 14] __attribute__((aligned(4096)));
static char* edge;       // behind it nothing is mapped
static char* read_only;  // a page

static const char* const kNames[] = {"/",
                                     "/tmp",
                                     "/tmp/a",
                                     "/tmp/b",
                                     "/tmp/d",
                                     "/tmp/d/e",
                                     "/tmp/d/../a",
                                     "a",
                                     "a/b",
                                     "..",
                                     "",
                                     ".",
                                     "/tmp/link",
                                     "/tmp/fifo",
                                     "/tmp/socket",
                                     "/dev/null",
                                     "/dev/zero",
                                     "/dev/full",
                                     "/dev/random",
                                     "/dev/tty",
                                     "/dev/ptmx",
                                     "/dev/pts/0",
                                     "/dev/shm/x",
                                     "/dev/fd/3",
                                     "/proc",
                                     "/proc/self",
                                     "/proc/self/maps",
                                     "/proc/self/smaps",
                                     "/proc/self/stat",
                                     "/proc/self/status",
                                     "/proc/self/mem",
                                     "/proc/self/fd/5",
                                     "/proc/self/fd",
                                     "/proc/self/exe",
                                     "/proc/self/cwd",
                                     "/proc/self/root",
                                     "/proc/self/task",
                                     "/proc/self/oom_score_adj",
                                     "/proc/self/mountinfo",
                                     "/proc/self/comm",
                                     "/proc/1",
                                     "/proc/2/status",
                                     "/proc/net/tcp",
                                     "/proc/net/unix",
                                     "/proc/sys/kernel/pid_max",
                                     "/proc/stat",
                                     "/proc/meminfo",
                                     "/proc/locks",
                                     "/sys",
                                     "tmpfs",
                                     "proc",
                                     "user.name",
                                     "system.posix_acl_access",
                                     "security.capability",
                                     "/bin/call_storm",
                                     "/tmp/run"};
enum { kNameCount = sizeof kNames / sizeof *kNames };

static const char* Name(Storm* storm) { return kNames[Below(storm, kNameCount)]; }

static Word Number(Storm* storm) {
  switch (Below(storm, 9)) {
    case 0:
      return 0;
    case 1:
      return (Word)-1;
    case 2:
      return (Word)1 << Below(storm, 8 * sizeof(Word));
    case 3:
      return ((Word)1 << Below(storm, 8 * sizeof(Word))) - 1;
    case 4:
      return (Word) - (long)Below(storm, 70000);
    case 5:
      return 0x7fffffff + Below(storm, 3);
    case 6:
      return Below(storm, 1 << 16);
    default:
      return Below(storm, 32);
  }
}

static long BadPointer(Storm* storm) {
  switch (Below(storm, 6)) {
    case 0:
      return (long)(edge - Below(storm, 64));
    case 1:
      return (long)(read_only + Below(storm, 4096));
    case 2:
      return -(long)Below(storm, 8192);
    case 3:
      return (long)Below(storm, 8192);
    case 4:
      return (long)Main;
    default:
      return (long)Number(storm);
  }
}

static void* Place(Storm* storm) { return arena + Below(storm, sizeof arena / 64 - 16) * 64; }

static int Descriptor(Storm* storm) {
  return Below(storm, 12) ? (int)Below(storm, 40) : (int)Number(storm);
}

// Those that only some calls take, by letter.
static const char kSpecialLetters[] = "EIXqlyk";
static int special[sizeof kSpecialLetters - 1];
static void Keep(char letter, long fd) {
  for (unsigned i = 0; i < sizeof special / sizeof *special; ++i) {
    if (kSpecialLetters[i] == letter) special[i] = (int)fd;
  }
}

static long Pid(Storm* storm) {
  switch (Below(storm, 8)) {
    case 0:
      return 0;
    case 1:
      return -1;
    case 2:
      return 1;
    case 3:
      return Call(kGetpid, 0, 0, 0, 0);
    case 4:
      return Call(__NR_gettid, 0, 0, 0, 0);
    case 5:
      return -Call(kGetpid, 0, 0, 0, 0);
    default:
      return Call(kGetpid, 0, 0, 0, 0) - 4 + (long)Below(storm, 12);
  }
}

static Word Flags(Storm* storm) {
  return (Word)1 << Below(storm, 32) | (Below(storm, 2) ? (Word)1 << Below(storm, 20) : 0) |
         Below(storm, 4);
}

static Word Size(Storm* storm) {
  return Below(storm, 8) ? Below(storm, 5) * 4096 + Below(storm, 3) * Below(storm, 100)
                         : Number(storm);
}

static void OnSignal(int signal) { (void)signal; }
#ifdef __i386__
__asm__("Restore: mov $173, %eax\n int $0x80\n");
#else
__asm__("Restore: mov $15, %eax\n syscall\n");
#endif
void Restore(void);

// Words of a structure, each a small number, a pointer or a descriptor, as many structures have
// them.
enum Kind {
  kVectors,
  kStrings,
  kTimes,
  kUnixName,
  kName4,
  kName6,
  kPolls,
  kMessage,
  kAction,
  kSet,
  kZeros,
  kShorts,
  kProgram,
  kKinds
};
static void* Structure(Storm* storm, enum Kind kind) {
  Word* const words = Place(storm);
  unsigned* halves = (unsigned*)words;
  switch (kind) {
    case kVectors:  // iovec[4]
      for (int i = 0; i < 8; i += 2) {
        words[i] = (Word)(Below(storm, 10) ? Place(storm) : (void*)BadPointer(storm));
        words[i + 1] = Below(storm, 20) ? Below(storm, 600) : Number(storm);
      }
      break;
    case kStrings:  // strings, ended
      for (int i = 0; i < 4; ++i) words[i] = (Word)Name(storm);
      words[4] = 0;
      break;
    case kTimes:  // timespec, timeval, itimerspec
      for (int i = 0; i < 4; ++i) words[i] = i % 2 ? Below(storm, 1000000) : Below(storm, 3);
      if (Below(storm, 8) == 0) words[Below(storm, 4)] = Number(storm);
      break;
    case kUnixName:  // sockaddr_un
      halves[0] = 1;
      for (int i = 0; i < 12; ++i) ((char*)words)[2 + i] = "/tmp/socket"[i];
      break;
    case kName4:  // sockaddr_in of the loopback
      halves[0] = 2 | (unsigned)(Below(storm, 4) + 80) << 24;
      halves[1] = 0x0100007f;
      break;
    case kName6:  // sockaddr_in6
      for (int i = 0; i < 7; ++i) halves[i] = 0;
      halves[0] = 10 | (unsigned)(Below(storm, 4) + 80) << 24;
      halves[5] = 0x01000000;
      break;
    case kPolls:  // pollfd[4], epoll_event
      for (int i = 0; i < 8; i += 2) {
        halves[i] = (unsigned)Descriptor(storm);
        halves[i + 1] = (unsigned)Below(storm, 64);
      }
      break;
    case kMessage: {  // msghdr: name, its length, vector, its length, control, its length, flags
      Word* const vector = Place(storm);
      Word* const control = Place(storm);
      vector[0] = (Word)Place(storm);
      vector[1] = Below(storm, 100);
      control[0] = sizeof(Word) + 8 + 4 * Below(storm, 4);
      ((unsigned*)control)[sizeof(Word) / 4] = (unsigned)Below(storm, 2);  // SOL_SOCKET, IPPROTO_IP
      ((unsigned*)control)[sizeof(Word) / 4 + 1] = (unsigned)Below(storm, 9);
      ((unsigned*)control)[sizeof(Word) / 4 + 2] = (unsigned)Descriptor(storm);
      words[0] = Below(storm, 2) ? 0 : (Word)Structure(storm, kUnixName + Below(storm, 3));
      words[1] = words[0] ? 16 : 0;
      words[2] = (Word)vector;
      words[3] = Below(storm, 2);
      words[4] = (Word)control;
      words[5] = Below(storm, 64);
      words[6] = 0;
      break;
    }
    case kAction:  // sigaction
      words[0] = Below(storm, 3) ? (Word)OnSignal : Below(storm, 2);
      words[1] = Flags(storm) | 0x04000004;
      words[2] = (Word)Restore;
      words[3] = Number(storm);
      break;
    case kSet:  // signal set, fd_set
      for (int i = 0; i < 4; ++i)
        words[i] = Below(storm, 2) ? Number(storm) : Below(storm, 1 << 16);
      break;
    case kZeros:  // stack_t, clone_args, open_how, rlimit, sched_attr
      for (int i = 0; i < 11; ++i)
        words[i] = Below(storm, 3) ? 0 : Below(storm, 2) ? Flags(storm) : (Word)Place(storm);
      break;
    case kShorts:  // sembuf[4], flock
      for (int i = 0; i < 12; ++i) ((short*)words)[i] = (short)(Below(storm, 7) - 3);
      break;
    case kProgram:  // sock_fprog with one instruction that allows
      words[0] = 1;
      words[1] = (Word)(words + 2);
      halves = (unsigned*)(words + 2);
      halves[0] = 6;
      halves[1] = Below(storm, 6) ? 0x7fff0000 : 0x00050001;
      return words;
    default:
      for (int i = 0; i < 16; ++i) halves[i] = (unsigned)Number(storm);
  }
  return words;
}

// What the arguments of a call are; of others anything. f descriptor, p path, b buffer, n size, g
// flags, i process, u number, a page of memory, t small number, s any structure, o what is mostly
// null, x name of an attribute, m type of a file system; others are certain structures and
// descriptors.
typedef struct {
  int number;
  const char* arguments;
} Shape;
// clang-format off
static const Shape kShapes[] = {
    {__NR_read, "fbn"}, {__NR_write, "fbn"}, {__NR_open, "pgu"}, {__NR_close, "f"},
    {__NR_stat, "ps"}, {__NR_fstat, "fs"}, {__NR_lstat, "ps"}, {__NR_poll, "Ptt"},
    {__NR_lseek, "fut"}, {__NR_mprotect, "anu"}, {__NR_munmap, "an"}, {__NR_brk, "u"},
    {__NR_rt_sigaction, "tSs8"}, {__NR_rt_sigprocmask, "tQs8"}, {__NR_ioctl, "fus"},
    {__NR_pread64, "fbnu"}, {__NR_pwrite64, "fbnu"}, {__NR_readv, "fvt"}, {__NR_writev, "fvt"},
    {__NR_access, "pt"}, {__NR_pipe, "s"}, {__NR_mremap, "anngu"}, {__NR_msync, "ant"},
    {__NR_mincore, "anb"}, {__NR_madvise, "ant"}, {__NR_dup, "f"}, {__NR_dup2, "ff"},
    {__NR_pause, ""}, {__NR_nanosleep, "Ts"}, {__NR_setitimer, "tTs"}, {__NR_alarm, "t"},
    {__NR_sendfile, "ffon"}, {__NR_socketpair, "gtts"}, {__NR_fork, ""}, {__NR_vfork, ""},
    {__NR_execve, "prr"}, {__NR_kill, "it"}, {__NR_uname, "s"}, {__NR_fcntl, "ftu"},
    {__NR_fcntl, "ftB"}, {__NR_flock, "ft"}, {__NR_ftruncate, "fn"}, {__NR_truncate, "pn"},
    {__NR_getdents, "fbn"}, {__NR_getcwd, "bn"}, {__NR_chdir, "p"}, {__NR_fchdir, "f"},
    {__NR_rename, "pp"}, {__NR_mkdir, "pu"}, {__NR_rmdir, "p"}, {__NR_creat, "pu"},
    {__NR_link, "pp"}, {__NR_unlink, "p"}, {__NR_symlink, "pp"}, {__NR_readlink, "pbn"},
    {__NR_chmod, "pu"}, {__NR_fchmod, "fu"}, {__NR_chown, "ptt"}, {__NR_umask, "u"},
    {__NR_getrusage, "us"}, {__NR_ptrace, "titt"}, {__NR_setuid, "t"}, {__NR_setpgid, "ii"},
    {__NR_setsid, ""}, {__NR_setreuid, "tt"}, {__NR_setresuid, "ttt"}, {__NR_capget, "ss"},
    {__NR_capset, "ss"}, {__NR_rt_sigpending, "s8"}, {__NR_rt_sigtimedwait, "QsT8"},
    {__NR_rt_sigqueueinfo, "its"}, {__NR_rt_sigsuspend, "Q8"}, {__NR_sigaltstack, "Cs"},
    {__NR_mknod, "puu"}, {__NR_personality, "u"}, {__NR_statfs, "ps"}, {__NR_setpriority, "tit"},
    {__NR_sched_setscheduler, "its"}, {__NR_mlock, "an"}, {__NR_mlockall, "t"},
    {__NR_prctl, "tuuuu"}, {__NR_chroot, "p"}, {__NR_mount, "ppmgo"}, {__NR_umount2, "pt"},
    {__NR_gettid, ""}, {__NR_setxattr, "pxbtt"}, {__NR_getxattr, "pxbn"}, {__NR_listxattr, "pbn"},
    {__NR_removexattr, "px"}, {__NR_tkill, "it"}, {__NR_futex, "attTst"}, {__NR_futex, "sttTst"},
    {__NR_sched_setaffinity, "ins"}, {__NR_epoll_create, "t"}, {__NR_epoll_ctl, "EtfP"},
    {__NR_epoll_wait, "EPtt"}, {__NR_set_tid_address, "s"}, {__NR_fadvise64, "fuut"},
    {__NR_timer_create, "tss"}, {__NR_timer_settime, "tgTs"}, {__NR_timer_delete, "t"},
    {__NR_clock_gettime, "ts"}, {__NR_clock_nanosleep, "ttTs"}, {__NR_tgkill, "iit"},
    {__NR_mq_open, "pguo"}, {__NR_mq_timedsend, "qbttT"}, {__NR_mq_timedreceive, "qbnoT"},
    {__NR_waitid, "tisgo"}, {__NR_inotify_init, ""}, {__NR_inotify_add_watch, "Ipg"},
    {__NR_inotify_rm_watch, "It"}, {__NR_openat, "fpgu"}, {__NR_mkdirat, "fpu"},
    {__NR_mknodat, "fpuu"}, {__NR_fchownat, "fpttg"}, {__NR_unlinkat, "fpu"},
    {__NR_renameat, "fpfp"}, {__NR_linkat, "fpfpg"}, {__NR_symlinkat, "pfp"},
    {__NR_readlinkat, "fpbn"}, {__NR_fchmodat, "fpu"}, {__NR_faccessat, "fpt"},
    {__NR_pselect6, "tQQQTo"}, {__NR_ppoll, "PtTQ8"}, {__NR_unshare, "g"},
    {__NR_set_robust_list, "st"}, {__NR_get_robust_list, "iss"}, {__NR_splice, "fofont"},
    {__NR_tee, "ffng"}, {__NR_vmsplice, "fvtg"}, {__NR_sync_file_range, "fuut"},
    {__NR_utimensat, "fpTg"}, {__NR_epoll_pwait, "EPttQ8"}, {__NR_signalfd, "fQ8"},
    {__NR_timerfd_create, "tg"}, {__NR_eventfd, "t"}, {__NR_fallocate, "ftuu"},
    {__NR_timerfd_settime, "XtTs"}, {__NR_accept4, "loog"}, {__NR_signalfd4, "fQ8g"},
    {__NR_eventfd2, "tg"}, {__NR_epoll_create1, "g"}, {__NR_dup3, "ffg"}, {__NR_pipe2, "sg"},
    {__NR_inotify_init1, "g"}, {__NR_preadv, "fvtuu"}, {__NR_pwritev, "fvtuu"},
    {__NR_rt_tgsigqueueinfo, "iits"}, {__NR_recvmmsg, "kMtgT"}, {__NR_prlimit64, "itss"},
    {__NR_sendmmsg, "kMtg"}, {__NR_process_vm_readv, "ivtvtt"}, {__NR_process_vm_writev, "ivtvtt"},
    {__NR_kcmp, "iittt"}, {__NR_seccomp, "ttF"}, {__NR_renameat2, "fpfpt"}, {__NR_getrandom, "bnt"},
    {__NR_memfd_create, "pg"}, {__NR_execveat, "fprrg"}, {__NR_membarrier, "ttt"},
    {__NR_copy_file_range, "fofont"}, {__NR_preadv2, "fvtuug"}, {__NR_pwritev2, "fvtuug"},
    {__NR_statx, "fpgus"}, {__NR_pidfd_send_signal, "ytst"}, {__NR_pidfd_open, "it"},
    {__NR_clone3, "Cc"}, {__NR_close_range, "ffg"}, {__NR_openat2, "fpCH"},
    {__NR_pidfd_getfd, "yft"}, {__NR_faccessat2, "fptg"}, {__NR_process_madvise, "fsttt"},
    {__NR_epoll_pwait2, "EPtTQ8"}, {__NR_wait4, "iott"}, {__NR_clone, "usuuu"},
    {__NR_socket, "ttt"}, {__NR_connect, "fAh"}, {__NR_bind, "fAh"}, {__NR_listen, "ft"},
    {__NR_shutdown, "kt"}, {__NR_getsockname, "fss"}, {__NR_getpeername, "fss"},
    {__NR_setsockopt, "kttb4"}, {__NR_getsockopt, "kttso"}, {__NR_sendto, "kbngAh"},
    {__NR_recvfrom, "kbngoo"}, {__NR_sendmsg, "kMg"}, {__NR_recvmsg, "kMg"}, {__NR_exit_group, "t"},
    {__NR_sched_yield, ""}, {__NR_sync, ""}, {__NR_syncfs, "f"}, {__NR_sysinfo, "s"},
    {__NR_times, "s"}, {__NR_getitimer, "ts"}, {__NR_setns, "fg"}, {__NR_rseq, "stut"},
    {__NR_get_mempolicy, ""}, {__NR_swapon, "p"}, {__NR_arch_prctl, "us"},
#ifdef __i386__
    {__NR_mmap2, "anugfu"}, {__NR_ipc, "tttuss"}, {__NR_socketcall, "ts"},
    {__NR__newselect, "tQQQT"}, {__NR_fstatat64, "fpsg"}, {__NR_stat64, "ps"},
    {__NR_fcntl64, "ftB"}, {__NR__llseek, "fuust"}, {__NR_truncate64, "puu"},
    {__NR_ftruncate64, "fuu"}, {__NR_sigaction, "tSs"}, {__NR_sigprocmask, "tQs"},
    {__NR_sigsuspend, "uuu"}, {__NR_signal, "ts"}, {__NR_futex_time64, "sttTst"},
    {__NR_ppoll_time64, "PtTQ8"}, {__NR_clock_nanosleep_time64, "ttTs"},
    {__NR_set_thread_area, "s"}, {__NR_statfs64, "pns"}, {__NR_waitpid, "ist"},
    {__NR_oldstat, "ps"}, {__NR_sigreturn, ""}, {__NR_rt_sigreturn, ""},
#else
    {__NR_mmap, "anugfu"}, {__NR_shmget, "tng"}, {__NR_shmat, "tau"}, {__NR_shmctl, "tts"},
    {__NR_shmdt, "a"}, {__NR_semget, "ttg"}, {__NR_semop, "tBt"}, {__NR_semctl, "ttts"},
    {__NR_semtimedop, "tBtT"}, {__NR_msgget, "tg"}, {__NR_msgsnd, "tsng"}, {__NR_msgrcv, "tsntg"},
    {__NR_msgctl, "tts"}, {__NR_select, "tQQQT"}, {__NR_newfstatat, "fpsg"}, {__NR_accept, "loo"},
#endif
};
// clang-format on
enum { kShapeCount = sizeof kShapes / sizeof *kShapes };

// By kind of structure; 'A' is any address of a socket.
static const char kLetters[kKinds] = {'v', 'r', 'T', '1', '2', '3', 'P',
                                      'M', 'S', 'Q', 'C', 'B', 'F'};

static long Argument(Storm* storm, char kind) {
  if (Below(storm, 40) == 0) return Below(storm, 2) ? BadPointer(storm) : (long)Number(storm);
  switch (kind) {
    case 'f':
      return Descriptor(storm);
    case 'p':
      return (long)Name(storm);
    case 'b':
      return (long)Place(storm);
    case 's':
      return Below(storm, 10) ? (long)Structure(storm, Below(storm, kKinds + 1)) : 0;
    case 'o':
      return Below(storm, 4) ? 0 : (long)Structure(storm, kTimes);
    case 'n':
      return (long)Size(storm);
    case 'g':
      return Below(storm, 3) ? 0 : (long)Flags(storm);
    case 'i':
      return Pid(storm);
    case 'u':
      return (long)Number(storm);
    case 'a':
      return (long)(arena + Below(storm, 16) * 4096);
    case 't':
      return (long)Below(storm, 12);
    case 'x':
      return (long)kNames[kNameCount - 5 + Below(storm, 3)];
    case 'm':
      return (long)kNames[kNameCount - 7 + Below(storm, 2)];
    case 'h':
      return 16;
    case 'H':
      return 24;
    case 'c':
      return 88;
    case '4':
      return 4;
    case '8':
      return 8;
    default:
      for (unsigned i = 0; i < sizeof special / sizeof *special; ++i) {
        if (kSpecialLetters[i] == kind) return Below(storm, 6) ? special[i] : Descriptor(storm);
      }
      for (unsigned i = 0; i < sizeof kLetters; ++i) {
        if (kLetters[i] == kind)
          return (long)Structure(storm, Below(storm, 6) ? i : Below(storm, kKinds + 1));
      }
      return (long)Structure(storm, kUnixName + Below(storm, 3));
  }
}

// What of a privileged process could end the overseer: signals to it or to everybody, and what
// writes to its memory or sets its limits.
static int AimsAtOverseer(long number, const long a[6]) {
  static const int kAimed[] = {__NR_kill,
                               __NR_tkill,
                               __NR_tgkill,
                               __NR_rt_sigqueueinfo,
                               __NR_rt_tgsigqueueinfo,
                               __NR_process_vm_writev,
                               __NR_prlimit64,
                               __NR_ptrace,
                               __NR_fcntl,
                               __NR_pidfd_open,
#ifdef __i386__
                               __NR_fcntl64,
#endif
                               __NR_setpgid};
  for (unsigned i = 0; i < sizeof kAimed / sizeof *kAimed; ++i) {
    if (number != kAimed[i]) continue;
    for (int k = 0; k < 3; ++k) {
      const int id = (int)a[k];
      if (id == kOverseer || id == -kOverseer || (id == -1 && k == 0)) return 1;
    }
  }
  return 0;
}

// What as a rule is the last call of its process: asked for less often.
static int EndsStorm(long number) {
  static const int kLast[] = {__NR_exit,     __NR_exit_group,   __NR_vfork,      __NR_clone,
                              __NR_clone3,   __NR_rt_sigreturn, __NR_seccomp,    __NR_execve,
                              __NR_execveat, __NR_munmap,       __NR_close_range};
  for (unsigned i = 0; i < sizeof kLast / sizeof *kLast; ++i) {
    if (number == kLast[i]) return 1;
  }
  return 0;
}

static void CallsOf(Storm* storm, int calls) {
  const long self = Call(__NR_gettid, 0, 0, 0, 0);
  for (int i = 0; i < calls; ++i) {
    long a[6];
    long number;
    if (Below(storm, 4)) {
      const Shape* const shape = &kShapes[Below(storm, kShapeCount)];
      const char* kinds = shape->arguments;
      number = shape->number;
      for (int k = 0; k < 6; ++k) a[k] = Argument(storm, *kinds ? *kinds++ : 't');
    } else {
      number = Below(storm, 30) ? (long)Below(storm, kNumbers) : (long)Number(storm);
      for (int k = 0; k < 6; ++k) a[k] = Argument(storm, "fpbsngiuat"[Below(storm, 10)]);
    }
    if (storm->privileged && AimsAtOverseer(number, a)) continue;
    if (EndsStorm(number) && Below(storm, 8)) continue;
#ifndef __i386__
    if (Below(storm, 10) == 0) {
      if (storm->privileged && (number == 37 || number == 238 || number == 270 || number == 178 ||
                                number == 335 || number == 348 || number == 26 || number == 55 ||
                                number == 221 || number == 57 || number == 340))
        continue;
      long result;
      __asm__ volatile("push %%rbp\n mov %7, %%rbp\n int $0x80\n pop %%rbp"
                       : "=a"(result)
                       : "0"(number), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4]),
                         "r"(a[5])
                       : "memory", "r8", "r9", "r10", "r11");
    } else
#endif
      Call6(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    // Who came out of a fork or clone goes on for a little, on other ways.
    if (Call(__NR_gettid, 0, 0, 0, 0) != self) {
      if (calls < 8) Exit(0);
      storm->state ^= (Wide)Call(__NR_gettid, 0, 0, 0, 0) << 40;
      CallsOf(storm, calls / 8);
      Exit(0);
    }
  }
}

static Storm storms[kThreads];
static void ThreadMain(int thread) {
  CallsOf(&storms[thread], kCallsEach);
  Exit(0);
}

// A thread on a stack of its own.
static void StartThread(int thread) {
  long* const top = (long*)(stacks[thread] + sizeof stacks[thread]) - 4;
  long result = __NR_clone;
  const long flags = 0x50f00;  // CLONE_VM | FS | FILES | SIGHAND | THREAD | SYSVSEM
#ifdef __i386__
  top[0] = (long)ThreadMain;
  top[1] = 0;
  top[2] = thread;
  __asm__ volatile("int $0x80\n test %%eax, %%eax\n jnz 1f\n ret\n1:"
                   : "+a"(result)
                   : "b"(flags), "c"(top), "d"(0), "S"(0), "D"(0)
                   : "memory", "cc");
#else
  top[0] = thread;
  top[1] = (long)ThreadMain;
  register long r10 __asm__("r10") = 0;
  __asm__ volatile("syscall\n test %%rax, %%rax\n jnz 1f\n pop %%rdi\n ret\n1:"
                   : "+a"(result)
                   : "D"(flags), "S"(top), "d"(0), "r"(r10)
                   : "rcx", "r11", "memory", "cc");
#endif
}

static void Descriptors(void) {
  int two[2];
  char name[] = "/tmp/a";
  Call(kOpen, (long)name, 0102, 0644, 0);
  Call(kOpen, (long)"/tmp", 0200000, 0, 0);
  Call(kOpen, (long)"/bin/call_storm", 0, 0, 0);
  Call(kOpen, (long)"/tmp/a", 010000000, 0, 0);  // O_PATH
  Call(kPipe, (long)two, 0, 0, 0);
  for (int type = 1; type < 6; ++type) {
    Call(__NR_socketpair, 1, type, 0, (long)two);
    if (type < 3) Call(__NR_socket, 2, type, 0, 0);
    if (type < 3) Call(__NR_socket, 10, type, 0, 0);
  }
  const unsigned loopback[4] = {2 | 80u << 24, 0x0100007f, 0, 0};
  const int listener = (int)Call(__NR_socket, 2, 1, 0, 0);
  Call(__NR_bind, listener, (long)loopback, 16, 0);
  Call(__NR_listen, listener, 2, 0, 0);
  Call(__NR_connect, Call(__NR_socket, 2, 1, 0, 0), (long)loopback, 16, 0);
  Keep('l', listener);
  Keep('k', two[0]);
  Keep('E', Call(__NR_epoll_create1, 0, 0, 0, 0));
  Call(__NR_eventfd2, 1, 04000, 0, 0);
  Keep('X', Call(__NR_timerfd_create, 1, 04000, 0, 0));
  Call(__NR_signalfd4, -1, (long)arena, 8, 04000);
  Keep('I', Call(__NR_inotify_init1, 04000, 0, 0, 0));
  Call(__NR_memfd_create, (long)name, 3, 0, 0);
  Keep('y', Call(__NR_pidfd_open, Call(kGetpid, 0, 0, 0, 0), 0, 0, 0));
  Keep('q', Call(__NR_mq_open, (long)"queue", 04102, 0644, 0));
  const int master = (int)Call(kOpen, (long)"/dev/ptmx", 02, 0, 0);
  const int unlock = 0;
  Call(__NR_ioctl, master, 0x40045431, (long)&unlock, 0);
  Call(kOpen, (long)"/dev/pts/0", 02, 0, 0);
  static const char* const kOpened[] = {"/dev/null",      "/dev/zero",  "/proc/self/maps",
                                        "/proc/self/mem", "/proc/self", "/proc/self/status"};
  for (unsigned i = 0; i < sizeof kOpened / sizeof *kOpened; ++i)
    Call(kOpen, (long)kOpened[i], i == 3 ? 2 : 0, 0, 0);
}

// Interrupts what waits, again and again, and takes the signals that would end the process.
static void Alarms(void) {
  // SA_RESTORER | SA_SIGINFO; the mask has one word or two.
  const Word action[5] = {(Word)OnSignal, 0x04000004, (Word)Restore, 0, 0};
  const long interval[4] = {0, kAlarmUs, 0, kAlarmUs};
  for (int signal = 1; signal < 32; ++signal) {
    if (signal < 3 || signal == 6 || signal == 10 || signal > 11)
      Call(kSigaction, signal, (long)action, 0, 8);
  }
  Call(kSetitimer, 0, (long)interval, 0, 0);
}

static void Child(Wide seed) {
  Storm storm = {seed, 1};
  for (unsigned i = 0; i < sizeof arena; i += 64) *(Word*)(arena + i) = Number(&storm);
  Call(__NR_setsid, 0, 0, 0, 0);
  Descriptors();
  Alarms();
  if (Below(&storm, 2)) {
    Call(__NR_setresuid, 1000, 1000, 1000, 0);
    storm.privileged = 0;
  }
  for (int i = 0; i < kThreads; ++i) {
    storms[i] = storm;
    storms[i].state ^= (Wide)(i + 1) << 40;
    StartThread(i);
  }
  CallsOf(&storm, kCallsEach);
  Exit(0);
}

static void Pages(void) {
  const int kPrivateAnonymous = 0x22;
#ifdef __i386__
  const long map = __NR_mmap2;
#else
  const long map = __NR_mmap;
#endif
  edge = (char*)Call6(map, 0, 8192, 3, kPrivateAnonymous, -1, 0) + 4096;
  Call(kMprotect, (long)edge, 4096, 0, 0);
  read_only = (char*)Call6(map, 0, 4096, 1, kPrivateAnonymous, -1, 0);
}

static void Sleep(long milliseconds) {
  const long time[2] = {0, milliseconds * 1000000};
  Call(kNanosleep, (long)time, 0, 0, 0);
}

void Main(void) {
  Wide seed = 0;
  Call(kGetrandom, (long)&seed, sizeof seed, 0, 0);
  Storm storm = {seed, 1};
  Pages();
  if (Call(kGetpid, 0, 0, 0, 0) != kOverseer) {
    // One of the storm has executed us.
    CallsOf(&storm, 20);
    Exit(0);
  }
  unsigned long rounds = 20;
  if (start[0] > 1) {
    rounds = 0;
    for (const char* digit = (const char*)start[2]; *digit; ++digit)
      rounds = rounds * 10 + (unsigned long)(*digit - '0');
  }
  Say("ready\n");
  Call(__NR_prctl, 36, 1, 0, 0);  // PR_SET_CHILD_SUBREAPER: nobody of a round outlives it
  for (unsigned long round = 0; rounds == 0 || round < rounds; ++round) {
    for (int i = 0; i < kChildren; ++i) {
      const Wide of_child = (Wide)Next(&storm) << 32 ^ Next(&storm);
      if (Call(kFork, 0, 0, 0, 0) == 0) Child(of_child);
    }
    const long kNoHang = 1;
    long ended = 0;
    for (int i = 0; i < kPatienceMs && ended != -10; ++i) {  // until ECHILD
      Sleep(1);
      do ended = Call(kWait4, -1, 0, kNoHang, 0);
      while (ended > 0);
    }
    while (ended != -10) {
      Call(kKill, -1, 9, 0, 0);
      ended =
          Call(kWait4, -1, 0, 0x40000000, 0);  // __WALL: children of clone(2) without a signal too
    }
  }
  Say("survived\n");
  Exit(0);
}
