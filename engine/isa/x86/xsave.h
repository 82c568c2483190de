// Extended states in memory: the XSAVE area. Intel SDM vol. 1, chapter 13. Three components are
// enabled, so XCR0 is 7: x87, SSE, AVX; the last lies at the same place in both formats.
//
// Manuals let a CPU take a component for used that is not ("XINUSE", 13.6). Here a component is in
// use where its values differ from the initial ones, so images are the same on every host.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/fx_state.h"
#include "engine/isa/x86/registers.h"

namespace glovebox::engine::x86 {

enum XComponent : std::uint64_t {
  kXX87 = 1 << 0,
  kXSse = 1 << 1,
  kXAvx = 1 << 2,
};
inline constexpr std::uint64_t kXcr0 = kXX87 | kXSse | kXAvx;

// Where things are. Intel SDM vol. 1, 13.4.
inline constexpr std::size_t kXHeaderAt = 512;
inline constexpr std::size_t kXHeaderBytes = 64;
inline constexpr std::size_t kXAvxAt = 576;
inline constexpr std::size_t kXAvxBytes = 256;
static_assert(kXAvxAt + kXAvxBytes == kXsaveBytes);

// The components that are in use. cpu.mxcsr must hold all flags raised so far; it is not part of
// SSE's.
std::uint64_t XComponentsInUse(const Cpu& cpu);

// Part of an XSAVE area.
struct XRange {
  std::uint32_t at = 0;
  std::uint32_t size_bytes = 0;
};
struct XRanges {
  std::array<XRange, 6> ranges;
  std::size_t count = 0;

  void Add(std::size_t at, std::size_t size_bytes) {
    ranges[count++] = {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(size_bytes)};
  }
  const XRange* begin() const { return ranges.data(); }
  const XRange* end() const { return ranges.data() + count; }
};

enum class XSaveKind : std::uint8_t { kStandard, kOptimised, kCompacted };

// What an instruction of the XSAVE family does with the components `wanted`, a part of XCR0.
class XSavePlan {
 public:
  XSavePlan(const Cpu& cpu, XSaveKind kind, std::uint64_t wanted);

  // What must be writable, the header included: all of it is written, but for the room of vector
  // registers that 32-bit code has not.
  const XRanges& ranges() const { return ranges_; }
  // Writes it, over an area all of whose ranges are writable. The format is of the x87's pointers.
  void Write(const Cpu& cpu, std::byte* area, FxFormat format = FxFormat::kLong64) const;

 private:
  XSaveKind kind_;
  std::uint64_t wanted_;
  std::uint64_t present_;  // the wanted components' bits of XSTATE_BV
  XRanges ranges_;
};

// The header as XRSTOR reads it.
struct XHeader {
  std::uint64_t present = 0;    // XSTATE_BV
  std::uint64_t compacted = 0;  // XCOMP_BV
  std::array<std::uint64_t, 6> reserved{};

  bool IsCompacted() const { return compacted >> 63 != 0; }
  std::uint64_t CompactedComponents() const { return compacted << 1 >> 1; }
  // False: #GP, before anything else of the area is looked at.
  bool HasKnownFormat() const { return !IsCompacted() || (CompactedComponents() & ~kXcr0) == 0; }
  // False: #GP.
  bool IsValid() const;
};
static_assert(sizeof(XHeader) == kXHeaderBytes);

// What must be readable for an XRSTOR of the components `wanted` besides the header. As on
// hardware: present or not, and whether or not the header is valid.
XRanges XRestoreRanges(const XHeader& header, std::uint64_t wanted);
// XRSTOR from an area all of whose ranges are readable. False, with nothing changed: #GP because of
// reserved MXCSR bits.
bool XRestore(Cpu& cpu, const XHeader& header, std::uint64_t wanted, const std::byte* area,
              FxFormat format = FxFormat::kLong64);

}  // namespace glovebox::engine::x86
