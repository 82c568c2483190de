// /proc/cpuinfo, out of what CPUID shows.
#pragma once

#include <string>

namespace glovebox::engine {

// The file of a machine with one CPU, as arch/x86/kernel/cpu/proc.c writes it.
std::string CpuInfo();

}  // namespace glovebox::engine
