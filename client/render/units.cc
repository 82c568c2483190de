#include "client/render/units.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <span>

namespace glovebox::client {
namespace {

using engine::LimitUnit;

struct Suffix {
  std::string_view text;
  std::uint64_t factor;
};

constexpr std::uint64_t kKi = 1024, kMi = kKi * kKi, kGi = kMi * kKi, kTi = kGi * kKi;
constexpr std::array kByteSuffixes{
    Suffix{"", 1},      Suffix{"B", 1},     Suffix{"K", kKi},   Suffix{"KB", kKi},
    Suffix{"KiB", kKi}, Suffix{"M", kMi},   Suffix{"MB", kMi},  Suffix{"MiB", kMi},
    Suffix{"G", kGi},   Suffix{"GB", kGi},  Suffix{"GiB", kGi}, Suffix{"T", kTi},
    Suffix{"TB", kTi},  Suffix{"TiB", kTi},
};
constexpr std::array kCountSuffixes{
    Suffix{"", 1},          Suffix{"k", 1'000},         Suffix{"K", 1'000},
    Suffix{"M", 1'000'000}, Suffix{"G", 1'000'000'000}, Suffix{"T", 1'000'000'000'000},
};
constexpr std::array kTimeSuffixes{Suffix{"ms", 1}, Suffix{"s", 1'000}, Suffix{"m", 60'000},
                                   Suffix{"h", 3'600'000}};

struct UnitRow {
  LimitUnit unit;
  std::string_view name;  // job.proto, Termination.LimitHit.unit
  std::span<const Suffix> suffixes;
  std::string_view examples;
};
constexpr std::array kUnits{
    UnitRow{LimitUnit::kInstructions, "instructions", kCountSuffixes, "500000, 50M, 2G"},
    UnitRow{LimitUnit::kBytes, "bytes", kByteSuffixes, "65536, 64M, 1G"},
    UnitRow{LimitUnit::kCount, "count", kCountSuffixes, "64, 10k"},
    UnitRow{LimitUnit::kMilliseconds, "milliseconds", kTimeSuffixes, "500ms, 30s, 5m, 1h"},
};

const UnitRow& RowOf(LimitUnit unit) {
  for (const UnitRow& row : kUnits) {
    if (row.unit == unit) return row;
  }
  return kUnits.front();
}

}  // namespace

Result<std::uint64_t, Error> ParseLimitValue(const engine::LimitRow& row, std::string_view text) {
  const UnitRow& unit = RowOf(row.unit);
  const auto bad = [&](std::string_view what) {
    return Fail(ErrorCode::kInvalidArgument, "BAD_LIMIT",
                fmt::format("limit {}={}: {} (such as {})", row.name, text, what, unit.examples));
  };
  if (text == "none" && row.ceiling == engine::kNoLimit) return engine::kNoLimit;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return bad("the number is too large");
  if (error != std::errc()) return bad("not a number");
  const std::string_view suffix(end, text.data() + text.size());
  for (const Suffix& known : unit.suffixes) {
    if (known.text != suffix) continue;
    if (number > engine::kNoLimit / known.factor) return bad("the number is too large");
    const std::uint64_t value = number * known.factor;
    if (value > row.ceiling) {
      return bad(fmt::format("the most that is possible is {}", CountText(row.ceiling)));
    }
    return value;
  }
  return bad(suffix.empty() ? "it needs a unit" : "unknown unit");
}

std::string_view UnitName(LimitUnit unit) { return RowOf(unit).name; }

std::string_view UnitExamples(LimitUnit unit) { return RowOf(unit).examples; }

std::string BytesText(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 4> kNames{"KiB", "MiB", "GiB", "TiB"};
  if (bytes < kKi) return fmt::format("{} {}", bytes, bytes == 1 ? "byte" : "bytes");
  double value = static_cast<double>(bytes);
  std::string_view name;
  for (const std::string_view next : kNames) {
    if (!name.empty() && value < 1024) break;
    value /= 1024;
    name = next;
  }
  return fmt::format("{:.1f} {}", value, name);
}

std::string CountText(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

std::string DurationText(std::uint64_t nanoseconds) {
  struct Row {
    std::uint64_t from;
    double divisor;
    std::string_view unit;
  };
  constexpr std::array kRows{Row{1'000'000'000, 1e9, "s"}, Row{1'000'000, 1e6, "ms"},
                             Row{1'000, 1e3, "µs"}};
  for (const Row& row : kRows) {
    if (nanoseconds >= row.from) {
      return fmt::format("{:.3f} {}", static_cast<double>(nanoseconds) / row.divisor, row.unit);
    }
  }
  return fmt::format("{} ns", nanoseconds);
}

std::string LimitText(std::string_view unit, std::uint64_t value) {
  if (unit == "bytes") return BytesText(value);
  if (unit == "milliseconds") {
    // In the largest unit that it is a whole number of, as it was probably written.
    const Suffix* best = &kTimeSuffixes.front();
    for (const Suffix& suffix : kTimeSuffixes) {
      if (value != 0 && value % suffix.factor == 0) best = &suffix;
    }
    return fmt::format("{} {}", value / best->factor, best->text);
  }
  if (unit == "count") return fmt::format("{} at one time", CountText(value));
  if (value == 1 && unit.ends_with('s')) unit.remove_suffix(1);
  return fmt::format("{} {}", CountText(value), unit);
}

}  // namespace glovebox::client
