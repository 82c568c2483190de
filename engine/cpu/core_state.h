// The part of a virtual CPU's state that all ISAs share: what dispatch, exits and the slow paths
// need. An ISA's CPU structure derives from it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/base/types.h"
#include "engine/cpu/stop.h"
#include "engine/cpu/uop.h"
#include "engine/memory/fault.h"

namespace glovebox::engine {

class Runner;

// Why dispatch was left.
enum class LeaveKind : std::uint8_t {
  kNextBlock,   // `rip` says where to go on; the exit has subtracted its instructions
  kSteppedOut,  // the instruction of `uop` ran out of place and retired; go on behind it
  kMiss,        // the access `miss` faults with `fault`; the instruction of `uop` has not happened
  kException,   // `exception` at `uop`, which has not happened
  kTrap,        // `exception` after an instruction that retired; as kNextBlock
  kSyscall,     // a system call retired; as kNextBlock
  kAttention,  // as kNextBlock, but the run ends: the ISA's part of the state wants to be looked at
};

// A direct-mapped cache from guest addresses to blocks, for indirect jumps and returns.
struct JumpCacheEntry {
  GuestAddr rip = 0;
  const Uop* target = nullptr;
};
inline constexpr std::size_t kJumpCacheSize = 4096;

constexpr std::size_t JumpCacheIndex(GuestAddr rip) {
  return (rip ^ (rip >> 12)) & (kJumpCacheSize - 1);
}
// An entry that no lookup matches: its address belongs to another index.
constexpr JumpCacheEntry EmptyJumpCacheEntry(std::size_t index) {
  return {.rip = index == 0 ? GuestAddr{1} : GuestAddr{0}, .target = nullptr};
}

struct CoreState {
  // Exits subtract their block's instructions and leave dispatch below zero.
  std::int64_t budget = 0;
  std::byte* memory = nullptr;
  std::uint8_t* flags = nullptr;
  std::uint64_t window_bytes = 0;

  GuestAddr rip = 0;  // valid outside dispatch only
  // Host work that was subtracted from the budget without being instructions.
  std::int64_t penalty = 0;
  // Instructions that remain beyond those in `budget`.
  std::int64_t reserve = 0;
  // icount = icount_base - (budget + penalty), at the start of a block.
  std::int64_t icount_base = 0;

  // The access that left the fast path, and the uop to go back to.
  struct Miss {
    const Uop* uop = nullptr;
    GuestAddr address = 0;
    std::uint32_t size_bytes = 0;
    Access access = Access::kRead;
  } miss;

  LeaveKind leave_kind = LeaveKind::kNextBlock;
  ExceptionKind exception = ExceptionKind::kInvalidOpcode;
  std::uint32_t error_code = 0;                           // of `exception`
  SyscallEntry syscall_entry = SyscallEntry::kSyscall64;  // kSyscall
  const Uop* uop = nullptr;                               // kSteppedOut, kMiss, kException
  MemoryFault fault;

  Uop resolve;  // where a miss goes: resolves it and goes back, or leaves
  Uop lookup;   // where an indirect exit goes whose target `rip` is not in the jump cache
  Uop leave;    // ends dispatch

  // One instruction executed out of place, because a page that it stores to holds decoded code: its
  // units, then a uop that leaves. `pages` have been made plain for it alone.
  struct OutOfPlace {
    const Uop* original = nullptr;  // null: not active
    std::array<Uop, 3> units;
    std::int64_t saved_budget = 0;
    std::int64_t saved_penalty = 0;
    bool counted_itself = false;  // it took what it retired off the budget (REP)
    std::array<GuestAddr, 4> pages{};
    std::size_t page_count = 0;
  } out_of_place;

  Runner* runner = nullptr;
  std::array<JumpCacheEntry, kJumpCacheSize> jump_cache;
};

}  // namespace glovebox::engine
