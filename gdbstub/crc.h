// The checksum of qCRC: CRC-32 with polynomial 0x04c11db7, most significant bit first, nothing
// inverted at the end. Source: GDB manual, qCRC.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace glovebox::gdbstub {

inline constexpr std::uint32_t kCrcStart = 0xffffffff;

inline constexpr auto kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i << 24;
    for (int bit = 0; bit < 8; ++bit) crc = crc << 1 ^ ((crc >> 31) != 0 ? 0x04c11db7U : 0U);
    table[i] = crc;
  }
  return table;
}();

constexpr std::uint32_t Crc32(std::uint32_t crc, std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    crc = crc << 8 ^ kCrcTable[crc >> 24 ^ static_cast<std::uint32_t>(byte)];
  }
  return crc;
}

}  // namespace glovebox::gdbstub
