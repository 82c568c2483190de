#include "engine/isa/x86/cpu_features.h"

#include <algorithm>

namespace glovebox::engine::x86 {
namespace {

using enum FeatureWord;

// Intel SDM vol. 2A, CPUID, tables 3-8, 3-10, 3-11; AMD APM vol. 3, E.4.2.
constexpr CpuFeature kFeatures[] = {
    {k1Edx, 0, "fpu", {ZYDIS_ISA_SET_X87}},
    {k1Edx, 4, "tsc"},
    {k1Edx, 8, "cx8", {ZYDIS_ISA_SET_PENTIUMREAL}},
    {k1Edx, 11, "sep"},
    {k1Edx, 15, "cmov", {ZYDIS_ISA_SET_CMOV, ZYDIS_ISA_SET_FCMOV}},
    {k1Edx, 19, "clflush", {ZYDIS_ISA_SET_CLFSH}},
    {k1Edx, 23, "mmx", {ZYDIS_ISA_SET_PENTIUMMMX}},
    {k1Edx, 24, "fxsr", {ZYDIS_ISA_SET_FXSAVE, ZYDIS_ISA_SET_FXSAVE64}},
    {k1Edx, 25, "sse", {ZYDIS_ISA_SET_SSE, ZYDIS_ISA_SET_SSEMXCSR, ZYDIS_ISA_SET_SSE_PREFETCH}},
    {k1Edx, 26, "sse2", {ZYDIS_ISA_SET_SSE2, ZYDIS_ISA_SET_SSE2MMX, ZYDIS_ISA_SET_PAUSE}},
    {k80000001Edx, 11, "syscall"},
    {k80000001Edx, 20, "nx"},
    {k80000001Edx, 27, "rdtscp", {ZYDIS_ISA_SET_RDTSCP}},
    {k80000001Edx, 29, "lm", {ZYDIS_ISA_SET_LONGMODE}},
    {k1Ecx, 0, "pni", {ZYDIS_ISA_SET_SSE3, ZYDIS_ISA_SET_SSE3X87}},
    {k1Ecx, 1, "pclmulqdq", {ZYDIS_ISA_SET_PCLMULQDQ}},
    {k1Ecx, 9, "ssse3", {ZYDIS_ISA_SET_SSSE3, ZYDIS_ISA_SET_SSSE3MMX}},
    {k1Ecx, 12, "fma", {ZYDIS_ISA_SET_FMA}},
    {k1Ecx, 13, "cx16", {ZYDIS_ISA_SET_CMPXCHG16B}},
    {k1Ecx, 19, "sse4_1", {ZYDIS_ISA_SET_SSE4}},
    {k1Ecx, 20, "sse4_2", {ZYDIS_ISA_SET_SSE42}},
    {k1Ecx, 22, "movbe", {ZYDIS_ISA_SET_MOVBE}},
    {k1Ecx, 23, "popcnt", {ZYDIS_ISA_SET_POPCNT}},
    {k1Ecx, 25, "aes", {ZYDIS_ISA_SET_AES}},
    {k1Ecx, 26, "xsave", {ZYDIS_ISA_SET_XSAVE}},
    {k1Ecx, 27, ""},  // OSXSAVE: XGETBV may be used
    // AVX's forms of AES and PCLMULQDQ need both features; Zydis counts the latter to AVX.
    {k1Ecx, 28, "avx", {ZYDIS_ISA_SET_AVX, ZYDIS_ISA_SET_AVXAES}},
    {k1Ecx, 29, "f16c", {ZYDIS_ISA_SET_F16C}},
    {k80000001Ecx, 0, "lahf_lm", {ZYDIS_ISA_SET_LAHF}},
    {k80000001Ecx, 5, "abm", {ZYDIS_ISA_SET_LZCNT}},
    {k80000001Ecx, 22, "topoext"},  // leaves 8000_001Dh and 8000_001Eh
    {k7Ebx, 3, "bmi1", {ZYDIS_ISA_SET_BMI1}},
    {k7Ebx, 5, "avx2", {ZYDIS_ISA_SET_AVX2, ZYDIS_ISA_SET_AVX2GATHER}},
    {k7Ebx, 6, ""},  // the x87's data pointer is of unmasked exceptions only: see X87State
    {k7Ebx, 8, "bmi2", {ZYDIS_ISA_SET_BMI2}},
    {k7Ebx, 13, ""},  // the x87's saved segment selectors are 0
    {k7Ebx, 19, "adx", {ZYDIS_ISA_SET_ADOX_ADCX}},
    {k7Ebx, 29, "sha_ni", {ZYDIS_ISA_SET_SHA}},
    {kD1Eax, 0, "xsaveopt", {ZYDIS_ISA_SET_XSAVEOPT}},
    {kD1Eax, 1, "xsavec", {ZYDIS_ISA_SET_XSAVEC}},
    {kD1Eax, 2, "xgetbv1"},
    {k7Ecx, 22, "rdpid", {ZYDIS_ISA_SET_RDPID}},
};

// What every CPU with those has.
constexpr ZydisISASet kWithoutBit[] = {
    ZYDIS_ISA_SET_I86,           ZYDIS_ISA_SET_I186,         ZYDIS_ISA_SET_I286REAL,
    ZYDIS_ISA_SET_I286PROTECTED, ZYDIS_ISA_SET_I386,         ZYDIS_ISA_SET_I486,
    ZYDIS_ISA_SET_I486REAL,      ZYDIS_ISA_SET_PPRO,         ZYDIS_ISA_SET_RDPMC,
    ZYDIS_ISA_SET_FAT_NOP,       ZYDIS_ISA_SET_PREFETCH_NOP,
};

bool Has(const CpuFeature& feature, ZydisISASet set) {
  return std::ranges::find(feature.instructions, set) != feature.instructions.end();
}

}  // namespace

std::span<const CpuFeature> CpuFeatures() { return kFeatures; }

std::uint32_t FeatureBits(FeatureWord word) {
  std::uint32_t bits = 0;
  for (const CpuFeature& feature : kFeatures) {
    if (feature.word == word) bits |= std::uint32_t{1} << feature.bit;
  }
  return bits;
}

bool IsOffered(ZydisISASet set) {
  if (set == ZYDIS_ISA_SET_INVALID) return false;
  return std::ranges::find(kWithoutBit, set) != std::end(kWithoutBit) ||
         std::ranges::any_of(kFeatures, [&](const CpuFeature& f) { return Has(f, set); });
}

}  // namespace glovebox::engine::x86
