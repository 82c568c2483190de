// The handlers of the system calls, by the file that they are in. What a call does is written at
// its definition, after its page of the manual, section 2.
#pragma once

#include "engine/linux/abi/common.h"
#include "engine/linux/abi/ipc.h"
#include "engine/linux/abi/x86_64.h"
#include "engine/linux/signals.h"
#include "engine/linux/syscall_result.h"
#include "engine/linux/syscalls/arguments.h"
#include "engine/linux/syscalls/flag_names.h"

namespace glovebox::engine {

class Task;

// file.cc: Descriptors: open(2), close(2), dup(2), fcntl(2), pipe(2), ioctl(2).
SyscallResult SysOpen(Task& task, PathPtr path, OpenFlags flags, FileMode mode);
SyscallResult SysCreat(Task& task, PathPtr path, FileMode mode);
SyscallResult SysOpenat(Task& task, DirFd dirfd, PathPtr path, OpenFlags flags, FileMode mode);
SyscallResult SysOpenat2(Task& task, DirFd dirfd, PathPtr path, GuestPtr<const abi::OpenHow> how,
                         Size size);
SyscallResult SysClose(Task& task, Fd fd);
SyscallResult SysCloseRange(Task& task, std::uint32_t first, std::uint32_t last,
                            CloseRangeFlags flags);
SyscallResult SysDup(Task& task, Fd fd);
SyscallResult SysDup2(Task& task, Fd from, Fd to);
SyscallResult SysDup3(Task& task, Fd from, Fd to, OpenFlags flags);
SyscallResult SysPipe(Task& task, GuestPtr<std::int32_t> fds);
SyscallResult SysPipe2(Task& task, GuestPtr<std::int32_t> fds, OpenFlags flags);
SyscallResult SysFcntl(Task& task, Fd fd, FcntlCommand command, Hex argument);
SyscallResult SysFlock(Task& task, Fd fd, FlockOperation operation);
SyscallResult SysIoctl(Task& task, Fd fd, IoctlRequest request, Hex argument);
SyscallResult SysFsync(Task& task, Fd fd);
SyscallResult SysSync(Task&);
SyscallResult SysSyncfs(Task& task, Fd fd);
SyscallResult SysFadvise64(Task& task, Fd fd, Offset, Size, int advice);
SyscallResult SysReadahead(Task& task, Fd fd, Offset, Size);
SyscallResult SysFtruncate(Task& task, Fd fd, Offset length);
SyscallResult SysTruncate(Task& task, PathPtr path, Offset length);
SyscallResult SysFallocate(Task& task, Fd fd, FallocateMode mode, Offset offset, Offset length);
SyscallResult SysUmask(Task& task, FileMode mask);

SyscallResult SysSyncFileRange(Task& task, Fd fd, Offset offset, Offset length, Hex flags);

// io.cc: Reading, writing, positions: read(2), write(2), lseek(2) and their kin.
SyscallResult SysRead(Task& task, Fd fd, OutBuffer buffer, Size count);
SyscallResult SysWrite(Task& task, Fd fd, InBuffer buffer, Size count);
SyscallResult SysPread64(Task& task, Fd fd, OutBuffer buffer, Size count, Offset offset);
SyscallResult SysPwrite64(Task& task, Fd fd, InBuffer buffer, Size count, Offset offset);
SyscallResult SysReadv(Task& task, Fd fd, OutVectors vectors, Size count);
SyscallResult SysWritev(Task& task, Fd fd, InVectors vectors, Size count);
SyscallResult SysPreadv(Task& task, Fd fd, OutVectors vectors, Size count, SplitOffset offset);
SyscallResult SysPwritev(Task& task, Fd fd, InVectors vectors, Size count, SplitOffset offset);
SyscallResult SysPreadv2(Task& task, Fd fd, OutVectors vectors, Size count, SplitOffset offset,
                         Hex flags);
SyscallResult SysPwritev2(Task& task, Fd fd, InVectors vectors, Size count, SplitOffset offset,
                          Hex flags);
SyscallResult SysSendfile(Task& task, Fd out, Fd in, GuestPtr<std::int64_t> offset, Size count);
SyscallResult SysCopyFileRange(Task& task, Fd in, GuestPtr<std::int64_t> in_offset, Fd out,
                               GuestPtr<std::int64_t> out_offset, Size count, Hex flags);
SyscallResult SysLseek(Task& task, Fd fd, Offset offset, Whence whence);

// directory.cc: Names: mkdir(2), link(2), unlink(2), rename(2), getdents64(2), chdir(2) and their
// kin.
SyscallResult SysMkdirat(Task& task, DirFd dirfd, PathPtr path, FileMode mode);
SyscallResult SysMkdir(Task& task, PathPtr path, FileMode mode);
SyscallResult SysMknodat(Task& task, DirFd dirfd, PathPtr path, FileMode mode, Hex);
SyscallResult SysMknod(Task& task, PathPtr path, FileMode mode, Hex);
SyscallResult SysUnlinkat(Task& task, DirFd dirfd, PathPtr path, AtFlags flags);
SyscallResult SysUnlink(Task& task, PathPtr path);
SyscallResult SysRmdir(Task& task, PathPtr path);
SyscallResult SysLinkat(Task& task, DirFd from_dir, PathPtr from, DirFd to_dir, PathPtr to,
                        AtFlags flags);
SyscallResult SysLink(Task& task, PathPtr from, PathPtr to);
SyscallResult SysSymlinkat(Task& task, PathPtr target, DirFd dirfd, PathPtr path);
SyscallResult SysSymlink(Task& task, PathPtr target, PathPtr path);
SyscallResult SysReadlinkat(Task& task, DirFd dirfd, PathPtr path, OutBuffer buffer, int size);
SyscallResult SysReadlink(Task& task, PathPtr path, OutBuffer buffer, int size);
SyscallResult SysRenameat2(Task& task, DirFd from_dir, PathPtr from, DirFd to_dir, PathPtr to,
                           RenameFlags flags);
SyscallResult SysRenameat(Task& task, DirFd from_dir, PathPtr from, DirFd to_dir, PathPtr to);
SyscallResult SysRename(Task& task, PathPtr from, PathPtr to);
SyscallResult SysGetdents64(Task& task, Fd fd, Address buffer, std::uint32_t size);
SyscallResult SysGetdents(Task& task, Fd fd, Address buffer, std::uint32_t size);
SyscallResult SysChdir(Task& task, PathPtr path);
SyscallResult SysFchdir(Task& task, Fd fd);
SyscallResult SysChroot(Task& task, PathPtr path);
SyscallResult SysGetcwd(Task& task, OutText buffer, Size size);

// metadata.cc: What is known about files, and changing it: stat(2), access(2), chmod(2), chown(2),
// utimensat(2), statfs(2).
SyscallResult SysStat(Task& task, PathPtr path, GuestPtr<abi::x86_64::Stat> out);
SyscallResult SysLstat(Task& task, PathPtr path, GuestPtr<abi::x86_64::Stat> out);
SyscallResult SysNewfstatat(Task& task, DirFd dirfd, PathPtr path, GuestPtr<abi::x86_64::Stat> out,
                            AtFlags flags);
SyscallResult SysFstat(Task& task, Fd fd, GuestPtr<abi::x86_64::Stat> out);
SyscallResult SysStatx(Task& task, DirFd dirfd, PathPtr path, AtFlags flags, Hex mask,
                       GuestPtr<abi::Statx> out);
SyscallResult SysAccess(Task& task, PathPtr path, AccessMode mode);
SyscallResult SysFaccessat(Task& task, DirFd dirfd, PathPtr path, AccessMode mode);
SyscallResult SysFaccessat2(Task& task, DirFd dirfd, PathPtr path, AccessMode mode, AtFlags flags);
SyscallResult SysChmod(Task& task, PathPtr path, FileMode mode);
SyscallResult SysFchmodat(Task& task, DirFd dirfd, PathPtr path, FileMode mode);
SyscallResult SysFchmod(Task& task, Fd fd, FileMode mode);
SyscallResult SysChown(Task& task, PathPtr path, Id uid, Id gid);
SyscallResult SysLchown(Task& task, PathPtr path, Id uid, Id gid);
SyscallResult SysFchownat(Task& task, DirFd dirfd, PathPtr path, Id uid, Id gid, AtFlags flags);
SyscallResult SysFchown(Task& task, Fd fd, Id uid, Id gid);
SyscallResult SysUtimensat(Task& task, DirFd dirfd, PathPtr path,
                           GuestPtr<const abi::Timespec> times, AtFlags flags);
SyscallResult SysUtimes(Task& task, PathPtr path, GuestPtr<const abi::Timeval> times);
SyscallResult SysFutimesat(Task& task, DirFd dirfd, PathPtr path,
                           GuestPtr<const abi::Timeval> times);
SyscallResult SysUtime(Task& task, PathPtr path, GuestPtr<const abi::Utimbuf> times);
SyscallResult SysStatfs(Task& task, PathPtr path, GuestPtr<abi::Statfs> out);
SyscallResult SysFstatfs(Task& task, Fd fd, GuestPtr<abi::Statfs> out);

// memory.cc: The address space: mmap(2), mprotect(2), brk(2), mremap(2) and their kin.
AddressResult SysMmap(Task& task, Address address, Size length, ProtectionFlags protection,
                      MapFlags flags, Fd fd, Hex offset);
SyscallResult SysMunmap(Task& task, Address address, Size length);
SyscallResult SysMprotect(Task& task, Address address, Size length, ProtectionFlags protection);
AddressResult SysBrk(Task& task, Address address);
AddressResult SysMremap(Task& task, Address old_address, Size old_size, Size new_size,
                        RemapFlags flags, Address new_address);
SyscallResult SysPkeyMprotect(Task& task, Address address, Size length, ProtectionFlags protection,
                              int key);
SyscallResult SysRemapFilePages(Task& task, Address address, Size length, Hex protection,
                                Hex page_offset, MapFlags flags);

// memory_advice.cc: What is said about pages: madvise(2), mincore(2), msync(2), mlock(2) and their
// kin.
SyscallResult SysMadvise(Task& task, Address address, Size length, Advice advice);
SyscallResult SysMsync(Task& task, Address address, Size length, SyncFlags flags);
SyscallResult SysMlock(Task& task, Address address, Size length);
SyscallResult SysMlock2(Task& task, Address address, Size length, Hex flags);
SyscallResult SysMunlock(Task& task, Address address, Size length);
SyscallResult SysMlockall(Task& task, Hex flags);
SyscallResult SysMunlockall(Task& task);
SyscallResult SysMincore(Task& task, Address address, Size length, Address vector);

// memfd.cc: memfd_create(2), and the seals of fcntl(2).
SyscallResult SysMemfdCreate(Task& task, PathPtr name, MemfdFlags flags);
SyscallResult AddSeals(OpenFile& file, std::uint64_t seals);
SyscallResult GetSeals(OpenFile& file);

// mqueue.cc: POSIX message queues, mq_overview(7).
SyscallResult SysMqOpen(Task& task, PathPtr name, OpenFlags flags, FileMode mode,
                        GuestPtr<const abi::MqAttributes> attributes);
SyscallResult SysMqUnlink(Task& task, PathPtr name);
SyscallResult SysMqTimedsend(Task& task, Fd fd, InBuffer buffer, Size size, std::uint32_t priority,
                             GuestPtr<const abi::Timespec> timeout);
SyscallResult SysMqTimedreceive(Task& task, Fd fd, OutBuffer buffer, Size size,
                                GuestPtr<std::uint32_t> priority,
                                GuestPtr<const abi::Timespec> timeout);
SyscallResult SysMqNotify(Task& task, Fd fd, GuestPtr<const abi::Sigevent> event);
SyscallResult SysMqGetsetattr(Task& task, Fd fd, GuestPtr<const abi::MqAttributes> to,
                              GuestPtr<abi::MqAttributes> from);

// xattr.cc: Extended attributes, xattr(7).
SyscallResult SysSetxattr(Task& task, PathPtr path, PathPtr name, Address value, Size size,
                          XattrFlags flags);
SyscallResult SysLsetxattr(Task& task, PathPtr path, PathPtr name, Address value, Size size,
                           XattrFlags flags);
SyscallResult SysFsetxattr(Task& task, Fd fd, PathPtr name, Address value, Size size,
                           XattrFlags flags);
SyscallResult SysGetxattr(Task& task, PathPtr path, PathPtr name, Address value, Size size);
SyscallResult SysLgetxattr(Task& task, PathPtr path, PathPtr name, Address value, Size size);
SyscallResult SysFgetxattr(Task& task, Fd fd, PathPtr name, Address value, Size size);
SyscallResult SysListxattr(Task& task, PathPtr path, Address list, Size size);
SyscallResult SysLlistxattr(Task& task, PathPtr path, Address list, Size size);
SyscallResult SysFlistxattr(Task& task, Fd fd, Address list, Size size);
SyscallResult SysRemovexattr(Task& task, PathPtr path, PathPtr name);
SyscallResult SysLremovexattr(Task& task, PathPtr path, PathPtr name);
SyscallResult SysFremovexattr(Task& task, Fd fd, PathPtr name);

// splice.cc: Between files and pipes: splice(2), tee(2), vmsplice(2).
SyscallResult SysSplice(Task& task, Fd in, GuestPtr<std::int64_t> in_offset, Fd out,
                        GuestPtr<std::int64_t> out_offset, Size count, SpliceFlags flags);
SyscallResult SysTee(Task& task, Fd in, Fd out, Size count, SpliceFlags flags);
SyscallResult SysVmsplice(Task& task, Fd fd, InVectors vectors, Size count, SpliceFlags flags);

// shared_memory.cc, semaphore.cc, message.cc: System V IPC, svipc(7).
SyscallResult SysShmget(Task& task, int key, Size size, IpcFlags flags);
AddressResult SysShmat(Task& task, int id, Address address, ShmFlags flags);
SyscallResult SysShmdt(Task& task, Address address);
SyscallResult SysShmctl(Task& task, int id, ShmCommandArgument command, Address buffer);
SyscallResult SysSemget(Task& task, int key, int count, IpcFlags flags);
SyscallResult SysSemop(Task& task, int id, Address operations, Size count);
SyscallResult SysSemtimedop(Task& task, int id, Address operations, Size count,
                            GuestPtr<const abi::Timespec> timeout);
SyscallResult SysSemctl(Task& task, int id, int number, SemaphoreCommandArgument command,
                        Address argument);
SyscallResult SysMsgget(Task& task, int key, IpcFlags flags);
SyscallResult SysMsgsnd(Task& task, int id, GuestPtr<const std::int64_t> buffer, Size size,
                        SysvMessageFlags flags);
SyscallResult SysMsgrcv(Task& task, int id, GuestPtr<std::int64_t> buffer, Size size,
                        GuestLong type, SysvMessageFlags flags);
SyscallResult SysMsgctl(Task& task, int id, MessageCommandArgument command, Address buffer);

// process.cc: The process itself: exit(2), execve(2), ids, limits, uname(2), prctl(2), futex(2),
// getrandom(2).
SyscallResult SysExit(Task& task, int status);
SyscallResult SysExitGroup(Task& task, int status);
SyscallResult SysExecve(Task& task, PathPtr path, StringArray argv, StringArray env);
SyscallResult SysExecveat(Task& task, DirFd dirfd, PathPtr path, StringArray argv, StringArray env,
                          AtFlags flags);
// wait.cc: What became of children: wait4(2), waitid(2).
SyscallResult SysWait4(Task& task, int pid, GuestPtr<std::int32_t> status, WaitFlags flags,
                       GuestPtr<abi::Rusage> usage);
SyscallResult SysWaitid(Task& task, int which, Pid id, GuestPtr<abi::Siginfo> info, WaitFlags flags,
                        GuestPtr<abi::Rusage> usage);
// clone.cc: New processes and threads: clone(2), clone3(2), fork(2), vfork(2).
SyscallResult SysClone(Task& task, CloneFlags flags, Address stack, Address parent_tid,
                       Address child_tid, Hex tls);
SyscallResult SysCloneBackwards(Task& task, CloneFlags flags, Address stack, Address parent_tid,
                                Hex tls, Address child_tid);
SyscallResult SysClone3(Task& task, GuestPtr<const abi::CloneArguments> arguments, Size size);
SyscallResult SysFork(Task& task);
SyscallResult SysVfork(Task& task);
SyscallResult SysGetpid(Task& task);
SyscallResult SysGettid(Task& task);
SyscallResult SysGetppid(Task&);
SyscallResult SysGetpgrp(Task& task);
SyscallResult SysGetpgid(Task& task, Pid pid);
SyscallResult SysGetsid(Task& task, Pid pid);
SyscallResult SysSetpgid(Task& task, Pid pid, Pid group);
SyscallResult SysSetsid(Task& task);
SyscallResult SysVhangup(Task& task);
IdResult SysGetuid(Task& task);
IdResult SysGeteuid(Task& task);
IdResult SysGetgid(Task& task);
IdResult SysGetegid(Task& task);
SyscallResult SysSetuid(Task& task, Id id);
SyscallResult SysSetgid(Task& task, Id id);
SyscallResult SysSetreuid(Task& task, Id real, Id effective);
SyscallResult SysSetregid(Task& task, Id real, Id effective);
SyscallResult SysSetresuid(Task& task, Id real, Id effective, Id saved);
SyscallResult SysSetresgid(Task& task, Id real, Id effective, Id saved);
SyscallResult SysGetresuid(Task& task, GuestPtr<abi::UserId> real, GuestPtr<abi::UserId> effective,
                           GuestPtr<abi::UserId> saved);
SyscallResult SysGetresgid(Task& task, GuestPtr<abi::UserId> real, GuestPtr<abi::UserId> effective,
                           GuestPtr<abi::UserId> saved);
SyscallResult SysSetfsuid(Task& task, Id id);
SyscallResult SysSetfsgid(Task& task, Id id);
SyscallResult SysGetgroups(Task& task, int size, GuestPtr<abi::UserId> out);
SyscallResult SysSetgroups(Task& task, Size size, GuestPtr<const abi::UserId> groups);
SyscallResult SysCapget(Task& task, GuestPtr<abi::CapabilityHeader> header,
                        GuestPtr<abi::CapabilityData> data);
SyscallResult SysCapset(Task& task, GuestPtr<abi::CapabilityHeader> header,
                        GuestPtr<const abi::CapabilityData> data);
SyscallResult SysGetrlimit(Task& task, Resource resource, GuestPtr<abi::Rlimit> out);
SyscallResult SysSetrlimit(Task& task, Resource resource, GuestPtr<const abi::Rlimit> value);
SyscallResult SysPrlimit64(Task& task, Pid pid, Resource resource,
                           GuestPtr<const abi::Rlimit> value, GuestPtr<abi::Rlimit> old);
SyscallResult SysGetrusage(Task& task, RusageWho who, GuestPtr<abi::Rusage> out);
SyscallResult SysSysinfo(Task& task, GuestPtr<abi::Sysinfo> out);
SyscallResult SysUname(Task& task, GuestPtr<abi::Utsname> out);
SyscallResult SysSethostname(Task& task, Address name, std::int32_t bytes);
SyscallResult SysSetdomainname(Task& task, Address name, std::int32_t bytes);
SyscallResult SysGetrandom(Task& task, OutBuffer buffer, Size size, RandomFlags flags);
SyscallResult SysArchPrctl(Task& task, ArchPrctlCode code, Address argument);
SyscallResult SysPrctl(Task& task, PrctlOption option, Hex argument, Hex, Hex, Hex);
SyscallResult SysSetTidAddress(Task& task, Address address);
SyscallResult SysSetRobustList(Task& task, GuestPtr<const abi::RobustListHead> head, Size size);
SyscallResult SysGetRobustList(Task& task, Pid pid, GuestPtr<abi::Word> head,
                               GuestPtr<abi::Word> size);
SyscallResult SysPersonality(Task& task, Hex persona);
SyscallResult SysSchedYield(Task&);
SyscallResult SysSchedGetaffinity(Task& task, Pid pid, Size size, GuestPtr<abi::Word> mask);
SyscallResult SysSchedSetaffinity(Task& task, Pid pid, Size size, Address mask);
SyscallResult SysGetcpu(Task& task, GuestPtr<std::uint32_t> cpu, GuestPtr<std::uint32_t> node,
                        Address);
SyscallResult SysFutex(Task& task, GuestPtr<std::uint32_t> word, FutexOp op, std::uint32_t value,
                       GuestPtr<const abi::Timespec> timeout, Address word2, std::uint32_t value3);

// time.cc: Clocks, sleeping, interval timers: clock_gettime(2), nanosleep(2), setitimer(2) and
// their kin.
SyscallResult SysClockGettime(Task& task, ClockId clock, GuestPtr<abi::Timespec> out);
SyscallResult SysClockGetres(Task& task, ClockId clock, GuestPtr<abi::Timespec> out);
SyscallResult SysGettimeofday(Task& task, GuestPtr<abi::Timeval> time,
                              GuestPtr<abi::Timezone> zone);
SyscallResult SysTime(Task& task, GuestPtr<std::int64_t> out);
SyscallResult SysNanosleep(Task& task, GuestPtr<const abi::Timespec> duration,
                           GuestPtr<abi::Timespec> remaining);
SyscallResult SysClockNanosleep(Task& task, ClockId clock, SleepFlags flags,
                                GuestPtr<const abi::Timespec> time,
                                GuestPtr<abi::Timespec> remaining);
SyscallResult SysAlarm(Task& task, std::uint32_t seconds);
SyscallResult SysGetitimer(Task& task, ItimerId which, GuestPtr<abi::Itimerval> out);
SyscallResult SysSetitimer(Task& task, ItimerId which, GuestPtr<const abi::Itimerval> value,
                           GuestPtr<abi::Itimerval> old);
SyscallResult SysTimes(Task& task, GuestPtr<abi::Tms> out);
SyscallResult SysAdjtimex(Task& task, GuestPtr<abi::Timex> pointer);
SyscallResult SysClockAdjtime(Task& task, ClockId clock, GuestPtr<abi::Timex> pointer);

// signal.cc: Signals to oneself: rt_sigaction(2), kill(2), sigaltstack(2), pause(2) and their kin.
SyscallResult SysRtSigaction(Task& task, Signal signal, GuestPtr<const Sigaction> action,
                             GuestPtr<Sigaction> old, Size size);
SyscallResult SysRtSigprocmask(Task& task, MaskHow how, GuestPtr<const SignalSet> set,
                               GuestPtr<SignalSet> old, Size size);
SyscallResult SysRtSigpending(Task& task, GuestPtr<SignalSet> out, Size size);
SyscallResult SysRtSigsuspend(Task& task, GuestPtr<const SignalSet> mask, Size size);
SyscallResult SysPause(Task&);
SyscallResult SysRtSigtimedwait(Task& task, GuestPtr<const SignalSet> set,
                                GuestPtr<abi::Siginfo> info, GuestPtr<const abi::Timespec> timeout,
                                Size size);
SyscallResult SysRtSigreturn(Task& task);
SyscallResult SysSigreturn(Task& task);
SyscallResult SysSigaltstack(Task& task, GuestPtr<const abi::SignalStack> stack,
                             GuestPtr<abi::SignalStack> old);
SyscallResult SysKill(Task& task, Pid pid, Signal signal);
SyscallResult SysTkill(Task& task, Pid tid, Signal signal);
SyscallResult SysTgkill(Task& task, Pid group, Pid tid, Signal signal);
SyscallResult SysRtSigqueueinfo(Task& task, Pid pid, Signal signal,
                                GuestPtr<const abi::Siginfo> info);
SyscallResult SysRtTgsigqueueinfo(Task& task, Pid group, Pid tid, Signal signal,
                                  GuestPtr<const abi::Siginfo> info);

// poll.cc: Waiting for descriptors: poll(2), ppoll(2), select(2), pselect6(2).
SyscallResult SysPoll(Task& task, GuestPtr<abi::Pollfd> fds, std::uint32_t count, int timeout_ms);
SyscallResult SysPpoll(Task& task, GuestPtr<abi::Pollfd> fds, std::uint32_t count,
                       GuestPtr<abi::Timespec> timeout, Address mask, Size mask_size);
SyscallResult SysSelect(Task& task, int count, GuestPtr<abi::Word> in, GuestPtr<abi::Word> out,
                        GuestPtr<abi::Word> except, GuestPtr<abi::Timeval> timeout);
SyscallResult SysPselect6(Task& task, int count, GuestPtr<abi::Word> in, GuestPtr<abi::Word> out,
                          GuestPtr<abi::Word> except, GuestPtr<abi::Timespec> timeout,
                          GuestPtr<const abi::SigsetArgument> mask);

// i386.cc: what only i386 has.
SyscallResult SysWaitpid(Task& task, int pid, GuestPtr<std::int32_t> status, WaitFlags flags);
SyscallResult SysOldstat(Task& task, PathPtr path, GuestPtr<abi::i386::OldStat> out);
SyscallResult SysOldlstat(Task& task, PathPtr path, GuestPtr<abi::i386::OldStat> out);
SyscallResult SysOldfstat(Task& task, Fd fd, GuestPtr<abi::i386::OldStat> out);
SyscallResult SysStatfs64(Task& task, PathPtr path, Size size, GuestPtr<abi::Statfs> out);
SyscallResult SysFstatfs64(Task& task, Fd fd, Size size, GuestPtr<abi::Statfs> out);
SyscallResult SysLlseek(Task& task, Fd fd, std::uint32_t high, std::uint32_t low,
                        GuestPtr<std::int64_t> out, Whence whence);
SyscallResult SysFadvise64_64(Task& task, Fd fd, Offset offset, Offset length, int advice);
SyscallResult SysOldselect(Task& task, GuestPtr<const abi::i386::SelectArguments> arguments);
AddressResult SysOldmmap(Task& task, GuestPtr<const abi::i386::MmapArguments> arguments);
AddressResult SysMmap2(Task& task, Address address, Size length, ProtectionFlags protection,
                       MapFlags flags, Fd fd, Hex page);
SyscallResult SysOldGetrlimit(Task& task, Resource resource, GuestPtr<abi::Rlimit> out);
SyscallResult SysOlduname(Task& task, GuestPtr<abi::i386::OldUtsname> out);
SyscallResult SysOldolduname(Task& task, GuestPtr<abi::i386::OldOldUtsname> out);
SyscallResult SysSigaction(Task& task, Signal signal, GuestPtr<const Sigaction> action,
                           GuestPtr<Sigaction> old);
SyscallResult SysSignal(Task& task, Signal signal, Address handler);
SyscallResult SysSigprocmask(Task& task, MaskHow how, GuestPtr<const std::uint32_t> set,
                             GuestPtr<std::uint32_t> old);
SyscallResult SysSigpending(Task& task, GuestPtr<std::uint32_t> out);
SyscallResult SysSigsuspend(Task& task, Hex, Hex, Hex mask);
SyscallResult SysSgetmask(Task& task);
SyscallResult SysSsetmask(Task& task, Hex mask);
SyscallResult SysSocketcall(Task& task, int number, GuestPtr<const abi::Word> arguments);
SyscallResult SysIpc(Task& task, std::uint32_t call, Hex first, Hex second, Hex third, Hex pointer,
                     Hex fifth);

// mount.cc
SyscallResult SysMount(Task& task, PathPtr source, PathPtr target, PathPtr type, Hex flags,
                       PathPtr data);
SyscallResult SysUmount2(Task& task, PathPtr target, Hex flags);
SyscallResult SysOldUmount(Task& task, PathPtr target);

// ptrace.cc
SyscallResult SysPtrace(Task& task, PtraceRequest request, Pid pid, Hex address, Hex data);

// thread_area.cc: thread-local storage of i386 programs.
SyscallResult SysSetThreadArea(Task& task, GuestPtr<abi::i386::UserDescriptor> descriptor);
SyscallResult SysGetThreadArea(Task& task, GuestPtr<abi::i386::UserDescriptor> descriptor);

// Shared by the old and the new form of a call.
abi::Utsname NameOfSystem(const Task& task);
// sigprocmask(2). `kept`: of what SIG_SETMASK leaves as it is. Errors: EINVAL.
Result<SignalSet, Errno> MaskAfter(SignalSet before, MaskHow how, SignalSet set, SignalSet kept);
SyscallResult SuspendWith(Task& task, SignalSet mask);

}  // namespace glovebox::engine
