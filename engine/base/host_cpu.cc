#include "engine/base/host_cpu.h"

namespace glovebox {
namespace {

struct Feature {
  const char* name;
  bool present;
};

}  // namespace

Result<void, Error> CheckHostCpu() {
  __builtin_cpu_init();
  // Of AVX and what follows it, the compilers' run-time support also looks whether the operating
  // system keeps the registers.
  const Feature features[] = {
      {"SSE3", __builtin_cpu_supports("sse3") != 0},
      {"SSSE3", __builtin_cpu_supports("ssse3") != 0},
      {"SSE4.1", __builtin_cpu_supports("sse4.1") != 0},
      {"SSE4.2", __builtin_cpu_supports("sse4.2") != 0},
      {"POPCNT", __builtin_cpu_supports("popcnt") != 0},
      {"AVX", __builtin_cpu_supports("avx") != 0},
      {"AVX2", __builtin_cpu_supports("avx2") != 0},
      {"BMI1", __builtin_cpu_supports("bmi") != 0},
      {"BMI2", __builtin_cpu_supports("bmi2") != 0},
      {"F16C", __builtin_cpu_supports("f16c") != 0},
      {"FMA", __builtin_cpu_supports("fma") != 0},
      {"LZCNT", __builtin_cpu_supports("lzcnt") != 0},
      {"MOVBE", __builtin_cpu_supports("movbe") != 0},
  };
  std::string missing;
  for (const Feature& feature : features) {
    if (feature.present) continue;
    if (!missing.empty()) missing += ", ";
    missing += feature.name;
  }
  if (missing.empty()) return {};
  return Fail(ErrorCode::kFailedPrecondition, "HOST_CPU",
              "this CPU or its operating system lacks " + missing +
                  ": Glovebox needs x86-64-v3 (Intel since Haswell, AMD since Excavator)");
}

}  // namespace glovebox
