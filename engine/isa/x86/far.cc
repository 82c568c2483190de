#include "engine/isa/x86/far.h"

#include "engine/isa/x86/rflags.h"
#include "engine/isa/x86/segments.h"
#include "engine/isa/x86/stack.h"

namespace glovebox::engine::x86 {
namespace {

constexpr std::uint16_t kPrivilegeBits = 3;

// Jumps and calls may ask for any privilege, returns only for their own.
[[gnu::always_inline]] inline bool IsOwnCode(const Cpu& cpu, std::uint16_t selector) {
  return ((selector ^ cpu.selector[kCs]) & ~kPrivilegeBits) == 0;
}
[[gnu::always_inline]] inline const Uop* RefuseCode(Context& c, std::uint16_t selector) {
  return c.Raise(ExceptionKind::kGeneralProtection,
                 static_cast<std::uint16_t>(selector & ~kPrivilegeBits));
}
// EIP has no addresses that are not canonical.
[[gnu::always_inline]] inline bool IsTarget(GuestAddr target) { return IsCanonical(target); }

// --- JMP ---

struct FarJump {
  [[gnu::always_inline]] static const Uop* To(Context& c, std::uint16_t selector, GuestAddr target,
                                              std::uint8_t count) {
    if (!IsOwnCode(c.cpu, selector)) [[unlikely]]
      return RefuseCode(c, selector);
    if (!IsTarget(target)) [[unlikely]]
      return c.Raise(ExceptionKind::kGeneralProtection);
    return c.ExitTo(target, count);
  }
  // The second unit: the target, and the selector as immediate. d: the instructions that retire.
  struct Direct {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const Wide to = c.Second<Wide>();
      return To(c, static_cast<std::uint16_t>(to.immediate), to.displacement, c.uop->d);
    }
  };
  template <typename W>
  struct Sized {
    template <typename Address>
    struct Memory {  // a: the instructions that retire
      [[gnu::always_inline]] static const Uop* Run(Context& c) {
        const GuestAddr pointer = Address::Of(c);
        W target;
        std::uint16_t selector;
        if (!c.Load(pointer, target) || !c.Load(pointer + sizeof(W), selector)) [[unlikely]]
          return c.Missed();
        return To(c, selector, target, c.uop->a);
      }
    };
  };
};

// --- CALL ---

template <typename W, typename S>
struct FarCall {
  // Hardware stores 16 bits of the selector where its slot is wider.
  [[gnu::always_inline]] static const Uop* To(Context& c, std::uint16_t selector, GuestAddr target,
                                              GuestAddr back, std::uint8_t count) {
    if (!IsOwnCode(c.cpu, selector)) [[unlikely]]
      return RefuseCode(c, selector);
    const S top = StackTop<S>(c.cpu) - 2 * sizeof(W);
    if (!c.Writable(top, 2 * sizeof(W))) [[unlikely]]
      return c.Missed();
    if (!IsTarget(target)) [[unlikely]]
      return c.Raise(ExceptionKind::kGeneralProtection);
    c.Commit(top, static_cast<W>(back));
    c.Commit(top + sizeof(W), static_cast<W>(c.cpu.selector[kCs]));
    SetStackTop<S>(c.cpu, top);
    return c.ExitTo(target, count);
  }
  // As FarJump::Direct; imm: the return address.
  struct Direct {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const Wide to = c.template Second<Wide>();
      return To(c, static_cast<std::uint16_t>(to.immediate), to.displacement,
                static_cast<std::uint32_t>(c.uop->imm), c.uop->d);
    }
  };
  template <typename Address>
  struct Memory {  // a: the instructions that retire; immediate: the return address
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      const GuestAddr pointer = Address::Of(c);
      W target;
      std::uint16_t selector;
      if (!c.Load(pointer, target) || !c.Load(pointer + sizeof(W), selector)) [[unlikely]]
        return c.Missed();
      return To(c, selector, target, c.template Second<Wide>().immediate, c.uop->a);
    }
  };
};

// --- RET, with `imm` bytes to drop ---

template <typename W, typename S>
struct FarReturn {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const S top = StackTop<S>(c.cpu);
    W target;
    std::uint16_t selector;
    if (!c.Load(top, target)) [[unlikely]]
      return c.Missed();
    if (!c.Load(static_cast<S>(top + sizeof(W)), selector)) [[unlikely]]
      return c.Missed();
    if (selector != c.cpu.selector[kCs]) [[unlikely]]
      return RefuseCode(c, selector);
    if (!IsTarget(target)) [[unlikely]]
      return c.Raise(ExceptionKind::kGeneralProtection);
    SetStackTop<S>(c.cpu, top + 2 * sizeof(W) + static_cast<std::uint32_t>(c.uop->imm));
    return c.ExitTo(target, c.uop->d);
  }
};

// --- IRET to user mode: the frame is IP, CS and FLAGS; in 64-bit mode SP and SS as well ---

template <typename W, typename S>
struct InterruptReturn {
  static constexpr bool kWithStack = sizeof(S) == 8;
  static constexpr std::size_t kSlots = kWithStack ? 5 : 3;

  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    Cpu& cpu = c.cpu;
    if ((cpu.other_flags & kNt) != 0) [[unlikely]]  // a return to another task: none in long mode
      return c.Raise(ExceptionKind::kGeneralProtection);
    const S top = StackTop<S>(cpu);
    std::array<W, kSlots> frame;
    if (!c.Load(top, frame)) [[unlikely]]
      return c.Missed();
    const auto selector = static_cast<std::uint16_t>(frame[1]);
    if (selector != cpu.selector[kCs]) [[unlikely]]
      return RefuseCode(c, selector);
    if (!IsTarget(frame[0])) [[unlikely]]
      return c.Raise(ExceptionKind::kGeneralProtection);
    if constexpr (kWithStack) {
      const auto stack = static_cast<std::uint16_t>(frame[4]);
      if (const auto fault = LoadSegment(cpu, kSs, stack)) [[unlikely]]
        return c.Raise(fault->kind, fault->error_code);
      SetStackTop<S>(cpu, frame[3]);
    } else {
      SetStackTop<S>(cpu, top + static_cast<S>(kSlots * sizeof(W)));
    }
    WriteFlagsImage(cpu, frame[2]);
    cpu.budget -= c.uop->d;
    return c.LeaveAt(frame[0], LeaveKind::kAttention);
  }
};

std::uint8_t Retiring(const Instruction& in) { return static_cast<std::uint8_t>(in.number + 1); }

Wide PointerOf(const ZydisDecodedOperand& operand) {
  return {operand.ptr.offset, operand.ptr.segment};
}

// The stack pointer's type; the operand's is as wide as the operand size, which is 32 bits by
// default in 64-bit code too.
template <typename Visit>
bool ForFar(const Instruction& in, Visit&& visit) {
  return ForWideWidth(in.decoded.operand_width, [&]<typename W>(W) {
    if constexpr (sizeof(W) < 8) {
      if (Is32BitCode(in)) return visit(W{}, std::uint32_t{});
    }
    return visit(W{}, std::uint64_t{});
  });
}

}  // namespace

bool LowerFarJump(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& to = in.operands[0];
  if (!IsMemory(to)) {
    emitter.Emit(kHandler<FarJump::Direct>, {.d = Retiring(in)}, PointerOf(to));
    return true;
  }
  return ForWideWidth(in.decoded.operand_width, [&]<typename W>(W) {
    emitter.EmitMemory(kGeneralHandler<FarJump::Sized<W>::template Memory>, in, to, Retiring(in));
    return true;
  });
}

bool LowerFarCall(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& to = in.operands[0];
  return ForFar(in, [&]<typename W, typename S>(W, S) {
    using Bodies = FarCall<W, S>;
    if (IsMemory(to)) {
      emitter.EmitMemory(kGeneralHandler<Bodies::template Memory>, in, to, Retiring(in),
                         in.next_rip);
    } else {
      emitter.Emit(kHandler<typename Bodies::Direct>,
                   {.imm = static_cast<std::int32_t>(in.next_rip), .d = Retiring(in)},
                   PointerOf(to));
    }
    return true;
  });
}

bool LowerFarReturn(Emitter& emitter, const Instruction& in) {
  const bool drops = IsImmediate(in.operands[0]);
  return ForFar(in, [&]<typename W, typename S>(W, S) {
    emitter.Emit(
        kHandler<FarReturn<W, S>>,
        {.imm = drops ? static_cast<std::int32_t>(ImmediateOf(in.operands[0]) & 0xffff) : 0,
         .d = Retiring(in)});
    return true;
  });
}

bool LowerInterruptReturn(Emitter& emitter, const Instruction& in) {
  return ForFar(in, [&]<typename W, typename S>(W, S) {
    emitter.Emit(kHandler<InterruptReturn<W, S>>, {.d = Retiring(in)});
    return true;
  });
}

}  // namespace glovebox::engine::x86
