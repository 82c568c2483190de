// Integers of twice a word's width, for multiplication and division.
#pragma once

#include <cstdint>
#include <type_traits>

namespace glovebox::engine::x86 {

__extension__ using Int128 = __int128;
__extension__ using UInt128 = unsigned __int128;

template <typename W>
struct DoubleWidth;
template <>
struct DoubleWidth<std::uint8_t> {
  using Unsigned = std::uint16_t;
  using Signed = std::int16_t;
};
template <>
struct DoubleWidth<std::uint16_t> {
  using Unsigned = std::uint32_t;
  using Signed = std::int32_t;
};
template <>
struct DoubleWidth<std::uint32_t> {
  using Unsigned = std::uint64_t;
  using Signed = std::int64_t;
};
template <>
struct DoubleWidth<std::uint64_t> {
  using Unsigned = UInt128;
  using Signed = Int128;
};

}  // namespace glovebox::engine::x86
