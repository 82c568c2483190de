#include "server/worker/debuggee_registers.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace glovebox::worker {
namespace {

using engine::DebugRegisterSet;
using gdbstub::Architecture;
using gdbstub::RegisterNumber;
namespace x86 = engine::x86;

struct Place {
  DebugRegisterSet set = DebugRegisterSet::kGeneral;
  std::size_t offset = 0;
  std::size_t size_bytes = 0;
};

// Words of user_regs_struct, in gdb's order from 0 on. Source: sys/user.h.
constexpr std::uint8_t kWords64[] = {10, 5, 11, 12, 13, 14, 4,  19, 9,  8,  7,  6,
                                     3,  2, 1,  0,  16, 18, 17, 20, 23, 24, 25, 26};
constexpr std::uint8_t kWords32[] = {6, 1, 2, 0, 15, 5, 3, 4, 12, 14, 13, 16, 7, 8, 9, 10};
constexpr std::size_t kOriginal64 = 15, kFsBase64 = 21, kGsBase64 = 22, kOriginal32 = 11;

// The XSAVE area: Intel SDM vol. 1, table 10-2 and 13.4.
constexpr std::size_t kTagOffset = 4, kMxcsrOffset = 24, kStackOffset = 32, kXmmOffset = 160,
                      kHeaderOffset = 512, kUpperOffset = 576;
// fctrl fstat ftag fiseg fioff foseg fooff fop.
constexpr Place kX87[] = {
    {DebugRegisterSet::kXstate, 0, 2},          {DebugRegisterSet::kXstate, 2, 2},
    {DebugRegisterSet::kXstate, kTagOffset, 1}, {DebugRegisterSet::kXstate, 12, 2},
    {DebugRegisterSet::kXstate, 8, 4},          {DebugRegisterSet::kXstate, 20, 2},
    {DebugRegisterSet::kXstate, 16, 4},         {DebugRegisterSet::kXstate, 6, 2}};

// Numbers of the registers that both architectures have, and where runs of them begin.
struct Numbers {
  std::span<const std::uint8_t> words;
  std::size_t word_bytes;
  RegisterNumber st0, fctrl, xmm0, mxcsr, original, ymm0h, vectors;
  std::size_t original_word;
};
const Numbers& NumbersOf(Architecture architecture) {
  static constexpr Numbers kAmd64{kWords64,
                                  8,
                                  gdbstub::kAmd64St0,
                                  gdbstub::kAmd64Fctrl,
                                  gdbstub::kAmd64Xmm0,
                                  gdbstub::kAmd64Mxcsr,
                                  gdbstub::kAmd64OrigRax,
                                  gdbstub::kAmd64Ymm0h,
                                  16,
                                  kOriginal64};
  static constexpr Numbers kI386{kWords32,
                                 4,
                                 gdbstub::kI386St0,
                                 gdbstub::kI386Fctrl,
                                 gdbstub::kI386Xmm0,
                                 gdbstub::kI386Mxcsr,
                                 gdbstub::kI386OrigEax,
                                 gdbstub::kI386Ymm0h,
                                 8,
                                 kOriginal32};
  return architecture == Architecture::kAmd64 ? kAmd64 : kI386;
}

std::optional<Place> PlaceOf(Architecture architecture, RegisterNumber number) {
  const Numbers& n = NumbersOf(architecture);
  const auto general = [&](std::size_t word) {
    return Place{DebugRegisterSet::kGeneral, word * n.word_bytes, n.word_bytes};
  };
  const auto is_in = [number](RegisterNumber first, std::size_t count) {
    return number >= first && number < first + count;
  };
  const auto vector = [&](std::size_t offset, RegisterNumber first, std::size_t size_bytes) {
    return Place{DebugRegisterSet::kXstate, offset + (number - first) * std::size_t{16},
                 size_bytes};
  };
  if (number < n.words.size()) return general(n.words[number]);
  if (number == n.original) return general(n.original_word);
  if (architecture == Architecture::kAmd64 && number == gdbstub::kAmd64FsBase)
    return general(kFsBase64);
  if (architecture == Architecture::kAmd64 && number == gdbstub::kAmd64GsBase)
    return general(kGsBase64);
  if (is_in(n.st0, 8)) return vector(kStackOffset, n.st0, 10);
  if (is_in(n.fctrl, std::size(kX87))) return kX87[number - n.fctrl];
  if (is_in(n.xmm0, n.vectors)) return vector(kXmmOffset, n.xmm0, 16);
  if (number == n.mxcsr) return Place{DebugRegisterSet::kXstate, kMxcsrOffset, 4};
  if (is_in(n.ymm0h, n.vectors)) return vector(kUpperOffset, n.ymm0h, 16);
  return std::nullopt;
}

bool IsTag(Architecture architecture, RegisterNumber number) {
  return number == NumbersOf(architecture).fctrl + 2;
}

// The tag word, which FXSAVE cuts to a bit for each register: Intel SDM vol. 1, 10.5.1.1.
std::uint16_t FullTag(std::span<const std::byte> area) {
  enum : std::uint16_t { kValid, kZero, kSpecial, kEmpty };
  const auto there = std::to_integer<unsigned>(area[kTagOffset]);
  const unsigned top = std::to_integer<unsigned>(area[3]) >> 3 & 7;
  std::uint16_t tag = 0;
  for (unsigned physical = 0; physical < 8; ++physical) {
    std::uint16_t kind = kEmpty;
    if ((there >> physical & 1) != 0) {
      const std::byte* const value = &area[kStackOffset + ((physical - top) & 7) * 16];
      std::uint64_t mantissa = 0;
      std::uint16_t exponent = 0;
      std::memcpy(&mantissa, value, sizeof mantissa);
      std::memcpy(&exponent, value + sizeof mantissa, sizeof exponent);
      exponent &= 0x7fff;
      const bool is_normal = exponent != 0 && exponent != 0x7fff && mantissa >> 63 != 0;
      kind = is_normal ? kValid : exponent == 0 && mantissa == 0 ? kZero : kSpecial;
    }
    tag |= static_cast<std::uint16_t>(kind << (2 * physical));
  }
  return tag;
}

std::uint8_t ShortTag(std::uint16_t tag) {
  std::uint8_t there = 0;
  for (unsigned physical = 0; physical < 8; ++physical) {
    if ((tag >> (2 * physical) & 3) != 3) there |= static_cast<std::uint8_t>(1u << physical);
  }
  return there;
}

}  // namespace

void FillRegisters(Architecture architecture, const RegisterImages& images,
                   std::span<std::byte> out) {
  std::ranges::fill(out, std::byte{0});
  const gdbstub::RegisterLayout& layout = gdbstub::LayoutOf(architecture);
  for (RegisterNumber number = 0; number < layout.rows.size(); ++number) {
    const auto place = PlaceOf(architecture, number);
    if (!place) continue;
    const gdbstub::RegisterRow& row = layout.rows[number];
    const auto& image = place->set == DebugRegisterSet::kGeneral ? images.general : images.xstate;
    if (IsTag(architecture, number)) {
      const std::uint16_t tag = FullTag(image);
      std::memcpy(&out[row.offset], &tag, sizeof tag);
      continue;
    }
    std::memcpy(&out[row.offset], &image[place->offset],
                std::min(row.size_bytes(), place->size_bytes));
  }
}

std::optional<DebugRegisterSet> SetOf(Architecture architecture, RegisterNumber number) {
  const auto place = PlaceOf(architecture, number);
  return place ? std::optional(place->set) : std::nullopt;
}

void PutRegister(Architecture architecture, RegisterNumber number, std::span<const std::byte> value,
                 RegisterImages& images) {
  const auto place = PlaceOf(architecture, number);
  if (!place) return;
  std::vector<std::byte>& image = images.Of(place->set);
  std::array<std::byte, 2> tag{};
  if (IsTag(architecture, number)) {
    std::uint16_t full = 0;
    std::memcpy(&full, value.data(), std::min(value.size(), sizeof full));
    tag[0] = std::byte{ShortTag(full)};
    value = std::span(tag).first(1);
  }
  // Narrower registers of gdb's (eflags, selectors) leave nothing behind in wide words.
  std::memset(&image[place->offset], 0, place->size_bytes);
  std::memcpy(&image[place->offset], value.data(), std::min(value.size(), place->size_bytes));
  if (place->set == DebugRegisterSet::kXstate) {
    constexpr std::byte kAllComponents{7};  // none is as a new program finds it
    image[kHeaderOffset] |= kAllComponents;
  }
  // -1 of 32 bits is -1.
  const Numbers& n = NumbersOf(architecture);
  if (number == n.original && value.size() < place->size_bytes &&
      (value.back() & std::byte{0x80}) != std::byte{0}) {
    std::memset(&image[place->offset + value.size()], 0xff, place->size_bytes - value.size());
  }
}

engine::GuestAddr InstructionPointer(std::span<const std::byte> general) {
  // user_regs_struct: 27 words of 8 bytes, or 17 of 4.
  constexpr std::size_t kBytes64 = 27 * 8, kRip = 16 * 8, kEip = 12 * 4;
  std::uint64_t wide = 0;
  std::uint32_t narrow = 0;
  if (general.size() == kBytes64) {
    std::memcpy(&wide, &general[kRip], sizeof wide);
  } else if (general.size() >= kEip + sizeof narrow) {
    std::memcpy(&narrow, &general[kEip], sizeof narrow);
    wide = narrow;
  }
  return wide;
}

std::uint64_t RegisterOf(Architecture architecture, RegisterNumber number, const x86::Vcpu& cpu) {
  constexpr x86::Gpr kOrder64[] = {x86::kRax, x86::kRbx, x86::kRcx, x86::kRdx,
                                   x86::kRsi, x86::kRdi, x86::kRbp, x86::kRsp};
  const bool is_amd64 = architecture == Architecture::kAmd64;
  const Numbers& n = NumbersOf(architecture);
  const RegisterNumber pc = gdbstub::LayoutOf(architecture).pc;
  // The encoding's order, but for the first ones of amd64.
  if (is_amd64 && number < std::size(kOrder64)) return cpu.gpr(kOrder64[number]);
  if (number < pc) return cpu.gpr(static_cast<x86::Gpr>(number));
  if (number == pc) return cpu.rip();
  const x86::Registers registers = cpu.Get();
  if (number == pc + 1) return registers.rflags;
  constexpr x86::SegmentRegister kSegments[] = {x86::kCs, x86::kSs, x86::kDs,
                                                x86::kEs, x86::kFs, x86::kGs};
  if (number < n.words.size()) return cpu.selector(kSegments[number - (pc + 2)]);
  if (number == n.original) return ~std::uint64_t{0};
  if (is_amd64 && number == gdbstub::kAmd64FsBase) return registers.fs_base;
  if (is_amd64 && number == gdbstub::kAmd64GsBase) return registers.gs_base;
  x86::XsaveArea area;
  cpu.SaveXstate(area);
  if (IsTag(architecture, number)) return FullTag(area);
  const auto place = PlaceOf(architecture, number);
  std::uint64_t value = 0;
  if (place) {
    std::memcpy(&value, &area[place->offset], std::min(sizeof value, place->size_bytes));
  }
  return value;
}

}  // namespace glovebox::worker
