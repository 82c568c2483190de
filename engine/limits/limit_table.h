// Every limit of a box, one row each: validation, command-line flags, defaults, reports and
// documentation walk it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "engine/base/types.h"

namespace glovebox::engine {

enum class LimitId : std::uint8_t {
  kInstructions,
  kMemory,
  kOutput,
  kDisk,
  kOpenFiles,
  kMappings,
  kTasks,
  kWallTime,
};

enum class LimitUnit : std::uint8_t { kInstructions, kBytes, kCount, kMilliseconds };

struct LimitRow {
  LimitId id;
  std::string_view name;  // as in --limit NAME=VALUE and in a job's termination
  LimitUnit unit;
  std::uint64_t default_value;
  std::uint64_t ceiling;
  bool deterministic;  // false: a result that hit it is never cached
  std::string_view guest_notices;
};

inline constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

inline constexpr std::array kLimits{
    LimitRow{LimitId::kInstructions, "insns", LimitUnit::kInstructions, kNoLimit, kNoLimit, true,
             "nothing: the box ends before the instruction that would be one too many"},
    LimitRow{LimitId::kMemory, "mem", LimitUnit::kBytes, 1_GiB, 256_GiB, true,
             "nothing: the box ends at the store or system call that needs one page too many"},
    LimitRow{LimitId::kOutput, "output", LimitUnit::kBytes, 64_MiB, 64_GiB, true,
             "nothing: the box ends once stdout and stderr together hold exactly this many bytes "
             "and more comes"},
    LimitRow{LimitId::kDisk, "disk", LimitUnit::kBytes, 1_GiB, 256_GiB, true,
             "ENOSPC from write(2) and its kin"},
    LimitRow{LimitId::kOpenFiles, "files", LimitUnit::kCount, 1024, 65'536, true,
             "EMFILE; it is RLIMIT_NOFILE"},
    LimitRow{LimitId::kMappings, "mappings", LimitUnit::kCount, 32'000, 32'000, true,
             "ENOMEM from mmap, mprotect and munmap"},
    LimitRow{LimitId::kTasks, "tasks", LimitUnit::kCount, 1024, 16'384, true,
             "EAGAIN from fork and clone: processes and threads together; it is RLIMIT_NPROC"},
    LimitRow{LimitId::kWallTime, "wall", LimitUnit::kMilliseconds, 3'600'000, 30ull * 86'400'000,
             false, "nothing: the box ends wherever it is"},
};

constexpr const LimitRow& Row(LimitId id) { return kLimits[static_cast<std::size_t>(id)]; }

constexpr const LimitRow* FindLimit(std::string_view name) {
  for (const LimitRow& row : kLimits) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

constexpr bool EachLimitOnceInOrder() {
  for (std::size_t i = 0; i < kLimits.size(); ++i) {
    if (static_cast<std::size_t>(kLimits[i].id) != i || FindLimit(kLimits[i].name) != &kLimits[i] ||
        kLimits[i].default_value > kLimits[i].ceiling) {
      return false;
    }
  }
  return true;
}
static_assert(EachLimitOnceInOrder());

// The limits of one box, one value per row.
class LimitValues {
 public:
  constexpr LimitValues() {
    for (const LimitRow& row : kLimits)
      values_[static_cast<std::size_t>(row.id)] = row.default_value;
  }
  constexpr std::uint64_t operator[](LimitId id) const {
    return values_[static_cast<std::size_t>(id)];
  }
  constexpr void Set(LimitId id, std::uint64_t value) {
    values_[static_cast<std::size_t>(id)] = value;
  }

 private:
  std::array<std::uint64_t, kLimits.size()> values_{};
};

}  // namespace glovebox::engine
