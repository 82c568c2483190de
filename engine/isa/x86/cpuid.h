// The one CPU model that guests see. Nothing of the host's CPU shows through.
#pragma once

#include <cstdint>

namespace glovebox::engine::x86 {

struct CpuidResult {
  std::uint32_t eax = 0;
  std::uint32_t ebx = 0;
  std::uint32_t ecx = 0;
  std::uint32_t edx = 0;
};

CpuidResult Cpuid(std::uint32_t leaf, std::uint32_t subleaf);

}  // namespace glovebox::engine::x86
