// What a handler's body works with: the CPU, its uop, guest memory. Bodies return the uop to go on
// with.
//
// Convention: read, compute, then commit. Whatever can fault (Load, Writable, Store, Raise) comes
// before the first change of guest state, because a body that left for the slow path is run again
// from its start.
//
//   T value;
//   if (!c.Load(address, value)) [[unlikely]] return c.Missed();
//
// Everything here is inlined into handlers that have no stack frame.
#pragma once

#include <bit>
#include <cstring>
#include <type_traits>

#include "engine/cpu/core_state.h"
#include "engine/memory/page_flags.h"

namespace glovebox::engine {

template <typename CpuType>
struct BasicContext {
  CpuType& cpu;
  const Uop* const uop;
  std::byte* const memory;
  const std::uint8_t* const flags;

  // The next instruction's uop.
  template <int kUnits = 1>
  [[gnu::always_inline]] const Uop* Next() const {
    return uop + kUnits;
  }
  // The instruction's second unit.
  template <typename T>
  [[gnu::always_inline]] T Second() const {
    return std::bit_cast<T>(uop[1]);
  }

  // Flags of every page of an access of 1 to 4096 bytes, and-ed. The table has a zero byte behind
  // its end, so the start alone needs comparing.
  [[gnu::always_inline]] bool Allows(GuestAddr address, std::uint32_t size_bytes,
                                     PageFlag wanted) const {
    if (address >= cpu.window_bytes) [[unlikely]]
      return false;
    std::uint8_t both = flags[address >> kPageShift];
    if (size_bytes > 1) both &= flags[(address + (size_bytes - 1)) >> kPageShift];
    return (both & wanted) != 0;
  }

  // May size_bytes at `address` be read (with At, or in place)? False: return Missed().
  [[gnu::always_inline]] bool Readable(GuestAddr address, std::uint32_t size_bytes) {
    if (!Allows(address, size_bytes, kReadable)) [[unlikely]] {
      Note(address, size_bytes, Access::kRead);
      return false;
    }
    return true;
  }

  // False: return Missed().
  template <typename T>
  [[gnu::always_inline]] bool Load(GuestAddr address, T& out) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (!Allows(address, sizeof(T), kReadable)) [[unlikely]] {
      Note(address, sizeof(T), Access::kRead);
      return false;
    }
    std::memcpy(&out, memory + address, sizeof(T));
    return true;
  }

  // Asks for a store of size_bytes at `address` without doing it. After true, Commit to it cannot
  // fail, and the bytes can be read by At: a writable page is readable. False: return Missed().
  [[gnu::always_inline]] bool Writable(GuestAddr address, std::uint32_t size_bytes) {
    if (!Allows(address, size_bytes, kPlain)) [[unlikely]] {
      Note(address, size_bytes, Access::kWrite);
      return false;
    }
    return true;
  }
  // Only after Writable (or a Load that succeeded) for the same bytes.
  template <typename T>
  [[gnu::always_inline]] T At(GuestAddr address) const {
    T out;
    std::memcpy(&out, memory + address, sizeof(T));
    return out;
  }
  template <typename T>
  [[gnu::always_inline]] void Commit(GuestAddr address, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::memcpy(memory + address, &value, sizeof(T));
  }

  // Writable and Commit. False, and nothing stored: return Missed().
  template <typename T>
  [[gnu::always_inline]] bool Store(GuestAddr address, const T& value) {
    if (!Writable(address, sizeof(T))) [[unlikely]]
      return false;
    Commit(address, value);
    return true;
  }

  // After an access that returned false: the slow path, which comes back to this uop or faults.
  [[gnu::always_inline]] const Uop* Missed() { return &cpu.resolve; }

  // The instruction raises an exception instead of happening.
  [[gnu::always_inline]] const Uop* Raise(ExceptionKind kind, std::uint32_t error_code = 0) {
    cpu.exception = kind;
    cpu.error_code = error_code;
    cpu.uop = uop;
    cpu.leave_kind = LeaveKind::kException;
    return &cpu.leave;
  }

  // Leaves dispatch between two instructions.
  [[gnu::always_inline]] const Uop* LeaveAt(GuestAddr rip, LeaveKind kind = LeaveKind::kNextBlock) {
    cpu.rip = rip;
    cpu.leave_kind = kind;
    return &cpu.leave;
  }

  // An exit whose target is known.
  // An exit retires as many instructions as its byte d says.
  [[gnu::always_inline]] const Uop* Exit(const Jump& jump) {
    cpu.budget -= uop->d;
    if (cpu.budget < 0) [[unlikely]]
      return LeaveAt(jump.rip);
    return jump.target;
  }

  // An exit whose target is computed; retires `count` instructions.
  [[gnu::always_inline]] const Uop* ExitTo(GuestAddr rip, std::int64_t count) {
    cpu.budget -= count;
    if (cpu.budget < 0) [[unlikely]]
      return LeaveAt(rip);
    const JumpCacheEntry& entry = cpu.jump_cache[JumpCacheIndex(rip)];
    if (entry.rip != rip) [[unlikely]] {
      cpu.rip = rip;
      return &cpu.lookup;
    }
    return entry.target;
  }

 private:
  [[gnu::always_inline]] void Note(GuestAddr address, std::uint32_t size_bytes, Access access) {
    cpu.miss.uop = uop;
    cpu.miss.address = address;
    cpu.miss.size_bytes = size_bytes;
    cpu.miss.access = access;
  }
};

}  // namespace glovebox::engine
