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

// Memory goes by at gigabytes per second where the loops over it have a fixed length and no way
// out: compilers make vectors of them.
constexpr std::size_t kBlock = 64;

// Does a run begin in the block? It may end behind it, in kShortestRun more bytes.
bool HasRun(const char* block) {
  std::uint8_t any = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const bool is_run =
        block[i] == block[i + 1] && block[i] == block[i + 2] && block[i] == block[i + 3];
    any |= static_cast<std::uint8_t>(is_run);
  }
  return any != 0;
}
static_assert(kShortestRun == 3);

bool HasEscape(const char* block) {
  std::uint8_t any = 0;
  for (std::size_t i = 0; i < kBlock; ++i) any |= static_cast<std::uint8_t>(NeedsEscape(block[i]));
  return any != 0;
}

}  // namespace

// Of a payload, as many bytes as are nothing but that.
void Deframer::TakePlain(std::span<const std::byte>& bytes) {
  std::string_view text = AsText(bytes);
  text = text.substr(0, text.find('#'));
  text = text.substr(0, text.find('$'));
  bytes = bytes.subspan(text.size());
  sum_ = static_cast<std::uint8_t>(sum_ + Checksum(text));
  too_long_ = too_long_ || text.size() > max_payload_bytes_ - payload_.size();
  if (!too_long_) payload_ += text;
}

FrameKind Deframer::Next(std::span<const std::byte>& bytes) {
  while (!bytes.empty()) {
    if (state_ == State::kPayload) {
      TakePlain(bytes);
      if (bytes.empty()) break;
    }
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
        } else {  // '$', never within a packet: the last one broke off
          payload_.clear();
          sum_ = 0;
          too_long_ = false;
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
  std::uint8_t sum = 0;
  for (const char c : payload) sum = static_cast<std::uint8_t>(sum + static_cast<std::uint8_t>(c));
  return sum;
}

std::string Unescape(std::string_view payload) {
  std::string out;
  out.reserve(payload.size());
  while (!payload.empty()) {
    const std::string_view plain = payload.substr(0, payload.find('}'));
    out += plain;
    payload.remove_prefix(plain.size());
    if (payload.size() >= 2) out += static_cast<char>(payload[1] ^ 0x20);
    payload.remove_prefix(std::min<std::size_t>(payload.size(), 2));
  }
  return out;
}

std::size_t AppendEscaped(std::string& out, std::string_view data, std::size_t max_bytes) {
  std::size_t used = 0;
  std::size_t taken = 0;
  while (taken < data.size()) {
    if (data.size() - taken >= kBlock && max_bytes - used >= kBlock && !HasEscape(&data[taken])) {
      out.append(data, taken, kBlock);
      taken += kBlock;
      used += kBlock;
      continue;
    }
    const std::size_t end = std::min(data.size(), taken + kBlock);
    for (; taken < end; ++taken) {
      const char c = data[taken];
      const std::size_t cost = NeedsEscape(c) ? 2 : 1;
      if (used + cost > max_bytes) return taken;
      used += cost;
      if (cost == 2) out += '}';
      out += cost == 2 ? static_cast<char>(c ^ 0x20) : c;
    }
  }
  return taken;
}

std::string Frame(std::string_view payload, char mark) {
  std::string out;
  out.reserve(payload.size() + 4);
  out += mark;
  std::size_t looked_at = 0;  // nothing is known from here on
  for (std::size_t i = 0; i < payload.size();) {
    if (i >= looked_at && payload.size() - i >= kBlock + kShortestRun) {
      looked_at = i + kBlock;
      if (!HasRun(&payload[i])) {
        out.append(payload, i, kBlock);
        i = looked_at;
        continue;
      }
    }
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
