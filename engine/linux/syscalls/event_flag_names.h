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

inline constexpr BitName kPidfdNames[] = {Bit(04000, "PIDFD_NONBLOCK")};
using PidfdFlags = Flags<kPidfdNames>;

}  // namespace glovebox::engine
