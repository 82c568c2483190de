#include "engine/cpu/aside.h"

#include <algorithm>

#include "engine/base/check.h"

namespace glovebox::engine {
namespace {

// Larger than any budget, so that every exit leaves.
constexpr std::int64_t kNoBudget = -(std::int64_t{1} << 61);

}  // namespace

void FlagLoans::Lend(std::uint64_t page, PageFlag flag) {
  if ((flags_[page] & flag) != 0) return;
  GB_CHECK(count_ < loans_.size());
  loans_[count_++] = {page, static_cast<std::uint8_t>(~flag)};
  flags_[page] |= flag;
}

void FlagLoans::TakeAllBack() {
  for (std::size_t i = 0; i < count_; ++i) flags_[loans_[i].page] &= loans_[i].keeps;
  count_ = 0;
}

void Aside::Study(const Uop* uop, Site& site) const {
  site = {.uop = uop, .generation = cache_.generation()};
  const Block& block = cache_.Holding(uop);
  const std::size_t index = block.IndexOf(uop);
  const std::uint32_t first = block.marks[index].uop;
  const std::uint32_t units = block.marks[index + 1].uop - first;
  if (units > 2 || &block.uops[first] != uop) return;
  const bool is_last = static_cast<std::int64_t>(index) + 1 == block.instruction_count();
  const auto has_jump_at = [&](std::uint32_t at) {
    return std::ranges::find(block.exits, at, &Exit::jump) != block.exits.end();
  };
  std::copy_n(uop, units, site.units.begin());
  Uop& behind = site.units[units];
  const auto put = [&](Kind kind, Handler handler, const Uop* operand) {
    site.kind = kind;
    behind = Uop{.handler = handler};
    site.units[units + 1] = std::bit_cast<Uop>(Pointer<const Uop>{operand});
  };
  if (units == 2 && has_jump_at(first + 1)) {
    put(Kind::kJump, handlers_.jumped, uop + 1);
    auto jump = std::bit_cast<Jump>(site.units[1]);
    jump.target = &behind;
    site.units[1] = std::bit_cast<Uop>(jump);
  } else if (!is_last) {
    put(Kind::kPlain, handlers_.behind, uop + units);
  } else if (has_jump_at(first + units + 1)) {
    // The block runs on. What counts its own instructions is a REP.
    const bool repeats = uop[units].d == 0;
    put(repeats ? Kind::kRepeat : Kind::kPlain, repeats ? handlers_.repeated : handlers_.behind,
        uop + units);
  } else {
    put(Kind::kComputed, handlers_.behind, uop + units);
  }
}

bool Aside::SetWatches(const std::vector<Watch>& watches) {
  if (watches == watches_) return false;
  watches_ = watches;
  begin_ = ~GuestAddr{0};
  end_ = 0;
  for (const Watch& watch : watches_) {
    begin_ = std::min(begin_, watch.address);
    end_ = std::max(end_, watch.address + watch.size_bytes);
  }
  is_dense_ = watches_.size() < 2;
  const bool had_guards = !guards_.empty();
  guards_.clear();
  return had_guards;
}

// The miss that brought us here shows whether what is known of the instruction is right.
void Aside::PutGuard(const Site& site) {
  if (guards_.size() == kMaxGuards || end_ <= begin_) return;
  Block& block = cache_.Holding(site.uop);
  const std::size_t index = block.IndexOf(site.uop);
  const std::uint32_t at = block.marks[index].uop;
  // Fused with the one before it?
  if (block.dead || (index > 0 && block.marks[index - 1].uop == at)) return;
  const auto access = facts_.SoleAccessAt(block.RipOf(index));
  const CoreState::Miss& miss = core_.miss;
  if (!access || access->size_bytes != miss.size_bytes ||
      facts_.AddressOf(*access) != miss.address) {
    return;
  }
  Guard& guard = guards_.emplace_back();
  guard.access = *access;
  guard.low = begin_ - (access->size_bytes - 1);
  guard.span = end_ - guard.low;
  guard.site = site;
  if (site.kind == Kind::kJump) {  // which leads to the uop behind it, and that has moved
    auto jump = std::bit_cast<Jump>(guard.site.units[1]);
    jump.target = &guard.site.units[2];
    guard.site.units[1] = std::bit_cast<Uop>(jump);
  }
  guard.place = &block.uops[at];
  guard.original = *guard.place;
  *guard.place = std::bit_cast<Uop>(GuardUnit{handlers_.guard, &guard});
}

const Uop* Aside::Unguard(Guard& guard) {
  *guard.place = guard.original;
  return guard.place;
}

void Aside::RestoreAt(const Uop* uop) {
  if (uop->handler == handlers_.guard) Unguard(*std::bit_cast<GuardUnit>(*uop).guard);
}

bool Aside::IsInOne(GuestAddr address, GuestAddr end) const {
  return std::ranges::any_of(watches_, [&](const Watch& watch) {
    return watch.address < end && address < watch.address + watch.size_bytes;
  });
}

Aside::Site& Aside::Find(const Uop* uop) {
  if (sites_ == nullptr) sites_ = std::make_unique<std::array<Site, kSites>>();
  Site& site = (*sites_)[IndexOf(uop)];
  if (site.uop != uop || site.generation != cache_.generation()) Study(uop, site);
  return site;
}

// It takes so many elements at most: no more remain of its instructions, and it leaves behind them.
const Uop* Aside::EnterRepeat(const Site& site, std::uint64_t elements) {
  if (elements == 0) return nullptr;
  core_.budget -= kWorkOfRepeat;
  core_.penalty += kWorkOfRepeat;
  const std::int64_t remaining = core_.budget + core_.penalty + core_.reserve;
  original_ = site.uop;
  copy_ = site.units.data();
  TakeBudget();
  const auto most = std::min(elements, static_cast<std::uint64_t>(remaining));
  core_.reserve = static_cast<std::int64_t>(most) - core_.budget - core_.penalty;
  return copy_;
}

void Aside::TakeBudget() {
  budget_ = core_.budget;
  reserve_ = core_.reserve;
  core_.budget = kNoBudget;
  leave_ = core_.leave.handler;
  core_.leave.handler = handlers_.left;
  has_budget_ = true;
}

void Aside::End() {
  loans_.TakeBack();
  if (original_ == nullptr) return;
  if (core_.uop == copy_) core_.uop = original_;
  original_ = nullptr;
  if (!has_budget_) return;
  has_budget_ = false;
  core_.budget = budget_ - (kNoBudget - core_.budget);
  core_.reserve = reserve_;
  core_.leave.handler = leave_;
}

const Uop* Aside::Left() {
  End();
  if (core_.leave_kind != LeaveKind::kNextBlock || core_.budget < 0) return &core_.leave;
  const JumpCacheEntry& entry = core_.jump_cache[JumpCacheIndex(core_.rip)];
  return entry.rip == core_.rip ? entry.target : &core_.lookup;
}

}  // namespace glovebox::engine
