// SSE and SSE2 floating point: values in, values out, under the MXCSR that the host holds
// (sse_state.h).
//
// Each semantic is the host's own instruction, written as assembly: IEEE 754 and Intel SDM vol.
// 1, 11.5 and table 4-7 define every bit of the result, and written so no compiler can swap the
// operands of an addition (the first operand's NaN wins), fold it under another rounding, or drop
// it with its sticky flags. The approximations RCPPS and RSQRTPS, which differ between CPUs, are
// not here: sse_approximate.h.
#pragma once

#include <emmintrin.h>

#include <bit>
#include <cstdint>
#include <type_traits>

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/packed.h"
#include "engine/isa/x86/sse_range.h"

namespace glovebox::engine::x86 {

// What the shapes ask of a semantic: may it raise a floating-point exception?
struct RaisesFloat {
  static constexpr bool kRaisesFloat = true;
};
template <typename Semantic>
inline constexpr bool kRaisesFloat = requires { Semantic::kRaisesFloat; };

// One line of the tables below: dst = dst `mnemonic` src. The second is of results that may be out
// of range.
#define GB_HOST_SSE_BINARY(Semantic, mnemonic, ...)             \
  struct Semantic : RaisesFloat __VA_OPT__(, ) __VA_ARGS__ {    \
    [[gnu::always_inline]] static Xmm Apply(Xmm dst, Xmm src) { \
      asm volatile(mnemonic " %1, %0" : "+x"(dst) : "x"(src));  \
      return dst;                                               \
    }                                                           \
  }
#define GB_HOST_SSE_RANGED(Semantic, mnemonic, operation, doubles, lanes) \
  GB_HOST_SSE_BINARY(Semantic, mnemonic, Ranges<RangeOperation::operation, doubles, lanes>)

GB_HOST_SSE_RANGED(AddPs, "addps", kAdd, false, 4);
GB_HOST_SSE_RANGED(AddPd, "addpd", kAdd, true, 2);
GB_HOST_SSE_RANGED(AddSs, "addss", kAdd, false, 1);
GB_HOST_SSE_RANGED(AddSd, "addsd", kAdd, true, 1);
GB_HOST_SSE_RANGED(SubPs, "subps", kSubtract, false, 4);
GB_HOST_SSE_RANGED(SubPd, "subpd", kSubtract, true, 2);
GB_HOST_SSE_RANGED(SubSs, "subss", kSubtract, false, 1);
GB_HOST_SSE_RANGED(SubSd, "subsd", kSubtract, true, 1);
GB_HOST_SSE_RANGED(MulPs, "mulps", kMultiply, false, 4);
GB_HOST_SSE_RANGED(MulPd, "mulpd", kMultiply, true, 2);
GB_HOST_SSE_RANGED(MulSs, "mulss", kMultiply, false, 1);
GB_HOST_SSE_RANGED(MulSd, "mulsd", kMultiply, true, 1);
GB_HOST_SSE_RANGED(DivPs, "divps", kDivide, false, 4);
GB_HOST_SSE_RANGED(DivPd, "divpd", kDivide, true, 2);
GB_HOST_SSE_RANGED(DivSs, "divss", kDivide, false, 1);
GB_HOST_SSE_RANGED(DivSd, "divsd", kDivide, true, 1);
GB_HOST_SSE_BINARY(MinPs, "minps");
GB_HOST_SSE_BINARY(MinPd, "minpd");
GB_HOST_SSE_BINARY(MinSs, "minss");
GB_HOST_SSE_BINARY(MinSd, "minsd");
GB_HOST_SSE_BINARY(MaxPs, "maxps");
GB_HOST_SSE_BINARY(MaxPd, "maxpd");
GB_HOST_SSE_BINARY(MaxSs, "maxss");
GB_HOST_SSE_BINARY(MaxSd, "maxsd");
// One operand, but the scalar forms keep the rest of dst, so they take both.
GB_HOST_SSE_BINARY(SqrtPs, "sqrtps");
GB_HOST_SSE_BINARY(SqrtPd, "sqrtpd");
GB_HOST_SSE_BINARY(SqrtSs, "sqrtss");
GB_HOST_SSE_BINARY(SqrtSd, "sqrtsd");
// SSE3: the even lanes are subtracted, the odd ones added.
GB_HOST_SSE_RANGED(AddsubPs, "addsubps", kSubtractAdd, false, 4);
GB_HOST_SSE_RANGED(AddsubPd, "addsubpd", kSubtractAdd, true, 2);
// Conversions between vector registers; dst matters to the scalar forms only.
GB_HOST_SSE_BINARY(CvtPs2Pd, "cvtps2pd");
GB_HOST_SSE_RANGED(CvtPd2Ps, "cvtpd2ps", kNarrow, true, 2);
GB_HOST_SSE_BINARY(CvtSs2Sd, "cvtss2sd");
GB_HOST_SSE_RANGED(CvtSd2Ss, "cvtsd2ss", kNarrow, true, 1);
GB_HOST_SSE_BINARY(CvtDq2Ps, "cvtdq2ps");
GB_HOST_SSE_BINARY(CvtDq2Pd, "cvtdq2pd");
GB_HOST_SSE_BINARY(CvtPs2Dq, "cvtps2dq");
GB_HOST_SSE_BINARY(CvtPd2Dq, "cvtpd2dq");
GB_HOST_SSE_BINARY(CvttPs2Dq, "cvttps2dq");
GB_HOST_SSE_BINARY(CvttPd2Dq, "cvttpd2dq");

#undef GB_HOST_SSE_RANGED
#undef GB_HOST_SSE_BINARY

// CMPPS CMPPD CMPSS CMPSD. The low two bits of the predicate choose the comparison, the third
// negates it in the lanes that are compared (Intel SDM vol. 2A, CMPPS, table 3-1); a comparison and
// its negation raise the same exceptions.
#define GB_HOST_SSE_COMPARE(Semantic, mnemonic, low, high)                              \
  struct Semantic : RaisesFloat {                                                       \
    [[gnu::always_inline]] static Xmm Apply(Xmm dst, Xmm src, std::uint8_t predicate) { \
      switch (predicate & 3) {                                                          \
        case 0:                                                                         \
          asm volatile(mnemonic " $0, %1, %0" : "+x"(dst) : "x"(src));                  \
          break; /* EQ */                                                               \
        case 1:                                                                         \
          asm volatile(mnemonic " $1, %1, %0" : "+x"(dst) : "x"(src));                  \
          break; /* LT */                                                               \
        case 2:                                                                         \
          asm volatile(mnemonic " $2, %1, %0" : "+x"(dst) : "x"(src));                  \
          break; /* LE */                                                               \
        default:                                                                        \
          asm volatile(mnemonic " $3, %1, %0" : "+x"(dst) : "x"(src)); /* UNORD */      \
      }                                                                                 \
      constexpr Lanes<std::uint64_t> kCompared = {low, high};                           \
      return (predicate & 4) != 0 ? _mm_xor_si128(dst, AsXmm(kCompared)) : dst;         \
    }                                                                                   \
  }

GB_HOST_SSE_COMPARE(ComparePs, "cmpps", ~0ULL, ~0ULL);
GB_HOST_SSE_COMPARE(ComparePd, "cmppd", ~0ULL, ~0ULL);
GB_HOST_SSE_COMPARE(CompareSs, "cmpss", 0xFFFFFFFFULL, 0);
GB_HOST_SSE_COMPARE(CompareSd, "cmpsd", ~0ULL, 0);

#undef GB_HOST_SSE_COMPARE

// ZF PF CF of COMISS COMISD UCOMISS UCOMISD; the other status flags become 0.
struct FloatOrder {
  bool zero;
  bool parity;
  bool carry;
};

#define GB_HOST_SSE_ORDER(Semantic, mnemonic)                                         \
  struct Semantic : RaisesFloat {                                                     \
    [[gnu::always_inline]] static FloatOrder Apply(Xmm dst, Xmm src) {                \
      FloatOrder order;                                                               \
      asm volatile(mnemonic " %4, %3"                                                 \
                   : "=@ccz"(order.zero), "=@ccp"(order.parity), "=@ccc"(order.carry) \
                   : "x"(dst), "x"(src));                                             \
      return order;                                                                   \
    }                                                                                 \
  }

GB_HOST_SSE_ORDER(OrderSs, "comiss");
GB_HOST_SSE_ORDER(OrderSd, "comisd");
GB_HOST_SSE_ORDER(UnorderedSs, "ucomiss");
GB_HOST_SSE_ORDER(UnorderedSd, "ucomisd");

#undef GB_HOST_SSE_ORDER

// CVTSI2SS CVTSI2SD: the low lane from an integer register of either width
#define GB_HOST_SSE_FROM_INTEGER(Semantic, mnemonic)                      \
  struct Semantic : RaisesFloat {                                         \
    [[gnu::always_inline]] static Xmm Apply(Xmm dst, std::uint32_t src) { \
      asm volatile(mnemonic "l %1, %0" : "+x"(dst) : "r"(src));           \
      return dst;                                                         \
    }                                                                     \
    [[gnu::always_inline]] static Xmm Apply(Xmm dst, std::uint64_t src) { \
      asm volatile(mnemonic "q %1, %0" : "+x"(dst) : "r"(src));           \
      return dst;                                                         \
    }                                                                     \
  }

GB_HOST_SSE_FROM_INTEGER(CvtSi2Ss, "cvtsi2ss");
GB_HOST_SSE_FROM_INTEGER(CvtSi2Sd, "cvtsi2sd");

#undef GB_HOST_SSE_FROM_INTEGER

// CVTSS2SI CVTTSS2SI CVTSD2SI CVTTSD2SI; what does not fit gives the integer indefinite value, 1 <<
// (width - 1)
#define GB_HOST_SSE_TO_INTEGER(Semantic, mnemonic)                \
  struct Semantic : RaisesFloat {                                 \
    template <typename Word>                                      \
    [[gnu::always_inline]] static Word Apply(Xmm src) {           \
      Word result;                                                \
      asm volatile(mnemonic " %1, %0" : "=r"(result) : "x"(src)); \
      return result;                                              \
    }                                                             \
  }

GB_HOST_SSE_TO_INTEGER(CvtSs2Si, "cvtss2si");
GB_HOST_SSE_TO_INTEGER(CvttSs2Si, "cvttss2si");
GB_HOST_SSE_TO_INTEGER(CvtSd2Si, "cvtsd2si");
GB_HOST_SSE_TO_INTEGER(CvttSd2Si, "cvttsd2si");

#undef GB_HOST_SSE_TO_INTEGER

[[gnu::always_inline]] inline std::uint32_t ReadHostMxcsr(Cpu& cpu) {
  asm volatile("stmxcsr %0" : "=m"(cpu.host_mxcsr)::"memory");
  return cpu.host_mxcsr;
}
[[gnu::always_inline]] inline void WriteHostMxcsr(Cpu& cpu, std::uint32_t value) {
  cpu.host_mxcsr = value;
  asm volatile("ldmxcsr %0" ::"m"(cpu.host_mxcsr) : "memory");
}

// For what has no results out of range.
struct NothingOutOfRange {};

// Runs `compute`, which holds semantics of this file. False where it raised an exception that the
// guest has unmasked: then #XM is due and nothing may be committed except the sticky flags, which
// are (Intel SDM vol. 1, 11.5.2). With everything masked, as nearly always, this is one compare.
// `range(question)` tells OE, UE and PE of the same operation, exactly (sse_range.h).
template <typename Compute, typename Range = NothingOutOfRange>
[[gnu::always_inline]] inline bool RaisesNothingUnmasked(Cpu& cpu, Compute&& compute,
                                                         Range&& range = {}) {
  const std::uint32_t unmasked = ~cpu.mxcsr & kMxcsrMasks;
  if (unmasked == 0) [[likely]] {
    compute();
    return true;
  }
  const std::uint32_t before = ReadHostMxcsr(cpu);
  WriteHostMxcsr(cpu, before & ~std::uint32_t{kMxcsrFlags});
  compute();
  std::uint32_t raised = ReadHostMxcsr(cpu) & kMxcsrFlags;
  // An unmasked invalid, denormal or zero-divide exception prevents the computation that could
  // raise the others.
  if ((raised & unmasked >> 7 & kMxcsrBeforeResult) != 0) {
    raised &= kMxcsrBeforeResult;
  } else if constexpr (!std::is_same_v<std::remove_cvref_t<Range>, NothingOutOfRange>) {
    if ((unmasked >> 7 & (kMxcsrOverflow | kMxcsrUnderflow)) != 0) {
      cpu.range.mxcsr = cpu.mxcsr;
      raised = (raised & kMxcsrBeforeResult) | range(cpu.range);
    }
  }
  WriteHostMxcsr(cpu, before | raised);
  return (raised & unmasked >> 7) == 0;
}

}  // namespace glovebox::engine::x86
