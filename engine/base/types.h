// Numbers of the guest's world, each with its unit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glovebox::engine {

// An address in the guest's address space. Never a pointer.
using GuestAddr = std::uint64_t;

// Instructions retired in the box since its start, over all its threads.
using Icount = std::uint64_t;

// Guest virtual time, nanoseconds since the box started.
using Nanoseconds = std::uint64_t;

inline constexpr std::uint64_t kPageShift = 12;
inline constexpr std::uint64_t kPageSize = std::uint64_t{1} << kPageShift;

inline constexpr std::uint64_t operator""_KiB(unsigned long long n) { return n << 10; }
inline constexpr std::uint64_t operator""_MiB(unsigned long long n) { return n << 20; }
inline constexpr std::uint64_t operator""_GiB(unsigned long long n) { return n << 30; }

constexpr std::uint64_t PageFloor(std::uint64_t n) { return n & ~(kPageSize - 1); }
// Wraps to 0 for n within the last page of 2^64; callers check lengths first.
constexpr std::uint64_t PageCeil(std::uint64_t n) { return PageFloor(n + kPageSize - 1); }

}  // namespace glovebox::engine
