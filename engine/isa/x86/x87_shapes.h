// The shapes of x87 instructions. Nothing here is hot enough to be specialised on registers: what
// an instruction does is a function that is not inlined, and handlers stay small.
//
// In the uops of forms without memory, `a` and `b` are the distances from the top of the registers
// that are written and read, `c` is how many are popped; with memory, `a` is how many are popped.
#pragma once

#include <cstddef>
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

// What the second unit's immediate holds of an instruction that leaves its address.
struct X87Origin {
  static constexpr int kOpcodeShift = 48;  // addresses of code are canonical and not negative
  static std::uint64_t Pack(const Instruction& instruction) {
    // The opcode's low three bits, then ModRM: Intel SDM vol. 1, 8.1.9.
    const auto opcode =
        static_cast<std::uint64_t>((instruction.decoded.opcode & 7) << 8 | ModRm(instruction));
    constexpr std::uint64_t kAddress = (std::uint64_t{1} << kOpcodeShift) - 1;
    return opcode << kOpcodeShift | (instruction.rip & kAddress);
  }
  static std::uint8_t ModRm(const Instruction& instruction) {
    const auto& modrm = instruction.decoded.raw.modrm;
    return static_cast<std::uint8_t>(modrm.mod << 6 | modrm.reg << 3 | modrm.rm);
  }
};

// After an instruction that is not one of control; it waited, so an error that waits now is its
// own.
[[gnu::always_inline]] inline void NoteOrigin(Context& c) {
  X87State& x87 = c.cpu.x87;
  const std::uint64_t origin = c.Second<Wide>().immediate;
  x87.instruction_pointer = origin << 16 >> 16;
  if ((x87.status & kX87ErrorSummary) != 0) [[unlikely]] {
    x87.opcode = static_cast<std::uint16_t>(origin >> X87Origin::kOpcodeShift);
  }
}
template <typename Address>
[[gnu::always_inline]] inline void NoteOriginWithOperand(Context& c) {
  NoteOrigin(c);
  if ((c.cpu.x87.status & kX87ErrorSummary) != 0) [[unlikely]] {
    c.cpu.x87.data_pointer = Address::Offset(c);
  }
}

// Work(cpu, uop) on registers alone.
template <void (*Work)(Cpu& cpu, const Uop& uop)>
struct X87RegisterShape {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    if (ErrorWaits<X87Wait::kYes>(c)) [[unlikely]] {
      return c.Raise(ExceptionKind::kFloatingPoint);
    }
    Work(c.cpu, *c.uop);
    NoteOrigin(c);
    return c.Next<2>();
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
    emitter.Emit(kHandler<X87RegisterShape>, {.a = a, .b = b, .c = pops},
                 Wide{0, X87Origin::Pack(instruction)});
    return true;
  }
};
template <void (*Work)(Cpu& cpu, const Uop& uop), std::uint8_t kPops = 0>
inline constexpr Lower X87Register = [](Emitter& emitter, const Instruction& instruction) {
  return X87RegisterShape<Work>::Lower(emitter, instruction, kPops);
};

// A control instruction on registers: FNINIT and the like, FWAIT, and EMMS.
template <void (*Work)(Cpu& cpu, const Uop& uop), X87Wait kWait>
struct X87ControlShape {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    if (ErrorWaits<kWait>(c)) [[unlikely]] {
      return c.Raise(ExceptionKind::kFloatingPoint);
    }
    Work(c.cpu, *c.uop);
    return c.Next();
  }
};
template <void (*Work)(Cpu& cpu, const Uop& uop), X87Wait kWait = X87Wait::kYes>
inline constexpr Lower X87Control = [](Emitter& emitter, const Instruction&) {
  emitter.Emit(kHandler<X87ControlShape<Work, kWait>>, {});
  return true;
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
      NoteOriginWithOperand<Address>(c);
      return c.template Next<Address::kUnits>();
    }
  };
};

// The same of control instructions: FLDCW, FLDENV, FRSTOR.
template <typename Source, void (*Work)(Cpu& cpu, const Source& src)>
struct X87RestoreShape {
  template <typename Address>
  struct Body {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      if (ErrorWaits<X87Wait::kYes>(c)) [[unlikely]] {
        return c.Raise(ExceptionKind::kFloatingPoint);
      }
      Source src;
      if (!c.Load(Address::Of(c), src)) [[unlikely]]
        return c.Missed();
      Work(c.cpu, src);
      return c.template Next<Address::kUnits>();
    }
  };
};

// Alignment checks of a store that is really done: memory_access.h leaves them to it.
template <typename Destination>
[[gnu::always_inline]] inline bool IsMisalignedStore(const Cpu& cpu, GuestAddr address) {
  constexpr std::size_t kAlignment = sizeof(Destination) == 10 ? 8 : sizeof(Destination);
  if ((cpu.other_flags & kAc) == 0 || address % kAlignment == 0) [[likely]]
    return false;
  return IsCanonical(address);
}

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
        const GuestAddr address = Address::Of(c);
        if (IsMisalignedStore<Destination>(c.cpu, address)) [[unlikely]]
          return c.Raise(ExceptionKind::kAlignmentCheck);
        if (!c.Store(address, outcome.value)) [[unlikely]]
          return c.Missed();
        stack.Record(outcome.status, kX87C1);
        stack.Pop(c.uop->a);
      } else {  // memory is not touched
        stack.Record(outcome.status & (kX87BeforeStore | kX87StackFault), kX87C1);
      }
      NoteOriginWithOperand<Address>(c);
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
  emitter.EmitMemory(handlers, instruction, instruction.operands[0], pops,
                     X87Origin::Pack(instruction));
  return true;
}

}  // namespace glovebox::engine::x86
