// The handlers of the calls about files of events and about timers, by the file that they are in.
#pragma once

#include "engine/linux/abi/common.h"
#include "engine/linux/abi/events.h"
#include "engine/linux/signals.h"
#include "engine/linux/syscall_result.h"
#include "engine/linux/syscalls/arguments.h"
#include "engine/linux/syscalls/event_flag_names.h"

namespace glovebox::engine {

class Process;
class Task;

// epoll.cc: epoll(7).
SyscallResult SysEpollCreate(Task& task, int size);
SyscallResult SysEpollCreate1(Task& task, EpollCreateFlags flags);
SyscallResult SysEpollCtl(Task& task, Fd set, EpollOperation operation, Fd fd,
                          GuestPtr<const abi::EpollEvent> event);
SyscallResult SysEpollWait(Task& task, Fd set, GuestPtr<abi::EpollEvent> events, int most,
                           int timeout_ms);
SyscallResult SysEpollPwait(Task& task, Fd set, GuestPtr<abi::EpollEvent> events, int most,
                            int timeout_ms, Address mask, Size mask_size);
SyscallResult SysEpollPwait2(Task& task, Fd set, GuestPtr<abi::EpollEvent> events, int most,
                             GuestPtr<const abi::Timespec> timeout, Address mask, Size mask_size);

// event_files.cc: eventfd(2), timerfd_create(2), signalfd(2).
SyscallResult SysEventfd(Task& task, std::uint32_t initial);
SyscallResult SysEventfd2(Task& task, std::uint32_t initial, EventfdFlags flags);
SyscallResult SysTimerfdCreate(Task& task, ClockId clock, TimerfdFlags flags);
SyscallResult SysTimerfdSettime(Task& task, Fd fd, TimerfdSetFlags flags,
                                GuestPtr<const abi::Itimerspec> value,
                                GuestPtr<abi::Itimerspec> old);
SyscallResult SysTimerfdGettime(Task& task, Fd fd, GuestPtr<abi::Itimerspec> out);
SyscallResult SysSignalfd(Task& task, Fd fd, GuestPtr<const SignalSet> mask, Size size);
SyscallResult SysSignalfd4(Task& task, Fd fd, GuestPtr<const SignalSet> mask, Size size,
                           SignalfdFlags flags);

// inotify.cc: inotify(7).
SyscallResult SysInotifyInit(Task& task);
SyscallResult SysInotifyInit1(Task& task, InotifyInitFlags flags);
SyscallResult SysInotifyAddWatch(Task& task, Fd fd, PathPtr path, InotifyMask mask);
SyscallResult SysInotifyRmWatch(Task& task, Fd fd, int number);

// pidfd.cc: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).
SyscallResult SysPidfdOpen(Task& task, Pid pid, PidfdFlags flags);
SyscallResult SysPidfdSendSignal(Task& task, Fd pidfd, Signal signal,
                                 GuestPtr<const abi::Siginfo> info, Hex flags);
SyscallResult SysPidfdGetfd(Task& task, Fd pidfd, Fd target, Hex flags);

// Gives the caller a descriptor of the process, closed by execve(2): CLONE_PIDFD too.
SyscallResult InstallPidFile(Task& task, std::shared_ptr<Process> process, int flags);

// timer.cc: timer_create(2) and its kin.
SyscallResult SysTimerCreate(Task& task, ClockId clock, GuestPtr<const abi::Sigevent> event,
                             GuestPtr<std::int32_t> out);
SyscallResult SysTimerSettime(Task& task, int id, SleepFlags flags,
                              GuestPtr<const abi::Itimerspec> value, GuestPtr<abi::Itimerspec> old);
SyscallResult SysTimerGettime(Task& task, int id, GuestPtr<abi::Itimerspec> out);
SyscallResult SysTimerGetoverrun(Task& task, int id);
SyscallResult SysTimerDelete(Task& task, int id);

// futex.cc: several words at once.
SyscallResult SysFutexWaitv(Task& task, GuestPtr<const abi::FutexWaiter> waiters,
                            std::uint32_t count, std::uint32_t flags,
                            GuestPtr<const abi::Timespec> timeout, ClockId clock);

// scheduling.cc: nice(2), sched_setscheduler(2), ioprio_set(2), membarrier(2).
SyscallResult SysGetpriority(Task& task, int which, int who);
SyscallResult SysSetpriority(Task& task, int which, int who, int nice);
SyscallResult SysNice(Task& task, int increment);
SyscallResult SysSchedSetscheduler(Task& task, Pid pid, SchedPolicy policy,
                                   GuestPtr<const std::int32_t> parameter);
SyscallResult SysSchedSetparam(Task& task, Pid pid, GuestPtr<const std::int32_t> parameter);
SyscallResult SysSchedGetscheduler(Task& task, Pid pid);
SyscallResult SysSchedGetparam(Task& task, Pid pid, GuestPtr<std::int32_t> parameter);
SyscallResult SysSchedGetPriorityMax(Task&, SchedPolicy policy);
SyscallResult SysSchedGetPriorityMin(Task&, SchedPolicy policy);
SyscallResult SysSchedRrGetInterval(Task& task, Pid pid, GuestPtr<abi::Timespec> out);
SyscallResult SysSchedSetattr(Task& task, Pid pid, GuestPtr<const abi::SchedAttributes> attributes,
                              std::uint32_t flags);
SyscallResult SysSchedGetattr(Task& task, Pid pid, GuestPtr<abi::SchedAttributes> attributes,
                              std::uint32_t size, std::uint32_t flags);
SyscallResult SysIoprioSet(Task& task, int which, int who, int priority);
SyscallResult SysIoprioGet(Task& task, int which, int who);
SyscallResult SysMembarrier(Task& task, int command, std::uint32_t flags, int cpu);

// process_access.cc: process_vm_readv(2), kcmp(2), unshare(2).
SyscallResult SysProcessVmReadv(Task& task, Pid pid, GuestPtr<const abi::Iovec> own, Size own_count,
                                GuestPtr<const abi::Iovec> other, Size other_count, Hex flags);
SyscallResult SysProcessVmWritev(Task& task, Pid pid, GuestPtr<const abi::Iovec> own,
                                 Size own_count, GuestPtr<const abi::Iovec> other, Size other_count,
                                 Hex flags);
SyscallResult SysKcmp(Task& task, Pid first, Pid second, int type, Hex index1, Hex index2);
SyscallResult SysUnshare(Task& task, CloneFlags flags);

}  // namespace glovebox::engine
