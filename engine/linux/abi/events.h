// What files of events read and write: epoll(7), signalfd(2), inotify(7). The same on x86-64 and
// i386.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glovebox::engine::abi {

struct [[gnu::packed]] EpollEvent {
  std::uint32_t events;
  std::uint64_t data;
};
static_assert(sizeof(EpollEvent) == 12);

struct SignalfdInfo {
  std::uint32_t signal;
  std::int32_t error, code;
  std::uint32_t pid, uid;
  std::int32_t fd;
  std::uint32_t timer, band, overrun, trap;
  std::int32_t status, value_int;
  std::uint64_t value, user_ticks, system_ticks, address;
  std::uint16_t address_lsb, pad;
  std::int32_t call_number;
  std::uint64_t call_address;
  std::uint32_t architecture;
  std::uint8_t reserved[28];
};
static_assert(sizeof(SignalfdInfo) == 128 && offsetof(SignalfdInfo, value) == 48 &&
              offsetof(SignalfdInfo, call_address) == 88);

// The name follows, with NULs up to a multiple of this size.
struct InotifyEvent {
  std::int32_t watch;
  std::uint32_t mask, cookie, name_bytes;
};
static_assert(sizeof(InotifyEvent) == 16);

// futex_waitv(2)
struct FutexWaiter {
  std::uint64_t value, word;
  std::uint32_t flags, reserved;
};
static_assert(sizeof(FutexWaiter) == 24);

// sched_setattr(2)
struct SchedAttributes {
  std::uint32_t size, policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime, deadline, period;
  std::uint32_t utilization_min, utilization_max;
};
static_assert(sizeof(SchedAttributes) == 56);

}  // namespace glovebox::engine::abi
