// How an instruction runs that touches a watched page but nothing that is watched: from a copy of
// its units, with the page accessible for it alone, and a uop behind it that takes that back and
// goes on. Dispatch is not left, so what lies beside a watched variable stays usable. A repeated
// string instruction runs so for as many elements as come before the next one that is watched.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/types.h"
#include "engine/cpu/block_cache.h"
#include "engine/cpu/core_state.h"
#include "engine/cpu/uop.h"
#include "engine/memory/page_flags.h"
#include "engine/memory/watch.h"

namespace glovebox::engine {

// The one access of an instruction, as long as that is all there is to know of it: at base + (index
// << shift) + displacement, where the registers are the ISA's.
struct SoleAccess {
  std::uint8_t base = 0;
  std::uint8_t index = 0;
  std::uint8_t shift = 0;
  std::uint8_t needs = 0;  // PageFlags
  std::uint32_t size_bytes = 0;
  std::uint64_t displacement = 0;
};

// What an ISA knows of its instructions.
class InstructionFacts {
 public:
  virtual ~InstructionFacts() = default;
  // Where the next elements of a string instruction lie; among other addresses, where that depends
  // on more than the uop shows.
  using Pointers = std::array<GuestAddr, 4>;
  virtual Pointers StringPointers(const Uop& uop) const = 0;
  // Empty: it has none or several, or computes its address in another way.
  virtual std::optional<SoleAccess> SoleAccessAt(GuestAddr rip) = 0;
  virtual GuestAddr AddressOf(const SoleAccess& access) const = 0;
};

// Flags that pages have for a moment only.
class FlagLoans {
 public:
  explicit FlagLoans(std::uint8_t* flags) : flags_(flags) {}
  void Lend(std::uint64_t page, PageFlag flag);
  // The first one; `flags`: PageFlags.
  [[gnu::always_inline]] void LendFirst(std::uint64_t page, std::uint8_t flags) {
    loans_[0] = {page, static_cast<std::uint8_t>(~flags)};
    count_ = 1;
    flags_[page] |= flags;
  }
  [[gnu::always_inline]] void TakeBack() {
    if (count_ == 1) [[likely]] {
      flags_[loans_[0].page] &= loans_[0].keeps;
      count_ = 0;
    } else if (count_ != 0) {
      TakeAllBack();
    }
  }

 private:
  void TakeAllBack();

  struct Loan {
    std::uint64_t page = 0;
    std::uint8_t keeps = 0;
  };
  std::uint8_t* const flags_;
  // The most is a gather: eight elements, each across two pages.
  std::array<Loan, 32> loans_;
  std::size_t count_ = 0;
};

class Aside {
  // Host work, in units of a simple instruction.
  static constexpr std::int64_t kWork = 8;
  static constexpr std::int64_t kWorkOfRepeat = 64;
  enum class Kind : std::uint8_t {
    kNever,
    kRepeat,    // a block of its own, which counts what it retires itself
    kPlain,     // what comes next lies behind it
    kJump,      // its second unit is a Jump
    kComputed,  // an exit that computes its target
  };
  // What was found out about a uop that touches watched pages: true as long as no block goes.
  struct Site {
    const Uop* uop = nullptr;
    std::uint64_t generation = 0;
    Kind kind = Kind::kNever;
    std::uint8_t misses = 0;
    std::array<Uop, 4> units{};
  };
  // Misses of a site until it gets a guard; again behind 256 more, where that was taken away.
  static constexpr std::uint8_t kOften = 32;
  // Runs of a guard beside every watched page until it goes.
  static constexpr std::uint32_t kIdleGuard = 64;
  static constexpr std::size_t kMaxGuards = 8192;
  static constexpr unsigned kHeldShift = 5;
  static_assert(kHeldReadable == kReadable << kHeldShift && kHeldPlain == kPlain << kHeldShift);

 public:
  // Stands in a block in place of an instruction that is often found to touch a watched page: it
  // judges the address before the instruction runs, which then need not fail first.
  struct Guard {
    SoleAccess access;
    // An access that begins in here touches what is watched, or what lies between two of them.
    GuestAddr low = 0;
    std::uint64_t span = 0;
    std::uint32_t idle = 0;
    Site site;
    Uop* place = nullptr;
    Uop original;
  };
  struct GuardUnit {
    Handler handler = nullptr;
    Guard* guard = nullptr;
  };
  static_assert(sizeof(GuardUnit) == sizeof(Uop));

  // Of the uops that come behind a copy: each goes on where its function says.
  struct Handlers {
    Handler behind;    // Behind
    Handler jumped;    // Jumped
    Handler left;      // Left
    Handler repeated;  // Repeated
    Handler guard;     // Guarded; the ISA's
  };
  Aside(BlockCache& cache, CoreState& core, std::uint8_t* flags, InstructionFacts& facts,
        const Handlers& handlers)
      : cache_(cache), core_(core), facts_(facts), handlers_(handlers), loans_(flags) {}

  // Before each run in which anything is watched or guarded, since watches change between runs.
  // True: there were guards, which know of the old ones, and every block has to go.
  bool SetWatches(const std::vector<Watch>& watches);
  bool has_guards() const { return !guards_.empty(); }

  static const Guard& GuardOf(const Uop& uop) { return *std::bit_cast<GuardUnit>(uop).guard; }
  // Goes on from a guard, with the address of its access.
  [[gnu::always_inline]] const Uop* Guarded(const Guard& found, GuestAddr address) {
    Guard& guard = const_cast<Guard&>(found);
    const std::uint32_t last = guard.access.size_bytes - 1;
    if (address - guard.low < guard.span || address >= core_.window_bytes ||
        (address & (kPageSize - 1)) + last >= kPageSize) [[unlikely]] {
      return Unguard(guard);
    }
    const std::uint64_t page = address >> kPageShift;
    const std::uint8_t flags = core_.flags[page];
    const auto held = static_cast<std::uint8_t>(flags >> kHeldShift & (kReadable | kPlain));
    if (((flags | held) & guard.access.needs) != guard.access.needs) [[unlikely]]
      return Unguard(guard);
    if (held != 0) [[likely]] {
      guard.idle = 0;
      loans_.LendFirst(page, held);
    } else if (++guard.idle == kIdleGuard) {
      return Unguard(guard);
    }
    return Enter(guard.site);
  }
  // The instruction at `uop` is there itself.
  void RestoreAt(const Uop* uop);
  // The copy to go on with, where nothing has to be found out any more. Null: look closer.
  [[gnu::always_inline]] const Uop* TryAgain() {
    const CoreState::Miss& miss = core_.miss;
    if (sites_ == nullptr || original_ != nullptr || core_.out_of_place.original != nullptr ||
        miss.address >= core_.window_bytes) {
      return nullptr;
    }
    const bool writes = miss.access == Access::kWrite;
    const std::uint64_t page = miss.address >> kPageShift;
    const GuestAddr end = miss.address + miss.size_bytes;
    const bool is_held = (core_.flags[page] & (writes ? kHeldPlain : kHeldReadable)) != 0;
    if (!is_held || (end - 1) >> kPageShift != page || IsWatched(miss.address, end)) return nullptr;
    Site& site = (*sites_)[IndexOf(miss.uop)];
    if (site.uop != miss.uop || site.generation != cache_.generation() ||
        site.kind <= Kind::kRepeat) {
      return nullptr;
    }
    if (++site.misses == kOften) [[unlikely]]
      PutGuard(site);
    loans_.LendFirst(page, writes ? kPlain : kReadable);
    return Enter(site);
  }
  // Likewise, of a uop that may be met for the first time. `elements()`: of how many a string
  // instruction is known that nobody watches them. Null: it must not run so.
  template <typename Elements>
  const Uop* Begin(const Uop* uop, Elements elements) {
    const Site& site = Find(uop);
    if (site.kind == Kind::kNever) return nullptr;
    return site.kind == Kind::kRepeat ? EnterRepeat(site, elements()) : Enter(site);
  }
  FlagLoans& loans() { return loans_; }
  // Null: nothing runs aside.
  const Uop* original() const { return original_; }
  // Takes back whatever was lent, also to an instruction that runs out of place.
  void End();

  [[gnu::always_inline]] const Uop* Behind(const Uop* next) {
    loans_.TakeBack();
    original_ = nullptr;
    return next;
  }
  // The exit that was copied leads where the block's own does by now.
  [[gnu::always_inline]] const Uop* Jumped(const Uop* jump) {
    return Behind(std::bit_cast<Jump>(*jump).target);
  }
  // An exit that computes its target, or a string instruction that goes on, had no budget, so it
  // has left.
  const Uop* Left();
  // A string instruction has come to its end.
  const Uop* Repeated(const Uop* next) {
    End();
    return next;
  }

 private:
  void PutGuard(const Site& site);
  const Uop* Unguard(Guard& guard);
  static std::size_t IndexOf(const Uop* uop) {
    return (reinterpret_cast<std::uintptr_t>(uop) / sizeof(Uop)) % kSites;
  }
  [[gnu::always_inline]] bool IsWatched(GuestAddr address, GuestAddr end) const {
    return address < end_ && end > begin_ && (is_dense_ || IsInOne(address, end));
  }
  bool IsInOne(GuestAddr address, GuestAddr end) const;
  Site& Find(const Uop* uop);
  void Study(const Uop* uop, Site& site) const;
  const Uop* EnterRepeat(const Site& site, std::uint64_t elements);
  [[gnu::always_inline]] const Uop* Enter(const Site& site) {
    original_ = site.uop;
    copy_ = site.units.data();
    core_.budget -= kWork;
    core_.penalty += kWork;
    if (site.kind == Kind::kComputed) [[unlikely]]
      TakeBudget();
    return copy_;
  }
  void TakeBudget();

  static constexpr std::size_t kSites = 256;
  BlockCache& cache_;
  CoreState& core_;
  InstructionFacts& facts_;
  const Handlers handlers_;
  FlagLoans loans_;
  // All that is watched lies in here.
  GuestAddr begin_ = 0;
  GuestAddr end_ = 0;
  bool is_dense_ = true;  // one watch has it all
  std::vector<Watch> watches_;
  const Uop* original_ = nullptr;
  const Uop* copy_ = nullptr;
  bool has_budget_ = false;  // the budget is kept here
  std::int64_t budget_ = 0;
  std::int64_t reserve_ = 0;
  Handler leave_ = nullptr;
  std::unique_ptr<std::array<Site, kSites>> sites_;  // once something is watched
  // Of blocks that may be gone; until the watches change.
  std::deque<Guard> guards_;
};

}  // namespace glovebox::engine
