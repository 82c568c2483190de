#include "tests/instructions/x86/exceptions.h"

#include <algorithm>

namespace glovebox::engine::x86 {
namespace {

constexpr std::string_view kKernel = "leaves for the kernel";
constexpr std::string_view kOtherCpu = "the guest's CPU is another one";
constexpr std::string_view kTables = "shows the host's kernel, or what it makes up";
constexpr std::string_view kFrame = "a random frame would leave the test: vectors, far.txt";
constexpr std::string_view kTime = "the guest's time is virtual";
constexpr std::string_view kChance = "random by nature";
constexpr std::string_view kDebug = "a debug trap";

constexpr UncomparedRow kRows[] = {
    {ZYDIS_MNEMONIC_CPUID, kOtherCpu},
    {ZYDIS_MNEMONIC_XGETBV, kOtherCpu},
    {ZYDIS_MNEMONIC_RDPID, kOtherCpu},
    {ZYDIS_MNEMONIC_SGDT, kTables},
    {ZYDIS_MNEMONIC_SIDT, kTables},
    {ZYDIS_MNEMONIC_SLDT, kTables},
    {ZYDIS_MNEMONIC_STR, kTables},
    {ZYDIS_MNEMONIC_SMSW, kTables},
    {ZYDIS_MNEMONIC_IRET, kFrame},
    {ZYDIS_MNEMONIC_IRETD, kFrame},
    {ZYDIS_MNEMONIC_IRETQ, kFrame},
    {ZYDIS_MNEMONIC_SYSCALL, kKernel},
    {ZYDIS_MNEMONIC_SYSENTER, kKernel},
    {ZYDIS_MNEMONIC_INT, kKernel},
    {ZYDIS_MNEMONIC_INT3, "ends a test case"},
    {ZYDIS_MNEMONIC_INT1, kDebug},
    {ZYDIS_MNEMONIC_RDTSC, kTime},
    {ZYDIS_MNEMONIC_RDTSCP, kTime},
    {ZYDIS_MNEMONIC_RDRAND, kChance},
    {ZYDIS_MNEMONIC_RDSEED, kChance},
    {ZYDIS_MNEMONIC_SYSRET, "AMD's CPUs have it in compatibility mode, Intel's do not", false,
     true},
};

}  // namespace

std::span<const UncomparedRow> UncomparedRows() { return kRows; }

bool IsUncompared(ZydisMnemonic mnemonic, CpuMode mode) {
  return std::ranges::any_of(kRows, [&](const UncomparedRow& row) {
    return row.mnemonic == mnemonic && (mode == CpuMode::kLong64 ? row.in_long : row.in_protected);
  });
}

}  // namespace glovebox::engine::x86
