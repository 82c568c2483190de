// DIV and IDIV. Intel SDM vol. 2A. #DE where the divisor is 0 or the quotient does not fit. All
// flags are undefined; they stay as they were, as on AMD.
#pragma once

#include <limits>

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/wide_integer.h"

namespace glovebox::engine::x86 {

template <typename W>
struct Quotient {
  W quotient = 0;
  W remainder = 0;
  bool fits = false;
};

// The full division of twice the width. Out of line for 64 bits, where it is a library call.
template <bool kSigned, typename W>
constexpr Quotient<W> DivideDouble(typename DoubleWidth<W>::Unsigned dividend, W divisor) {
  using Unsigned2 = typename DoubleWidth<W>::Unsigned;
  if constexpr (!kSigned) {
    const Unsigned2 quotient = static_cast<Unsigned2>(dividend / divisor);
    return {static_cast<W>(quotient), static_cast<W>(dividend % divisor),
            quotient <= std::numeric_limits<W>::max()};
  } else {
    // By magnitudes: the most negative dividend has no negative in its type.
    const bool negative = (dividend >> (2 * kBits<W> - 1)) != 0;
    const bool divisor_negative = (divisor >> (kBits<W> - 1)) != 0;
    const Unsigned2 magnitude = negative ? static_cast<Unsigned2>(0 - dividend) : dividend;
    const W divisor_magnitude = divisor_negative ? static_cast<W>(0 - divisor) : divisor;
    const Unsigned2 quotient = static_cast<Unsigned2>(magnitude / divisor_magnitude);
    const W remainder = static_cast<W>(magnitude % divisor_magnitude);
    const bool minus = negative != divisor_negative;
    const Unsigned2 largest =
        static_cast<Unsigned2>((Unsigned2{1} << (kBits<W> - 1)) - (minus ? 0u : 1u));
    return {static_cast<W>(minus ? 0 - quotient : quotient),
            static_cast<W>(negative ? 0 - remainder : remainder), quotient <= largest};
  }
}

template <bool kSigned>
[[gnu::noinline]] inline Quotient<std::uint64_t> Divide128(std::uint64_t high, std::uint64_t low,
                                                           std::uint64_t divisor) {
  return DivideDouble<kSigned, std::uint64_t>(UInt128{high} << 64 | low, divisor);
}

template <bool kSigned, typename W>
struct DivideBodies {
  [[gnu::always_inline]] static const Uop* Finish(Context& c, W divisor, const Uop* next) {
    Cpu& cpu = c.cpu;
    if (divisor == 0) [[unlikely]]
      return c.Raise(ExceptionKind::kDivideError);
    Quotient<W> result;
    if constexpr (sizeof(W) == 8) {
      const std::uint64_t low = cpu.gpr[kRax];
      const std::uint64_t high = cpu.gpr[kRdx];
      if (high == 0 && (!kSigned || static_cast<std::int64_t>(low | divisor) >= 0)) [[likely]] {
        result = {low / divisor, low % divisor, true};
      } else {
        result = Divide128<kSigned>(high, low, divisor);
      }
    } else if constexpr (sizeof(W) == 1) {
      result = DivideDouble<kSigned, W>(ReadGpr<std::uint16_t>(cpu, kRax * 8), divisor);
    } else {
      using Unsigned2 = typename DoubleWidth<W>::Unsigned;
      const Unsigned2 dividend = static_cast<Unsigned2>(
          Unsigned2{ReadGpr<W>(cpu, kRdx * 8)} << kBits<W> | ReadGpr<W>(cpu, kRax * 8));
      result = DivideDouble<kSigned, W>(dividend, divisor);
    }
    if (!result.fits) [[unlikely]]
      return c.Raise(ExceptionKind::kDivideError);
    WriteGpr<W>(cpu, kRax * 8, result.quotient);
    WriteGpr<W>(cpu, sizeof(W) == 1 ? 1 : kRdx * 8, result.remainder);  // AH for bytes
    return next;
  }
  struct Register {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      return Finish(c, ReadGpr<W>(c.cpu, c.uop->a), c.Next());
    }
  };
  template <typename Address>
  struct Memory {
    [[gnu::always_inline]] static const Uop* Run(Context& c) {
      W divisor;
      if (!c.Load(Address::Of(c), divisor)) [[unlikely]]
        return c.Missed();
      return Finish(c, divisor, c.template Next<Address::kUnits>());
    }
  };
};

template <bool kSigned>
bool Divide(Emitter& emitter, const Instruction& in) {
  const ZydisDecodedOperand& divisor = in.operands[0];
  return ForWidth(divisor.size, [&]<typename W>(W) {
    using Bodies = DivideBodies<kSigned, W>;
    if (IsMemory(divisor)) {
      emitter.EmitMemory(kGeneralHandler<Bodies::template Memory>, in, divisor, 0);
    } else {
      emitter.Emit(kHandler<typename Bodies::Register>, {.a = GprSlot(divisor.reg.value)});
    }
    return true;
  });
}

}  // namespace glovebox::engine::x86
