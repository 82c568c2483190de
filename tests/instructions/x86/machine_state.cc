#include "tests/instructions/x86/machine_state.h"

#include <fmt/format.h>

namespace glovebox::engine::x86 {
namespace {

constexpr std::array<const char*, 16> kGprNames = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                                   "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                                   "r12", "r13", "r14", "r15"};

class Report {
 public:
  Report(std::string_view native_name, std::string_view guest_name)
      : native_name_(native_name), guest_name_(guest_name) {}

  void Compare(std::string_view what, std::uint64_t native, std::uint64_t guest) {
    if (native != guest) Add(what, fmt::format("{:x}", native), fmt::format("{:x}", guest));
  }
  void Compare(std::string_view what, const std::array<std::uint64_t, 2>& native,
               const std::array<std::uint64_t, 2>& guest) {
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

void CompareX87(const FloatState& native, const FloatState& guest, const Tolerance& tolerance,
                Report& report) {
  report.Compare("x87 control", native.control, guest.control);
  const auto status = static_cast<std::uint16_t>(~tolerance.undefined_x87_status);
  report.Compare("x87 status", native.status & status, guest.status & status);
  report.Compare("x87 tags", native.valid, guest.valid);
  const auto cut = [](std::array<std::uint64_t, 2> x) { return std::array{x[0], x[1] & 0xFFFF}; };
  for (std::size_t i = 0; i < 8; ++i) {
    report.Compare(fmt::format("st{}", i), cut(native.st[i]), cut(guest.st[i]));
  }
}

}  // namespace

std::string NameOf(Ending ending) {
  constexpr std::array<const char*, 9> kNames = {
      "none", "#DE", "#UD", "#GP", "#PF", "#MF/#XM", "#AC", "not implemented", "other"};
  return kNames[static_cast<std::size_t>(ending)];
}

std::string Differences(const MachineState& native, const MachineState& guest,
                        const Tolerance& tolerance, std::string_view native_name,
                        std::string_view guest_name) {
  Report report(native_name, guest_name);
  if (native.ending != guest.ending) {
    report.Add("exception", NameOf(native.ending), NameOf(guest.ending));
  } else if (native.ending == Ending::kPageFault && !tolerance.ignore_fault_address) {
    report.Compare("fault address", native.fault_address, guest.fault_address);
  }
  report.Compare("rip", native.rip, guest.rip);
  for (std::size_t i = 0; i < 16; ++i) report.Compare(kGprNames[i], native.gpr[i], guest.gpr[i]);
  std::uint64_t flags = kComparedFlags & ~tolerance.undefined_flags;
  if (native.ending == Ending::kPageFault && !tolerance.flags_at_fault) flags = kDf;
  report.Compare("rflags", native.rflags & flags, guest.rflags & flags);
  report.Compare("mxcsr", native.fx.mxcsr, guest.fx.mxcsr);
  for (std::size_t i = 0; i < 16; ++i) {
    report.Compare(fmt::format("xmm{}", i), native.fx.xmm[i], guest.fx.xmm[i]);
  }
  if (native.ending == Ending::kReachedInt3 || tolerance.x87_at_fault) {
    CompareX87(native.fx, guest.fx, tolerance, report);
  }
  if (!tolerance.ignore_data && native.data != guest.data) {
    int shown = 0;
    for (std::size_t i = 0; i < native.data.size() && shown < 16; ++i) {
      if (native.data[i] == guest.data[i]) continue;
      ++shown;
      report.Compare(fmt::format("[{:x}]", kDataAddress + i), native.data[i], guest.data[i]);
    }
  }
  return report.text();
}

}  // namespace glovebox::engine::x86
