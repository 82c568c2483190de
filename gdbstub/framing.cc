#include "gdbstub/framing.h"

#include <algorithm>

#include "gdbstub/hex.h"

namespace glovebox::gdbstub {
namespace {

constexpr bool NeedsEscape(char c) { return c == '#' || c == '$' || c == '}' || c == '*'; }

// A run of a byte is the byte, '*', and a printable count of what follows it, plus 29. Counts that
// would print as '#', '$', '+' or '-' are avoided: the first two end and begin packets, peers of
// old take the others for acknowledgements.
constexpr std::size_t kShortestRun = 3;  // repetitions behind the first byte
constexpr std::size_t kLongestRun = 97;  // '~'
constexpr char RunLetter(std::size_t repetitions) { return static_cast<char>(repetitions + 29); }
constexpr bool Avoided(char c) { return c == '#' || c == '$' || c == '+' || c == '-'; }

}  // namespace

FrameKind Deframer::Next(std::span<const std::byte>& bytes) {
  while (!bytes.empty()) {
    const char c = static_cast<char>(bytes.front());
    bytes = bytes.subspan(1);
    switch (state_) {
      case State::kBetween:
        if (c == '+') return FrameKind::kAck;
        if (c == '-') return FrameKind::kNak;
        if (c == kInterruptByte) return FrameKind::kInterrupt;
        if (c != '$') break;
        state_ = State::kPayload;
        payload_.clear();
        sum_ = 0;
        too_long_ = false;
        break;
      case State::kPayload:
        if (c == '#') {
          state_ = State::kChecksumHigh;
        } else if (c == '$') {  // never within a packet: the last one broke off
          payload_.clear();
          sum_ = 0;
          too_long_ = false;
        } else {
          sum_ = static_cast<std::uint8_t>(sum_ + static_cast<std::uint8_t>(c));
          too_long_ = too_long_ || payload_.size() == max_payload_bytes_;
          if (!too_long_) payload_ += c;
        }
        break;
      case State::kChecksumHigh:
        checksum_high_ = c;
        state_ = State::kChecksumLow;
        break;
      case State::kChecksumLow:
        state_ = State::kBetween;
        return EndOfPacket(c);
    }
  }
  return FrameKind::kNone;
}

FrameKind Deframer::EndOfPacket(char low) {
  const int high_digit = HexDigit(checksum_high_);
  const int low_digit = HexDigit(low);
  if (high_digit < 0 || low_digit < 0 || (high_digit << 4 | low_digit) != sum_) {
    return FrameKind::kBadChecksum;
  }
  return too_long_ ? FrameKind::kTooLong : FrameKind::kPacket;
}

std::uint8_t Checksum(std::string_view payload) {
  unsigned sum = 0;
  for (const char c : payload) sum += static_cast<std::uint8_t>(c);
  return static_cast<std::uint8_t>(sum);
}

std::string Unescape(std::string_view payload) {
  std::string out;
  out.reserve(payload.size());
  for (std::size_t i = 0; i < payload.size(); ++i) {
    if (payload[i] != '}') {
      out += payload[i];
    } else if (++i < payload.size()) {
      out += static_cast<char>(payload[i] ^ 0x20);
    }
  }
  return out;
}

std::size_t AppendEscaped(std::string& out, std::string_view data, std::size_t max_bytes) {
  std::size_t used = 0;
  std::size_t taken = 0;
  for (; taken < data.size(); ++taken) {
    const char c = data[taken];
    const std::size_t cost = NeedsEscape(c) ? 2 : 1;
    if (used + cost > max_bytes) break;
    used += cost;
    if (cost == 2) out += '}';
    out += cost == 2 ? static_cast<char>(c ^ 0x20) : c;
  }
  return taken;
}

std::string Frame(std::string_view payload, char mark) {
  std::string out;
  out.reserve(payload.size() + 4);
  out += mark;
  for (std::size_t i = 0; i < payload.size();) {
    const char c = payload[i];
    std::size_t run = 1;
    while (run <= kLongestRun && i + run < payload.size() && payload[i + run] == c) ++run;
    std::size_t repetitions = run - 1;
    while (repetitions >= kShortestRun && Avoided(RunLetter(repetitions))) --repetitions;
    out += c;
    if (repetitions >= kShortestRun) {
      out += '*';
      out += RunLetter(repetitions);
    } else {
      repetitions = 0;
    }
    i += 1 + repetitions;
  }
  const std::uint8_t sum = Checksum(std::string_view(out).substr(1));
  out += '#';
  AppendHex(out, AsBytes({reinterpret_cast<const char*>(&sum), 1}));
  return out;
}

}  // namespace glovebox::gdbstub
