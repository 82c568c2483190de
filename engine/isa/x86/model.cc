#include "engine/isa/x86/model.h"

#include <algorithm>

namespace glovebox::engine::x86 {
namespace {

// x86-64-v3 (System V ABI x86-64, 3.1.1) with AES, PCLMULQDQ, SHA and XSAVEC. Of AMD's, what
// Intel's CPUs have too. CET's no-operations have rows; what does something without it is refused.
constexpr ZydisISASet kOffered[] = {
    ZYDIS_ISA_SET_I86,         ZYDIS_ISA_SET_I186,         ZYDIS_ISA_SET_I286PROTECTED,
    ZYDIS_ISA_SET_I286REAL,    ZYDIS_ISA_SET_I386,         ZYDIS_ISA_SET_I486,
    ZYDIS_ISA_SET_I486REAL,    ZYDIS_ISA_SET_PENTIUMREAL,  ZYDIS_ISA_SET_PENTIUMMMX,
    ZYDIS_ISA_SET_PPRO,        ZYDIS_ISA_SET_CMOV,         ZYDIS_ISA_SET_FAT_NOP,
    ZYDIS_ISA_SET_PAUSE,       ZYDIS_ISA_SET_RDPMC,        ZYDIS_ISA_SET_LONGMODE,
    ZYDIS_ISA_SET_LAHF,        ZYDIS_ISA_SET_CMPXCHG16B,   ZYDIS_ISA_SET_RDTSCP,
    ZYDIS_ISA_SET_RDPID,       ZYDIS_ISA_SET_CLFSH,        ZYDIS_ISA_SET_PREFETCH_NOP,
    ZYDIS_ISA_SET_PREFETCHWT1, ZYDIS_ISA_SET_X87,          ZYDIS_ISA_SET_FCMOV,
    ZYDIS_ISA_SET_FXSAVE,      ZYDIS_ISA_SET_FXSAVE64,     ZYDIS_ISA_SET_SSE,
    ZYDIS_ISA_SET_SSEMXCSR,    ZYDIS_ISA_SET_SSE_PREFETCH, ZYDIS_ISA_SET_SSE2,
    ZYDIS_ISA_SET_SSE2MMX,     ZYDIS_ISA_SET_SSE3,         ZYDIS_ISA_SET_SSE3X87,
    ZYDIS_ISA_SET_SSSE3,       ZYDIS_ISA_SET_SSSE3MMX,     ZYDIS_ISA_SET_SSE4,
    ZYDIS_ISA_SET_SSE42,       ZYDIS_ISA_SET_POPCNT,       ZYDIS_ISA_SET_AES,
    ZYDIS_ISA_SET_PCLMULQDQ,   ZYDIS_ISA_SET_SHA,          ZYDIS_ISA_SET_MOVBE,
    ZYDIS_ISA_SET_LZCNT,       ZYDIS_ISA_SET_BMI1,         ZYDIS_ISA_SET_BMI2,
    ZYDIS_ISA_SET_ADOX_ADCX,   ZYDIS_ISA_SET_XSAVE,        ZYDIS_ISA_SET_XSAVEC,
    ZYDIS_ISA_SET_AVX,         ZYDIS_ISA_SET_AVXAES,       ZYDIS_ISA_SET_AVX2,
    ZYDIS_ISA_SET_AVX2GATHER,  ZYDIS_ISA_SET_F16C,         ZYDIS_ISA_SET_FMA,
};

}  // namespace

bool IsOffered(const ZydisDecodedInstruction& instruction) {
  return std::ranges::any_of(
      kOffered, [&](ZydisISASet offered) { return offered == instruction.meta.isa_set; });
}

}  // namespace glovebox::engine::x86
