#include "tests/instructions/x86/machine_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "tests/instructions/x86/host_features.h"

namespace glovebox::engine::x86 {
namespace {

constexpr std::array<const char*, 16> kGprNames = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                                   "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                                   "r12", "r13", "r14", "r15"};

using Half = std::array<std::uint64_t, 2>;

// Both zero, or both finite or not alike, and as near as 2^-bits.
bool Near(double native, double guest, int bits) {
  if (std::isnan(native) || std::isnan(guest)) return std::isnan(native) && std::isnan(guest);
  if (native == guest) return std::signbit(native) == std::signbit(guest);
  return std::abs(native - guest) <= std::ldexp(std::abs(native), -bits);
}

bool NearFloats(const Half& native, const Half& guest, int bits) {
  const auto a = std::bit_cast<std::array<float, 4>>(native);
  const auto b = std::bit_cast<std::array<float, 4>>(guest);
  bool near = true;
  for (std::size_t i = 0; i < 4; ++i) near = near && Near(a[i], b[i], bits);
  return near;
}

// Numbers of the same sign, by the distance of their significands; denormals (whose exponent counts
// as 1) by at most one unit.
bool NearExtended(const Half& native, const Half& guest, int bits) {
  if (((native[1] ^ guest[1]) & 0x8000) != 0) return false;
  const auto exponent = [](const Half& x) { return std::max(1, static_cast<int>(x[1] & 0x7FFF)); };
  const int apart = exponent(guest) - exponent(native);
  if (apart < -1 || apart > 1) return false;
  const long double a = static_cast<long double>(native[0]) * (apart < 0 ? 2 : 1);
  const long double b = static_cast<long double>(guest[0]) * (apart > 0 ? 2 : 1);
  return std::abs(a - b) <= std::max<long double>(1, std::ldexp(a, -bits));
}

class Report {
 public:
  Report(std::string_view native_name, std::string_view guest_name)
      : native_name_(native_name), guest_name_(guest_name) {}

  void Compare(std::string_view what, std::uint64_t native, std::uint64_t guest) {
    if (native != guest) Add(what, fmt::format("{:x}", native), fmt::format("{:x}", guest));
  }
  void Compare(std::string_view what, const Half& native, const Half& guest) {
    if (native == guest) return;
    Add(what, fmt::format("{:016x}_{:016x}", native[1], native[0]),
        fmt::format("{:016x}_{:016x}", guest[1], guest[0]));
  }
  void Add(std::string_view what, std::string_view native, std::string_view guest) {
    text_ += fmt::format("  {}: {} {}, {} {}\n", what, native_name_, native, guest_name_, guest);
  }
  const std::string& text() const { return text_; }

 private:
  std::string_view native_name_;
  std::string_view guest_name_;
  std::string text_;
};

// Notes only that there is one.
class Verdict {
 public:
  void Compare(std::string_view, std::uint64_t native, std::uint64_t guest) {
    same_ = same_ && native == guest;
  }
  void Compare(std::string_view, const Half& native, const Half& guest) {
    same_ = same_ && native == guest;
  }
  void Add(std::string_view, std::string_view, std::string_view) { same_ = false; }
  bool same() const { return same_; }

 private:
  bool same_ = true;
};

constexpr std::array<const char*, 6> kSegmentNames = {"es", "cs", "ss", "ds", "fs", "gs"};
constexpr std::array<const char*, 8> kStNames = {"st0", "st1", "st2", "st3",
                                                 "st4", "st5", "st6", "st7"};
constexpr std::array<const char*, 16> kXmmNames = {
    "xmm0", "xmm1", "xmm2",  "xmm3",  "xmm4",  "xmm5",  "xmm6",  "xmm7",
    "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"};
constexpr std::array<const char*, 16> kYmmNames = {
    "ymm0 high",  "ymm1 high",  "ymm2 high",  "ymm3 high", "ymm4 high",  "ymm5 high",
    "ymm6 high",  "ymm7 high",  "ymm8 high",  "ymm9 high", "ymm10 high", "ymm11 high",
    "ymm12 high", "ymm13 high", "ymm14 high", "ymm15 high"};

template <typename Sink>
void CompareX87(const FloatState& native, const FloatState& guest, const Tolerance& tolerance,
                Sink& sink) {
  sink.Compare("x87 control", native.control, guest.control);
  const auto status = static_cast<std::uint16_t>(~tolerance.undefined_x87_status);
  sink.Compare("x87 status", native.status & status, guest.status & status);
  sink.Compare("x87 tags", native.valid, guest.valid);
  static const bool kHostKeepsOurPointers = HostKeepsX87PointersAsWe();
  if (kHostKeepsOurPointers) {
    sink.Compare("x87 opcode", native.opcode, guest.opcode);
    // What restored images hold beyond an address CPUs keep or make canonical, each in its way.
    const auto address = [](std::uint64_t pointer) { return pointer << 16 >> 16; };
    sink.Compare("x87 instruction pointer", address(native.instruction_pointer),
                 address(guest.instruction_pointer));
    sink.Compare("x87 data pointer", address(native.data_pointer), address(guest.data_pointer));
  }
  const auto cut = [](const Half& x) { return Half{x[0], x[1] & 0xFFFF}; };
  const int bits = tolerance.approximate_bits;
  for (std::size_t i = 0; i < 8; ++i) {
    if (bits != 0 && NearExtended(native.st[i], guest.st[i], bits)) continue;
    sink.Compare(kStNames[i], cut(native.st[i]), cut(guest.st[i]));
  }
}

template <typename Sink>
void CompareAll(const MachineState& native, const MachineState& guest, const Tolerance& tolerance,
                Sink& sink) {
  if (native.ending != guest.ending) {
    sink.Add("exception", NameOf(native.ending), NameOf(guest.ending));
  } else if (native.ending == Ending::kPageFault) {
    if (!tolerance.ignore_fault_address) {
      sink.Compare("fault address", native.fault_address, guest.fault_address);
    }
    sink.Compare("fault access (0 read, 1 write, 2 execute)",
                 static_cast<std::uint64_t>(native.fault_access),
                 static_cast<std::uint64_t>(guest.fault_access));
  }
  sink.Compare("rip", native.rip, guest.rip);
  for (std::size_t i = 0; i < 16; ++i) sink.Compare(kGprNames[i], native.gpr[i], guest.gpr[i]);
  std::uint64_t flags = kComparedFlags & ~tolerance.undefined_flags;
  if (native.ending != Ending::kReachedInt3) flags &= ~tolerance.undefined_flags_at_fault;
  if (native.ending == Ending::kPageFault && !tolerance.flags_at_fault) flags = kDf;
  sink.Compare("rflags", native.rflags & flags, guest.rflags & flags);
  // An interrupt that comes by makes 0 of each null selector (Intel SDM vol. 2A, IRET).
  const auto selector = [](std::uint16_t value) { return value <= 3 ? 0 : value; };
  for (std::size_t i = 0; i < 6; ++i) {
    if (i == kCs) continue;
    sink.Compare(kSegmentNames[i], static_cast<std::uint64_t>(selector(native.selectors[i])),
                 static_cast<std::uint64_t>(selector(guest.selectors[i])));
  }
  sink.Compare("fs base", native.fs_base, guest.fs_base);
  sink.Compare("gs base", native.gs_base, guest.gs_base);
  sink.Compare("mxcsr", native.fx.mxcsr, guest.fx.mxcsr);
  const int bits = tolerance.approximate_bits;
  const auto vectors = [&](const auto& names, const auto& a, const auto& b) {
    for (std::size_t i = 0; i < 16; ++i) {
      if (bits != 0 && NearFloats(a[i], b[i], bits)) continue;
      sink.Compare(names[i], a[i], b[i]);
    }
  };
  vectors(kXmmNames, native.fx.xmm, guest.fx.xmm);
  vectors(kYmmNames, native.ymm_high, guest.ymm_high);
  if (native.ending == Ending::kReachedInt3 || tolerance.x87_at_fault) {
    CompareX87(native.fx, guest.fx, tolerance, sink);
  }
}

}  // namespace

std::string NameOf(Ending ending) {
  constexpr std::array<const char*, kEndings> kNames = {"none",
                                                        "#DE",
                                                        "#OF",
                                                        "#BR",
                                                        "#UD",
                                                        "#GP",
                                                        "#SS",
                                                        "#NP",
                                                        "#PF",
                                                        "#MF/#XM",
                                                        "#AC",
                                                        "#DB",
                                                        "not implemented",
                                                        "other"};
  return kNames[static_cast<std::size_t>(ending)];
}

void Apply(std::span<const Patch> patches, std::span<std::uint8_t> data) {
  for (const Patch& patch : patches) {
    for (std::size_t i = 0; i < patch.size_bytes; ++i) {
      const std::uint64_t offset = patch.address + i - kDataAddress;
      if (offset < kWritableBytes) {
        data[offset] = static_cast<std::uint8_t>(patch.value >> (8 * i));
      }
    }
  }
}

bool Same(const MachineState& native, const MachineState& guest, const Tolerance& tolerance) {
  Verdict verdict;
  CompareAll(native, guest, tolerance, verdict);
  return verdict.same();
}

std::string Differences(const MachineState& native, const MachineState& guest,
                        const Tolerance& tolerance, std::string_view native_name,
                        std::string_view guest_name) {
  Report report(native_name, guest_name);
  CompareAll(native, guest, tolerance, report);
  return report.text();
}

std::string DataDifferences(std::span<const std::uint8_t> native,
                            std::span<const std::uint8_t> guest, std::string_view native_name,
                            std::string_view guest_name) {
  Report report(native_name, guest_name);
  int shown = 0;
  for (std::size_t i = 0; i < native.size() && shown < 16; ++i) {
    if (native[i] == guest[i]) continue;
    ++shown;
    report.Compare(fmt::format("[{:x}]", kDataAddress + i), native[i], guest[i]);
  }
  return report.text();
}

}  // namespace glovebox::engine::x86
