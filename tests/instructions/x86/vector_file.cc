#include "tests/instructions/x86/vector_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

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
constexpr std::array<FlagName, 7> kFlagNames = {
    {{"cf", kCf}, {"pf", kPf}, {"af", kAf}, {"zf", kZf}, {"sf", kSf}, {"df", kDf}, {"of", kOf}}};

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
  for (const Ending ending : {Ending::kDivideError, Ending::kInvalidOpcode, Ending::kPageFault,
                              Ending::kGeneralProtection, Ending::kFloatingPoint}) {
    if (name == NameOf(ending)) return ending;
  }
  return {};
}

// One assignment, to either side; what it names is noted in `vector`. False: it means nothing.
bool Assign(std::string_view name, std::string_view value, MachineState& state, Vector& vector) {
  if (name == "fault") {
    const auto ending = EndingNamed(value);
    if (ending) state.ending = *ending;
    return ending.has_value();
  }
  if (name.starts_with('[') && name.ends_with(']')) {
    const auto address = Hex(name.substr(1, name.size() - 2));
    const auto bytes = Bytes(value);
    if (!address || !bytes || *address < kDataAddress ||
        *address - kDataAddress + bytes->size() > kDataBytes) {
      return false;
    }
    std::ranges::copy(*bytes,
                      state.data.begin() + static_cast<std::ptrdiff_t>(*address - kDataAddress));
    return true;
  }
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

using Parsed = std::expected<Vector, std::string>;

std::optional<std::string> AssignAll(std::string_view side, MachineState& state, Vector& vector) {
  for (const std::string_view word : Words(side)) {
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos ||
        !Assign(word.substr(0, equals), word.substr(equals + 1), state, vector)) {
      return fmt::format("cannot read \"{}\"", word);
    }
  }
  return {};
}

Parsed ParseLine(std::string_view line) {
  Vector vector;
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

  vector.start.data.resize(kDataBytes);
  vector.start.gpr[kRsp] = kStackAddress;
  Vector named;  // what the left side names is nothing to be compared
  if (const auto wrong =
          AssignAll(line.substr(end_quote + 1, arrow - end_quote - 1), vector.start, named)) {
    return std::unexpected(*wrong);
  }
  const unsigned top = vector.start.fx.status >> 11 & 7;
  for (unsigned i = 0; i < 8; ++i) {
    if ((named.st >> i & 1) != 0)
      vector.start.fx.valid |= static_cast<std::uint8_t>(1 << ((top + i) & 7));
  }
  vector.expected = vector.start;
  if (const auto wrong = AssignAll(line.substr(arrow + 3), vector.expected, vector)) {
    return std::unexpected(*wrong);
  }
  return vector;
}

}  // namespace

std::expected<std::vector<Vector>, std::string> ParseVectors(std::string_view text) {
  std::vector<Vector> vectors;
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with('[')) {
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

std::string Mismatch(const Vector& vector, const MachineState& actual) {
  // Put what is not compared to what it is, and compare everything.
  MachineState expected = vector.expected;
  expected.rip = actual.rip;
  expected.fault_address = actual.fault_address;
  expected.rflags = (expected.rflags & vector.flags) | (actual.rflags & ~vector.flags);
  if (!vector.mxcsr) expected.fx.mxcsr = actual.fx.mxcsr;
  if (!vector.control) expected.fx.control = actual.fx.control;
  if (!vector.tags) expected.fx.valid = actual.fx.valid;
  expected.fx.status = static_cast<std::uint16_t>((expected.fx.status & vector.status) |
                                                  (actual.fx.status & ~vector.status));
  for (std::size_t i = 0; i < 8; ++i) {
    if ((vector.st >> i & 1) == 0) expected.fx.st[i] = actual.fx.st[i];
  }
  return Differences(expected, actual, Tolerance{}, "expected", "got");
}

}  // namespace glovebox::engine::x86
