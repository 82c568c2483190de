// The run loop: finds or decodes blocks, enters dispatch, and serves what leaves the fast paths.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "engine/base/types.h"
#include "engine/cpu/aside.h"
#include "engine/cpu/block_cache.h"
#include "engine/cpu/core_state.h"
#include "engine/cpu/debug_stop.h"
#include "engine/cpu/stop.h"
#include "engine/memory/address_space.h"

namespace glovebox::engine {

// What an ISA has to do around dispatch (loading the guest's floating point environment).
class DispatchHooks {
 public:
  virtual ~DispatchHooks() = default;
  virtual void BeforeDispatch() = 0;
  virtual void AfterDispatch() = 0;
};

// Threads: one at a time, except Nudge.
class Runner final : public CodeObserver {
 public:
  // `guard`: see Aside::Handlers.
  Runner(AddressSpace& memory, CoreState& core, Translator& translator, DispatchHooks& hooks,
         InstructionFacts& facts, Handler guard);
  ~Runner() override;

  // See Vcpu::Run. The guest goes on at core.rip. Stops do not name instructions yet.
  Stop Run(std::uint64_t budget);
  void Nudge() { nudged_.store(true, std::memory_order_relaxed); }
  Icount icount() const { return icount_; }

  // Slow paths of dispatch: each returns the uop to go on with.
  const Uop* ResolveMiss();
  const Uop* LinkExit(Exit& exit);
  const Uop* LookupTarget();
  const Uop* EndChecked(const Block& block, bool same);
  const Uop* StopAtBreakpoint(GuestAddr rip);
  Aside& aside() { return aside_; }

  // Between runs. A block with the instruction at a breakpoint ends before it, and one that begins
  // there leaves at once; without breakpoints nothing of that is decoded.
  void SetBreakpoint(GuestAddr address);
  void ClearBreakpoint(GuestAddr address);
  // The first instruction of the next Run runs, whatever breakpoint is there.
  void PassBreakpoint() { passes_ = true; }
  // Why the last Run yielded, where that was for a debugger.
  std::optional<DebugStop> TakeDebugStop() { return std::exchange(debug_stop_, std::nullopt); }

  void CodeChanged(GuestAddr address, std::uint64_t size_bytes) override {
    cache_.Invalidate(address, size_bytes);
  }
  void CodeStoredElsewhere(GuestAddr page_address) override {
    cache_.StoredElsewhere(page_address);
  }

 private:
  // Null: `fetch_fault_` says why.
  Block* FindOrTranslate(GuestAddr rip, bool single);
  const Uop* FindTarget();
  const Uop* NextUops(std::uint64_t remaining);
  void SpendWork(std::int64_t work) {
    core_.budget -= work;
    core_.penalty += work;
  }
  const Uop* LeaveBefore(const Uop* uop);
  const Uop* RunOutOfPlace(const Uop* uop);
  const Uop* RunAside(const CoreState::Miss& miss);
  std::uint64_t UnwatchedElements(const CoreState::Miss& miss) const;
  void EndOutOfPlace();
  bool AfterLeave(std::int64_t& retired, Stop& stop);
  bool NoteHit(Stop& stop);

  AddressSpace& memory_;
  CoreState& core_;
  Translator& translator_;
  DispatchHooks& hooks_;
  InstructionFacts& facts_;
  BlockCache cache_;
  Translation translation_;  // the last one: what is kept of it is the memory
  Icount icount_ = 0;
  MemoryFault fetch_fault_;
  std::vector<GuestAddr> breakpoints_;  // sorted
  bool passes_ = false;
  bool begins_again_ = false;  // the instruction before which dispatch was left
  Aside aside_;
  std::optional<WatchHit> hit_;  // of the instruction that runs out of place, which is at:
  GuestAddr hit_at_ = 0;
  std::optional<DebugStop> debug_stop_;
  std::atomic<bool> nudged_ = false;
};

}  // namespace glovebox::engine
