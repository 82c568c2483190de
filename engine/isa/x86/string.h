// MOVS, STOS, LODS, CMPS, SCAS, alone and with REP. Intel SDM vol. 2B, REP.
//
// Alone they are instructions like others. With REP each iteration retires one instruction (an
// empty loop retires one too), so a REP is a block of its own that takes what it retires off the
// budget itself, works on for a bounded number of iterations, and can be left and entered again
// between any two of them. A CMPS or SCAS that faults or traps in the middle shows the flags from
// before the instruction: they are put aside when it begins, and Vcpu::Get shows them.
#pragma once

#include <algorithm>

#include "engine/isa/x86/alu.h"
#include "engine/isa/x86/cpu_state.h"

namespace glovebox::engine::x86 {

enum class Repeat : std::uint8_t { kNone, kRep, kRepEqual, kRepNotEqual };

// Iterations between two looks at the budget.
inline constexpr std::uint64_t kMaxIterations = 4096;

// One iteration. Returns false where an access missed; then nothing has changed. `step` is
// +-sizeof(W). Addresses are A wide; `segment` is the source's, the destination's is flat.
template <typename W, typename A>
struct StringStep {
  static GuestAddr Source(const Cpu& cpu, const Segment& segment) {
    return (static_cast<A>(cpu.gpr[kRsi]) + segment.base) & segment.mask;
  }
  static GuestAddr Destination(const Cpu& cpu) { return static_cast<A>(cpu.gpr[kRdi]); }
  [[gnu::always_inline]] static void Advance(Cpu& cpu, Gpr index, std::int64_t step) {
    WriteGpr<A>(cpu, index * 8, static_cast<A>(cpu.gpr[index] + static_cast<std::uint64_t>(step)));
  }
};

struct Movs {
  static constexpr bool kLoads = true;
  static constexpr bool kStores = true;
  static constexpr bool kCompares = false;
  template <typename W, typename A>
  [[gnu::always_inline]] static bool Step(Context& c, const Segment& segment, std::int64_t step) {
    using S = StringStep<W, A>;
    W value;
    if (!c.Load(S::Source(c.cpu, segment), value)) [[unlikely]]
      return false;
    if (!c.Store(S::Destination(c.cpu), value)) [[unlikely]]
      return false;
    S::Advance(c.cpu, kRsi, step);
    S::Advance(c.cpu, kRdi, step);
    return true;
  }
};
struct Stos {
  static constexpr bool kLoads = false;
  static constexpr bool kStores = true;
  static constexpr bool kCompares = false;
  template <typename W, typename A>
  [[gnu::always_inline]] static bool Step(Context& c, const Segment&, std::int64_t step) {
    using S = StringStep<W, A>;
    if (!c.Store(S::Destination(c.cpu), ReadGpr<W>(c.cpu, kRax * 8))) [[unlikely]]
      return false;
    S::Advance(c.cpu, kRdi, step);
    return true;
  }
};
struct Lods {
  static constexpr bool kLoads = true;
  static constexpr bool kStores = false;
  static constexpr bool kCompares = false;
  template <typename W, typename A>
  [[gnu::always_inline]] static bool Step(Context& c, const Segment& segment, std::int64_t step) {
    using S = StringStep<W, A>;
    W value;
    if (!c.Load(S::Source(c.cpu, segment), value)) [[unlikely]]
      return false;
    WriteGpr<W>(c.cpu, kRax * 8, value);
    S::Advance(c.cpu, kRsi, step);
    return true;
  }
};
struct Cmps {
  static constexpr bool kLoads = true;
  static constexpr bool kStores = false;
  static constexpr bool kCompares = true;
  template <typename W, typename A>
  [[gnu::always_inline]] static bool Step(Context& c, const Segment& segment, std::int64_t step) {
    using S = StringStep<W, A>;
    W a;
    W b;
    // Where neither can be read, the destination's fault is the one that is raised, as in hardware.
    if (!c.Load(S::Destination(c.cpu), b)) [[unlikely]]
      return false;
    if (!c.Load(S::Source(c.cpu, segment), a)) [[unlikely]]
      return false;
    Cmp::Apply<true, W>(c.cpu.lazy, a, b);
    S::Advance(c.cpu, kRsi, step);
    S::Advance(c.cpu, kRdi, step);
    return true;
  }
};
struct Scas {
  static constexpr bool kLoads = false;
  static constexpr bool kStores = false;
  static constexpr bool kCompares = true;
  template <typename W, typename A>
  [[gnu::always_inline]] static bool Step(Context& c, const Segment&, std::int64_t step) {
    using S = StringStep<W, A>;
    W value;
    if (!c.Load(S::Destination(c.cpu), value)) [[unlikely]]
      return false;
    Cmp::Apply<true, W>(c.cpu.lazy, ReadGpr<W>(c.cpu, kRax * 8), value);
    S::Advance(c.cpu, kRdi, step);
    return true;
  }
};

// a: the source's segment (0 to 2); b: 1 where the block checks itself (block.h). With REP, the
// second unit's immediate is the instruction's own address.
template <typename Op, typename W, typename A, Repeat repeat>
struct StringBody {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    Cpu& cpu = c.cpu;
    const Segment& segment = cpu.segment[c.uop->a];
    const auto step = cpu.direction != 0 ? -static_cast<std::int64_t>(sizeof(W))
                                         : static_cast<std::int64_t>(sizeof(W));
    if constexpr (repeat == Repeat::kNone) {
      if (!Op::template Step<W, A>(c, segment, step)) [[unlikely]]
        return c.Missed();
      return c.Next();
    } else {
      const A count = static_cast<A>(cpu.gpr[kRcx]);
      // With 32-bit addresses what stores clears their upper halves, whatever happens then.
      if constexpr (sizeof(A) == 4 && Op::kStores) {
        if constexpr (Op::kLoads) StringStep<W, A>::Advance(cpu, kRsi, 0);
        StringStep<W, A>::Advance(cpu, kRdi, 0);
      }
      if (count == 0) {
        WriteGpr<A>(cpu, kRcx * 8, 0);  // clears the upper half with 32-bit addresses
        cpu.budget -= 1;
        return c.template Next<2>();
      }
      [[maybe_unused]] const GuestAddr rip = c.template Second<Wide>().immediate;
      if constexpr (Op::kCompares) {
        if (cpu.repeating_at != rip) {
          cpu.repeating_at = rip;
          cpu.flags_before_repeat = cpu.lazy;
        }
      }
      std::uint64_t allowed = std::min<std::uint64_t>(count, IterationsAllowed(cpu));
      bool is_over_itself = false;
      if constexpr (Op::kStores) {
        is_over_itself = c.uop->b != 0 && IsNear(cpu, rip, allowed);
        if (is_over_itself) allowed = 1;
      }
      std::uint64_t done = 0;
      bool ended = false;
      bool missed = false;
      while (done < allowed && !ended) {
        if (!Op::template Step<W, A>(c, segment, step)) [[unlikely]] {
          missed = true;
          break;
        }
        ++done;
        if constexpr (repeat == Repeat::kRepEqual) ended = !cpu.lazy.Zf();
        if constexpr (repeat == Repeat::kRepNotEqual) ended = cpu.lazy.Zf();
      }
      WriteGpr<A>(cpu, kRcx * 8, static_cast<A>(count - done));
      cpu.budget -= static_cast<std::int64_t>(done);
      if (missed) [[unlikely]]
        return c.Missed();
      if (ended || done == count) {
        if constexpr (Op::kCompares) cpu.repeating_at = kNotRepeating;
        return c.template Next<2>();
      }
      if (cpu.budget < 0 || is_over_itself) return c.LeaveAt(rip);
      return c.uop;
    }
  }

 private:
  // Could so many iterations store to the instruction at `rip`?
  static bool IsNear(const Cpu& cpu, GuestAddr rip, std::uint64_t iterations) {
    const auto distance = static_cast<std::int64_t>(rip - StringStep<W, A>::Destination(cpu));
    const auto reach = static_cast<std::int64_t>(iterations * sizeof(W)) + 32;
    return distance >= -reach && distance <= reach;
  }
  [[gnu::always_inline]] static std::uint64_t IterationsAllowed(const Cpu& cpu) {
    // Out of place, each iteration is to be seen by itself: it may change code.
    if (cpu.out_of_place.original != nullptr) return 1;
    const std::int64_t remaining = cpu.budget + cpu.penalty + cpu.reserve;
    return std::min<std::uint64_t>(static_cast<std::uint64_t>(remaining), kMaxIterations);
  }
};

}  // namespace glovebox::engine::x86
