#include "engine/isa/x86/xsave.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "engine/isa/x86/fx_state.h"

namespace glovebox::engine::x86 {
namespace {

// Parts of the legacy region (Intel SDM vol. 1, table 10-2): control, status, tags and pointers of
// the x87; MXCSR and its mask; the registers of each.
constexpr XRange kX87Control = {0, 24};
constexpr XRange kMxcsrPart = {24, 8};
constexpr XRange kX87Registers = {32, 128};
constexpr std::size_t kXmmAt = 160;
constexpr std::size_t kLaneBytes = 16;

using Legacy = std::array<std::byte, kFxImageBytes>;

Legacy LegacyOf(const Cpu& cpu) {
  Legacy image;
  SaveFxImage(cpu, image.data());
  return image;
}

const Legacy& InitialLegacy() {
  static const Legacy kInitial = LegacyOf(Cpu());
  return kInitial;
}

// 32-bit code sees and saves eight vector registers.
std::size_t VectorCount(const Cpu& cpu) { return cpu.mode == CpuMode::kLong64 ? 16 : 8; }

// The parts of components, MXCSR excepted.
void AddComponents(XRanges& ranges, std::uint64_t components) {
  constexpr std::size_t kVectorsBytes = 16 * kLaneBytes;
  if ((components & kXX87) != 0) {
    ranges.Add(kX87Control.at, kX87Control.size_bytes);
    ranges.Add(kX87Registers.at, kX87Registers.size_bytes);
  }
  if ((components & kXSse) != 0) ranges.Add(kXmmAt, kVectorsBytes);
  if ((components & kXAvx) != 0) ranges.Add(kXAvxAt, kVectorsBytes);
}

bool IsZero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

// Without the vector registers that the mode has not.
XRange Present(const Cpu& cpu, XRange range) {
  const bool vectors = range.at == kXmmAt || range.at == kXAvxAt;
  if (!vectors) return range;
  return {range.at, static_cast<std::uint32_t>(VectorCount(cpu) * kLaneBytes)};
}

void Copy(XRange range, const std::byte* from, std::byte* to) {
  std::memcpy(to + range.at, from + range.at, range.size_bytes);
}

// In the standard format MXCSR goes with SSE and with AVX, in the compacted one it is SSE's
// (Intel SDM vol. 1, 13.7, 13.8, 13.10).
bool TakesMxcsr(bool compacted, std::uint64_t wanted, std::uint64_t present) {
  return compacted ? (wanted & present & kXSse) != 0 : (wanted & (kXSse | kXAvx)) != 0;
}

}  // namespace

std::uint64_t XComponentsInUse(const Cpu& cpu) {
  const Legacy legacy = LegacyOf(cpu);
  const auto differs = [&](XRange range) {
    return std::memcmp(&legacy[range.at], &InitialLegacy()[range.at], range.size_bytes) != 0;
  };
  std::uint64_t used = 0;
  if (differs(kX87Control) || differs(kX87Registers)) used |= kXX87;
  for (const VectorRegister& vector : cpu.vector) {
    if (!IsZero(std::span(vector.bytes).first(kLaneBytes))) used |= kXSse;
    if (!IsZero(std::span(vector.bytes).last(kLaneBytes))) used |= kXAvx;
  }
  return used;
}

XSavePlan::XSavePlan(const Cpu& cpu, XSaveKind kind, std::uint64_t wanted)
    : kind_(kind), wanted_(wanted), present_(XComponentsInUse(cpu) & wanted) {
  // An MXCSR of its own makes SSE present although its registers are not in use.
  if ((wanted & kXSse) != 0 && cpu.mxcsr != kMxcsrReset) present_ |= kXSse;
  const bool compacted = kind == XSaveKind::kCompacted;
  ranges_.Add(kXHeaderAt, compacted ? 16 : 8);
  AddComponents(ranges_, kind == XSaveKind::kStandard ? wanted : present_);
  if (TakesMxcsr(compacted, wanted, present_)) ranges_.Add(kMxcsrPart.at, kMxcsrPart.size_bytes);
}

void XSavePlan::Write(const Cpu& cpu, std::byte* area, FxFormat format) const {
  std::array<std::byte, kXsaveBytes> image{};
  SaveFxImage(cpu, image.data(), format);
  for (std::size_t i = 0; i < cpu.vector.size(); ++i) {
    std::memcpy(&image[kXAvxAt + i * kLaneBytes], &cpu.vector[i].bytes[kLaneBytes], kLaneBytes);
  }
  XHeader header;
  std::memcpy(&header.present, area + kXHeaderAt, sizeof(header.present));
  header.present =
      kind_ == XSaveKind::kCompacted ? present_ : (header.present & ~wanted_) | present_;
  header.compacted = std::uint64_t{1} << 63 | wanted_;
  std::memcpy(&image[kXHeaderAt], &header, sizeof(header));
  for (const XRange& range : ranges_) Copy(Present(cpu, range), image.data(), area);
}

bool XHeader::IsValid() const {
  const auto is_zero = [](std::uint64_t word) { return word == 0; };
  if (IsCompacted()) {
    return HasKnownFormat() && (present & ~CompactedComponents()) == 0 &&
           std::ranges::all_of(reserved, is_zero);
  }
  // Of the reserved words only the first is looked at.
  return compacted == 0 && (present & ~kXcr0) == 0 && reserved[0] == 0;
}

XRanges XRestoreRanges(const XHeader& header, std::uint64_t wanted) {
  const std::uint64_t looked_at = header.IsCompacted() ? wanted & header.compacted : wanted;
  XRanges ranges;
  AddComponents(ranges, looked_at);
  if (TakesMxcsr(header.IsCompacted(), looked_at, looked_at)) {
    ranges.Add(kMxcsrPart.at, kMxcsrPart.size_bytes);
  }
  return ranges;
}

bool XRestore(Cpu& cpu, const XHeader& header, std::uint64_t wanted, const std::byte* area,
              FxFormat format) {
  // What is wanted and not present becomes initial, everything else of the legacy region is as it
  // was.
  std::array<std::byte, kXsaveBytes> image{};
  SaveFxImage(cpu, image.data());
  const auto copy = [&](std::uint64_t components, bool mxcsr, const std::byte* from) {
    XRanges ranges;
    AddComponents(ranges, components);
    if (mxcsr) ranges.Add(kMxcsrPart.at, kMxcsrPart.size_bytes);
    for (const XRange& range : ranges) Copy(Present(cpu, range), from, image.data());
  };
  const std::uint64_t absent = wanted & ~header.present & (kXX87 | kXSse);
  copy(absent, header.IsCompacted() && (absent & kXSse) != 0, InitialLegacy().data());
  copy(wanted & header.present, TakesMxcsr(header.IsCompacted(), wanted, header.present), area);
  // All registers, but pointers of the format if they come from the area.
  const bool short_pointers = format != FxFormat::kLong64 && (wanted & header.present & kXX87) != 0;
  if (!RestoreFxImage(cpu, image.data(), short_pointers ? FxFormat::kLong32 : FxFormat::kLong64)) {
    return false;
  }
  if ((wanted & kXAvx) == 0) return true;
  // Zeros where AVX is not present.
  for (std::size_t i = 0; i < VectorCount(cpu); ++i) {
    std::memcpy(&cpu.vector[i].bytes[kLaneBytes], &image[kXAvxAt + i * kLaneBytes], kLaneBytes);
  }
  return true;
}

}  // namespace glovebox::engine::x86
