// The exact memory meter of a box: private pages written, and pages of shared objects. Beside it
// what the host has only so much of, counted by what the guest asked for, so that no host decides.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/base/types.h"

namespace glovebox::engine {

// Threads: one at a time.
class MemoryMeter {
 public:
  // A host process has 65,530 mappings (vm.max_map_count); the rest is the engine's own.
  static constexpr std::size_t kMaxHostMappings = 60'000;
  // Host addresses that shared objects take beside the windows (which have up to 80 TiB of 128).
  static constexpr std::uint64_t kMaxReservedBytes = std::uint64_t{4} << 40;

  // Spaces that lie interleaved: fewer than any host finds places for.
  static constexpr std::size_t kMaxSpreadSpaces = 64;

  explicit MemoryMeter(std::uint64_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // False, and nothing charged, where the limit would be passed.
  bool Charge(std::uint64_t bytes) {
    if (bytes > limit_bytes_ - used_bytes_) return false;
    used_bytes_ += bytes;
    if (used_bytes_ > peak_bytes_) peak_bytes_ = used_bytes_;
    return true;
  }
  void Release(std::uint64_t bytes) { used_bytes_ -= bytes; }

  bool AddMappings(std::size_t count) {
    if (count > kMaxHostMappings - host_mappings_) return false;
    host_mappings_ += count;
    return true;
  }
  void RemoveMappings(std::size_t count) { host_mappings_ -= count; }
  // Spaces that have something outside of their windows.
  bool AddSpread() {
    if (spread_spaces_ == kMaxSpreadSpaces) return false;
    ++spread_spaces_;
    return true;
  }
  void RemoveSpread() { --spread_spaces_; }
  bool Reserve(std::uint64_t bytes) {
    if (bytes > kMaxReservedBytes - reserved_bytes_) return false;
    reserved_bytes_ += bytes;
    return true;
  }
  void Unreserve(std::uint64_t bytes) { reserved_bytes_ -= bytes; }

  // What was refused as the limit is reached was refused by the host: no result of the guest's.
  void NoteHostFailure() { host_failed_ = true; }
  bool host_failed() const { return host_failed_; }

  std::uint64_t used_bytes() const { return used_bytes_; }
  std::uint64_t peak_bytes() const { return peak_bytes_; }
  std::uint64_t limit_bytes() const { return limit_bytes_; }
  std::size_t host_mappings() const { return host_mappings_; }

 private:
  std::uint64_t limit_bytes_;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t peak_bytes_ = 0;
  std::size_t host_mappings_ = 0;
  std::uint64_t reserved_bytes_ = 0;
  std::size_t spread_spaces_ = 0;
  bool host_failed_ = false;
};

}  // namespace glovebox::engine
