// Decoded blocks by guest address, their chains, and their end when the code under them changes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/base/types.h"
#include "engine/cpu/block.h"
#include "engine/cpu/core_state.h"
#include "engine/memory/address_space.h"

namespace glovebox::engine {

// The second unit of the cache's own uops.
template <typename T>
struct Pointer {
  T* to = nullptr;
  std::uint64_t unused = 0;
};
static_assert(sizeof(Pointer<Block>) == sizeof(Uop));

// Threads: one at a time.
class BlockCache {
 public:
  struct Handlers {
    Handler link;   // of stubs; their second unit is a Pointer to the Exit
    Handler check;  // at the start of blocks that check themselves: likewise, to the Block
    // At the very start of blocks with a breakpoint; the second unit is a Wide whose displacement
    // is the guest's address.
    Handler stop;
  };
  BlockCache(AddressSpace& memory, CoreState& core, const Handlers& handlers)
      : memory_(memory), core_(core), handlers_(handlers) {}

  // Null where there is none.
  Block* Find(GuestAddr rip, bool single) const;
  // The uops of the block that an indirect jump to `rip` found some time ago; null where that is
  // forgotten. Much cheaper than Find.
  const Uop* FindJump(GuestAddr rip) const {
    if (wide_jumps_.empty()) return nullptr;
    const JumpCacheEntry& entry = wide_jumps_[WideJumpIndex(rip)];
    return entry.rip == rip ? entry.target : nullptr;
  }
  // The jump found that block: the next lookups are to find it in a cache.
  void NoteJump(const Block& target);
  struct Nature {
    bool single = false;
    bool checks_itself = false;
    bool stops = false;  // a breakpoint is at its start
  };
  // Of what blocks begin with that stop, and behind that of those that check themselves.
  static constexpr std::uint32_t kStopUnits = 2;
  static constexpr std::uint32_t kCheckUnits = 2;
  // Makes a block of a translation. Marks its pages as code, so that stores to them are noticed, or
  // has the block check itself.
  Block& Add(GuestAddr rip, const Nature& nature, const Translation& translation);
  // Where to enter a block, to pass the breakpoint at its start.
  const Uop* BehindStop(const Uop* uops) const {
    return uops->handler == handlers_.stop ? uops + kStopUnits : uops;
  }
  void Link(Exit& exit, Block& target);

  // The block, dead or alive, that holds a uop.
  const Block& Holding(const Uop* uop) const;
  Block& Holding(const Uop* uop) { return const_cast<Block&>(std::as_const(*this).Holding(uop)); }

  // Must a block that starts here check itself?
  bool ChecksItself(GuestAddr rip) const;
  // A store met a page with code. After some of them the page is no longer watched: its blocks go,
  // and those that come check themselves, until the page is mapped anew or they ran out of
  // patience.
  void NoteStore(GuestAddr address);
  // The page is stored to by way of another mapping: its blocks go, and that counts as a store.
  void StoredElsewhere(GuestAddr page_address);
  // The pages of a block that checked itself in vain for long are watched again.
  void WatchAgain(const Block& block);
  // Drops a block whose code has changed.
  void Remove(const Block& block);

  // Drops the blocks that were made from any byte of the range. Their memory stays until Purge.
  void Invalidate(GuestAddr address, std::uint64_t size_bytes);
  void InvalidateAll();
  // Frees dropped blocks; not within dispatch.
  void Purge() {
    if (!dropped_.empty()) FreeDropped();
  }

  // Raised by each dropped block.
  std::uint64_t generation() const { return generation_; }
  // Decoded code beyond which it is better to start anew.
  bool IsFull() const { return uop_count_ > kMaxUops; }

 private:
  static constexpr std::size_t kMaxUops = 4u << 20;  // 64 MiB
  // Each costs some microseconds; checking costs some nanoseconds for each run of a block.
  static constexpr unsigned kStoresUntilChecks = 16;
  // Runs of an unchanged block until its page is watched again; doubles each time.
  static constexpr std::uint32_t kFirstPatience = 4096;
  static constexpr unsigned kMaxReturns = 16;
  // A program of that many blocks (a compiler, say) jumps to more places than the jump cache holds.
  // One of fewer is spared the memory.
  static constexpr std::size_t kBlocksForWideJumps = 8192;
  static constexpr std::size_t kWideJumps = 65536;  // 1 MiB
  static constexpr std::size_t WideJumpIndex(GuestAddr rip) {
    return (rip ^ (rip >> 16)) & (kWideJumps - 1);
  }
  using BlocksOfPage = std::vector<Block*>;

  std::uint32_t PatienceWith(GuestAddr rip) const;
  void ForgetStores(std::uint64_t first_page, std::uint64_t last_page);
  void InvalidatePage(std::uint64_t page, GuestAddr start, GuestAddr last);
  void Drop(Block& block);
  void FreeDropped();
  void ForgetJump(GuestAddr rip);

  AddressSpace& memory_;
  CoreState& core_;
  const Handlers handlers_;
  std::unordered_map<GuestAddr, std::unique_ptr<Block>> blocks_;
  std::unordered_map<GuestAddr, std::unique_ptr<Block>> single_blocks_;
  std::unordered_map<std::uint64_t, BlocksOfPage> pages_;
  // Of a page with code that is stored to.
  struct Stores {
    unsigned count = 0;    // as far as kStoresUntilChecks
    unsigned returns = 0;  // how often it came to be watched again
  };
  std::unordered_map<std::uint64_t, Stores> stores_;  // by page
  std::map<const Uop*, Block*> by_uops_;
  std::vector<JumpCacheEntry> wide_jumps_;  // behind core_.jump_cache; none, or kWideJumps
  std::vector<std::unique_ptr<Block>> dropped_;
  std::size_t uop_count_ = 0;
  std::uint64_t generation_ = 0;
};

}  // namespace glovebox::engine
