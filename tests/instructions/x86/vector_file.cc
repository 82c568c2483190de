#include "tests/instructions/x86/vector_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "tests/instructions/x86/decoding.h"

namespace glovebox::engine::x86 {
namespace {

constexpr std::uint64_t kStackAddress = kDataAddress + 0x1000;

constexpr std::array<std::string_view, 16> kGprNames = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                                        "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                                        "r12", "r13", "r14", "r15"};

struct FlagName {
  std::string_view name;
  std::uint64_t bit;
};
constexpr std::array<FlagName, 10> kFlagNames = {{{"cf", kCf},
                                                  {"pf", kPf},
                                                  {"af", kAf},
                                                  {"zf", kZf},
                                                  {"sf", kSf},
                                                  {"df", kDf},
                                                  {"of", kOf},
                                                  {"tf", kTf},
                                                  {"ac", kAc},
                                                  {"id", kId}}};

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (text.empty()) return words;
    const std::string_view word = text.substr(0, text.find(' '));
    words.push_back(word);
    text.remove_prefix(word.size());
  }
}

std::optional<std::uint64_t> Hex(std::string_view digits) {
  std::uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, value, 16);
  if (digits.empty() || error != std::errc() || stopped != end) return {};
  return value;
}

// Up to 32 digits as two quadwords, the low one first.
std::optional<std::array<std::uint64_t, 2>> WideHex(std::string_view digits) {
  const std::size_t split = digits.size() > 16 ? digits.size() - 16 : 0;
  const auto low = Hex(digits.substr(split));
  const auto high = split == 0 ? std::optional<std::uint64_t>(0) : Hex(digits.substr(0, split));
  if (!low || !high || digits.size() > 32) return {};
  return std::array{*low, *high};
}

std::optional<std::vector<std::uint8_t>> Bytes(std::string_view digits) {
  std::vector<std::uint8_t> bytes;
  for (; digits.size() >= 2; digits.remove_prefix(2)) {
    const auto byte = Hex(digits.substr(0, 2));
    if (!byte) return {};
    bytes.push_back(static_cast<std::uint8_t>(*byte));
  }
  if (!digits.empty()) return {};
  return bytes;
}

// The number behind `prefix`, less than `bound`.
std::optional<std::size_t> Numbered(std::string_view name, std::string_view prefix,
                                    std::size_t bound) {
  if (!name.starts_with(prefix)) return {};
  name.remove_prefix(prefix.size());
  std::size_t number = 0;
  const auto [stopped, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || stopped != name.data() + name.size() || number >= bound) return {};
  return number;
}

std::optional<Ending> EndingNamed(std::string_view name) {
  for (int i = static_cast<int>(Ending::kDivideError); i <= static_cast<int>(Ending::kSingleStep);
       ++i) {
    if (name == NameOf(static_cast<Ending>(i))) return static_cast<Ending>(i);
  }
  return {};
}

struct SegmentName {
  std::string_view name;
  SegmentRegister reg;
};
constexpr std::array<SegmentName, 4> kSegmentNames = {
    {{"es", kEs}, {"ds", kDs}, {"fs", kFs}, {"gs", kGs}}};

bool AssignMemory(std::string_view address_digits, std::string_view value, DataImage& image) {
  const auto address = Hex(address_digits);
  const auto bytes = Bytes(value);
  if (!address || !bytes || *address < kDataAddress ||
      *address - kDataAddress + bytes->size() > kDataBytes) {
    return false;
  }
  std::ranges::copy(*bytes, image.begin() + static_cast<std::ptrdiff_t>(*address - kDataAddress));
  return true;
}

// Up to 64 digits: the lower 32 are the XMM register.
bool AssignYmm(std::size_t index, std::string_view digits, MachineState& state) {
  const std::size_t split = digits.size() > 32 ? digits.size() - 32 : 0;
  const auto low = WideHex(digits.substr(split));
  const auto high =
      split == 0 ? std::optional(std::array<std::uint64_t, 2>{}) : WideHex(digits.substr(0, split));
  if (!low || !high) return false;
  state.fx.xmm[index] = *low;
  state.ymm_high[index] = *high;
  return true;
}

// One assignment, to either side; what it names is noted in `vector`. False: it means nothing.
bool Assign(std::string_view name, std::string_view value, MachineState& state, DataImage& image,
            Vector& vector) {
  if (name == "fault") {
    const auto ending = EndingNamed(value);
    if (ending) state.ending = *ending;
    return ending.has_value();
  }
  if (name.starts_with('[') && name.ends_with(']')) {
    return AssignMemory(name.substr(1, name.size() - 2), value, image);
  }
  if (const auto ymm = Numbered(name, "ymm", 16)) return AssignYmm(*ymm, value, state);
  const auto wide = WideHex(value);
  if (!wide) return false;
  const std::uint64_t number = (*wide)[0];
  if (const auto* const gpr = std::ranges::find(kGprNames, name); gpr != kGprNames.end()) {
    state.gpr[static_cast<std::size_t>(gpr - kGprNames.begin())] = number;
    return true;
  }
  if (const auto* const flag = std::ranges::find(kFlagNames, name, &FlagName::name);
      flag != kFlagNames.end()) {
    vector.flags |= flag->bit;
    state.rflags = number != 0 ? state.rflags | flag->bit : state.rflags & ~flag->bit;
    return number <= 1;
  }
  if (const auto xmm = Numbered(name, "xmm", 16)) {
    state.fx.xmm[*xmm] = *wide;
    return true;
  }
  if (const auto st = Numbered(name, "st", 8)) {
    state.fx.st[*st] = *wide;
    vector.st = static_cast<std::uint8_t>(vector.st | 1 << *st);
    return true;
  }
  if (const auto* const segment = std::ranges::find(kSegmentNames, name, &SegmentName::name);
      segment != kSegmentNames.end()) {
    state.selectors[segment->reg] = static_cast<std::uint16_t>(number);
    return number <= 0xFFFF;
  }
  if (name == "rip") {
    state.rip = number;
    return number - kCodeAddress < kCodeBytes - 4096;
  }
  if (name == "fsbase") {
    state.fs_base = number;
    return true;
  }
  if (name == "gsbase") {
    state.gs_base = number;
    return true;
  }
  if (name == "at") {
    state.fault_address = number;
    return vector.fault_address = true;
  }
  if (name == "write") {
    state.fault_access = number != 0 ? Access::kWrite : Access::kRead;
    return vector.fault_access = true;
  }
  if (name == "mxcsr") {
    state.fx.mxcsr = static_cast<std::uint32_t>(number);
    return vector.mxcsr = true;
  }
  if (name == "fcw") {
    state.fx.control = static_cast<std::uint16_t>(number);
    return vector.control = true;
  }
  if (name == "fsw") {
    state.fx.status = static_cast<std::uint16_t>(number);
    vector.status = 0xFFFF;
    return true;
  }
  if (name == "ftag") {
    state.fx.valid = static_cast<std::uint8_t>(number);
    return vector.tags = true;
  }
  return false;
}

constexpr std::string_view kProtectedPrefix = "32 ";

using Parsed = std::expected<Vector, std::string>;

std::optional<std::string> AssignAll(std::string_view side, MachineState& state, DataImage& image,
                                     Vector& vector) {
  for (const std::string_view word : Words(side)) {
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos ||
        !Assign(word.substr(0, equals), word.substr(equals + 1), state, image, vector)) {
      return fmt::format("cannot read \"{}\"", word);
    }
  }
  return {};
}

Parsed ParseLine(std::string_view line) {
  Vector vector;
  if (line.starts_with(kProtectedPrefix)) {
    vector.mode = CpuMode::kProtected32;
    line.remove_prefix(kProtectedPrefix.size());
  }
  const std::size_t close = line.find(']');
  const std::size_t quote = line.find('"');
  const std::size_t end_quote = line.find('"', quote + 1);
  const std::size_t arrow = line.find(" =>");
  if (!line.starts_with('[') || close > quote || end_quote == std::string_view::npos ||
      arrow == std::string_view::npos || arrow < end_quote) {
    return std::unexpected("not of the form [bytes] \"text\" start => end");
  }
  for (const std::string_view word : Words(line.substr(1, close - 1))) {
    const auto byte = Bytes(word);
    if (!byte || byte->size() != 1)
      return std::unexpected(fmt::format("cannot read byte {}", word));
    vector.code.push_back((*byte)[0]);
  }
  vector.text = line.substr(quote + 1, end_quote - quote - 1);

  vector.start = VectorStart(vector.mode);
  Vector named;  // what the left side names is nothing to be compared
  if (const auto wrong = AssignAll(line.substr(end_quote + 1, arrow - end_quote - 1), vector.start,
                                   vector.image, named)) {
    return std::unexpected(*wrong);
  }
  const unsigned top = vector.start.fx.status >> 11 & 7;
  for (unsigned i = 0; i < 8; ++i) {
    if ((named.st >> i & 1) != 0)
      vector.start.fx.valid |= static_cast<std::uint8_t>(1 << ((top + i) & 7));
  }
  if (vector.mode == CpuMode::kProtected32) {
    for (const auto& [reg, base] :
         {std::pair(kFs, &vector.start.fs_base), std::pair(kGs, &vector.start.gs_base)}) {
      for (std::size_t i = 0; i < std::size(kTlsSelectors); ++i) {
        if (vector.start.selectors[reg] == kTlsSelectors[i]) *base = kTlsBases[i];
      }
    }
  }
  vector.expected = vector.start;
  vector.expected_image = vector.image;
  if (const auto wrong =
          AssignAll(line.substr(arrow + 3), vector.expected, vector.expected_image, vector)) {
    return std::unexpected(*wrong);
  }
  return vector;
}

// Bytes that are not what `before` has, in runs.
std::string FormatMemory(std::span<const std::uint8_t> before,
                         std::span<const std::uint8_t> bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size();) {
    if (bytes[i] == before[i]) {
      ++i;
      continue;
    }
    std::size_t end = i;
    for (std::size_t same = 0; end < bytes.size() && same < 4; ++end) {
      same = bytes[end] == before[end] ? same + 1 : 0;
    }
    while (bytes[end - 1] == before[end - 1]) --end;
    text +=
        fmt::format(" [{:x}]={:02x}", kDataAddress + i, fmt::join(bytes.subspan(i, end - i), ""));
    i = end;
  }
  return text;
}

std::string FormatHalf(const std::array<std::uint64_t, 2>& value) {
  return value[1] == 0 ? fmt::format("{:x}", value[0])
                       : fmt::format("{:x}{:016x}", value[1], value[0]);
}

// What `state` has other than `from`. x87 and MXCSR by themselves; flags are for the caller.
std::string FormatState(const MachineState& from, const MachineState& state) {
  std::string text;
  for (std::size_t i = 0; i < 16; ++i) {
    if (state.gpr[i] != from.gpr[i]) text += fmt::format(" {}={:x}", kGprNames[i], state.gpr[i]);
  }
  for (const auto& [name, reg] : kSegmentNames) {
    if (state.selectors[reg] != from.selectors[reg]) {
      text += fmt::format(" {}={:x}", name, state.selectors[reg]);
    }
  }
  for (std::size_t i = 0; i < 16; ++i) {
    const auto& low = state.fx.xmm[i];
    const auto& high = state.ymm_high[i];
    if (high != from.ymm_high[i]) {
      text += fmt::format(" ymm{}={:x}{:016x}{:016x}{:016x}", i, high[1], high[0], low[1], low[0]);
    } else if (low != from.fx.xmm[i]) {
      text += fmt::format(" xmm{}={}", i, FormatHalf(low));
    }
  }
  if (state.fx.mxcsr != from.fx.mxcsr) text += fmt::format(" mxcsr={:x}", state.fx.mxcsr);
  if (state.fx.control != from.fx.control) text += fmt::format(" fcw={:x}", state.fx.control);
  for (std::size_t i = 0; i < 8; ++i) {
    const auto& st = state.fx.st[i];
    if (st != from.fx.st[i]) text += fmt::format(" st{}={:x}{:016x}", i, st[1] & 0xFFFF, st[0]);
  }
  return text;
}

std::string FormatFlags(std::uint64_t value, std::uint64_t mask) {
  std::string text;
  for (const auto& [name, bit] : kFlagNames) {
    if ((mask & bit) != 0) text += fmt::format(" {}={}", name, (value & bit) != 0 ? 1 : 0);
  }
  return text;
}

}  // namespace

MachineState VectorStart(CpuMode mode) {
  MachineState start;
  start.gpr[kRsp] = kStackAddress;
  start.selectors[kSs] = kDataSelector;
  start.selectors[kCs] = kCode64Selector;
  if (mode == CpuMode::kProtected32) {
    start.selectors[kCs] = kCode32Selector;
    start.selectors[kEs] = start.selectors[kDs] = kDataSelector;
  }
  return start;
}

std::expected<std::vector<Vector>, std::string> ParseVectors(std::string_view text) {
  std::vector<Vector> vectors;
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with('[') && !line.starts_with(kProtectedPrefix)) {
      if (!line.empty() && !line.starts_with('#')) {
        return std::unexpected(fmt::format("line {}: neither a vector nor a comment", number));
      }
      continue;
    }
    Parsed vector = ParseLine(line);
    if (!vector) return std::unexpected(fmt::format("line {}: {}", number, vector.error()));
    vector->line = number;
    vectors.push_back(std::move(*vector));
  }
  return vectors;
}

std::string Mismatch(const Vector& vector, const MachineState& actual,
                     std::span<const std::uint8_t> data) {
  // Put what is not compared to what it is, and compare everything.
  MachineState expected = vector.expected;
  expected.rip = actual.rip;
  if (!vector.fault_address) expected.fault_address = actual.fault_address;
  if (!vector.fault_access) expected.fault_access = actual.fault_access;
  expected.rflags = (expected.rflags & vector.flags) | (actual.rflags & ~vector.flags);
  if (!vector.mxcsr) expected.fx.mxcsr = actual.fx.mxcsr;
  if (!vector.control) expected.fx.control = actual.fx.control;
  if (!vector.tags) expected.fx.valid = actual.fx.valid;
  expected.fx.opcode = actual.fx.opcode;
  expected.fx.instruction_pointer = actual.fx.instruction_pointer;
  expected.fx.data_pointer = actual.fx.data_pointer;
  expected.fx.status = static_cast<std::uint16_t>((expected.fx.status & vector.status) |
                                                  (actual.fx.status & ~vector.status));
  for (std::size_t i = 0; i < 8; ++i) {
    if ((vector.st >> i & 1) == 0) expected.fx.st[i] = actual.fx.st[i];
  }
  return Differences(expected, actual, Tolerance{}, "expected", "got") +
         DataDifferences(vector.expected_image, data, "expected", "got");
}

std::string FormatVector(CpuMode mode, std::span<const std::uint8_t> code,
                         const MachineState& start, const DataImage& image,
                         const MachineState& left, std::span<const std::uint8_t> left_data,
                         const Tolerance& tolerance) {
  std::string text =
      fmt::format("{}[{:02x}]  \"{}\" ", mode == CpuMode::kProtected32 ? kProtectedPrefix : "",
                  fmt::join(code, " "), Disassemble(mode, code, start.rip));
  const MachineState plain = VectorStart(mode);
  if (start.rip != plain.rip) text += fmt::format(" rip={:x}", start.rip);
  text += FormatState(plain, start);
  if (mode == CpuMode::kLong64 && start.fs_base != 0) {
    text += fmt::format(" fsbase={:x}", start.fs_base);
  }
  if (mode == CpuMode::kLong64 && start.gs_base != 0) {
    text += fmt::format(" gsbase={:x}", start.gs_base);
  }
  text += FormatFlags(start.rflags, start.rflags & kComparedFlags);
  if (start.fx.status != 0) text += fmt::format(" fsw={:x}", start.fx.status);
  if (start.fx.valid != 0) text += fmt::format(" ftag={:x}", start.fx.valid);
  text += FormatMemory(DataImage{}, image);
  text += "  => ";
  const bool reached_end = left.ending == Ending::kReachedInt3;
  if (!reached_end) text += fmt::format(" fault={}", NameOf(left.ending));
  if (left.ending == Ending::kPageFault && left.fault_access != Access::kExecute) {
    if (!tolerance.ignore_fault_address) text += fmt::format(" at={:x}", left.fault_address);
    text += fmt::format(" write={}", left.fault_access == Access::kWrite ? 1 : 0);
  }
  text += FormatState(start, left);
  std::uint64_t undefined = tolerance.undefined_flags;
  if (!reached_end) undefined |= tolerance.undefined_flags_at_fault;
  // Of the flags that are not arithmetic only what is set or has changed.
  text += FormatFlags(
      left.rflags, (kStatusFlags | ((left.rflags | start.rflags) & kComparedFlags)) & ~undefined);
  if (left.fx.status != start.fx.status && tolerance.undefined_x87_status == 0) {
    text += fmt::format(" fsw={:x}", left.fx.status);
  }
  if (left.fx.valid != start.fx.valid) text += fmt::format(" ftag={:x}", left.fx.valid);
  return text + FormatMemory(image, left_data);
}

}  // namespace glovebox::engine::x86
