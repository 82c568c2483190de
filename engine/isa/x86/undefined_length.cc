#include "engine/isa/x86/undefined_length.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace glovebox::engine::x86 {
namespace {

// What follows an opcode: Intel SDM vol. 2D, appendix A. The layout of opcodes that mean nothing is
// what a Xeon of 2023 has (instructions_x86_differential).
//   .  nothing              m  ModRM                  b  8 bits          w  16 bits
//   z  16 or 32 bits        v  16, 32 or 64 bits      r  a distance, 16 or 32 bits
//   M  ModRM, 8 bits        Z  ModRM, 16 or 32 bits   e  24 bits         p  a far pointer
//   x  ModRM, of registers whatever it says
//   o  an offset            g  ModRM, and 8 bits (G: 16 or 32) where its /r is 0 or 1
//   2  another map, then ModRM                        3  the same, then 8 bits too
constexpr std::string_view kOneByte =
    "mmmmbz..mmmmbz.."
    "mmmmbz..mmmmbz.."
    "mmmmbz..mmmmbz.."
    "mmmmbz..mmmmbz.."
    "................"
    "................"
    "..mm....zZbM...."
    "bbbbbbbbbbbbbbbb"
    "MZMMmmmmmmmmmmmm"
    "..........p....."
    "oooo....bz......"
    "bbbbbbbbvvvvvvvv"
    "MMw.mmMZe.w..b.."
    "mmmmbb..mmmmmmmm"
    "bbbbbbbbrrpb...."
    "......gG......mm";
constexpr std::string_view kTwoByte =
    "mmmm.........m.."
    "mmmmmmmmmmmmmmmm"
    "xxxx....mmmmmmmm"
    "........22332233"
    "mmmmmmmmmmmmmmmm"
    "mmmmmmmmmmmmmmmm"
    "mmmmmmmmmmmmmmmm"
    "MMMMmmm.mmmmmmmm"
    "rrrrrrrrrrrrrrrr"
    "mmmmmmmmmmmmmmmm"
    "...mMmmm...mMmmm"
    "mmmmmmmmmmMmmmmm"
    "mmMmMMMm........"
    "mmmmmmmmmmmmmmmm"
    "mmmmmmmmmmmmmmmm"
    "mmmmmmmmmmmmmmmm";
static_assert(kOneByte.size() == 256 && kTwoByte.size() == 256);

constexpr std::uint8_t kVex2 = 0xC5, kVex3 = 0xC4, kEvex = 0x62;

class Reader {
 public:
  Reader(std::span<const std::uint8_t> bytes, bool is_64bit) : bytes_(bytes), is_64bit_(is_64bit) {}

  bool IsOverlong() {
    const std::optional<char> layout = ReadOpcode();
    if (!layout || !ReadRest(*layout)) return true;
    return at_ > kMaxInstructionBytes;
  }

 private:
  std::optional<std::uint8_t> Take() {
    if (at_ >= std::min(bytes_.size(), kMaxInstructionBytes)) return std::nullopt;
    return bytes_[at_++];
  }

  // False: nothing but prefixes.
  std::optional<std::uint8_t> SkipPrefixes() {
    constexpr std::string_view kOthers = "\xF0\xF2\xF3\x26\x2E\x36\x3E\x64\x65";
    for (;;) {
      const auto byte = Take();
      if (!byte) return std::nullopt;
      if (*byte == 0x66) {
        narrow_operand_ = true;
        wide_operand_ = false;
      } else if (*byte == 0x67) {
        other_address_ = true;
        wide_operand_ = false;
      } else if (kOthers.find(static_cast<char>(*byte)) != std::string_view::npos) {
        wide_operand_ = false;
      } else if (is_64bit_ && (*byte & 0xF0) == 0x40) {
        wide_operand_ = (*byte & 8) != 0;
      } else {
        return byte;
      }
    }
  }

  // What follows the opcode; empty: it is not there.
  std::optional<char> ReadOpcode() {
    const auto first = SkipPrefixes();
    if (!first) return std::nullopt;
    if (*first == 0x0F) {
      const auto second = Take();
      if (!second) return std::nullopt;
      const char layout = kTwoByte[*second];
      if (layout != '2' && layout != '3') return layout;
      if (!Take()) return std::nullopt;
      return layout == '2' ? 'm' : 'M';
    }
    if (*first == kVex2 || *first == kVex3 || *first == kEvex) {
      const auto next = Take();
      if (!next) return std::nullopt;
      // LES, LDS and BOUND in 32-bit code, whose ModRM names memory; and where there is no map 0.
      const int map = *first == kVex2 ? 1 : *next & 3;
      if (map != 0 && (is_64bit_ || (*next & 0xC0) == 0xC0)) return ReadVexOpcode(*first, map);
      --at_;
    }
    return kOneByte[*first];
  }

  // Of map 1 to 3; higher ones look as these do.
  std::optional<char> ReadVexOpcode(std::uint8_t first, int map) {
    narrow_operand_ = false;
    for (int payload = first == kEvex ? 2 : first == kVex3 ? 1 : 0; payload > 0; --payload) {
      if (!Take()) return std::nullopt;
    }
    const auto opcode = Take();
    if (!opcode) return std::nullopt;
    switch (map) {
      case 1: {
        const char layout = kTwoByte[*opcode];
        return layout == '2' || layout == '3' ? '.' : layout;
      }
      case 2:
        return 'm';
      default:
        return 'M';
    }
  }

  // False: it does not end within 15 bytes.
  bool ReadRest(char layout) {
    const std::size_t word = narrow_operand_ && !wide_operand_ ? 2 : 4;
    constexpr std::string_view kWithModRm = "mMZgG";
    if (layout == 'x') return Take().has_value();
    std::uint8_t modrm = 0;
    if (kWithModRm.find(layout) != std::string_view::npos) {
      const auto byte = Take();
      if (!byte || !SkipAddress(*byte)) return false;
      modrm = *byte;
    }
    switch (layout) {
      case 'b':
      case 'M':
        at_ += 1;
        break;
      case 'w':
        at_ += 2;
        break;
      case 'e':
        at_ += 3;
        break;
      case 'z':
      case 'Z':
        at_ += word;
        break;
      case 'v':
        at_ += wide_operand_ ? 8 : word;
        break;
      case 'r':  // Intel's CPUs ignore the prefix in 64-bit mode
        at_ += is_64bit_ ? 4 : word;
        break;
      case 'p':
        at_ += word + 2;
        break;
      case 'o':
        at_ += is_64bit_ ? (other_address_ ? 4 : 8) : (other_address_ ? 2 : 4);
        break;
      case 'g':
      case 'G':
        if ((modrm & 0x30) == 0) at_ += layout == 'g' ? 1 : word;
        break;
      default:
        break;
    }
    return true;
  }

  // SIB and displacement: Intel SDM vol. 2A, tables 2-1 to 2-3.
  bool SkipAddress(std::uint8_t modrm) {
    const int mod = modrm >> 6;
    int base = modrm & 7;
    if (mod == 3) return true;
    if (!is_64bit_ && other_address_) {
      at_ += mod == 0 ? (base == 6 ? 2 : 0) : static_cast<std::size_t>(mod);
      return true;
    }
    if (base == 4) {
      const auto sib = Take();
      if (!sib) return false;
      base = *sib & 7;
    }
    at_ += mod == 1 ? 1 : mod == 2 || base == 5 ? 4 : 0;
    return true;
  }

  std::span<const std::uint8_t> bytes_;
  bool is_64bit_;
  std::size_t at_ = 0;
  bool narrow_operand_ = false;  // 66
  bool wide_operand_ = false;    // REX.W
  bool other_address_ = false;   // 67
};

}  // namespace

bool IsOverlong(std::span<const std::uint8_t> bytes, bool is_64bit) {
  return Reader(bytes, is_64bit).IsOverlong();
}

}  // namespace glovebox::engine::x86
