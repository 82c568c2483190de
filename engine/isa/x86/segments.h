// Segments as Linux shows them to user mode: a flat descriptor table, of which a guest can fill
// three entries (set_thread_area), and the loading of selectors. Intel SDM vol. 3A, 3.4.
//
// Code, stack and data are flat in both modes. FS and GS alone have bases: 64-bit ones of their own
// (arch_prctl), or those of the descriptor that was loaded last. What is not modelled: limits other
// than 4 GiB, and ES, DS or SS with a base, whose selectors are refused (#GP) in 32-bit code.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/isa/x86/cpu_state.h"

namespace glovebox::engine::x86 {

// arch/x86/include/asm/segment.h: the selectors of user mode.
inline constexpr std::uint16_t kUser32Cs = 0x23, kUserDs = 0x2b, kUser64Cs = 0x33;
inline constexpr std::uint16_t kFirstTlsEntry = 12;

// An entry of the table as the table holds it: Intel SDM vol. 3A, figure 3-8.
struct Descriptor {
  std::uint64_t bits = 0;

  constexpr std::uint32_t base() const {
    return static_cast<std::uint32_t>((bits >> 16 & 0xffffff) | (bits >> 56) << 24);
  }
  // The last offset, in bytes.
  constexpr std::uint32_t limit() const {
    const auto raw = static_cast<std::uint32_t>((bits & 0xffff) | (bits >> 48 & 0xf) << 16);
    return (bits >> 55 & 1) != 0 ? raw << 12 | 0xfff : raw;
  }
  // Bits 8 to 23 of the second word, in their places: what LAR shows.
  constexpr std::uint32_t rights() const {
    return static_cast<std::uint32_t>(bits >> 32) & 0x00ffff00;
  }
  constexpr bool is_present() const { return (bits >> 47 & 1) != 0; }
  constexpr unsigned privilege() const { return bits >> 45 & 3; }
  constexpr bool is_segment() const { return (bits >> 44 & 1) != 0; }  // not a gate or a task
  constexpr bool is_code() const { return (bits >> 43 & 1) != 0; }
  constexpr bool is_conforming() const { return is_code() && (bits >> 42 & 1) != 0; }
  constexpr bool is_writable() const { return !is_code() && (bits >> 41 & 1) != 0; }
  constexpr bool is_readable() const { return !is_code() || (bits >> 41 & 1) != 0; }
};

// Null selectors, the local table (which no guest has) and what lies beyond the table: empty.
std::optional<Descriptor> FindDescriptor(const Cpu& cpu, std::uint16_t selector);

// As LAR and its kin see it: empty too where user mode, or the selector's own privilege, may not.
std::optional<Descriptor> FindVisible(const Cpu& cpu, std::uint16_t selector);

// A segment that cannot be loaded: the exception and its error code.
struct SegmentFault {
  ExceptionKind kind = ExceptionKind::kGeneralProtection;
  std::uint16_t error_code = 0;
};

// MOV and POP to ES, SS, DS, FS, GS. On a fault nothing has changed.
std::optional<SegmentFault> LoadSegment(Cpu& cpu, SegmentRegister reg, std::uint16_t selector);

// The segments that a program starts with, in the CPU's mode.
void ResetSegments(Cpu& cpu);
// After a change of the mode, a selector or a base.
void UpdateSegments(Cpu& cpu);

}  // namespace glovebox::engine::x86
