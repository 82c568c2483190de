// The names of flags and of choices, for traces. One table per argument type.
#pragma once

#include "engine/linux/syscalls/arguments.h"

namespace glovebox::engine {

// Without a mask of its own a name stands for its bits.
constexpr BitName Bit(std::uint64_t value, std::string_view name) { return {value, value, name}; }

inline constexpr BitName kOpenNames[] = {
    {03, 00, "O_RDONLY"},        {03, 01, "O_WRONLY"},        {03, 02, "O_RDWR"},
    Bit(0100, "O_CREAT"),        Bit(0200, "O_EXCL"),         Bit(0400, "O_NOCTTY"),
    Bit(01000, "O_TRUNC"),       Bit(02000, "O_APPEND"),      Bit(04000, "O_NONBLOCK"),
    Bit(020000, "O_ASYNC"),      Bit(04010000, "O_SYNC"),     Bit(010000, "O_DSYNC"),
    Bit(040000, "O_DIRECT"),     Bit(0100000, "O_LARGEFILE"), Bit(020200000, "O_TMPFILE"),
    Bit(0200000, "O_DIRECTORY"), Bit(0400000, "O_NOFOLLOW"),  Bit(01000000, "O_NOATIME"),
    Bit(02000000, "O_CLOEXEC"),  Bit(010000000, "O_PATH"),
};
using OpenFlags = Flags<kOpenNames>;

inline constexpr BitName kAtNames[] = {
    Bit(0x100, "AT_SYMLINK_NOFOLLOW"), Bit(0x200, "AT_REMOVEDIR"),
    Bit(0x400, "AT_SYMLINK_FOLLOW"),   Bit(0x800, "AT_NO_AUTOMOUNT"),
    Bit(0x1000, "AT_EMPTY_PATH"),      Bit(0x2000, "AT_STATX_FORCE_SYNC"),
    Bit(0x4000, "AT_STATX_DONT_SYNC"),
};
using AtFlags = Flags<kAtNames>;
enum AtFlag : std::uint64_t {
  kAtNoFollow = 0x100,
  kAtRemoveDirectory = 0x200,
  kAtEffectiveIds = 0x200,
  kAtFollow = 0x400,
  kAtNoAutomount = 0x800,
  kAtEmptyPath = 0x1000,
  kAtStatxSync = 0x6000,
};

inline constexpr BitName kPtraceNames[] = {{~0ull, 0, "PTRACE_TRACEME"},
                                           {~0ull, 1, "PTRACE_PEEKTEXT"},
                                           {~0ull, 2, "PTRACE_PEEKDATA"},
                                           {~0ull, 3, "PTRACE_PEEKUSER"},
                                           {~0ull, 4, "PTRACE_POKETEXT"},
                                           {~0ull, 5, "PTRACE_POKEDATA"},
                                           {~0ull, 6, "PTRACE_POKEUSER"},
                                           {~0ull, 7, "PTRACE_CONT"},
                                           {~0ull, 8, "PTRACE_KILL"},
                                           {~0ull, 9, "PTRACE_SINGLESTEP"},
                                           {~0ull, 12, "PTRACE_GETREGS"},
                                           {~0ull, 13, "PTRACE_SETREGS"},
                                           {~0ull, 14, "PTRACE_GETFPREGS"},
                                           {~0ull, 15, "PTRACE_SETFPREGS"},
                                           {~0ull, 16, "PTRACE_ATTACH"},
                                           {~0ull, 17, "PTRACE_DETACH"},
                                           {~0ull, 18, "PTRACE_GETFPXREGS"},
                                           {~0ull, 19, "PTRACE_SETFPXREGS"},
                                           {~0ull, 24, "PTRACE_SYSCALL"},
                                           {~0ull, 25, "PTRACE_GET_THREAD_AREA"},
                                           {~0ull, 26, "PTRACE_SET_THREAD_AREA"},
                                           {~0ull, 30, "PTRACE_ARCH_PRCTL"},
                                           {~0ull, 31, "PTRACE_SYSEMU"},
                                           {~0ull, 32, "PTRACE_SYSEMU_SINGLESTEP"},
                                           {~0ull, 33, "PTRACE_SINGLEBLOCK"},
                                           {~0ull, 0x4200, "PTRACE_SETOPTIONS"},
                                           {~0ull, 0x4201, "PTRACE_GETEVENTMSG"},
                                           {~0ull, 0x4202, "PTRACE_GETSIGINFO"},
                                           {~0ull, 0x4203, "PTRACE_SETSIGINFO"},
                                           {~0ull, 0x4204, "PTRACE_GETREGSET"},
                                           {~0ull, 0x4205, "PTRACE_SETREGSET"},
                                           {~0ull, 0x4206, "PTRACE_SEIZE"},
                                           {~0ull, 0x4207, "PTRACE_INTERRUPT"},
                                           {~0ull, 0x4208, "PTRACE_LISTEN"},
                                           {~0ull, 0x4209, "PTRACE_PEEKSIGINFO"},
                                           {~0ull, 0x420a, "PTRACE_GETSIGMASK"},
                                           {~0ull, 0x420b, "PTRACE_SETSIGMASK"},
                                           {~0ull, 0x420e, "PTRACE_GET_SYSCALL_INFO"}};
using PtraceRequest = Choice<kPtraceNames>;

inline constexpr BitName kAccessNames[] = {
    {~0ull, 0, "F_OK"}, Bit(4, "R_OK"), Bit(2, "W_OK"), Bit(1, "X_OK")};
using AccessMode = Flags<kAccessNames>;

inline constexpr BitName kProtectionNames[] = {
    {~0ull, 0, "PROT_NONE"},
    Bit(1, "PROT_READ"),
    Bit(2, "PROT_WRITE"),
    Bit(4, "PROT_EXEC"),
    Bit(0x01000000, "PROT_GROWSDOWN"),
    Bit(0x02000000, "PROT_GROWSUP"),
};
using ProtectionFlags = Flags<kProtectionNames>;

inline constexpr BitName kMapNames[] = {
    {0xf, 1, "MAP_SHARED"},          {0xf, 2, "MAP_PRIVATE"},
    {0xf, 3, "MAP_SHARED_VALIDATE"}, Bit(0x10, "MAP_FIXED"),
    Bit(0x20, "MAP_ANONYMOUS"),      Bit(0x40, "MAP_32BIT"),
    Bit(0x100, "MAP_GROWSDOWN"),     Bit(0x800, "MAP_DENYWRITE"),
    Bit(0x1000, "MAP_EXECUTABLE"),   Bit(0x2000, "MAP_LOCKED"),
    Bit(0x4000, "MAP_NORESERVE"),    Bit(0x8000, "MAP_POPULATE"),
    Bit(0x10000, "MAP_NONBLOCK"),    Bit(0x20000, "MAP_STACK"),
    Bit(0x40000, "MAP_HUGETLB"),     Bit(0x100000, "MAP_FIXED_NOREPLACE"),
};
using MapFlags = Flags<kMapNames>;

inline constexpr BitName kRemapNames[] = {
    Bit(1, "MREMAP_MAYMOVE"),
    Bit(2, "MREMAP_FIXED"),
    Bit(4, "MREMAP_DONTUNMAP"),
};
using RemapFlags = Flags<kRemapNames>;

inline constexpr BitName kAdviceNames[] = {
    Bit(0, "MADV_NORMAL"),           Bit(1, "MADV_RANDOM"),         Bit(2, "MADV_SEQUENTIAL"),
    Bit(3, "MADV_WILLNEED"),         Bit(4, "MADV_DONTNEED"),       Bit(8, "MADV_FREE"),
    Bit(9, "MADV_REMOVE"),           Bit(10, "MADV_DONTFORK"),      Bit(11, "MADV_DOFORK"),
    Bit(12, "MADV_MERGEABLE"),       Bit(13, "MADV_UNMERGEABLE"),   Bit(14, "MADV_HUGEPAGE"),
    Bit(15, "MADV_NOHUGEPAGE"),      Bit(16, "MADV_DONTDUMP"),      Bit(17, "MADV_DODUMP"),
    Bit(18, "MADV_WIPEONFORK"),      Bit(19, "MADV_KEEPONFORK"),    Bit(20, "MADV_COLD"),
    Bit(21, "MADV_PAGEOUT"),         Bit(22, "MADV_POPULATE_READ"), Bit(23, "MADV_POPULATE_WRITE"),
    Bit(24, "MADV_DONTNEED_LOCKED"),
};
using Advice = Choice<kAdviceNames>;

inline constexpr BitName kSyncNames[] = {Bit(1, "MS_ASYNC"), Bit(2, "MS_INVALIDATE"),
                                         Bit(4, "MS_SYNC")};
using SyncFlags = Flags<kSyncNames>;

inline constexpr BitName kSeekNames[] = {
    Bit(0, "SEEK_SET"),  Bit(1, "SEEK_CUR"),  Bit(2, "SEEK_END"),
    Bit(3, "SEEK_DATA"), Bit(4, "SEEK_HOLE"),
};
using Whence = Choice<kSeekNames>;

inline constexpr BitName kFcntlNames[] = {
    Bit(0, "F_DUPFD"),
    Bit(1, "F_GETFD"),
    Bit(2, "F_SETFD"),
    Bit(3, "F_GETFL"),
    Bit(4, "F_SETFL"),
    Bit(5, "F_GETLK"),
    Bit(6, "F_SETLK"),
    Bit(7, "F_SETLKW"),
    Bit(8, "F_SETOWN"),
    Bit(9, "F_GETOWN"),
    Bit(10, "F_SETSIG"),
    Bit(11, "F_GETSIG"),
    Bit(15, "F_SETOWN_EX"),
    Bit(16, "F_GETOWN_EX"),
    Bit(1024, "F_SETLEASE"),
    Bit(1025, "F_GETLEASE"),
    Bit(12, "F_GETLK64"),
    Bit(13, "F_SETLK64"),
    Bit(14, "F_SETLKW64"),
    Bit(36, "F_OFD_GETLK"),
    Bit(37, "F_OFD_SETLK"),
    Bit(38, "F_OFD_SETLKW"),
    Bit(1030, "F_DUPFD_CLOEXEC"),
    Bit(1031, "F_SETPIPE_SZ"),
    Bit(1032, "F_GETPIPE_SZ"),
    Bit(1033, "F_ADD_SEALS"),
    Bit(1034, "F_GET_SEALS"),
};
using FcntlCommand = Choice<kFcntlNames>;

inline constexpr BitName kFlockNames[] = {Bit(1, "LOCK_SH"), Bit(2, "LOCK_EX"), Bit(4, "LOCK_NB"),
                                          Bit(8, "LOCK_UN")};
using FlockOperation = Flags<kFlockNames>;

inline constexpr BitName kIoctlNames[] = {
    Bit(0x5401, "TCGETS"),         Bit(0x5402, "TCSETS"),         Bit(0x5403, "TCSETSW"),
    Bit(0x5404, "TCSETSF"),        Bit(0x5405, "TCGETA"),         Bit(0x5406, "TCSETA"),
    Bit(0x5407, "TCSETAW"),        Bit(0x5408, "TCSETAF"),        Bit(0x5409, "TCSBRK"),
    Bit(0x540a, "TCXONC"),         Bit(0x540b, "TCFLSH"),         Bit(0x540c, "TIOCEXCL"),
    Bit(0x540d, "TIOCNXCL"),       Bit(0x540e, "TIOCSCTTY"),      Bit(0x540f, "TIOCGPGRP"),
    Bit(0x5410, "TIOCSPGRP"),      Bit(0x5411, "TIOCOUTQ"),       Bit(0x5412, "TIOCSTI"),
    Bit(0x5413, "TIOCGWINSZ"),     Bit(0x5414, "TIOCSWINSZ"),     Bit(0x541b, "FIONREAD"),
    Bit(0x5420, "TIOCPKT"),        Bit(0x5421, "FIONBIO"),        Bit(0x5422, "TIOCNOTTY"),
    Bit(0x5423, "TIOCSETD"),       Bit(0x5424, "TIOCGETD"),       Bit(0x5429, "TIOCGSID"),
    Bit(0x5437, "TIOCVHANGUP"),    Bit(0x5441, "TIOCGPTPEER"),    Bit(0x5450, "FIONCLEX"),
    Bit(0x5451, "FIOCLEX"),        Bit(0x802c542a, "TCGETS2"),    Bit(0x402c542b, "TCSETS2"),
    Bit(0x402c542c, "TCSETSW2"),   Bit(0x402c542d, "TCSETSF2"),   Bit(0x80045430, "TIOCGPTN"),
    Bit(0x40045431, "TIOCSPTLCK"), Bit(0x80045432, "TIOCGDEV"),   Bit(0x40045436, "TIOCSIG"),
    Bit(0x80045438, "TIOCGPKT"),   Bit(0x80045439, "TIOCGPTLCK"), Bit(0x80045440, "TIOCGEXCL"),
};
using IoctlRequest = Choice<kIoctlNames>;

inline constexpr BitName kCloseRangeNames[] = {Bit(2, "CLOSE_RANGE_UNSHARE"),
                                               Bit(4, "CLOSE_RANGE_CLOEXEC")};
using CloseRangeFlags = Flags<kCloseRangeNames>;

inline constexpr BitName kRenameNames[] = {
    Bit(1, "RENAME_NOREPLACE"),
    Bit(2, "RENAME_EXCHANGE"),
    Bit(4, "RENAME_WHITEOUT"),
};
using RenameFlags = Flags<kRenameNames>;

inline constexpr BitName kFallocateNames[] = {
    Bit(1, "FALLOC_FL_KEEP_SIZE"),
    Bit(2, "FALLOC_FL_PUNCH_HOLE"),
    Bit(8, "FALLOC_FL_COLLAPSE_RANGE"),
    Bit(0x10, "FALLOC_FL_ZERO_RANGE"),
};
using FallocateMode = Flags<kFallocateNames>;

inline constexpr BitName kClockNames[] = {
    Bit(0, "CLOCK_REALTIME"),
    Bit(1, "CLOCK_MONOTONIC"),
    Bit(2, "CLOCK_PROCESS_CPUTIME_ID"),
    Bit(3, "CLOCK_THREAD_CPUTIME_ID"),
    Bit(4, "CLOCK_MONOTONIC_RAW"),
    Bit(5, "CLOCK_REALTIME_COARSE"),
    Bit(6, "CLOCK_MONOTONIC_COARSE"),
    Bit(7, "CLOCK_BOOTTIME"),
    Bit(8, "CLOCK_REALTIME_ALARM"),
    Bit(9, "CLOCK_BOOTTIME_ALARM"),
    Bit(11, "CLOCK_TAI"),
};
using ClockId = Choice<kClockNames>;

inline constexpr BitName kSleepNames[] = {Bit(1, "TIMER_ABSTIME")};
using SleepFlags = Flags<kSleepNames>;

inline constexpr BitName kItimerNames[] = {Bit(0, "ITIMER_REAL"), Bit(1, "ITIMER_VIRTUAL"),
                                           Bit(2, "ITIMER_PROF")};
using ItimerId = Choice<kItimerNames>;

inline constexpr BitName kSigprocmaskNames[] = {Bit(0, "SIG_BLOCK"), Bit(1, "SIG_UNBLOCK"),
                                                Bit(2, "SIG_SETMASK")};
using MaskHow = Choice<kSigprocmaskNames>;

inline constexpr BitName kArchPrctlNames[] = {
    Bit(0x1001, "ARCH_SET_GS"),     Bit(0x1002, "ARCH_SET_FS"),    Bit(0x1003, "ARCH_GET_FS"),
    Bit(0x1004, "ARCH_GET_GS"),     Bit(0x1011, "ARCH_GET_CPUID"), Bit(0x1012, "ARCH_SET_CPUID"),
    Bit(0x3001, "ARCH_CET_STATUS"),
};
using ArchPrctlCode = Choice<kArchPrctlNames>;

inline constexpr BitName kPrctlNames[] = {
    Bit(1, "PR_SET_PDEATHSIG"), Bit(2, "PR_GET_PDEATHSIG"),     Bit(3, "PR_GET_DUMPABLE"),
    Bit(4, "PR_SET_DUMPABLE"),  Bit(15, "PR_SET_NAME"),         Bit(16, "PR_GET_NAME"),
    Bit(22, "PR_SET_SECCOMP"),  Bit(38, "PR_SET_NO_NEW_PRIVS"), Bit(39, "PR_GET_NO_NEW_PRIVS"),
};
using PrctlOption = Choice<kPrctlNames>;

inline constexpr BitName kResourceNames[] = {
    Bit(0, "RLIMIT_CPU"),       Bit(1, "RLIMIT_FSIZE"),  Bit(2, "RLIMIT_DATA"),
    Bit(3, "RLIMIT_STACK"),     Bit(4, "RLIMIT_CORE"),   Bit(5, "RLIMIT_RSS"),
    Bit(6, "RLIMIT_NPROC"),     Bit(7, "RLIMIT_NOFILE"), Bit(8, "RLIMIT_MEMLOCK"),
    Bit(9, "RLIMIT_AS"),        Bit(10, "RLIMIT_LOCKS"), Bit(11, "RLIMIT_SIGPENDING"),
    Bit(12, "RLIMIT_MSGQUEUE"), Bit(13, "RLIMIT_NICE"),  Bit(14, "RLIMIT_RTPRIO"),
    Bit(15, "RLIMIT_RTTIME"),
};
using Resource = Choice<kResourceNames>;

inline constexpr BitName kRusageNames[] = {
    Bit(0, "RUSAGE_SELF"),
    Bit(~0ull, "RUSAGE_CHILDREN"),
    Bit(1, "RUSAGE_THREAD"),
};
using RusageWho = Choice<kRusageNames>;

inline constexpr BitName kRandomNames[] = {Bit(1, "GRND_NONBLOCK"), Bit(2, "GRND_RANDOM"),
                                           Bit(4, "GRND_INSECURE")};
using RandomFlags = Flags<kRandomNames>;

inline constexpr BitName kFutexNames[] = {
    {0x7f, 0, "FUTEX_WAIT"},
    {0x7f, 1, "FUTEX_WAKE"},
    {0x7f, 3, "FUTEX_REQUEUE"},
    {0x7f, 4, "FUTEX_CMP_REQUEUE"},
    {0x7f, 5, "FUTEX_WAKE_OP"},
    {0x7f, 6, "FUTEX_LOCK_PI"},
    {0x7f, 7, "FUTEX_UNLOCK_PI"},
    {0x7f, 9, "FUTEX_WAIT_BITSET"},
    {0x7f, 8, "FUTEX_TRYLOCK_PI"},
    {0x7f, 10, "FUTEX_WAKE_BITSET"},
    {0x7f, 11, "FUTEX_WAIT_REQUEUE_PI"},
    {0x7f, 12, "FUTEX_CMP_REQUEUE_PI"},
    {0x7f, 13, "FUTEX_LOCK_PI2"},
    Bit(0x80, "FUTEX_PRIVATE_FLAG"),
    Bit(0x100, "FUTEX_CLOCK_REALTIME"),
};
using FutexOp = Flags<kFutexNames>;

// The lowest byte is the signal that the parent gets.
inline constexpr BitName kCloneNames[] = {
    Bit(0x100, "CLONE_VM"),
    Bit(0x200, "CLONE_FS"),
    Bit(0x400, "CLONE_FILES"),
    Bit(0x800, "CLONE_SIGHAND"),
    Bit(0x1000, "CLONE_PIDFD"),
    Bit(0x2000, "CLONE_PTRACE"),
    Bit(0x4000, "CLONE_VFORK"),
    Bit(0x8000, "CLONE_PARENT"),
    Bit(0x10000, "CLONE_THREAD"),
    Bit(0x20000, "CLONE_NEWNS"),
    Bit(0x40000, "CLONE_SYSVSEM"),
    Bit(0x80000, "CLONE_SETTLS"),
    Bit(0x100000, "CLONE_PARENT_SETTID"),
    Bit(0x200000, "CLONE_CHILD_CLEARTID"),
    Bit(0x400000, "CLONE_DETACHED"),
    Bit(0x800000, "CLONE_UNTRACED"),
    Bit(0x1000000, "CLONE_CHILD_SETTID"),
    Bit(0x2000000, "CLONE_NEWCGROUP"),
    Bit(0x4000000, "CLONE_NEWUTS"),
    Bit(0x8000000, "CLONE_NEWIPC"),
    Bit(0x10000000, "CLONE_NEWUSER"),
    Bit(0x20000000, "CLONE_NEWPID"),
    Bit(0x40000000, "CLONE_NEWNET"),
    Bit(0x80000000, "CLONE_IO"),
    BitName{0xff, 17, "SIGCHLD"},
};
using CloneFlags = Flags<kCloneNames>;

inline constexpr BitName kWaitNames[] = {Bit(1, "WNOHANG"), Bit(2, "WUNTRACED"), Bit(4, "WEXITED"),
                                         Bit(8, "WCONTINUED")};
using WaitFlags = Flags<kWaitNames>;

inline constexpr BitName kIpcNames[] = {Bit(01000, "IPC_CREAT"), Bit(02000, "IPC_EXCL"),
                                        Bit(04000, "IPC_NOWAIT")};
using IpcFlags = Flags<kIpcNames>;

inline constexpr BitName kShmNames[] = {Bit(010000, "SHM_RDONLY"), Bit(020000, "SHM_RND"),
                                        Bit(040000, "SHM_REMAP"), Bit(0100000, "SHM_EXEC")};
using ShmFlags = Flags<kShmNames>;

inline constexpr BitName kSysvMessageNames[] = {Bit(04000, "IPC_NOWAIT"),
                                                Bit(010000, "MSG_NOERROR"),
                                                Bit(020000, "MSG_EXCEPT"), Bit(040000, "MSG_COPY")};
using SysvMessageFlags = Flags<kSysvMessageNames>;

inline constexpr BitName kShmCommandNames[] = {
    Bit(0, "IPC_RMID"),  Bit(1, "IPC_SET"),   Bit(2, "IPC_STAT"),
    Bit(3, "IPC_INFO"),  Bit(11, "SHM_LOCK"), Bit(12, "SHM_UNLOCK"),
    Bit(13, "SHM_STAT"), Bit(14, "SHM_INFO"), Bit(15, "SHM_STAT_ANY")};
using ShmCommandArgument = Choice<kShmCommandNames>;

inline constexpr BitName kSemaphoreCommandNames[] = {
    Bit(0, "IPC_RMID"),  Bit(1, "IPC_SET"),      Bit(2, "IPC_STAT"), Bit(3, "IPC_INFO"),
    Bit(11, "GETPID"),   Bit(12, "GETVAL"),      Bit(13, "GETALL"),  Bit(14, "GETNCNT"),
    Bit(15, "GETZCNT"),  Bit(16, "SETVAL"),      Bit(17, "SETALL"),  Bit(18, "SEM_STAT"),
    Bit(19, "SEM_INFO"), Bit(20, "SEM_STAT_ANY")};
using SemaphoreCommandArgument = Choice<kSemaphoreCommandNames>;

inline constexpr BitName kMessageCommandNames[] = {
    Bit(0, "IPC_RMID"),  Bit(1, "IPC_SET"),   Bit(2, "IPC_STAT"),     Bit(3, "IPC_INFO"),
    Bit(11, "MSG_STAT"), Bit(12, "MSG_INFO"), Bit(13, "MSG_STAT_ANY")};
using MessageCommandArgument = Choice<kMessageCommandNames>;

inline constexpr BitName kMemfdNames[] = {Bit(1, "MFD_CLOEXEC"), Bit(2, "MFD_ALLOW_SEALING"),
                                          Bit(4, "MFD_HUGETLB")};
using MemfdFlags = Flags<kMemfdNames>;

inline constexpr BitName kXattrNames[] = {Bit(1, "XATTR_CREATE"), Bit(2, "XATTR_REPLACE")};
using XattrFlags = Flags<kXattrNames>;

inline constexpr BitName kSpliceNames[] = {Bit(1, "SPLICE_F_MOVE"), Bit(2, "SPLICE_F_NONBLOCK"),
                                           Bit(4, "SPLICE_F_MORE"), Bit(8, "SPLICE_F_GIFT")};
using SpliceFlags = Flags<kSpliceNames>;

}  // namespace glovebox::engine
