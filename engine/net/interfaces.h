// The interfaces of a box: `lo`, and what there is to know of it. netdevice(7).
#pragma once

#include <cstdint>
#include <string_view>

namespace glovebox::engine::net {

struct Loopback {
  static constexpr std::string_view kName = "lo";
  static constexpr std::uint32_t kIndex = 1;
  static constexpr std::uint32_t kMtu = 65'536;
  static constexpr std::uint32_t kQueueLength = 1000;
  static constexpr std::uint16_t kHardwareType = 772;            // ARPHRD_LOOPBACK
  static constexpr std::uint32_t kFlags = 0x1 | 0x8 | 0x40;      // UP, LOOPBACK, RUNNING
  static constexpr std::uint32_t kLinkFlags = kFlags | 0x10000;  // LOWER_UP
  static constexpr std::uint32_t kAddress = 0x7f000001;
  static constexpr std::uint8_t kPrefixBits = 8;
  static constexpr std::uint32_t kNetmask = 0xff000000;
  static constexpr std::uint8_t kPrefixBits6 = 128;
};

}  // namespace glovebox::engine::net
