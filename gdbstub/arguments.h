// A packet's arguments, parsed once by the pattern of its row.
//
// A pattern is a row of fields and separators. Words are fields, other characters stand for
// themselves, what is in brackets may be missing as a whole. Fields:
//   addr offset       a hexadecimal number of 64 bits
//   len number kind reg signal pid fd flags mode bit
//                     a hexadecimal number within the bounds of the table in arguments.cc
//   thread            a thread-id: "7", "-1", "p7", "p7.7", "p7.-1"
//   hex               an even number of hexadecimal digits, up to the next separator: their text
//   annex             text up to the next separator
//   rest bytes        everything that is left, as it is
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gdbstub/debuggee.h"

namespace glovebox::gdbstub {

// Source: GDB manual, "thread-id syntax".
struct ThreadId {
  static constexpr std::int64_t kAll = -1;
  static constexpr std::int64_t kAny = 0;
  std::int64_t pid = kAny;  // kAny also where the packet names no process
  std::int64_t tid = kAny;
  friend bool operator==(const ThreadId&, const ThreadId&) = default;
};
// All of `text`.
std::optional<ThreadId> ParseThreadId(std::string_view text);

class Arguments {
 public:
  // Field by field in the order of the pattern, each kind counted for itself.
  std::uint64_t number(std::size_t index) const { return numbers_[index]; }
  std::size_t number_count() const { return number_count_; }
  const std::string& text(std::size_t index) const { return texts_[index]; }
  std::size_t text_count() const { return texts_.size(); }
  const std::optional<ThreadId>& thread() const { return thread_; }

  enum class Outcome : std::uint8_t {
    kParsed,
    kMalformed,
    kOtherPacket,  // a name of one letter, and what follows is more of a name
  };
  Outcome Parse(std::string_view pattern, std::string_view text, bool after_letter);

 private:
  bool AddNumber(std::string_view word, std::string_view digits);

  static constexpr std::size_t kMaxNumbers = 6;
  std::array<std::uint64_t, kMaxNumbers> numbers_{};
  std::size_t number_count_ = 0;
  std::vector<std::string> texts_;
  std::optional<ThreadId> thread_;
};

}  // namespace glovebox::gdbstub
