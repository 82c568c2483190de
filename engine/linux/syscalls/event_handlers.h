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

}  // namespace glovebox::engine
