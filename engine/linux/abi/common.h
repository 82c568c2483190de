// Structures of guest memory that are the same on every 64-bit ABI of Linux, and the form in which
// handlers know them for all ABIs (layout.h). Never host structures: a guest's layout is written
// down here, with size and offsets asserted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace glovebox::engine::abi {

// `unsigned long`, size_t or a pointer, where a call reads or writes one through a pointer.
struct Word {
  std::uint64_t value;
};

// A user's or a group's number, where a call reads or writes one through a pointer.
struct UserId {
  std::uint32_t value;
};

// time(7)
struct Timespec {
  std::int64_t seconds;
  std::int64_t nanoseconds;
};
static_assert(sizeof(Timespec) == 16);

struct Timeval {
  std::int64_t seconds;
  std::int64_t microseconds;
};
static_assert(sizeof(Timeval) == 16);

struct Timezone {
  std::int32_t minutes_west;
  std::int32_t dst_time;
};
static_assert(sizeof(Timezone) == 8);

struct Itimerval {
  Timeval interval;
  Timeval value;
};
static_assert(sizeof(Itimerval) == 32);

struct Itimerspec {
  Timespec interval;
  Timespec value;
};
static_assert(sizeof(Itimerspec) == 32);

struct Utimbuf {
  std::int64_t accessed;
  std::int64_t modified;
};
static_assert(sizeof(Utimbuf) == 16);

// getrlimit(2)
struct Rlimit {
  std::uint64_t soft;
  std::uint64_t hard;
};
static_assert(sizeof(Rlimit) == 16);

// getrusage(2)
struct Rusage {
  Timeval user;
  Timeval system;
  std::int64_t max_rss_kib;
  std::int64_t unused[13];
};
static_assert(sizeof(Rusage) == 144);

// clone3(2)
struct CloneArguments {
  std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
  std::uint64_t set_tid, set_tid_size, cgroup;
};
static_assert(sizeof(CloneArguments) == 88);

// times(2), in clock ticks
struct Tms {
  std::int64_t user, system, children_user, children_system;
};
static_assert(sizeof(Tms) == 32);

// sysinfo(2)
struct Sysinfo {
  std::int64_t uptime_seconds;
  std::uint64_t loads[3];
  std::uint64_t total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
  std::uint16_t processes;
  std::uint16_t pad;
  std::uint32_t pad2;
  std::uint64_t total_high, free_high;
  std::uint32_t memory_unit;
  std::uint32_t pad3;
};
static_assert(sizeof(Sysinfo) == 112 && offsetof(Sysinfo, memory_unit) == 104);

// uname(2)
struct Utsname {
  std::array<char, 65> system, node, release, version, machine, domain;
};
static_assert(sizeof(Utsname) == 390);

// readv(2)
struct Iovec {
  std::uint64_t base;
  std::uint64_t length;
};
static_assert(sizeof(Iovec) == 16);

// poll(2)
struct Pollfd {
  std::int32_t fd;
  std::uint16_t events;
  std::uint16_t revents;
};
static_assert(sizeof(Pollfd) == 8);

// pselect6(2), its sixth argument
struct SigsetArgument {
  std::uint64_t mask;
  std::uint64_t size;
};
static_assert(sizeof(SigsetArgument) == 16);

// set_robust_list(2)
struct RobustListHead {
  std::uint64_t next;
  std::int64_t futex_offset;
  std::uint64_t pending;
};
static_assert(sizeof(RobustListHead) == 24);

// statfs(2)
struct Statfs {
  std::int64_t type, block_size;
  std::uint64_t blocks, free_blocks, available_blocks, files, free_files;
  std::int32_t id[2];
  std::int64_t name_length, fragment_size, flags;
  std::int64_t spare[4];
};
static_assert(sizeof(Statfs) == 120 && offsetof(Statfs, name_length) == 64);

// statx(2)
struct StatxTimestamp {
  std::int64_t seconds;
  std::uint32_t nanoseconds;
  std::int32_t reserved;
};
struct Statx {
  std::uint32_t mask, block_size;
  std::uint64_t attributes;
  std::uint32_t links, uid, gid;
  std::uint16_t mode, pad;
  std::uint64_t inode, size, blocks, attributes_mask;
  StatxTimestamp accessed, born, changed, modified;
  std::uint32_t special_major, special_minor, device_major, device_minor;
  std::uint64_t mount_id;
  std::uint32_t dio_memory_align, dio_offset_align;
  std::uint64_t spare[12];
};
static_assert(sizeof(Statx) == 256 && offsetof(Statx, accessed) == 64 &&
              offsetof(Statx, special_major) == 128);

// openat2(2)
struct OpenHow {
  std::uint64_t flags, mode, resolve;
};
static_assert(sizeof(OpenHow) == 24);

// fcntl(2), F_GETLK
struct Flock {
  std::int16_t type, whence;
  std::int32_t pad;
  std::int64_t start, length;
  std::int32_t pid, pad2;
};
static_assert(sizeof(Flock) == 32);

// sigaltstack(2)
struct SignalStack {
  std::uint64_t pointer;
  std::int32_t flags;
  std::int32_t pad;
  std::uint64_t size;
};
static_assert(sizeof(SignalStack) == 24);

// sigaction(2), SA_SIGINFO; asm-generic/siginfo.h
struct SiginfoSender {
  std::int32_t pid;
  std::uint32_t uid;
  std::uint64_t value;
};
struct SiginfoFault {
  std::uint64_t address;
  std::uint64_t rest;
};
struct SiginfoTimer {
  std::int32_t timer, overrun;
  std::uint64_t value;
};
struct SiginfoChild {
  std::int32_t pid;
  std::uint32_t uid;
  std::int32_t status, pad;
  std::int64_t user_ticks, system_ticks;
};
struct SiginfoPoll {
  std::int64_t band;
  std::int32_t fd;
};
struct SiginfoSystem {
  std::uint64_t address;
  std::int32_t number;
  std::uint32_t architecture;
};
struct Siginfo {
  std::int32_t signal, error, code, pad;
  union {
    SiginfoSender sender;
    SiginfoFault fault;
    SiginfoTimer timer;
    SiginfoChild child;
    SiginfoPoll poll;
    SiginfoSystem system;
    std::array<std::uint8_t, 112> bytes;
  };
};
static_assert(sizeof(Siginfo) == 128 && offsetof(Siginfo, fault) == 16);

// adjtimex(2)
struct Timex {
  std::uint32_t modes, pad;
  std::int64_t offset, frequency, max_error, estimated_error;
  std::int32_t status, pad2;
  std::int64_t constant, precision, tolerance;
  Timeval time;
  std::int64_t tick, pps_frequency, jitter;
  std::int32_t shift, pad3;
  std::int64_t stability, jitter_count, calibrations, errors, stability_exceeded;
  std::int32_t tai, reserved[11];
};
static_assert(sizeof(Timex) == 208 && offsetof(Timex, time) == 72 && offsetof(Timex, tai) == 160);

// timer_create(2)
struct Sigevent {
  std::uint64_t value;
  std::int32_t signal, notify;
  std::int32_t thread_id;
  std::int32_t pad[11];
};
static_assert(sizeof(Sigevent) == 64);

// prctl(2) and capget(2)
struct CapabilityHeader {
  std::uint32_t version;
  std::int32_t pid;
};
static_assert(sizeof(CapabilityHeader) == 8);
struct CapabilityData {
  std::uint32_t effective, permitted, inheritable;
};
static_assert(sizeof(CapabilityData) == 12);

}  // namespace glovebox::engine::abi
