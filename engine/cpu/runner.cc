#include "engine/cpu/runner.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "dispatch.h"
#include "engine/base/check.h"
#include "engine/cpu/context.h"
#include "engine/cpu/host_float.h"

namespace glovebox::engine {
namespace {

// Host work is measured in units of about one simple instruction (2 to 3 ns), so that a Run ends
// after about a millisecond. Nothing that a guest sees follows from these.
constexpr std::int64_t kWorkPerRun = 400'000;
constexpr std::int64_t kWorkPerEntry = 32'768;  // how soon a nudge is seen
constexpr std::int64_t kWorkOfMiss = 200;
constexpr std::int64_t kWorkOfDecodedInstruction = 120;

// Larger than any budget, so that every exit leaves.
constexpr std::int64_t kOutOfPlaceBudget = -(std::int64_t{1} << 61);

struct ResolveBody {
  [[gnu::always_inline]] static const Uop* Run(BasicContext<CoreState>& c) {
    const Uop* const aside = c.cpu.runner->aside().TryAgain();
    return aside != nullptr ? aside : c.cpu.runner->ResolveMiss();
  }
};

struct LookupBody {
  [[gnu::always_inline]] static const Uop* Run(BasicContext<CoreState>& c) {
    return c.cpu.runner->LookupTarget();
  }
};

struct LinkBody {
  [[gnu::always_inline]] static const Uop* Run(BasicContext<CoreState>& c) {
    return c.cpu.runner->LinkExit(*c.Second<Pointer<Exit>>().to);
  }
};

// The start of a block that checks itself.
struct CheckBody {
  [[gnu::always_inline]] static const Uop* Run(BasicContext<CoreState>& c) {
    Block& block = *c.Second<Pointer<Block>>().to;
    const bool same =
        std::memcmp(HostOf(c.memory, block.start), block.bytes.data(), block.bytes.size()) == 0;
    if (same && --block.patience != 0) [[likely]]
      return c.Next<2>();
    return c.cpu.runner->EndChecked(block, same);
  }
};

// The start of a block with a breakpoint.
struct BreakBody {
  [[gnu::always_inline]] static const Uop* Run(BasicContext<CoreState>& c) {
    return c.cpu.runner->StopAtBreakpoint(c.Second<Wide>().displacement);
  }
};

// Behind an instruction that ran aside: see aside.h.
struct AsideBody {
  [[gnu::always_inline]] static const Uop* Run(BasicContext<CoreState>& c) {
    return c.cpu.runner->aside().Behind(OperandOf(c));
  }
  [[gnu::always_inline]] static const Uop* OperandOf(const BasicContext<CoreState>& c) {
    return c.Second<Pointer<const Uop>>().to;
  }
};
struct AsideJumpBody {
  [[gnu::always_inline]] static const Uop* Run(BasicContext<CoreState>& c) {
    return c.cpu.runner->aside().Jumped(AsideBody::OperandOf(c));
  }
};
struct AsideRepeatBody {
  [[gnu::always_inline]] static const Uop* Run(BasicContext<CoreState>& c) {
    return c.cpu.runner->aside().Repeated(AsideBody::OperandOf(c));
  }
};
struct AsideLeaveBody {
  [[gnu::always_inline]] static const Uop* Run(BasicContext<CoreState>& c) {
    return c.cpu.runner->aside().Left();
  }
};

// Behind an instruction that was executed out of place.
struct SteppedOutBody {
  [[gnu::always_inline]] static const Uop* Run(BasicContext<CoreState>& c) {
    c.cpu.uop = c.cpu.out_of_place.original;
    c.cpu.leave_kind = LeaveKind::kSteppedOut;
    return &c.cpu.leave;
  }
};

bool HasHappened(LeaveKind kind) {
  return kind != LeaveKind::kMiss && kind != LeaveKind::kException;
}

}  // namespace

Runner::Runner(AddressSpace& memory, CoreState& core, Translator& translator, DispatchHooks& hooks,
               InstructionFacts& facts, Handler guard)
    : memory_(memory),
      core_(core),
      translator_(translator),
      hooks_(hooks),
      facts_(facts),
      cache_(memory, core,
             {.link = &RunHandler<CoreState, LinkBody>,
              .check = &RunHandler<CoreState, CheckBody>,
              .stop = &RunHandler<CoreState, BreakBody>}),
      aside_(cache_, core, memory.flags(), facts,
             {.behind = &RunHandler<CoreState, AsideBody>,
              .jumped = &RunHandler<CoreState, AsideJumpBody>,
              .left = &RunHandler<CoreState, AsideLeaveBody>,
              .repeated = &RunHandler<CoreState, AsideRepeatBody>,
              .guard = guard}) {
  core_.memory = memory.base();
  core_.flags = memory.flags();
  core_.window_bytes = memory.address_end();
  core_.resolve.handler = &RunHandler<CoreState, ResolveBody>;
  core_.lookup.handler = &RunHandler<CoreState, LookupBody>;
  core_.leave.handler = &LeaveHandler;
  core_.runner = this;
  core_.jump_cache[0] = EmptyJumpCacheEntry(0);
  memory_.SetCodeObserver(this);
}

Runner::~Runner() { memory_.SetCodeObserver(nullptr); }

Block* Runner::FindOrTranslate(GuestAddr rip, bool single) {
  if (Block* const block = cache_.Find(rip, single)) return block;
  if (cache_.IsFull()) cache_.InvalidateAll();
  const bool checks_itself = cache_.ChecksItself(rip);
  if (const auto fault = translator_.Translate(rip, single ? 1 : kMaxBlockInstructions,
                                               checks_itself, breakpoints_, translation_)) {
    fetch_fault_ = *fault;
    return nullptr;
  }
  const bool stops = std::ranges::binary_search(breakpoints_, rip);
  Block& block = cache_.Add(rip, {single, checks_itself, stops}, translation_);
  SpendWork(block.instruction_count() * kWorkOfDecodedInstruction);
  return &block;
}

void Runner::SetBreakpoint(GuestAddr address) {
  const auto at = std::ranges::lower_bound(breakpoints_, address);
  if (at != breakpoints_.end() && *at == address) return;
  breakpoints_.insert(at, address);
  cache_.Invalidate(address, 1);
}

void Runner::ClearBreakpoint(GuestAddr address) {
  std::erase(breakpoints_, address);
  cache_.Invalidate(address, 1);
}

// How many elements a string instruction may take before it comes to one that is watched, whichever
// way it goes.
std::uint64_t Runner::UnwatchedElements(const CoreState::Miss& miss) const {
  std::uint64_t most = ~std::uint64_t{0};
  for (const GuestAddr at : facts_.StringPointers(*miss.uop)) {
    for (const Watch& watch : memory_.watches()) {
      const GuestAddr end = watch.address + watch.size_bytes;
      const std::uint64_t elements = at >= end            ? (at - end) / miss.size_bytes + 1
                                     : at < watch.address ? (watch.address - at) / miss.size_bytes
                                                          : 0;
      most = std::min(most, elements);
    }
  }
  return most;
}

const Uop* Runner::StopAtBreakpoint(GuestAddr rip) {
  debug_stop_ = DebugStop{};
  core_.rip = rip;
  core_.leave_kind = LeaveKind::kNextBlock;
  return &core_.leave;
}

// A block that checks itself is not to run: its code has changed, or has not for too long.
const Uop* Runner::EndChecked(const Block& block, bool same) {
  const HostFloatScope host_float;
  core_.rip = block.start;
  core_.leave_kind = LeaveKind::kNextBlock;
  if (same) cache_.WatchAgain(block);
  cache_.Remove(block);
  return &core_.leave;
}

const Uop* Runner::LinkExit(Exit& exit) {
  const HostFloatScope host_float;
  if (Block* const target = FindOrTranslate(exit.rip, /*single=*/false)) {
    cache_.Link(exit, *target);
    if (core_.memory == memory_.base()) return target->uops.data();
  }
  core_.rip = exit.rip;
  core_.leave_kind = LeaveKind::kNextBlock;  // where the run loop meets the fault, or the new base
  return &core_.leave;
}

// The whole block at core_.rip, which the jump cache does not hold but will. Null: `fetch_fault_`
// says why.
const Uop* Runner::FindTarget() {
  if (const Uop* const target = cache_.FindJump(core_.rip)) {
    core_.jump_cache[JumpCacheIndex(core_.rip)] = {core_.rip, target};
    return target;
  }
  const HostFloatScope host_float;
  const Block* const target = FindOrTranslate(core_.rip, /*single=*/false);
  if (target == nullptr) return nullptr;
  cache_.NoteJump(*target);
  return target->uops.data();
}

const Uop* Runner::LookupTarget() {
  const Uop* const target = FindTarget();
  if (target != nullptr && core_.memory == memory_.base()) return target;
  core_.leave_kind = LeaveKind::kNextBlock;
  return &core_.leave;
}

// An access to a watched page, of an instruction that runs out of place or may run aside. Null: the
// page asks the table, or the instruction must leave dispatch.
const Uop* Runner::RunAside(const CoreState::Miss& miss) {
  const bool writes = miss.access == Access::kWrite;
  const PageFlag lent = writes ? kPlain : kReadable;
  const unsigned held = writes ? kHeldPlain : kHeldReadable;
  const unsigned allowed = held | static_cast<unsigned>(lent);
  if (miss.address >= core_.window_bytes) return nullptr;
  const std::uint64_t first = miss.address >> kPageShift;
  const std::uint64_t last = (miss.address + (miss.size_bytes - 1)) >> kPageShift;
  if ((core_.flags[first] & allowed) == 0 || (core_.flags[last] & allowed) == 0) return nullptr;
  const Uop* next = miss.uop;
  if (core_.out_of_place.original == nullptr && aside_.original() == nullptr) {
    next = aside_.Begin(miss.uop, [&] { return UnwatchedElements(miss); });
    if (next == nullptr) return nullptr;
  }
  aside_.loans().Lend(first, lent);
  aside_.loans().Lend(last, lent);
  return next;
}

const Uop* Runner::ResolveMiss() {
  const CoreState::Miss& miss = core_.miss;
  std::optional<WatchHit> hit;
  if (!memory_.watches().empty()) [[unlikely]] {
    hit = memory_.Judge(miss.address, miss.size_bytes, miss.access);
    const Uop* const next = hit ? nullptr : RunAside(miss);
    if (next != nullptr) return next;
    if (aside_.original() != nullptr) {
      // Once more from its start, out of place if need be.
      core_.miss.uop = aside_.original();
      aside_.End();
      aside_.RestoreAt(core_.miss.uop);
    }
  }
  const HostFloatScope host_float;
  SpendWork(kWorkOfMiss);
  const std::uint64_t generation = cache_.generation();
  if (const auto fault = memory_.Resolve(miss.address, miss.size_bytes, miss.access)) {
    core_.fault = *fault;
    core_.uop = core_.out_of_place.original != nullptr ? core_.out_of_place.original : miss.uop;
    core_.leave_kind = LeaveKind::kMiss;
    return &core_.leave;
  }
  if (core_.memory != memory_.base()) return LeaveBefore(miss.uop);
  const bool writes = miss.access == Access::kWrite;
  const PageFlag wanted = writes ? kPlain : kReadable;
  const auto is_fit = [&](GuestAddr at) {
    return (memory_.flags()[at >> kPageShift] & wanted) != 0;
  };
  const GuestAddr last = miss.address + (miss.size_bytes - 1);
  const bool same_code = cache_.generation() == generation;
  if (same_code && is_fit(miss.address) && is_fit(last)) return miss.uop;
  // The store changes code, perhaps the very block that runs, or shares a page with code; or the
  // page is watched.
  const auto is_held = [this](GuestAddr at) {
    return (memory_.flags()[at >> kPageShift] & (kHeldPlain | kHeldReadable)) != 0;
  };
  if (!same_code || !is_held(miss.address) || !is_held(last)) {
    cache_.NoteStore(miss.address);
    if (PageFloor(last) != PageFloor(miss.address)) cache_.NoteStore(last);
  }
  CoreState::OutOfPlace& out = core_.out_of_place;
  const Uop* const next = out.original == nullptr ? RunOutOfPlace(miss.uop) : miss.uop;
  if (hit && (!hit_ || hit_->if_it_reads)) hit_ = hit;
  for (const GuestAddr at : {miss.address, last}) {
    if (is_fit(at)) continue;
    if (!writes || is_held(at)) {
      aside_.loans().Lend(at >> kPageShift, wanted);
      continue;
    }
    GB_CHECK(out.page_count < out.pages.size());
    out.pages[out.page_count++] = PageFloor(at);
    memory_.flags()[at >> kPageShift] |= kPlain;
  }
  return next;
}

// The memory has gone to another base, of which what runs does not know: the instruction, of which
// nothing has happened, begins anew.
const Uop* Runner::LeaveBefore(const Uop* uop) {
  const CoreState::OutOfPlace& out = core_.out_of_place;
  const Uop* const original = out.original != nullptr ? out.original : uop;
  const Block& block = cache_.Holding(original);
  const std::size_t index = block.IndexOf(original);
  core_.rip = block.RipOf(index);
  hit_.reset();
  begins_again_ = true;
  core_.budget -= static_cast<std::int64_t>(index);  // as an exit does
  core_.leave_kind = LeaveKind::kNextBlock;
  return &core_.leave;
}

// Prepares the one instruction of `uop` to run on its own, with dispatch left behind it.
const Uop* Runner::RunOutOfPlace(const Uop* uop) {
  const Block& block = cache_.Holding(uop);
  const std::size_t index = block.IndexOf(uop);
  const std::uint32_t units = block.marks[index + 1].uop - block.marks[index].uop;
  CoreState::OutOfPlace& out = core_.out_of_place;
  GB_CHECK(units < out.units.size());
  out.original = uop;
  hit_.reset();
  hit_at_ = block.RipOf(index);
  std::copy_n(uop, units, out.units.begin());
  // In its block it may have left flags alone that what follows overwrites. What follows may be
  // what it changes, so it is decoded once more, by itself. The last one leaves none alone, and it
  // may be an exit, which retires the whole block.
  Translation alone;
  const bool is_last = static_cast<std::int64_t>(index) + 1 == block.instruction_count();
  const bool decoded =
      !is_last && !translator_.Translate(block.RipOf(index), 1, false, {}, alone).has_value();
  const bool has_exit =
      decoded && std::ranges::any_of(alone.jumps, [&](std::uint32_t at) { return at < units; });
  if (decoded && !has_exit && alone.marks[1].uop == units) {
    std::copy_n(alone.uops.begin(), units, out.units.begin());
  }
  out.units[units] = Uop{.handler = &RunHandler<CoreState, SteppedOutBody>};
  out.saved_budget = core_.budget;
  out.saved_penalty = core_.penalty;
  out.page_count = 0;
  core_.budget = kOutOfPlaceBudget;
  return out.units.data();
}

void Runner::EndOutOfPlace() {
  CoreState::OutOfPlace& out = core_.out_of_place;
  aside_.End();
  if (out.original == nullptr) return;
  const std::int64_t spent = kOutOfPlaceBudget - core_.budget;
  out.counted_itself = spent != core_.penalty - out.saved_penalty;
  core_.budget = out.saved_budget - spent;
  for (std::size_t i = 0; i < out.page_count; ++i) {
    std::uint8_t& flag = memory_.flags()[out.pages[i] >> kPageShift];
    if ((flag & kHasCode) != 0 || memory_.IsWatchedPage(out.pages[i] >> kPageShift))
      flag &= static_cast<std::uint8_t>(~kPlain);
  }
  if (core_.uop == out.units.data()) core_.uop = out.original;
  out.original = nullptr;
}

// Sets rip, and adds the instructions of an unfinished block to `retired`. True: `stop` says why
// the run is over.
bool Runner::AfterLeave(std::int64_t& retired, Stop& stop) {
  switch (core_.leave_kind) {
    case LeaveKind::kNextBlock:
      stop.kind = debug_stop_ ? StopKind::kYield : stop.kind;
      return debug_stop_.has_value();
    case LeaveKind::kTrap:
      stop.kind = StopKind::kException;
      stop.exception = core_.exception;
      return true;
    case LeaveKind::kSyscall:
      stop.kind = StopKind::kSyscall;
      stop.entry = core_.syscall_entry;
      return true;
    case LeaveKind::kAttention:
      stop.kind = StopKind::kYield;
      return true;
    case LeaveKind::kSteppedOut:
    case LeaveKind::kMiss:
    case LeaveKind::kException:
      break;
  }
  const Block& block = cache_.Holding(core_.uop);
  const std::size_t index = block.IndexOf(core_.uop);
  retired += static_cast<std::int64_t>(index);
  core_.rip = block.RipOf(index);
  if (core_.leave_kind == LeaveKind::kException) {
    stop.kind = StopKind::kException;
    stop.exception = core_.exception;
    stop.error_code = core_.error_code;
    return true;
  }
  if (core_.leave_kind == LeaveKind::kMiss) {
    const bool limit = core_.fault.kind == MemoryFaultKind::kMemoryLimit;
    stop.kind = limit ? StopKind::kMemoryLimit : StopKind::kMemoryFault;
    stop.memory = core_.fault;
    return true;
  }
  if (!core_.out_of_place.counted_itself) ++retired;
  core_.rip = block.RipOf(index + 1);
  return false;
}

// Where to enter with `remaining` instructions left: a whole block where it fits. Near the budget's
// end whole blocks are not decoded just to find out that they do not. Null: `fetch_fault_` says
// why.
const Uop* Runner::NextUops(std::uint64_t remaining) {
  if (remaining >= kMaxBlockInstructions) {
    const JumpCacheEntry& entry = core_.jump_cache[JumpCacheIndex(core_.rip)];
    return entry.rip == core_.rip ? entry.target : FindTarget();
  }
  const Block* block = cache_.Find(core_.rip, /*single=*/false);
  const bool fits =
      block != nullptr && static_cast<std::uint64_t>(block->instruction_count()) <= remaining;
  if (!fits) block = FindOrTranslate(core_.rip, /*single=*/true);
  return block != nullptr ? block->uops.data() : nullptr;
}

// Has the instruction that ran out of place touched what is watched? Then the run is over.
bool Runner::NoteHit(Stop& stop) {
  if (!hit_) [[likely]]
    return false;
  const WatchHit hit = *hit_;
  hit_.reset();
  if (!HasHappened(core_.leave_kind)) return false;
  debug_stop_ = DebugStop{DebugStop::Kind::kWatchpoint, hit, hit_at_};
  stop.kind = StopKind::kYield;
  return true;
}

Stop Runner::Run(std::uint64_t budget) {
  Stop stop;  // filled in its place: who copies what was just stored in parts waits for it
  std::uint64_t remaining = budget;
  std::int64_t work = kWorkPerRun;
  bool passes = std::exchange(passes_, false);
  if (!memory_.watches().empty() || aside_.has_guards()) [[unlikely]] {
    if (aside_.SetWatches(memory_.watches())) cache_.InvalidateAll();
  }
  while (true) {
    cache_.Purge();
    if (remaining == 0) return stop;
    // Looked at first: an exchange is a locked instruction, dear where runs are as short as calls.
    const bool nudged = nudged_.load(std::memory_order_relaxed) &&
                        nudged_.exchange(false, std::memory_order_relaxed);
    if (work <= 0 || nudged) {
      stop.kind = StopKind::kYield;
      return stop;
    }
    core_.budget = core_.penalty = 0;
    const Uop* const uops = NextUops(remaining);
    work -= core_.penalty;
    if (uops == nullptr) {
      // A breakpoint comes before its instruction, also where there is none to be had: debuggers
      // let functions return to one on the stack, which cannot be executed.
      if (!passes && std::ranges::binary_search(breakpoints_, core_.rip)) {
        debug_stop_ = DebugStop{};
        stop.kind = StopKind::kYield;
        return stop;
      }
      const bool limit = fetch_fault_.kind == MemoryFaultKind::kMemoryLimit;
      stop.kind = limit ? StopKind::kMemoryLimit : StopKind::kMemoryFault;
      stop.memory = fetch_fault_;
      return stop;
    }

    // Below zero, dispatch is left behind every block: so the last ones before the end of the
    // budget run one by one, whole where they fit and by single instructions where not.
    const auto bounded = static_cast<std::int64_t>(
        std::min<std::uint64_t>(remaining, std::numeric_limits<std::int32_t>::max()));
    const std::int64_t start =
        std::min({bounded - kMaxBlockInstructions, std::max<std::int64_t>(work, 0), kWorkPerEntry});
    core_.budget = start;
    core_.penalty = 0;
    core_.reserve = bounded - start;
    core_.icount_base = static_cast<std::int64_t>(icount_) + start;
    core_.memory = memory_.base();
    hooks_.BeforeDispatch();
    Enter(core_, std::exchange(passes, false) ? cache_.BehindStop(uops) : uops);
    hooks_.AfterDispatch();
    EndOutOfPlace();
    passes = std::exchange(begins_again_, false);  // its breakpoint has been passed
    work -= start - core_.budget;
    std::int64_t retired = start - (core_.budget + core_.penalty);
    const bool stopped = AfterLeave(retired, stop);
    const bool hit = NoteHit(stop);
    icount_ += static_cast<std::uint64_t>(retired);
    remaining -= static_cast<std::uint64_t>(retired);
    if (stopped || hit) return stop;
  }
}

}  // namespace glovebox::engine
