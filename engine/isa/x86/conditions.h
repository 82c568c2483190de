// The sixteen conditions of Jcc, SETcc and CMOVcc. Intel SDM vol. 2, appendix B, table B-10.
#pragma once

#include <cstdint>

#include "engine/isa/x86/lazy_flags.h"

namespace glovebox::engine::x86 {

// In encoding order: an odd condition is the even one below it, negated.
enum Condition : std::uint8_t {
  kO,
  kNO,
  kB,
  kNB,
  kZ,
  kNZ,
  kBE,
  kNBE,
  kS,
  kNS,
  kP,
  kNP,
  kL,
  kNL,
  kLE,
  kNLE,
};

template <Condition condition>
[[gnu::always_inline]] inline bool Holds(const LazyFlags& flags) {
  constexpr auto kEven = static_cast<Condition>(condition & ~1);
  bool holds = false;
  if constexpr (kEven == kO) holds = flags.Of();
  if constexpr (kEven == kB) holds = flags.Cf();
  if constexpr (kEven == kZ) holds = flags.Zf();
  if constexpr (kEven == kBE) holds = flags.Cf() || flags.Zf();
  if constexpr (kEven == kS) holds = flags.Sf();
  if constexpr (kEven == kP) holds = flags.Pf();
  if constexpr (kEven == kL) holds = flags.Sf() != flags.Of();
  if constexpr (kEven == kLE) holds = flags.Zf() || flags.Sf() != flags.Of();
  return holds != ((condition & 1) != 0);
}

}  // namespace glovebox::engine::x86
