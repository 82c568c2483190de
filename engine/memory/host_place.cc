#include "engine/memory/host_place.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

namespace glovebox::engine {
namespace {

constexpr std::uint64_t kTebibyte = std::uint64_t{1} << 40;

// Nothing of ours reaches further than one access beyond a window's end; the guard stops a bug from
// going on. On the grid, gaps do.
constexpr std::uint64_t kGuardBytes = 64_KiB;
// Windows lie on a grid, whose gaps keep programs with the same layout out of each other's units:
// the runtimes of sanitizers use the beginnings of regions whose distances are powers of two. The
// step, modulo those up to 64 GiB, is another for each of the next 64 windows.
constexpr std::uint64_t kGridStep = 128_GiB + 1152_MiB;
// Below lie programs of fixed addresses and their heaps, above the worker's libraries and stacks:
// 128 TiB less what Linux draws for stack and mappings (1 TiB), less room for the worker's own.
constexpr std::uint64_t kHostLow = 64_GiB;
constexpr std::uint64_t kHostHigh = 126 * kTebibyte;

// Where windows go, the best first: so that up to 290 of them lie where no space with the layout of
// a sanitizer (shadows up to 16 TiB and from 28 TiB on, heaps above 96 and 123 TiB) has units.
struct Area {
  std::uint64_t from;
  std::uint64_t to;
};
constexpr Area kAreas[] = {
    {56 * kTebibyte, 80 * kTebibyte}, {36 * kTebibyte, 46 * kTebibyte},
    {20 * kTebibyte, 24 * kTebibyte}, {88 * kTebibyte, 96 * kTebibyte},
    {kHostLow, 20 * kTebibyte},       {24 * kTebibyte, 36 * kTebibyte},
    {46 * kTebibyte, 56 * kTebibyte}, {80 * kTebibyte, 88 * kTebibyte},
    {96 * kTebibyte, kHostHigh},
};
// Tables of flags, 32 GiB each, from above.
constexpr Area kTables{104 * kTebibyte, 122 * kTebibyte};
// What reaches further is placed by what fits at all, from below.
constexpr std::uint64_t kWideReach = 64 * kTebibyte;

void* Reserve(std::uint64_t at, std::uint64_t size_bytes, int how) {
  void* const wanted = reinterpret_cast<void*>(static_cast<std::uintptr_t>(at));
  void* const got = ::mmap(wanted, size_bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | how, -1, 0);
  if (got == MAP_FAILED) return nullptr;
  if (how != 0 && got != wanted) {  // a kernel before 4.17, which takes it for a hint
    ::munmap(got, size_bytes);
    return nullptr;
  }
  // Sparse use costs 4 to 5 times the memory with transparent huge pages. Kernels without them
  // answer EINVAL.
  ::madvise(got, size_bytes, MADV_NOHUGEPAGE);
  return got;
}

// Places that are tried, where the window is free and units are many, before the host counts as
// full: some 100 ms of its time.
constexpr std::uint64_t kMaxReservations = 100'000;

// Does the host have all of [start, end) when `shift` is added to guest addresses?
bool IsOnHost(std::uint64_t shift, HostPlace::Range range) {
  const std::uint64_t start = range.start + shift;
  return start >= kHostLow && start < kHostHigh && range.end - range.start <= kHostHigh - start;
}

}  // namespace

std::byte* ReserveTable(std::uint64_t size_bytes) {
  constexpr std::uint64_t kLarge = 1_GiB;
  void* found = nullptr;
  const std::uint64_t step = size_bytes + kGuardBytes;
  std::uint64_t at = kTables.to;
  while (size_bytes >= kLarge && found == nullptr && at - kTables.from >= step) {
    at -= step;
    found = Reserve(at, size_bytes, MAP_FIXED_NOREPLACE);
  }
  return static_cast<std::byte*>(found != nullptr ? found : Reserve(0, size_bytes, 0));
}

HostPlace::~HostPlace() { Leave(); }

HostPlace::HostPlace(HostPlace&& other) noexcept : shape_(other.shape_) {
  *this = std::move(other);
}

HostPlace& HostPlace::operator=(HostPlace&& other) noexcept {
  std::swap(shape_, other.shape_);
  std::swap(base_, other.base_);
  std::swap(settled_, other.settled_);
  std::swap(units_, other.units_);
  return *this;
}

void HostPlace::Leave() {
  if (!settled_) return;
  const std::uint64_t guard = shape_.has_units() ? 0 : kGuardBytes;
  ForEachPiece(0, shape_.address_end, [this, guard](GuestAddr start, GuestAddr end) {
    ::munmap(HostOf(base_, start), end - start + guard);
  });
  settled_ = false;
  units_.clear();
}

bool HostPlace::SettleAt(std::uint64_t window_at, const std::set<std::uint64_t>& units) {
  const std::uint64_t shift = window_at - shape_.window.start;  // modulo 2^64
  if (!units.empty() &&
      !IsOnHost(shift, {*units.begin() * kUnitBytes, (*units.rbegin() + 1) * kUnitBytes})) {
    return false;
  }
  const std::uint64_t window_bytes = shape_.window.end - shape_.window.start;
  if (Reserve(window_at, window_bytes, MAP_FIXED_NOREPLACE) == nullptr) return false;
  base_ = reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(shift));
  settled_ = true;
  if (Take({units.begin(), units.end()})) return true;
  Leave();
  return false;
}

bool HostPlace::Settle(const std::set<std::uint64_t>& units, Range reach) {
  const std::uint64_t window_bytes = shape_.window.end - shape_.window.start;
  if (!shape_.has_units()) {
    void* const at = Reserve(0, window_bytes + kGuardBytes, 0);
    if (at == nullptr) return false;
    base_ = static_cast<std::byte*>(at);
    settled_ = true;
    return ::mprotect(base_ + window_bytes, kGuardBytes, PROT_NONE) == 0;
  }
  std::uint64_t tries_left = kMaxReservations / (units.size() + 1) + 1;
  const auto try_at = [&](std::uint64_t window_at) {
    base_ = nullptr;
    const bool settled = SettleAt(window_at, units);
    if (!settled && base_ != nullptr) --tries_left;  // the window was free
    return settled;
  };
  const auto try_area = [&](const Area& area, Range all) {
    std::uint64_t at = kHostLow + (area.from - kHostLow + kGridStep - 1) / kGridStep * kGridStep;
    for (; at + window_bytes <= area.to && tries_left != 0; at += kGridStep) {
      if (IsOnHost(at - shape_.window.start, all) && try_at(at)) return true;
    }
    return false;
  };
  const auto try_all = [&](Range all) {
    const auto try_each = [&](const Area& area) { return try_area(area, all); };
    return all.end - all.start >= kWideReach ? try_area({kHostLow, kHostHigh}, all)
                                             : std::ranges::any_of(kAreas, try_each);
  };
  return try_all(reach) || try_all(shape_.window);
}

bool HostPlace::Take(const std::vector<std::uint64_t>& units) {
  const auto shift = reinterpret_cast<std::uintptr_t>(base_);
  for (auto run = units.begin(); run != units.end();) {
    auto end = run;
    while (end != units.end() && *end - *run == static_cast<std::uint64_t>(end - run)) ++end;
    const Range range{*run * kUnitBytes,
                      (*run + static_cast<std::uint64_t>(end - run)) * kUnitBytes};
    if (!IsOnHost(shift, range) ||
        Reserve(shift + range.start, range.end - range.start, MAP_FIXED_NOREPLACE) == nullptr) {
      for (auto taken = units.begin(); taken != run; ++taken) GiveBack(*taken);
      return false;
    }
    units_.insert(run, end);
    run = end;
  }
  return true;
}

void HostPlace::GiveBack(std::uint64_t unit) {
  ::munmap(HostOf(base_, unit * kUnitBytes), kUnitBytes);
  units_.erase(unit);
}

std::vector<std::uint64_t> HostPlace::Missing(GuestAddr start, GuestAddr end) const {
  std::vector<std::uint64_t> missing;
  if (start >= end) return missing;
  for (std::uint64_t unit = start / kUnitBytes; unit <= (end - 1) / kUnitBytes; ++unit) {
    if (!Has(unit * kUnitBytes)) missing.push_back(unit);
  }
  return missing;
}

}  // namespace glovebox::engine
