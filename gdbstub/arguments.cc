#include "gdbstub/arguments.h"

#include <algorithm>

#include "gdbstub/hex.h"

namespace glovebox::gdbstub {
namespace {

struct NumberField {
  std::string_view word;
  std::uint64_t most;
};
constexpr NumberField kNumberFields[] = {
    {"addr", UINT64_MAX}, {"offset", UINT64_MAX}, {"len", UINT64_MAX},   {"number", UINT32_MAX},
    {"kind", UINT32_MAX}, {"reg", UINT16_MAX},    {"signal", UINT8_MAX}, {"pid", INT32_MAX},
    {"fd", INT32_MAX},    {"flags", UINT32_MAX},  {"mode", UINT32_MAX},  {"bit", 1},
};

constexpr bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The letters at the front of `pattern`.
std::string_view WordOf(std::string_view pattern) {
  std::size_t size = 0;
  while (size < pattern.size() && IsLetter(pattern[size])) ++size;
  return pattern.substr(0, size);
}

}  // namespace

std::optional<ThreadId> ParseThreadId(std::string_view text) {
  const auto number = [](std::string_view digits) -> std::optional<std::int64_t> {
    if (digits == "-1") return ThreadId::kAll;
    const auto parsed = ParseHex(digits);
    if (!parsed || *parsed > INT32_MAX) return std::nullopt;
    return static_cast<std::int64_t>(*parsed);
  };
  ThreadId id;
  if (!text.starts_with('p')) {
    const auto tid = number(text);
    if (!tid) return std::nullopt;
    id.tid = *tid;
    return id;
  }
  text.remove_prefix(1);
  const std::size_t dot = text.find('.');
  const auto pid = number(text.substr(0, dot));
  if (!pid) return std::nullopt;
  id.pid = *pid;
  id.tid = ThreadId::kAll;
  if (dot != std::string_view::npos) {
    const auto tid = number(text.substr(dot + 1));
    // "All processes, one thread" means nothing.
    if (!tid || (*pid == ThreadId::kAll && *tid != ThreadId::kAll)) return std::nullopt;
    id.tid = *tid;
  }
  return id;
}

bool Arguments::AddNumber(std::string_view word, std::string_view digits) {
  const auto field = std::ranges::find(kNumberFields, word, &NumberField::word);
  const auto parsed = ParseHex(digits);
  if (field == std::end(kNumberFields) || !parsed || *parsed > field->most ||
      number_count_ == kMaxNumbers) {
    return false;
  }
  numbers_[number_count_++] = *parsed;
  return true;
}

Arguments::Outcome Arguments::Parse(std::string_view pattern, std::string_view text,
                                    bool after_letter) {
  if (after_letter && !text.empty() && IsLetter(text[0])) {
    const std::string_view word = WordOf(pattern.substr(pattern.starts_with('[') ? 1 : 0));
    const bool fits = word == "rest" || (word == "thread" && text[0] == 'p') ||
                      (!word.empty() && HexDigit(text[0]) >= 0);
    if (!fits) return Outcome::kOtherPacket;
  }
  while (!pattern.empty()) {
    if (pattern[0] == '[' && text.empty()) return Outcome::kParsed;
    if (pattern[0] == '[' || pattern[0] == ']') {
      pattern.remove_prefix(1);
      continue;
    }
    const std::string_view word = WordOf(pattern);
    if (word.empty()) {
      if (!text.starts_with(pattern[0])) return Outcome::kMalformed;
      text.remove_prefix(1);
      pattern.remove_prefix(1);
      continue;
    }
    pattern.remove_prefix(word.size());
    if (word == "rest" || word == "bytes") {
      texts_.emplace_back(text);
      text = {};
      continue;
    }
    // Up to the separator that follows, which for the last field is nothing.
    std::string_view separators = pattern.substr(0, 1);
    if (separators == "[") separators = pattern.substr(1, 1);
    if (separators == "]") separators = {};
    const std::size_t end =
        separators.empty() ? text.size() : std::min(text.find(separators[0]), text.size());
    const std::string_view value = text.substr(0, end);
    text.remove_prefix(end);
    if (word == "annex") {
      texts_.emplace_back(value);
    } else if (word == "hex") {
      auto decoded = ParseHexText(value);
      if (!decoded) return Outcome::kMalformed;
      texts_.push_back(std::move(*decoded));
    } else if (word == "thread") {
      thread_ = ParseThreadId(value);
      if (!thread_) return Outcome::kMalformed;
    } else if (!AddNumber(word, value)) {
      return Outcome::kMalformed;
    }
  }
  return text.empty() ? Outcome::kParsed : Outcome::kMalformed;
}

}  // namespace glovebox::gdbstub
