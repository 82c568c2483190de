// $packet#xx, acknowledgements, escapes and runs: pure functions and one small state machine.
// Source: GDB manual, "Overview" and "Packet Acknowledgment" of the remote protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace glovebox::gdbstub {

inline constexpr char kInterruptByte = 0x03;

// What the next bytes of a stream were.
enum class FrameKind : std::uint8_t {
  kNone,         // more bytes are needed
  kPacket,       // `payload`, still escaped
  kBadChecksum,  // a packet that was damaged on its way
  kTooLong,      // a packet beyond the limit; its bytes were thrown away up to its end
  kAck,          // '+'
  kNak,          // '-'
  kInterrupt,    // 0x03 between packets
};

// Cuts a stream into frames. What stands between packets and is none of the above is skipped.
class Deframer {
 public:
  explicit Deframer(std::size_t max_payload_bytes) : max_payload_bytes_(max_payload_bytes) {}

  // Takes bytes from the front of `bytes` up to and with the end of the next frame.
  FrameKind Next(std::span<const std::byte>& bytes);
  // Of the last kPacket; valid until the next call.
  std::string_view payload() const { return payload_; }

 private:
  enum class State : std::uint8_t { kBetween, kPayload, kChecksumHigh, kChecksumLow };
  FrameKind EndOfPacket(char low);
  void TakePlain(std::span<const std::byte>& bytes);

  const std::size_t max_payload_bytes_;
  State state_ = State::kBetween;
  bool too_long_ = false;
  std::uint8_t sum_ = 0;
  char checksum_high_ = 0;
  std::string payload_;
};

// The sum of all bytes, modulo 256.
std::uint8_t Checksum(std::string_view payload);

// '}' and the byte after it, xor 0x20, are one byte. A lone '}' at the end stands for nothing.
std::string Unescape(std::string_view payload);
// As many bytes of `data` as fit into `max_bytes` once '#', '$', '}' and '*' are escaped; appended.
// Returns how many of `data` those were.
std::size_t AppendEscaped(std::string& out, std::string_view data, std::size_t max_bytes);

// The packet around a payload that is escaped already: runs of a byte shortened ("0* "), checksum.
// `mark` is '$', or '%' for a notification.
std::string Frame(std::string_view payload, char mark = '$');

}  // namespace glovebox::gdbstub
