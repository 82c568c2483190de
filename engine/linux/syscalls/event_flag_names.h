// Flags and choices of the calls in event_handlers.h, and their names for traces.
#pragma once

#include "engine/linux/syscalls/flag_names.h"

namespace glovebox::engine {

inline constexpr BitName kEpollCreateNames[] = {Bit(02000000, "EPOLL_CLOEXEC")};
using EpollCreateFlags = Flags<kEpollCreateNames>;

inline constexpr BitName kEpollOperationNames[] = {Bit(1, "EPOLL_CTL_ADD"), Bit(2, "EPOLL_CTL_DEL"),
                                                   Bit(3, "EPOLL_CTL_MOD")};
using EpollOperation = Choice<kEpollOperationNames>;

inline constexpr BitName kEpollEventNames[] = {
    Bit(0x1, "EPOLLIN"),          Bit(0x2, "EPOLLPRI"),          Bit(0x4, "EPOLLOUT"),
    Bit(0x8, "EPOLLERR"),         Bit(0x10, "EPOLLHUP"),         Bit(0x40, "EPOLLRDNORM"),
    Bit(0x80, "EPOLLRDBAND"),     Bit(0x100, "EPOLLWRNORM"),     Bit(0x200, "EPOLLWRBAND"),
    Bit(0x400, "EPOLLMSG"),       Bit(0x2000, "EPOLLRDHUP"),     Bit(1u << 28, "EPOLLEXCLUSIVE"),
    Bit(1u << 29, "EPOLLWAKEUP"), Bit(1u << 30, "EPOLLONESHOT"), Bit(1u << 31, "EPOLLET"),
};

inline constexpr BitName kEventfdNames[] = {Bit(1, "EFD_SEMAPHORE"), Bit(04000, "EFD_NONBLOCK"),
                                            Bit(02000000, "EFD_CLOEXEC")};
using EventfdFlags = Flags<kEventfdNames>;

inline constexpr BitName kTimerfdNames[] = {Bit(04000, "TFD_NONBLOCK"),
                                            Bit(02000000, "TFD_CLOEXEC")};
using TimerfdFlags = Flags<kTimerfdNames>;
inline constexpr BitName kTimerfdSetNames[] = {Bit(1, "TFD_TIMER_ABSTIME"),
                                               Bit(2, "TFD_TIMER_CANCEL_ON_SET")};
using TimerfdSetFlags = Flags<kTimerfdSetNames>;

inline constexpr BitName kSignalfdNames[] = {Bit(04000, "SFD_NONBLOCK"),
                                             Bit(02000000, "SFD_CLOEXEC")};
using SignalfdFlags = Flags<kSignalfdNames>;

inline constexpr BitName kInotifyInitNames[] = {Bit(04000, "IN_NONBLOCK"),
                                                Bit(02000000, "IN_CLOEXEC")};
using InotifyInitFlags = Flags<kInotifyInitNames>;
inline constexpr BitName kInotifyMaskNames[] = {
    {0xfff, 0xfff, "IN_ALL_EVENTS"},
    Bit(0x1, "IN_ACCESS"),
    Bit(0x2, "IN_MODIFY"),
    Bit(0x4, "IN_ATTRIB"),
    Bit(0x8, "IN_CLOSE_WRITE"),
    Bit(0x10, "IN_CLOSE_NOWRITE"),
    Bit(0x20, "IN_OPEN"),
    Bit(0x40, "IN_MOVED_FROM"),
    Bit(0x80, "IN_MOVED_TO"),
    Bit(0x100, "IN_CREATE"),
    Bit(0x200, "IN_DELETE"),
    Bit(0x400, "IN_DELETE_SELF"),
    Bit(0x800, "IN_MOVE_SELF"),
    Bit(0x1000000, "IN_ONLYDIR"),
    Bit(0x2000000, "IN_DONT_FOLLOW"),
    Bit(0x4000000, "IN_EXCL_UNLINK"),
    Bit(0x10000000, "IN_MASK_CREATE"),
    Bit(0x20000000, "IN_MASK_ADD"),
    Bit(0x80000000u, "IN_ONESHOT"),
};
using InotifyMask = Flags<kInotifyMaskNames>;

inline constexpr BitName kPidfdNames[] = {Bit(04000, "PIDFD_NONBLOCK")};
using PidfdFlags = Flags<kPidfdNames>;

inline constexpr BitName kSchedPolicyNames[] = {Bit(0, "SCHED_OTHER"), Bit(1, "SCHED_FIFO"),
                                                Bit(2, "SCHED_RR"),    Bit(3, "SCHED_BATCH"),
                                                Bit(5, "SCHED_IDLE"),  Bit(6, "SCHED_DEADLINE")};
using SchedPolicy = Choice<kSchedPolicyNames>;

}  // namespace glovebox::engine
