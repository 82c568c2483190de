// Randomness that follows from the job's seed. Not for secrets: whoever knows the seed knows every
// byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace glovebox::engine {

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014): a
// counter with an odd step through a bijective mixer. Chosen because its state is one word, so that
// it is cheap to keep in a checkpoint.
class SeededRandom {
 public:
  // Streams of one seed are independent: drawing from one does not move another.
  constexpr SeededRandom(std::uint64_t seed, std::uint64_t stream)
      : state_(Mix(seed) ^ Mix(~stream)) {}

  constexpr std::uint64_t Next() { return Mix(state_ += kStep); }

  // Below `bound`, which is not 0. The bias of the remainder is below 2^-30 for the bounds in use
  // (under 2^34).
  constexpr std::uint64_t Below(std::uint64_t bound) { return Next() % bound; }

  void Fill(std::span<std::byte> out) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % 8 == 0) word = Next();
      out[i] = static_cast<std::byte>(word >> (i % 8 * 8));
    }
  }

 private:
  static constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15;

  static constexpr std::uint64_t Mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

}  // namespace glovebox::engine
