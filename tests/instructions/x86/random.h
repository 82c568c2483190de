// Pseudo-random numbers that are the same on every machine, and the values at which instructions
// like to be wrong.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace glovebox::engine::x86 {

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  // 0 to bound - 1; bound is not 0 and small, so that the bias does not matter.
  std::uint64_t Below(std::uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>(Wide{Next()} * bound >> 64);
  }
  bool Chance(unsigned percent) { return Below(100) < percent; }
  template <typename Range>
  const auto& Pick(const Range& from) {
    return from[Below(std::size(from))];
  }

 private:
  std::uint64_t state_;
};

// Integers of any width at and around the borders, small ones, random ones.
std::uint64_t InterestingInteger(Random& random);
// Bits of floats and doubles: zeros, denormals, infinities, quiet and signalling NaNs, borders of
// integer ranges.
std::uint32_t InterestingFloat(Random& random);
std::uint64_t InterestingDouble(Random& random);
// 80 bits: as above, and encodings that only the x87 has (pseudo-denormals, unnormals,
// pseudo-NaNs).
std::array<std::uint64_t, 2> InterestingExtended(Random& random);
// 16 bytes as lanes of one of these kinds.
std::array<std::uint64_t, 2> InterestingVector(Random& random);

}  // namespace glovebox::engine::x86
