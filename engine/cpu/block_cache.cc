#include "engine/cpu/block_cache.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "engine/base/check.h"
#include "engine/cpu/context.h"

namespace glovebox::engine {

std::size_t Block::IndexOf(const Uop* uop) const {
  const auto unit = static_cast<std::uint32_t>(uop - uops.data());
  const auto behind = std::upper_bound(
      marks.begin(), marks.end() - 1, unit,
      [](std::uint32_t wanted, const InstructionMark& mark) { return wanted < mark.uop; });
  return static_cast<std::size_t>(behind - marks.begin()) - 1;
}

Block* BlockCache::Find(GuestAddr rip, bool single) const {
  const auto& blocks = single ? single_blocks_ : blocks_;
  const auto it = blocks.find(rip);
  return it != blocks.end() ? it->second.get() : nullptr;
}

void BlockCache::NoteJump(const Block& target) {
  const JumpCacheEntry entry{target.start, target.uops.data()};
  core_.jump_cache[JumpCacheIndex(target.start)] = entry;
  if (wide_jumps_.empty()) {
    if (blocks_.size() < kBlocksForWideJumps) return;
    wide_jumps_.resize(kWideJumps);
  }
  wide_jumps_[WideJumpIndex(target.start)] = entry;
}

// A block spans two pages at most.
bool BlockCache::ChecksItself(GuestAddr rip) const { return PatienceWith(rip) != 0; }

// 0: the block need not check itself.
std::uint32_t BlockCache::PatienceWith(GuestAddr rip) const {
  std::uint32_t patience = 0;
  if (stores_.empty()) return patience;
  for (const std::uint64_t page : {rip >> kPageShift, (rip >> kPageShift) + 1}) {
    const auto it = stores_.find(page);
    if (it == stores_.end() || it->second.count < kStoresUntilChecks) continue;
    patience = std::max(patience, kFirstPatience << it->second.returns);
  }
  return patience;
}

void BlockCache::NoteStore(GuestAddr address) {
  const std::uint64_t page = address >> kPageShift;
  unsigned& count = stores_[page].count;
  if (count == kStoresUntilChecks) return;
  ++count;
  if (count < kStoresUntilChecks) return;
  InvalidatePage(page, PageFloor(address), PageFloor(address) + (kPageSize - 1));
}

void BlockCache::StoredElsewhere(GuestAddr page_address) {
  NoteStore(page_address);
  InvalidatePage(page_address >> kPageShift, page_address, page_address + (kPageSize - 1));
}

void BlockCache::WatchAgain(const Block& block) {
  const std::uint64_t first = block.start >> kPageShift;
  for (const std::uint64_t page : {first, first + 1}) {
    const auto it = stores_.find(page);
    if (it == stores_.end() || it->second.count < kStoresUntilChecks) continue;
    it->second.count = 0;
    it->second.returns = std::min(it->second.returns + 1, kMaxReturns);
    InvalidatePage(page, page << kPageShift, (page << kPageShift) + (kPageSize - 1));
  }
}

void BlockCache::ForgetStores(std::uint64_t first_page, std::uint64_t last_page) {
  if (last_page - first_page < stores_.size()) {
    for (std::uint64_t page = first_page; page <= last_page; ++page) stores_.erase(page);
  } else {
    std::erase_if(stores_, [&](const auto& entry) {
      return entry.first >= first_page && entry.first <= last_page;
    });
  }
}

void BlockCache::Remove(const Block& block) {
  auto& blocks = block.single ? single_blocks_ : blocks_;
  const auto it = blocks.find(block.start);
  if (it != blocks.end() && it->second.get() == &block) Drop(*it->second);
}

// Each vector of the block is allocated once, at its size: short programs decode more than they
// run.
Block& BlockCache::Add(GuestAddr rip, const Nature& nature, const Translation& translation) {
  auto owned = std::make_unique<Block>();
  Block& block = *owned;
  block.start = rip;
  block.end = rip + translation.marks.back().rip_offset;
  block.single = nature.single;
  block.marks = translation.marks;
  const std::uint32_t first_units =
      (nature.stops ? kStopUnits : 0) + (nature.checks_itself ? kCheckUnits : 0);
  const std::size_t first_stub = first_units + translation.uops.size();
  block.uops.reserve(first_stub + 2 * translation.jumps.size());
  if (nature.stops) {
    block.uops.push_back(Uop{.handler = handlers_.stop});
    block.uops.push_back(std::bit_cast<Uop>(Wide{.displacement = rip}));
  }
  if (nature.checks_itself) {
    block.patience = PatienceWith(rip);
    block.bytes.assign(memory_.Host(block.start), memory_.Host(block.end));
    block.uops.push_back(Uop{.handler = handlers_.check});
    block.uops.push_back(std::bit_cast<Uop>(Pointer<Block>{&block}));
  }
  if (first_units != 0) {
    for (InstructionMark& mark : block.marks) mark.uop += first_units;
  }
  block.uops.insert(block.uops.end(), translation.uops.begin(), translation.uops.end());
  block.exits.reserve(translation.jumps.size());
  for (const std::uint32_t at : translation.jumps) {
    const std::uint32_t jump = at + first_units;
    const auto stub = static_cast<std::uint32_t>(first_stub + 2 * block.exits.size());
    block.exits.push_back({.from = &block,
                           .jump = jump,
                           .stub = stub,
                           .rip = std::bit_cast<Jump>(block.uops[jump]).rip});
  }
  block.uops.resize(first_stub + 2 * block.exits.size());
  for (Exit& exit : block.exits) {
    block.uops[exit.stub] = Uop{.handler = handlers_.link};
    block.uops[exit.stub + 1] = std::bit_cast<Uop>(Pointer<Exit>{&exit});
    block.uops[exit.jump] = std::bit_cast<Uop>(Jump{&block.uops[exit.stub], exit.rip});
  }
  uop_count_ += block.uops.size();
  by_uops_.emplace(block.uops.data(), &block);
  for (GuestAddr page = PageFloor(rip); page < block.end; page += kPageSize) {
    pages_[page >> kPageShift].push_back(&block);
    if (!nature.checks_itself) memory_.MarkCode(page);
  }
  (nature.single ? single_blocks_ : blocks_)[rip] = std::move(owned);
  return block;
}

void BlockCache::Link(Exit& exit, Block& target) {
  if (exit.from->dead || exit.to != nullptr) return;
  exit.to = &target;
  target.incoming.push_back(&exit);
  exit.from->uops[exit.jump] = std::bit_cast<Uop>(Jump{target.uops.data(), exit.rip});
}

const Block& BlockCache::Holding(const Uop* uop) const {
  const auto it = std::prev(by_uops_.upper_bound(uop));
  GB_CHECK(uop < it->second->uops.data() + it->second->uops.size());
  return *it->second;
}

void BlockCache::Invalidate(GuestAddr address, std::uint64_t size_bytes) {
  if (size_bytes == 0) return;
  const GuestAddr last = address + (size_bytes - 1);
  if (size_bytes >= kPageSize) {  // mapped anew: stores are smaller
    ForgetStores(PageCeil(address) >> kPageShift, ((last + 1) >> kPageShift) - 1);
  }
  if (pages_.empty()) return;
  const std::uint64_t first_page = address >> kPageShift;
  const std::uint64_t last_page = last >> kPageShift;
  if (last_page - first_page < pages_.size()) {
    for (std::uint64_t page = first_page; page <= last_page; ++page) {
      InvalidatePage(page, address, last);
    }
    return;
  }
  std::vector<std::uint64_t> touched;
  for (const auto& [page, blocks] : pages_) {
    if (page >= first_page && page <= last_page) touched.push_back(page);
  }
  for (const std::uint64_t page : touched) InvalidatePage(page, address, last);
}

void BlockCache::InvalidateAll() { Invalidate(0, memory_.address_end()); }

void BlockCache::InvalidatePage(std::uint64_t page, GuestAddr start, GuestAddr last) {
  const auto it = pages_.find(page);
  if (it == pages_.end()) return;
  // Drop changes the list.
  const BlocksOfPage blocks = it->second;
  for (Block* const block : blocks) {
    if (block->start <= last && start < block->end) Drop(*block);
  }
}

void BlockCache::ForgetJump(GuestAddr rip) {
  const std::size_t index = JumpCacheIndex(rip);
  JumpCacheEntry& entry = core_.jump_cache[index];
  if (entry.rip == rip) entry = EmptyJumpCacheEntry(index);
  if (!wide_jumps_.empty() && wide_jumps_[WideJumpIndex(rip)].rip == rip) {
    wide_jumps_[WideJumpIndex(rip)] = {};
  }
}

void BlockCache::Drop(Block& block) {
  ++generation_;
  block.dead = true;
  for (Exit* const exit : block.incoming) {
    exit->to = nullptr;
    Block& from = *exit->from;
    from.uops[exit->jump] = std::bit_cast<Uop>(Jump{&from.uops[exit->stub], exit->rip});
  }
  block.incoming.clear();
  for (Exit& exit : block.exits) {
    if (exit.to != nullptr) std::erase(exit.to->incoming, &exit);
    exit.to = nullptr;
  }
  for (GuestAddr page = PageFloor(block.start); page < block.end; page += kPageSize) {
    const auto it = pages_.find(page >> kPageShift);
    std::erase(it->second, &block);
    if (!it->second.empty()) continue;
    pages_.erase(it);
    memory_.UnmarkCode(page);
  }
  if (!block.single) ForgetJump(block.start);
  auto& blocks = block.single ? single_blocks_ : blocks_;
  const auto it = blocks.find(block.start);
  dropped_.push_back(std::move(it->second));
  blocks.erase(it);
}

void BlockCache::FreeDropped() {
  for (const auto& block : dropped_) {
    by_uops_.erase(block->uops.data());
    uop_count_ -= block->uops.size();
  }
  dropped_.clear();
}

}  // namespace glovebox::engine
