#include "engine/linux/syscalls/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "engine/linux/abi/common.h"
#include "engine/linux/signals.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

constexpr std::size_t kShownBytes = 32;
constexpr std::size_t kShownPathBytes = 4096;
constexpr std::size_t kShownItems = 16;

void Escape(std::string& out, unsigned char c, bool digit_follows) {
  switch (c) {
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\v':
      out += "\\v";
      return;
    case '\f':
      out += "\\f";
      return;
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    default:
      break;
  }
  if (c >= ' ' && c < 0x7f) {
    out += static_cast<char>(c);
  } else {
    // A digit behind a short octal escape would become part of it.
    out += digit_follows ? fmt::format("\\{:03o}", c) : fmt::format("\\{:o}", c);
  }
}

std::string Quote(std::span<const std::byte> bytes) {
  std::string out = "\"";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool digit_follows = i + 1 < bytes.size() && static_cast<char>(bytes[i + 1]) >= '0' &&
                               static_cast<char>(bytes[i + 1]) <= '9';
    Escape(out, static_cast<unsigned char>(bytes[i]), digit_follows);
  }
  return out + "\"";
}

}  // namespace

std::string PrintHex(std::uint64_t value) {
  return value == 0 ? "NULL" : fmt::format("{:#x}", value);
}

std::string PrintText(std::string_view text) {
  constexpr std::size_t kShown = 128;
  return Quote(std::as_bytes(std::span(text.substr(0, kShown)))) +
         (text.size() > kShown ? "..." : "");
}

std::string PrintBits(std::uint64_t value, const BitName* names, std::size_t count) {
  std::string text;
  std::uint64_t rest = value;
  for (std::size_t i = 0; i < count; ++i) {
    if ((value & names[i].mask) != names[i].value ||
        (names[i].value != 0 && (rest & names[i].value) == 0))
      continue;
    if (!text.empty()) text += '|';
    text += names[i].name;
    rest &= ~names[i].mask;
  }
  if (rest != 0) text += fmt::format("{}{:#x}", text.empty() ? "" : "|", rest);
  return text.empty() ? "0" : text;
}

std::string PrintChoice(std::int64_t value, const BitName* names, std::size_t count) {
  const auto all = std::span(names, count);
  // An `int` of the guest's, whatever its sign.
  const auto row = std::ranges::find_if(all, [value](const BitName& name) {
    return static_cast<std::uint32_t>(name.value) == static_cast<std::uint32_t>(value);
  });
  return row == all.end() ? std::to_string(value) : std::string(row->name);
}

std::string PrintPath(const PrintContext& context, GuestAddr address) {
  if (address == 0) return "NULL";
  std::vector<std::byte> text;
  std::array<std::byte, 64> piece;
  while (text.size() < kShownPathBytes) {
    const auto room = static_cast<std::size_t>(kPageSize - (address + text.size()) % kPageSize);
    const auto got = context.memory.CopyIn(std::span(piece).first(std::min(piece.size(), room)),
                                           address + text.size());
    if (got == 0) return PrintHex(address);
    const auto end =
        std::find(piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(got), std::byte{0});
    text.insert(text.end(), piece.begin(), end);
    if (end != piece.begin() + static_cast<std::ptrdiff_t>(got)) return Quote(text);
  }
  return Quote(text) + "...";
}

std::string PrintBytes(const PrintContext& context, GuestAddr address, std::uint64_t size) {
  if (address == 0) return "NULL";
  std::array<std::byte, kShownBytes> bytes;
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(size, bytes.size()));
  if (context.memory.CopyIn(std::span(bytes).first(want), address) != want)
    return PrintHex(address);
  return Quote(std::span(bytes).first(want)) + (size > want ? "..." : "");
}

std::string PrintVectors(const PrintContext& context, GuestPtr<const abi::Iovec> first,
                         std::uint64_t count, bool show) {
  if (!show) return PrintHex(first.address);
  GuestMemory memory(context.memory);
  std::string text = "[";
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i == kShownItems) {
      text += ", ...";
      break;
    }
    const auto vector = memory.Read(first + i);
    if (!vector) return PrintHex(first.address);
    text += fmt::format("{}{{iov_base={}, iov_len={}}}", i == 0 ? "" : ", ",
                        PrintBytes(context, vector->base, vector->length), vector->length);
  }
  return text + "]";
}

std::string PrintStrings(const PrintContext& context, GuestPtr<const abi::Word> first) {
  if (!first) return "NULL";
  GuestMemory memory(context.memory);
  std::string text = "[";
  for (std::size_t i = 0;; ++i) {
    const auto pointer = memory.Read(first + i);
    if (!pointer) return PrintHex(first.address);
    if (pointer->value == 0) return text + "]";
    if (i == kShownItems) return text + ", ...]";
    if (i > 0) text += ", ";
    text += PrintPath(context, pointer->value);
  }
}

std::string PrintSignal(int signal) { return SignalName(signal); }

std::string PrintValue(Fd v) { return std::to_string(v.value); }
std::string PrintValue(DirFd v) {
  return v.value == kAtFdCwd ? "AT_FDCWD" : std::to_string(v.value);
}
std::string PrintValue(Size v) { return std::to_string(v.value); }
std::string PrintValue(Offset v) { return std::to_string(v.value); }
std::string PrintValue(SplitOffset v) { return std::to_string(v.value); }
std::string PrintValue(Id v) { return v.value == ~0u ? "-1" : std::to_string(v.value); }
std::string PrintValue(Address v) { return PrintHex(v.value); }
std::string PrintValue(FileMode v) { return fmt::format("{:04o}", v.value); }
std::string PrintValue(GuestLong v) { return std::to_string(v.value); }
std::string PrintValue(Pid v) { return std::to_string(v.value); }
std::string PrintValue(Signal v) { return PrintSignal(v.value); }
std::string PrintValue(Hex v) { return fmt::format("{:#x}", v.value); }

}  // namespace glovebox::engine
