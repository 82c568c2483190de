// Where on the host an address space lies: base + guest address, for all 47 bits of them.
//
// Of the host's addresses it holds the *window*, a contiguous piece in which a program usually has
// everything, and *units* of 64 MiB elsewhere, each from the time on when the guest first needs one
// byte of it. A reservation of terabytes that nobody touches therefore takes nothing of the host,
// and the spaces of a box lie interleaved. Where a unit is taken by something else, the whole space
// goes to another base: nothing that a guest sees depends on where it lies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "engine/base/types.h"

namespace glovebox::engine {

// Where the host has the byte at `address`, `base` being what is added to guest addresses. In
// integers: it may be less than zero.
[[gnu::always_inline]] inline std::byte* HostOf(std::byte* base, GuestAddr address) {
  return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(base) + address);
}

// A table, zeros until it is written, where it is in nobody's way. Null: the host has no room.
std::byte* ReserveTable(std::uint64_t size_bytes);

class HostPlace {
 public:
  static constexpr std::uint64_t kUnitBytes = 64_MiB;

  struct Range {
    GuestAddr start = 0;
    GuestAddr end = 0;  // exclusive
  };
  // The window is a multiple of units, unless there is nothing but the window.
  struct Shape {
    Range window;
    GuestAddr address_end = 0;
    bool has_units() const { return address_end != window.end || window.start != 0; }
  };

  explicit HostPlace(const Shape& shape) : shape_(shape) {}
  ~HostPlace();
  HostPlace(HostPlace&& other) noexcept;
  HostPlace(const HostPlace&) = delete;
  HostPlace& operator=(HostPlace&& other) noexcept;

  // Reserves the window and `units` at a base where they are free, if possible at one where the
  // host has all addresses of `reach` too. Once, at first.
  // False: the host has no such place.
  bool Settle(const std::set<std::uint64_t>& units, Range reach);
  // Reserves units at the present base. False, and nothing reserved: one of them is taken.
  bool Take(const std::vector<std::uint64_t>& units);
  // What is in them is gone.
  void GiveBack(std::uint64_t unit);

  // To be added to guest addresses.
  std::byte* base() const { return base_; }
  const Shape& shape() const { return shape_; }
  const std::set<std::uint64_t>& units() const { return units_; }
  bool Has(GuestAddr address) const {
    return (address >= shape_.window.start && address < shape_.window.end) ||
           units_.contains(address / kUnitBytes);
  }
  // Units of [start, end) that are neither in the window nor there.
  std::vector<std::uint64_t> Missing(GuestAddr start, GuestAddr end) const;

  // Calls use(start, end) for each piece of [start, end) that the host has, in ascending order.
  template <typename Use>
  void ForEachPiece(GuestAddr start, GuestAddr end, Use use) const {
    const Range window = shape_.window;
    ForEachUnit(start, end < window.start ? end : window.start, use);
    const GuestAddr from = start > window.start ? start : window.start;
    const GuestAddr to = end < window.end ? end : window.end;
    if (from < to) use(from, to);
    ForEachUnit(start > window.end ? start : window.end, end, use);
  }

 private:
  template <typename Use>
  void ForEachUnit(GuestAddr start, GuestAddr end, Use use) const {
    if (start >= end || units_.empty()) return;
    for (auto it = units_.lower_bound(start / kUnitBytes); it != units_.end();) {
      const GuestAddr first = *it * kUnitBytes;
      if (first >= end) return;
      GuestAddr last = first;
      for (; it != units_.end() && *it * kUnitBytes == last; ++it) last += kUnitBytes;
      use(start > first ? start : first, end < last ? end : last);
    }
  }
  bool SettleAt(std::uint64_t window_at, const std::set<std::uint64_t>& units);
  void Leave();

  Shape shape_;
  std::byte* base_ = nullptr;
  bool settled_ = false;
  std::set<std::uint64_t> units_;  // guest address / kUnitBytes
};

}  // namespace glovebox::engine
