#include "engine/linux/legacy_float.h"

#include <cstring>

namespace glovebox::engine {
namespace {

using abi::i386::LegacyFloat;

constexpr std::uint16_t kUserCs = 0x23, kUserDs = 0x2b;

constexpr std::uint32_t Low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

// The beginning of an FXSAVE image. Intel SDM vol. 1, table 10-2.
struct FxHead {
  std::uint16_t control, status;
  std::uint8_t valid, reserved;  // which physical registers hold something
  std::uint16_t opcode;
  std::uint64_t instruction, data;
  std::uint32_t mxcsr, mxcsr_mask;
};
static_assert(sizeof(FxHead) == 32);
constexpr std::size_t kStBytes = 16;  // of one in the image, of which the last six are free

using St = std::array<std::byte, 10>;
St StOf(const x86::FxsaveArea& fx, std::size_t index) {
  St st;
  std::memcpy(st.data(), fx.data() + sizeof(FxHead) + index * kStBytes, st.size());
  return st;
}

// Two bits for each physical register: 0 a number, 1 zero, 2 something special, 3 empty.
std::uint32_t FullTags(const FxHead& head, const x86::FxsaveArea& fx) {
  const unsigned top = head.status >> 11 & 7;
  std::uint32_t tags = 0;
  for (unsigned physical = 0; physical < 8; ++physical) {
    std::uint32_t tag = 3;
    if ((head.valid >> physical & 1) != 0) {
      const St st = StOf(fx, (physical - top) & 7);
      std::uint64_t significand = 0;
      std::uint16_t exponent = 0;
      std::memcpy(&significand, st.data(), 8);
      std::memcpy(&exponent, st.data() + 8, 2);
      exponent &= 0x7fff;
      const bool normal = exponent != 0 && exponent != 0x7fff && (significand >> 63) != 0;
      tag = normal ? 0 : exponent == 0 && significand == 0 ? 1 : 2;
    }
    tags |= tag << (2 * physical);
  }
  return tags;
}

}  // namespace

LegacyFloat LegacyOf(const x86::FxsaveArea& fx) {
  constexpr std::uint32_t kUpper = 0xffff0000;
  FxHead head;
  std::memcpy(&head, fx.data(), sizeof head);
  LegacyFloat legacy{};
  legacy.control = head.control | kUpper;
  legacy.status = head.status | kUpper;
  legacy.tags = FullTags(head, fx) | kUpper;
  legacy.instruction_offset = Low(head.instruction);
  legacy.code_segment = kUserCs;
  legacy.data_offset = Low(head.data);
  legacy.data_segment = kUserDs | kUpper;
  for (std::size_t i = 0; i < legacy.st.size(); ++i) legacy.st[i] = StOf(fx, i);
  legacy.status_again = head.status;
  legacy.magic = 0;  // an FXSAVE image follows
  return legacy;
}

// The x87 part of the image follows what the handler left in the legacy part: convert_to_fxsr.
void TakeLegacy(const LegacyFloat& legacy, x86::FxsaveArea& fx) {
  FxHead head;
  std::memcpy(&head, fx.data(), sizeof head);
  head.control = static_cast<std::uint16_t>(legacy.control);
  head.status = static_cast<std::uint16_t>(legacy.status);
  head.valid = 0;
  for (unsigned i = 0; i < 8; ++i) {
    const bool empty = (legacy.tags >> (2 * i) & 3) == 3;
    head.valid = static_cast<std::uint8_t>(head.valid | (empty ? 0u : 1u) << i);
  }
  std::memcpy(fx.data(), &head, sizeof head);
  for (std::size_t i = 0; i < legacy.st.size(); ++i) {
    std::memcpy(fx.data() + sizeof head + i * kStBytes, legacy.st[i].data(), legacy.st[i].size());
  }
}

}  // namespace glovebox::engine
