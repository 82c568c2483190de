// What the guest's CPU model offers, once: the bit of CPUID, the name in Linux' /proc/cpuinfo, and
// the instructions that come with it. CPUID, the auxiliary vector, /proc/cpuinfo and #UD follow
// from this table, and a test finds every instruction of it a row.
//
// The model is x86-64-v3 (System V ABI x86-64, table 3.1) with AES, PCLMULQDQ, SHA, ADX and the
// XSAVE family: of a Zen 2 what programs look for. One more feature: a row here, and rows for its
// instructions.
#pragma once

#include <Zydis/Zydis.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace glovebox::engine::x86 {

// The registers in which CPUID shows features.
enum class FeatureWord : std::uint8_t {
  k1Edx,
  k1Ecx,
  k7Ebx,
  k7Ecx,
  kD1Eax,
  k80000001Edx,
  k80000001Ecx,
};

struct CpuFeature {
  FeatureWord word;
  std::uint8_t bit;
  std::string_view name;  // arch/x86/include/asm/cpufeatures.h; empty: /proc/cpuinfo does not say
  // As Zydis groups instructions; ends at the first ZYDIS_ISA_SET_INVALID.
  std::array<ZydisISASet, 4> instructions{};
};

// In the order of /proc/cpuinfo.
std::span<const CpuFeature> CpuFeatures();

// The word as CPUID shows it.
std::uint32_t FeatureBits(FeatureWord word);

// Does the model have the instructions of this set, with a CPUID bit or, like those of the 386,
// without? An instruction of another set is #UD unless it has a row (hints that older CPUs ignore).
bool IsOffered(ZydisISASet set);

}  // namespace glovebox::engine::x86
