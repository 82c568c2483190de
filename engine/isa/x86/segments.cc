#include "engine/isa/x86/segments.h"

#include <array>

namespace glovebox::engine::x86 {
namespace {

constexpr std::uint16_t kLocalTable = 1 << 2;  // a selector's bit TI
constexpr unsigned kUserPrivilege = 3;

// The entries that user mode can see, by index: arch/x86/kernel/cpu/common.c, gdt_page. All of
// privilege 3 and accessed. Those of the kernel have privilege 0: they look as if they were not
// there.
constexpr std::uint64_t kUser32CsBits = 0x00cf'fb00'0000'ffff;
constexpr std::uint64_t kUserDsBits = 0x00cf'f300'0000'ffff;
constexpr std::uint64_t kUser64CsBits = 0x00af'fb00'0000'ffff;
// arch/x86/entry/vdso/vma.c, vdso_cpu_init: the limit holds the CPU's number, 0.
constexpr std::uint64_t kCpuNumberBits = 0x0040'f500'0000'0000;
constexpr std::uint64_t kKernelBits = 0x00cf'9300'0000'ffff;

constexpr std::size_t kEntries = 16;
constexpr std::array<std::uint64_t, kEntries> kTable = {
    0,
    kKernelBits,
    kKernelBits,
    kKernelBits,
    kUser32CsBits,
    kUserDsBits,
    kUser64CsBits,
    0,
    kKernelBits,
    0,
    kKernelBits,
    0,
    0,
    0,
    0,
    kCpuNumberBits,
};

constexpr bool IsNull(std::uint16_t selector) { return (selector & ~3) == 0; }

SegmentFault Refuse(std::uint16_t selector, ExceptionKind kind) {
  return {kind, static_cast<std::uint16_t>(selector & ~3)};
}

// The rules of MOV to a segment register: Intel SDM vol. 2B, MOV, "Operation".
std::optional<SegmentFault> Check(const Cpu& cpu, SegmentRegister reg, std::uint16_t selector) {
  if (IsNull(selector)) {
    if (reg == kSs) return Refuse(0, ExceptionKind::kGeneralProtection);
    return std::nullopt;
  }
  const auto refused = Refuse(selector, ExceptionKind::kGeneralProtection);
  const auto found = FindDescriptor(cpu, selector);
  if (!found || !found->is_segment()) return refused;
  const Descriptor& entry = *found;
  const unsigned requested = selector & 3;
  if (reg == kSs) {
    if (requested != kUserPrivilege || entry.privilege() != kUserPrivilege || !entry.is_writable())
      return refused;
    if (!entry.is_present()) return Refuse(selector, ExceptionKind::kStackFault);
  } else {
    if (!entry.is_readable()) return refused;
    if (!entry.is_conforming() && entry.privilege() < kUserPrivilege) return refused;
    if (!entry.is_present()) return Refuse(selector, ExceptionKind::kSegmentNotPresent);
  }
  const bool has_base = reg == kFs || reg == kGs;
  if (cpu.mode == CpuMode::kProtected32 && !has_base && entry.base() != 0) return refused;
  return std::nullopt;
}

}  // namespace

std::optional<Descriptor> FindDescriptor(const Cpu& cpu, std::uint16_t selector) {
  const std::size_t index = selector >> 3;
  if (IsNull(selector) || (selector & kLocalTable) != 0 || index >= kEntries) return std::nullopt;
  const std::size_t tls = index - kFirstTlsEntry;
  const std::uint64_t bits = tls < kTlsDescriptors ? cpu.tls[tls] : kTable[index];
  if (bits == 0) return std::nullopt;
  return Descriptor{bits};
}

std::optional<Descriptor> FindVisible(const Cpu& cpu, std::uint16_t selector) {
  const auto entry = FindDescriptor(cpu, selector);
  if (!entry || !entry->is_segment()) return std::nullopt;
  if (!entry->is_conforming() && entry->privilege() < kUserPrivilege) return std::nullopt;
  return entry;
}

std::optional<SegmentFault> LoadSegment(Cpu& cpu, SegmentRegister reg, std::uint16_t selector) {
  if (const auto fault = Check(cpu, reg, selector)) return fault;
  cpu.selector[reg] = selector;
  if (reg == kFs || reg == kGs) {
    const auto entry = FindDescriptor(cpu, selector);
    cpu.segment_base[reg - kFs] = entry ? entry->base() : 0;
    UpdateSegments(cpu);
  }
  return std::nullopt;
}

void ResetSegments(Cpu& cpu) {
  // arch/x86/kernel/process_64.c, start_thread and compat_start_thread.
  const bool is_long = cpu.mode == CpuMode::kLong64;
  cpu.selector = {};
  cpu.selector[kCs] = is_long ? kUser64Cs : kUser32Cs;
  cpu.selector[kSs] = kUserDs;
  cpu.selector[kEs] = cpu.selector[kDs] = is_long ? 0 : kUserDs;
  cpu.segment_base = {};
  cpu.tls = {};
  UpdateSegments(cpu);
}

void UpdateSegments(Cpu& cpu) {
  const bool is_long = cpu.mode == CpuMode::kLong64;
  const std::uint64_t mask = is_long ? ~std::uint64_t{0} : 0xffff'ffff;
  // Not canonical whatever the offset: #GP, as a null selector's use is.
  constexpr Segment kUnusable{.base = std::uint64_t{1} << 62, .mask = ~std::uint64_t{0}};
  cpu.segment[0] = {.base = 0, .mask = mask};
  for (std::size_t i = 0; i < cpu.segment_base.size(); ++i) {
    const bool unusable = !is_long && IsNull(cpu.selector[kFs + i]);
    cpu.segment[i + 1] = unusable ? kUnusable : Segment{cpu.segment_base[i], mask};
  }
  cpu.segment[kReadOnlySegment] = kUnusable;
}

}  // namespace glovebox::engine::x86
