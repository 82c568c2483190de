// The shapes of x87 instructions. Nothing here is hot enough to be specialised on registers: what
// an instruction does is a function that is not inlined, and handlers stay small.
//
// In the uops of forms without memory, `a` and `b` are the distances from the top of the registers
// that are written and read, `c` is how many are popped; with memory, `a` is how many are popped.
#pragma once

#include <cstdint>
#include <type_traits>

#include "engine/isa/x86/emitter.h"
#include "engine/isa/x86/x87_stack.h"

namespace glovebox::engine::x86 {

// Instructions that wait first take the exception that is pending. FN* and the MMX ones do not.
enum class X87Wait : bool { kNo, kYes };

template <X87Wait kWait>
[[gnu::always_inline]] inline bool ErrorWaits(const Context& c) {
  return kWait == X87Wait::kYes && (c.cpu.x87.status & kX87ErrorSummary) != 0;
}

// Work(cpu, uop) on registers alone.
template <void (*Work)(Cpu& cpu, const Uop& uop), X87Wait kWait>
struct X87RegisterShape {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    if (ErrorWaits<kWait>(c)) [[unlikely]] {
      return c.Raise(ExceptionKind::kFloatingPoint);
    }
    Work(c.cpu, *c.uop);
    return c.Next();
  }
  // The destination is the first register that is written out, the source the last; ST0 and ST1
  // where none is.
  static bool Lower(Emitter& emitter, const Instruction& instruction, std::uint8_t pops) {
    std::uint8_t a = 0;
    std::uint8_t b = 1;
    for (int i = instruction.decoded.operand_count_visible; i-- > 0;) {
      const ZydisDecodedOperand& operand = instruction.operands[static_cast<std::size_t>(i)];
      if (!IsRegister(operand)) return false;
      a = VectorIndex(operand.reg.value);
      if (i + 1 == instruction.decoded.operand_count_visible) b = a;
    }
    emitter.Emit(kHandler<X87RegisterShape>, {.a = a, .b = b, .c = pops});
    return true;
  }
};
template <void (*Work)(Cpu& cpu, const Uop& uop), std::uint8_t kPops = 0,
          X87Wait kWait = X87Wait::kYes>
inline constexpr Lower X87Register = [](Emitter& emitter, const Instruction& instruction) {
  return X87RegisterShape<Work, kWait>::Lower(emitter, instruction, kPops);
};

// Work(cpu, source, pops) with an operand of type Source read from memory.
template <typename Source, void (*Work)(Cpu& cpu, const Source& src, unsigned pops)>
struct X87LoadShape {
  template <typename Address>
  struct Body {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      if (ErrorWaits<X87Wait::kYes>(c)) [[unlikely]] {
        return c.Raise(ExceptionKind::kFloatingPoint);
      }
      Source src;
      if (!c.Load(Address::Of(c), src)) [[unlikely]]
        return c.Missed();
      Work(c.cpu, src, c.uop->a);
      return c.template Next<Address::kUnits>();
    }
  };
};

// A store of type Destination: Compute(cpu) gives the value and what was raised, Finish is for the
// registers.
template <typename Destination, X87Outcome<Destination> (*Compute)(const Cpu& cpu)>
struct X87StoreShape {
  template <typename Address>
  struct Body {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      if (ErrorWaits<X87Wait::kYes>(c)) [[unlikely]] {
        return c.Raise(ExceptionKind::kFloatingPoint);
      }
      const auto outcome = Compute(c.cpu);
      X87Stack stack(c.cpu.x87);
      if (stack.AllowsStore(outcome.status)) {
        if (!c.Store(Address::Of(c), outcome.value)) [[unlikely]]
          return c.Missed();
        stack.Record(outcome.status, kX87C1);
        stack.Pop(c.uop->a);
      } else {  // memory is not touched
        stack.Record(outcome.status & (kX87BeforeStore | kX87StackFault), kX87C1);
      }
      return c.template Next<Address::kUnits>();
    }
  };
};

// State of type Image to memory: Save(cpu, image). Afterwards what the instruction does to the
// registers.
template <typename Image, void (*Save)(const Cpu& cpu, Image& image),
          void (*After)(X87State& state)>
struct X87SaveShape {
  template <typename Address>
  struct Body {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      Image image;
      Save(c.cpu, image);
      if (!c.Store(Address::Of(c), image)) [[unlikely]]
        return c.Missed();
      After(c.cpu.x87);
      return c.template Next<Address::kUnits>();
    }
  };
};

// A form with memory, its operand 0.
inline bool LowerX87Memory(const AddressHandlers& handlers, Emitter& emitter,
                           const Instruction& instruction, std::uint8_t pops) {
  emitter.EmitMemory(handlers, instruction, instruction.operands[0], pops);
  return true;
}

}  // namespace glovebox::engine::x86
