#include "tests/instructions/x86/host_features.h"

#include <cpuid.h>

#include <array>

namespace glovebox::engine::x86 {
namespace {

enum Register { kEax, kEbx, kEcx, kEdx };

// Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E. Sets that are not named here are those of
// every x86-64 CPU.
struct FeatureRow {
  ZydisISASet set;
  std::string_view name;
  unsigned leaf;
  Register reg;
  unsigned bit;
};
constexpr FeatureRow kFeatures[] = {
    {ZYDIS_ISA_SET_SSE3, "SSE3", 1, kEcx, 0},
    {ZYDIS_ISA_SET_SSE3X87, "SSE3", 1, kEcx, 0},
    {ZYDIS_ISA_SET_PCLMULQDQ, "PCLMULQDQ", 1, kEcx, 1},
    {ZYDIS_ISA_SET_SSSE3, "SSSE3", 1, kEcx, 9},
    {ZYDIS_ISA_SET_SSSE3MMX, "SSSE3", 1, kEcx, 9},
    {ZYDIS_ISA_SET_FMA, "FMA", 1, kEcx, 12},
    {ZYDIS_ISA_SET_CMPXCHG16B, "CMPXCHG16B", 1, kEcx, 13},
    {ZYDIS_ISA_SET_SSE4, "SSE4.1", 1, kEcx, 19},
    {ZYDIS_ISA_SET_SSE42, "SSE4.2", 1, kEcx, 20},
    {ZYDIS_ISA_SET_MOVBE, "MOVBE", 1, kEcx, 22},
    {ZYDIS_ISA_SET_POPCNT, "POPCNT", 1, kEcx, 23},
    {ZYDIS_ISA_SET_AES, "AES", 1, kEcx, 25},
    {ZYDIS_ISA_SET_XSAVE, "XSAVE", 1, kEcx, 27},
    {ZYDIS_ISA_SET_AVX, "AVX", 1, kEcx, 28},
    {ZYDIS_ISA_SET_AVXAES, "AES and AVX", 1, kEcx, 28},
    {ZYDIS_ISA_SET_F16C, "F16C", 1, kEcx, 29},
    {ZYDIS_ISA_SET_RDRAND, "RDRAND", 1, kEcx, 30},
    {ZYDIS_ISA_SET_RDWRFSGS, "FSGSBASE", 7, kEbx, 0},
    {ZYDIS_ISA_SET_BMI1, "BMI1", 7, kEbx, 3},
    {ZYDIS_ISA_SET_AVX2, "AVX2", 7, kEbx, 5},
    {ZYDIS_ISA_SET_AVX2GATHER, "AVX2", 7, kEbx, 5},
    {ZYDIS_ISA_SET_BMI2, "BMI2", 7, kEbx, 8},
    {ZYDIS_ISA_SET_RDSEED, "RDSEED", 7, kEbx, 18},
    {ZYDIS_ISA_SET_ADOX_ADCX, "ADX", 7, kEbx, 19},
    {ZYDIS_ISA_SET_CLFLUSHOPT, "CLFLUSHOPT", 7, kEbx, 23},
    {ZYDIS_ISA_SET_CLWB, "CLWB", 7, kEbx, 24},
    {ZYDIS_ISA_SET_SHA, "SHA", 7, kEbx, 29},
    {ZYDIS_ISA_SET_RDPID, "RDPID", 7, kEcx, 22},
    {ZYDIS_ISA_SET_LAHF, "LAHF", 0x80000001, kEcx, 0},
    {ZYDIS_ISA_SET_LZCNT, "LZCNT", 0x80000001, kEcx, 5},
    {ZYDIS_ISA_SET_PREFETCH_NOP, "PREFETCHW", 0x80000001, kEcx, 8},
    {ZYDIS_ISA_SET_RDTSCP, "RDTSCP", 0x80000001, kEdx, 27},
};

bool HostHas(const FeatureRow& row) {
  std::array<unsigned, 4> r{};
  if (__get_cpuid_count(row.leaf, 0, &r[0], &r[1], &r[2], &r[3]) == 0) return false;
  return (r[row.reg] >> row.bit & 1) != 0;
}

}  // namespace

std::string_view MissingOnHost(ZydisISASet set) {
  for (const FeatureRow& row : kFeatures) {
    if (row.set == set && !HostHas(row)) return row.name;
  }
  return {};
}

bool HostKeepsX87PointersAsWe() {
  constexpr unsigned kFdpOnExceptionsOnly = 1 << 6;
  constexpr unsigned kNoFcsFds = 1 << 13;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  return (~ebx & (kFdpOnExceptionsOnly | kNoFcsFds)) == 0;
}

}  // namespace glovebox::engine::x86
