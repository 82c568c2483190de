// Structures of guest memory as i386 programs have them, each with its way from and to the form
// that handlers know. Sources: include/linux/compat.h, arch/x86/include/asm/compat.h,
// arch/x86/include/uapi/asm/stat.h, fs/compat.c of Linux 6.1.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "engine/linux/abi/common.h"
#include "engine/linux/abi/layout.h"
#include "engine/linux/abi/x86_64.h"

namespace glovebox::engine::abi {
namespace i386 {

// Where Linux checks that a number fits, Encode does; elsewhere its upper bits are lost, as there.
template <typename Narrow, typename From>
constexpr bool Fits(From value) {
  return static_cast<From>(static_cast<Narrow>(value)) == value;
}

struct Long {
  std::int32_t value;
};
constexpr void Decode(const Long& from, std::int64_t& to) { to = from.value; }
constexpr bool Encode(std::int64_t from, Long& to) {
  to.value = static_cast<std::int32_t>(from);
  return true;
}

struct UnsignedLong {
  std::uint32_t value;
};
constexpr void Decode(const UnsignedLong& from, Word& to) { to.value = from.value; }
constexpr bool Encode(const Word& from, UnsignedLong& to) {
  to.value = static_cast<std::uint32_t>(from.value);
  return true;
}

// include/linux/highuid.h: -1 stays -1, what does not fit reads as 65534.
struct Id16 {
  std::uint16_t value;
};
constexpr std::uint32_t WidenId(std::uint32_t id) {
  return (id & 0xffff) == 0xffff ? ~std::uint32_t{0} : id & 0xffff;
}
constexpr std::uint16_t NarrowId(std::uint32_t id) {
  constexpr std::uint16_t kOverflowId = 65534;
  return id > 0xffff ? kOverflowId : static_cast<std::uint16_t>(id);
}
constexpr void Decode(const Id16& from, UserId& to) { to.value = WidenId(from.value); }
constexpr bool Encode(const UserId& from, Id16& to) {
  to.value = NarrowId(from.value);
  return true;
}

struct Timespec {
  std::int32_t seconds, nanoseconds;
};
constexpr void Decode(const Timespec& from, abi::Timespec& to) {
  to = {from.seconds, from.nanoseconds};
}
constexpr bool Encode(const abi::Timespec& from, Timespec& to) {
  to = {static_cast<std::int32_t>(from.seconds), static_cast<std::int32_t>(from.nanoseconds)};
  return true;
}

// struct __kernel_timespec, of the calls that end in _time64: the upper half of its nanoseconds is
// padding for 32-bit programs (kernel/time/time.c, get_timespec64).
struct Timespec64 {
  std::int64_t seconds;
  std::int32_t nanoseconds, pad;
};
static_assert(sizeof(Timespec64) == 16);
constexpr void Decode(const Timespec64& from, abi::Timespec& to) {
  to = {from.seconds, from.nanoseconds};
}
constexpr bool Encode(const abi::Timespec& from, Timespec64& to) {
  to = {from.seconds, static_cast<std::int32_t>(from.nanoseconds), 0};
  return true;
}

struct Timeval {
  std::int32_t seconds, microseconds;
};
constexpr void Decode(const Timeval& from, abi::Timeval& to) {
  to = {from.seconds, from.microseconds};
}
constexpr bool Encode(const abi::Timeval& from, Timeval& to) {
  to = {static_cast<std::int32_t>(from.seconds), static_cast<std::int32_t>(from.microseconds)};
  return true;
}

// Two of a kind: struct itimerval and itimerspec.
template <typename Time>
struct Interval {
  Time interval, value;
};
template <typename Time, typename To>
constexpr void Decode(const Interval<Time>& from, To& to) {
  Decode(from.interval, to.interval);
  Decode(from.value, to.value);
}
template <typename Time, typename From>
constexpr bool Encode(const From& from, Interval<Time>& to) {
  return Encode(from.interval, to.interval) && Encode(from.value, to.value);
}

struct Utimbuf {
  std::int32_t accessed, modified;
};
constexpr void Decode(const Utimbuf& from, abi::Utimbuf& to) {
  to = {from.accessed, from.modified};
}
constexpr bool Encode(const abi::Utimbuf& from, Utimbuf& to) {
  to = {static_cast<std::int32_t>(from.accessed), static_cast<std::int32_t>(from.modified)};
  return true;
}

// All ones mean "unlimited"; so does, going out, what does not fit.
struct Rlimit {
  std::uint32_t soft, hard;
};
constexpr void Decode(const Rlimit& from, abi::Rlimit& to) {
  const auto wide = [](std::uint32_t n) { return n == ~0u ? ~std::uint64_t{0} : n; };
  to = {wide(from.soft), wide(from.hard)};
}
constexpr bool Encode(const abi::Rlimit& from, Rlimit& to) {
  const auto narrow = [](std::uint64_t n) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(n, ~0u));
  };
  to = {narrow(from.soft), narrow(from.hard)};
  return true;
}

struct Rusage {
  Timeval user, system;
  std::int32_t max_rss_kib;
  std::int32_t unused[13];
};
static_assert(sizeof(Rusage) == 72);
constexpr bool Encode(const abi::Rusage& from, Rusage& to) {
  to = {};
  to.max_rss_kib = static_cast<std::int32_t>(from.max_rss_kib);
  for (std::size_t i = 0; i < std::size(to.unused); ++i)
    to.unused[i] = static_cast<std::int32_t>(from.unused[i]);
  return Encode(from.user, to.user) && Encode(from.system, to.system);
}

struct Tms {
  std::int32_t user, system, children_user, children_system;
};
constexpr bool Encode(const abi::Tms& from, Tms& to) {
  to = {static_cast<std::int32_t>(from.user), static_cast<std::int32_t>(from.system),
        static_cast<std::int32_t>(from.children_user),
        static_cast<std::int32_t>(from.children_system)};
  return true;
}

struct Sysinfo {
  std::int32_t uptime_seconds;
  std::uint32_t loads[3];
  std::uint32_t total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
  std::uint16_t processes, pad;
  std::uint32_t total_high, free_high, memory_unit;
  std::uint8_t pad2[8];
};
static_assert(sizeof(Sysinfo) == 64 && offsetof(Sysinfo, memory_unit) == 52);
// Where bytes do not fit they are told in units of up to a page: kernel/sys.c, sysinfo.
constexpr bool Encode(const abi::Sysinfo& from, Sysinfo& to) {
  constexpr std::uint32_t kLargestUnit = 4096;
  int shift = 0;
  if (!Fits<std::uint32_t>(from.total_ram) || !Fits<std::uint32_t>(from.total_swap)) {
    while ((from.memory_unit << shift) < kLargestUnit) ++shift;
  }
  const auto scaled = [shift](std::uint64_t n) { return static_cast<std::uint32_t>(n >> shift); };
  to = {};
  to.uptime_seconds = static_cast<std::int32_t>(from.uptime_seconds);
  for (std::size_t i = 0; i < std::size(to.loads); ++i)
    to.loads[i] = static_cast<std::uint32_t>(from.loads[i]);
  to.total_ram = scaled(from.total_ram);
  to.free_ram = scaled(from.free_ram);
  to.shared_ram = scaled(from.shared_ram);
  to.buffer_ram = scaled(from.buffer_ram);
  to.total_swap = scaled(from.total_swap);
  to.free_swap = scaled(from.free_swap);
  to.processes = from.processes;
  to.total_high = scaled(from.total_high);
  to.free_high = scaled(from.free_high);
  to.memory_unit = from.memory_unit << shift;
  return true;
}

struct Iovec {
  std::uint32_t base, length;
};
constexpr void Decode(const Iovec& from, abi::Iovec& to) { to = {from.base, from.length}; }

struct SigsetArgument {
  std::uint32_t mask, size;
};
constexpr void Decode(const SigsetArgument& from, abi::SigsetArgument& to) {
  to = {from.mask, from.size};
}

struct RobustListHead {
  std::uint32_t next;
  std::int32_t futex_offset;
  std::uint32_t pending;
};
static_assert(sizeof(RobustListHead) == 12);
constexpr void Decode(const RobustListHead& from, abi::RobustListHead& to) {
  to = {from.next, from.futex_offset, from.pending};
}

// fcntl(2), F_GETLK and, packed by the 4-byte alignment that 64-bit numbers have on i386,
// F_GETLK64.
struct Flock {
  std::int16_t type, whence;
  std::int32_t start, length, pid;
};
static_assert(sizeof(Flock) == 16);
struct [[gnu::packed]] Flock64 {
  std::int16_t type, whence;
  std::int64_t start, length;
  std::int32_t pid;
};
static_assert(sizeof(Flock64) == 24 && offsetof(Flock64, start) == 4);
template <typename From>
  requires(std::is_same_v<From, Flock> || std::is_same_v<From, Flock64>)
constexpr void Decode(const From& from, abi::Flock& to) {
  to = {from.type, from.whence, 0, from.start, from.length, from.pid, 0};
}
constexpr bool Encode(const abi::Flock& from, Flock& to) {
  to = {from.type, from.whence, static_cast<std::int32_t>(from.start),
        static_cast<std::int32_t>(from.length), from.pid};
  return Fits<std::int32_t>(from.start) && Fits<std::int32_t>(from.length);
}
constexpr bool Encode(const abi::Flock& from, Flock64& to) {
  to = {from.type, from.whence, from.start, from.length, from.pid};
  return true;
}

// stat(2), number 106, and its successor stat64.
struct Stat {
  std::uint32_t device, inode;
  std::uint16_t mode, links, uid, gid;
  std::uint32_t special_device, size, block_size, blocks;
  std::uint32_t accessed, accessed_ns, modified, modified_ns, changed, changed_ns;
  std::uint32_t unused[2];
};
static_assert(sizeof(Stat) == 64 && offsetof(Stat, size) == 20 && offsetof(Stat, accessed) == 32);
constexpr bool Encode(const x86_64::Stat& from, Stat& to) {
  to = {static_cast<std::uint32_t>(from.device),
        static_cast<std::uint32_t>(from.inode),
        static_cast<std::uint16_t>(from.mode),
        static_cast<std::uint16_t>(from.links),
        NarrowId(from.uid),
        NarrowId(from.gid),
        static_cast<std::uint32_t>(from.special_device),
        static_cast<std::uint32_t>(from.size),
        static_cast<std::uint32_t>(from.block_size),
        static_cast<std::uint32_t>(from.blocks),
        static_cast<std::uint32_t>(from.accessed.seconds),
        static_cast<std::uint32_t>(from.accessed.nanoseconds),
        static_cast<std::uint32_t>(from.modified.seconds),
        static_cast<std::uint32_t>(from.modified.nanoseconds),
        static_cast<std::uint32_t>(from.changed.seconds),
        static_cast<std::uint32_t>(from.changed.nanoseconds),
        {}};
  return Fits<std::uint16_t>(from.device) && Fits<std::uint16_t>(from.special_device) &&
         Fits<std::uint32_t>(from.inode) && Fits<std::uint16_t>(from.links) &&
         Fits<std::int32_t>(from.size);
}

struct [[gnu::packed]] Stat64 {
  std::uint64_t device;
  std::uint32_t pad, low_inode, mode, links, uid, gid;
  std::uint64_t special_device;
  std::uint32_t pad2;
  std::int64_t size;
  std::uint32_t block_size;
  std::uint64_t blocks;
  std::uint32_t accessed, accessed_ns, modified, modified_ns, changed, changed_ns;
  std::uint64_t inode;
};
static_assert(sizeof(Stat64) == 96 && offsetof(Stat64, special_device) == 32 &&
              offsetof(Stat64, size) == 44 && offsetof(Stat64, accessed) == 64);
constexpr bool Encode(const x86_64::Stat& from, Stat64& to) {
  to = {from.device,
        0,
        static_cast<std::uint32_t>(from.inode),
        from.mode,
        static_cast<std::uint32_t>(from.links),
        from.uid,
        from.gid,
        from.special_device,
        0,
        from.size,
        static_cast<std::uint32_t>(from.block_size),
        static_cast<std::uint64_t>(from.blocks),
        static_cast<std::uint32_t>(from.accessed.seconds),
        static_cast<std::uint32_t>(from.accessed.nanoseconds),
        static_cast<std::uint32_t>(from.modified.seconds),
        static_cast<std::uint32_t>(from.modified.nanoseconds),
        static_cast<std::uint32_t>(from.changed.seconds),
        static_cast<std::uint32_t>(from.changed.nanoseconds),
        from.inode};
  return true;
}

template <typename From>
  requires(std::is_same_v<From, Stat> || std::is_same_v<From, Stat64>)
constexpr void Decode(const From& from, x86_64::Stat& to) {
  to = {};
  to.device = from.device;
  to.inode = from.inode;
  to.links = from.links;
  to.mode = from.mode;
  to.uid = from.uid;
  to.gid = from.gid;
  to.special_device = from.special_device;
  to.size = static_cast<std::int64_t>(from.size);
  to.block_size = from.block_size;
  to.blocks = static_cast<std::int64_t>(from.blocks);
  to.accessed = {from.accessed, from.accessed_ns};
  to.modified = {from.modified, from.modified_ns};
  to.changed = {from.changed, from.changed_ns};
}

// oldstat(2), number 18: struct __old_kernel_stat.
struct OldStat {
  std::uint16_t device, inode, mode, links, uid, gid, special_device, pad;
  std::uint32_t size, accessed, modified, changed;
};
static_assert(sizeof(OldStat) == 32 && offsetof(OldStat, size) == 16);
constexpr bool Encode(const x86_64::Stat& from, OldStat& to) {
  to = {static_cast<std::uint16_t>(from.device),
        static_cast<std::uint16_t>(from.inode),
        static_cast<std::uint16_t>(from.mode),
        static_cast<std::uint16_t>(from.links),
        NarrowId(from.uid),
        NarrowId(from.gid),
        static_cast<std::uint16_t>(from.special_device),
        0,
        static_cast<std::uint32_t>(from.size),
        static_cast<std::uint32_t>(from.accessed.seconds),
        static_cast<std::uint32_t>(from.modified.seconds),
        static_cast<std::uint32_t>(from.changed.seconds)};
  return Fits<std::uint16_t>(from.device) && Fits<std::uint16_t>(from.special_device) &&
         Fits<std::uint16_t>(from.inode) && Fits<std::uint16_t>(from.links) &&
         Fits<std::int32_t>(from.size);
}

// statfs(2) and statfs64(2): the same fields, counts of 32 and of 64 bits.
template <typename Count>
struct [[gnu::packed]] StatfsOf {
  std::int32_t type, block_size;
  Count blocks, free_blocks, available_blocks, files, free_files;
  std::int32_t id[2];
  std::int32_t name_length, fragment_size, flags;
  std::int32_t spare[4];
};
using Statfs = StatfsOf<std::uint32_t>;
using Statfs64 = StatfsOf<std::uint64_t>;
static_assert(sizeof(Statfs) == 64 && sizeof(Statfs64) == 84);
template <typename Count>
constexpr bool Encode(const abi::Statfs& from, StatfsOf<Count>& to) {
  to = {static_cast<std::int32_t>(from.type),
        static_cast<std::int32_t>(from.block_size),
        static_cast<Count>(from.blocks),
        static_cast<Count>(from.free_blocks),
        static_cast<Count>(from.available_blocks),
        static_cast<Count>(from.files),
        static_cast<Count>(from.free_files),
        {from.id[0], from.id[1]},
        static_cast<std::int32_t>(from.name_length),
        static_cast<std::int32_t>(from.fragment_size),
        static_cast<std::int32_t>(from.flags),
        {}};
  // A count of all ones means "unknown": fs/statfs.c, put_compat_statfs.
  const auto fits = [](std::uint64_t n) { return n == ~std::uint64_t{0} || Fits<Count>(n); };
  return fits(from.blocks) && fits(from.free_blocks) && fits(from.available_blocks) &&
         fits(from.files) && fits(from.free_files);
}

// adjtimex(2)
struct Timex {
  std::uint32_t modes;
  std::int32_t offset, frequency, max_error, estimated_error, status, constant, precision,
      tolerance;
  Timeval time;
  std::int32_t tick, pps_frequency, jitter, shift, stability, jitter_count, calibrations, errors,
      stability_exceeded, tai, reserved[11];
};
static_assert(sizeof(Timex) == 128);
constexpr void Decode(const Timex& from, abi::Timex& to) { to.modes = from.modes; }
constexpr bool Encode(const abi::Timex& from, Timex& to) {
  const auto narrow = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
  to = {};
  to.modes = from.modes;
  to.max_error = narrow(from.max_error);
  to.estimated_error = narrow(from.estimated_error);
  to.status = from.status;
  to.constant = narrow(from.constant);
  to.precision = narrow(from.precision);
  to.tolerance = narrow(from.tolerance);
  to.tick = narrow(from.tick);
  return Encode(from.time, to.time);
}

// timer_create(2)
struct Sigevent {
  std::uint32_t value;
  std::int32_t signal, notify, thread_id;
  std::int32_t pad[12];
};
static_assert(sizeof(Sigevent) == 64);
constexpr void Decode(const Sigevent& from, abi::Sigevent& to) {
  to = {from.value, from.signal, from.notify, from.thread_id, {}};
}

struct SignalStack {
  std::uint32_t pointer;
  std::int32_t flags;
  std::uint32_t size;
};
static_assert(sizeof(SignalStack) == 12);
constexpr void Decode(const SignalStack& from, abi::SignalStack& to) {
  to = {from.pointer, from.flags, 0, from.size};
}
constexpr bool Encode(const abi::SignalStack& from, SignalStack& to) {
  to = {static_cast<std::uint32_t>(from.pointer), from.flags,
        static_cast<std::uint32_t>(from.size)};
  return true;
}

// rt_sigaction(2) and, with a mask of 32 signals, sigaction(2), number 67.
struct [[gnu::packed]] Sigaction {
  std::uint32_t handler, flags, restorer;
  std::uint64_t mask;
};
static_assert(sizeof(Sigaction) == 20);
constexpr void Decode(const Sigaction& from, x86_64::Sigaction& to) {
  to = {from.handler, from.flags, from.restorer, from.mask};
}
constexpr bool Encode(const x86_64::Sigaction& from, Sigaction& to) {
  to = {static_cast<std::uint32_t>(from.handler), static_cast<std::uint32_t>(from.flags),
        static_cast<std::uint32_t>(from.restorer), from.mask};
  return true;
}
struct OldSigaction {
  std::uint32_t handler, mask, flags, restorer;
};
static_assert(sizeof(OldSigaction) == 16);
constexpr void Decode(const OldSigaction& from, x86_64::Sigaction& to) {
  to = {from.handler, from.flags, from.restorer, from.mask};
}
constexpr bool Encode(const x86_64::Sigaction& from, OldSigaction& to) {
  to = {static_cast<std::uint32_t>(from.handler), static_cast<std::uint32_t>(from.mask),
        static_cast<std::uint32_t>(from.flags), static_cast<std::uint32_t>(from.restorer)};
  return true;
}

// The arguments of select, number 82, and mmap, number 90, which come through one pointer.
struct SelectArguments {
  std::int32_t count;
  std::uint32_t in, out, except, timeout;
};
struct MmapArguments {
  std::uint32_t address, length, protection, flags;
  std::int32_t fd;
  std::uint32_t offset;
};

// olduname(2), numbers 109 and 59.
struct OldUtsname {
  std::array<char, 65> system, node, release, version, machine;
};
struct OldOldUtsname {
  std::array<char, 9> system, node, release, version, machine;
};
static_assert(sizeof(OldUtsname) == 325 && sizeof(OldOldUtsname) == 45);

// set_thread_area(2): struct user_desc. The flags, from bit 0: seg_32bit, contents (2 bits),
// read_exec_only, limit_in_pages, seg_not_present, useable.
struct UserDescriptor {
  std::uint32_t entry, base, limit, flags;
};
static_assert(sizeof(UserDescriptor) == 16);

}  // namespace i386

template <typename NarrowForm, typename WideForm = NarrowForm>
struct I386Forms {
  using Narrow = NarrowForm;
  using Wide = WideForm;
};
template <>
struct I386Form<std::int64_t> : I386Forms<i386::Long, std::int64_t> {};
template <>
struct I386Form<Word> : I386Forms<i386::UnsignedLong> {};
template <>
struct I386Form<UserId> : I386Forms<i386::Id16, UserId> {};
template <>
struct I386Form<Timespec> : I386Forms<i386::Timespec, i386::Timespec64> {};
template <>
struct I386Form<Timeval> : I386Forms<i386::Timeval> {};
template <>
struct I386Form<Itimerval> : I386Forms<i386::Interval<i386::Timeval>> {};
template <>
struct I386Form<Itimerspec>
    : I386Forms<i386::Interval<i386::Timespec>, i386::Interval<i386::Timespec64>> {};
template <>
struct I386Form<Utimbuf> : I386Forms<i386::Utimbuf> {};
template <>
struct I386Form<Rlimit> : I386Forms<i386::Rlimit, Rlimit> {};
template <>
struct I386Form<Rusage> : I386Forms<i386::Rusage> {};
template <>
struct I386Form<Tms> : I386Forms<i386::Tms> {};
template <>
struct I386Form<Sysinfo> : I386Forms<i386::Sysinfo> {};
template <>
struct I386Form<Iovec> : I386Forms<i386::Iovec> {};
template <>
struct I386Form<SigsetArgument> : I386Forms<i386::SigsetArgument> {};
template <>
struct I386Form<RobustListHead> : I386Forms<i386::RobustListHead> {};
template <>
struct I386Form<Flock> : I386Forms<i386::Flock, i386::Flock64> {};
template <>
struct I386Form<x86_64::Stat> : I386Forms<i386::Stat, i386::Stat64> {};
template <>
struct I386Form<Statfs> : I386Forms<i386::Statfs, i386::Statfs64> {};
template <>
struct I386Form<Timex> : I386Forms<i386::Timex, Timex> {};
template <>
struct I386Form<Sigevent> : I386Forms<i386::Sigevent> {};
template <>
struct I386Form<SignalStack> : I386Forms<i386::SignalStack> {};
template <>
struct I386Form<x86_64::Sigaction> : I386Forms<i386::OldSigaction, i386::Sigaction> {};

}  // namespace glovebox::engine::abi
