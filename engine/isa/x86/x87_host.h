// x87 arithmetic: values in, values and raised exceptions out.
//
// Each semantic is the host's own x87 instruction, run under the guest's rounding and precision
// control with every exception masked. IEEE 754 and Intel SDM vol. 1, chapter 8, define each bit of
// what is here, so all hosts agree; the transcendental instructions, on which CPUs differ, are not
// here, and FPREM's partial remainders, on which they may, are made of complete ones
// (x87_remainder.h). The host's x87 stack is empty before and after each function. Rejected:
// arithmetic on long double, which compilers move across changes of the control word.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "engine/isa/x86/x87_state.h"

namespace glovebox::engine::x86 {

// Operands in memory, by what they mean.
struct Real32 {
  std::uint32_t bits = 0;
};
struct Real64 {
  std::uint64_t bits = 0;
};
struct Integer16 {
  std::uint16_t bits = 0;
};
struct Integer32 {
  std::uint32_t bits = 0;
};
struct Integer64 {
  std::uint64_t bits = 0;
};
struct Decimal80 {  // 18 digits and a sign
  std::array<std::uint8_t, 10> bytes{};
};

struct Real80 {  // as it is, without conversion
  std::array<std::uint8_t, 10> bytes{};
};

template <typename Value>
struct X87Outcome {
  Value value{};
  std::uint16_t status = 0;  // exceptions that were raised, and condition codes
};

inline constexpr std::uint16_t kHostX87Control = 0x037F;  // System V ABI x86-64, 3.2.1

// `body` under `control`; it puts its result into %[result] and fetches its status with
// GB_X87_STATUS.
#define GB_X87_STATUS "fnstsw %[status]\n\t"
#define GB_X87_RUN(body, control, outcome, ...)                                          \
  do {                                                                                   \
    const std::uint16_t masked = (control) | kX87Exceptions;                             \
    asm volatile("fnclex\n\tfldcw %[guest]\n\t" body "\n\tfldcw %[host]"                 \
                 : [result] "=m"((outcome).value), [status] "=&a"((outcome).status)      \
                 : [guest] "m"(masked), [host] "m"(kHostX87Control), __VA_ARGS__         \
                 : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"); \
  } while (false)

// dst = dst op src, by the type of src.
#define GB_X87_REGISTERS(instruction)                                            \
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& dst,    \
                                   const Float80& src) {                         \
    X87Outcome<Float80> outcome;                                                 \
    GB_X87_RUN("fldt %[src]\n\tfldt %[dst]\n\t" instruction "\n\t" GB_X87_STATUS \
               "fstpt %[result]\n\tfstp %%st(0)",                                \
               control, outcome, [dst] "m"(dst), [src] "m"(src));                \
    return outcome;                                                              \
  }
#define GB_X87_MEMORY(instruction, Source)                                                  \
  static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& dst, Source src) { \
    X87Outcome<Float80> outcome;                                                            \
    GB_X87_RUN("fldt %[dst]\n\t" instruction " %[src]\n\t" GB_X87_STATUS "fstpt %[result]", \
               control, outcome, [dst] "m"(dst), [src] "m"(src));                           \
    return outcome;                                                                         \
  }
#define GB_X87_ARITHMETIC(Semantic, real, integer) \
  struct Semantic {                                \
    GB_X87_REGISTERS(real " %%st(1), %%st")        \
    GB_X87_MEMORY(real "s", Real32)                \
    GB_X87_MEMORY(real "l", Real64)                \
    GB_X87_MEMORY(integer "s", Integer16)          \
    GB_X87_MEMORY(integer "l", Integer32)          \
  }

GB_X87_ARITHMETIC(Fadd, "fadd", "fiadd");
GB_X87_ARITHMETIC(Fsub, "fsub", "fisub");
GB_X87_ARITHMETIC(Fsubr, "fsubr", "fisubr");
GB_X87_ARITHMETIC(Fmul, "fmul", "fimul");
GB_X87_ARITHMETIC(Fdiv, "fdiv", "fidiv");
GB_X87_ARITHMETIC(Fdivr, "fdivr", "fidivr");

// Compare dst with src into the condition codes; dst itself is the value.
struct Fcom {
  GB_X87_REGISTERS("fcom %%st(1)")
  GB_X87_MEMORY("fcoms", Real32)
  GB_X87_MEMORY("fcoml", Real64)
  GB_X87_MEMORY("ficoms", Integer16)
  GB_X87_MEMORY("ficoml", Integer32)
};
struct Fucom {
  GB_X87_REGISTERS("fucom %%st(1)")
};

// ST0 from ST0 and ST1.
struct Fscale {
  GB_X87_REGISTERS("fscale")
};
struct HostFprem {
  GB_X87_REGISTERS("fprem")
};
struct HostFprem1 {
  GB_X87_REGISTERS("fprem1")
};

#undef GB_X87_ARITHMETIC
#undef GB_X87_MEMORY
#undef GB_X87_REGISTERS

// ST0 from ST0.
#define GB_X87_UNARY(Semantic, instruction)                                                     \
  struct Semantic {                                                                             \
    static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& src) {               \
      X87Outcome<Float80> outcome;                                                              \
      GB_X87_RUN("fldt %[src]\n\t" instruction "\n\t" GB_X87_STATUS "fstpt %[result]", control, \
                 outcome, [src] "m"(src));                                                      \
      return outcome;                                                                           \
    }                                                                                           \
  }

GB_X87_UNARY(Fsqrt, "fsqrt");
GB_X87_UNARY(Frndint, "frndint");
GB_X87_UNARY(Fabs, "fabs");
GB_X87_UNARY(Fchs, "fchs");
GB_X87_UNARY(Ftst, "ftst");
GB_X87_UNARY(Fxam, "fxam");

#undef GB_X87_UNARY

// FXTRACT, by halves: the exponent takes ST0's place, the significand is pushed.
#define GB_X87_EXTRACT(Semantic, keep, drop)                                      \
  struct Semantic {                                                               \
    static X87Outcome<Float80> Apply(std::uint16_t control, const Float80& src) { \
      X87Outcome<Float80> outcome;                                                \
      GB_X87_RUN("fldt %[src]\n\tfxtract\n\t" GB_X87_STATUS keep drop, control,   \
                 outcome, [src] "m"(src));                                        \
      return outcome;                                                             \
    }                                                                             \
  }

GB_X87_EXTRACT(ExtractSignificand, "fstpt %[result]\n\t", "fstp %%st(0)");
GB_X87_EXTRACT(ExtractExponent, "fstp %%st(0)\n\t", "fstpt %[result]");

#undef GB_X87_EXTRACT

// Loads. FLD m80 converts nothing and so raises nothing.
struct LoadX87 {
  static X87Outcome<Float80> Apply(std::uint16_t, const Real80& src) {
    X87Outcome<Float80> outcome;
    std::memcpy(&outcome.value, src.bytes.data(), src.bytes.size());
    return outcome;
  }
#define GB_X87_LOAD(instruction, Source)                                           \
  static X87Outcome<Float80> Apply(std::uint16_t control, Source src) {            \
    X87Outcome<Float80> outcome;                                                   \
    GB_X87_RUN(instruction " %[src]\n\t" GB_X87_STATUS "fstpt %[result]", control, \
               outcome, [src] "m"(src));                                           \
    return outcome;                                                                \
  }
  GB_X87_LOAD("flds", Real32)
  GB_X87_LOAD("fldl", Real64)
  GB_X87_LOAD("filds", Integer16)
  GB_X87_LOAD("fildl", Integer32)
  GB_X87_LOAD("fildll", Integer64)
  GB_X87_LOAD("fbld", Decimal80)
#undef GB_X87_LOAD
};

// Stores, by the type of the destination. FISTTP is a store under another rounding.
template <typename Destination>
struct StoreX87;
template <>
struct StoreX87<Real80> {
  static X87Outcome<Real80> Apply(std::uint16_t, const Float80& src) {
    X87Outcome<Real80> outcome;
    std::memcpy(outcome.value.bytes.data(), &src, outcome.value.bytes.size());
    return outcome;
  }
};
#define GB_X87_STORE(instruction, Destination)                                            \
  template <>                                                                             \
  struct StoreX87<Destination> {                                                          \
    static X87Outcome<Destination> Apply(std::uint16_t control, const Float80& src) {     \
      X87Outcome<Destination> outcome;                                                    \
      GB_X87_RUN("fldt %[src]\n\t" instruction " %[result]\n\tfnstsw %[status]", control, \
                 outcome, [src] "m"(src));                                                \
      return outcome;                                                                     \
    }                                                                                     \
  }
GB_X87_STORE("fstps", Real32);
GB_X87_STORE("fstpl", Real64);
GB_X87_STORE("fistps", Integer16);
GB_X87_STORE("fistpl", Integer32);
GB_X87_STORE("fistpll", Integer64);
GB_X87_STORE("fbstp", Decimal80);
#undef GB_X87_STORE

// Constants; all but 0 and 1 are rounded as the control word says.
#define GB_X87_CONSTANT(Semantic, instruction)                                         \
  struct Semantic {                                                                    \
    static X87Outcome<Float80> Apply(std::uint16_t control) {                          \
      X87Outcome<Float80> outcome;                                                     \
      GB_X87_RUN(instruction "\n\t" GB_X87_STATUS "fstpt %[result]", control, outcome, \
                 "m"(control));                                                        \
      return outcome;                                                                  \
    }                                                                                  \
  }
GB_X87_CONSTANT(Fld1, "fld1");
GB_X87_CONSTANT(Fldz, "fldz");
GB_X87_CONSTANT(Fldpi, "fldpi");
GB_X87_CONSTANT(Fldl2t, "fldl2t");
GB_X87_CONSTANT(Fldl2e, "fldl2e");
GB_X87_CONSTANT(Fldlg2, "fldlg2");
GB_X87_CONSTANT(Fldln2, "fldln2");
#undef GB_X87_CONSTANT

#undef GB_X87_RUN
#undef GB_X87_STATUS

}  // namespace glovebox::engine::x86
