// The unit of decoded code: 16 bytes, of which an instruction takes one or two.
//
// The first unit of an instruction is a Uop proper. A second one holds what does not fit: a Wide
// (64-bit displacement and immediate) or a Jump (where an exit leads). Second units are stored and
// read with std::bit_cast. Rejected: 32-byte uops, which measured no better and fill the cache
// twice as fast.
#pragma once

#include <bit>
#include <cstdint>

#include "dispatch_signature.h"  // of dispatch_tail or dispatch_loop: the build chooses the folder
#include "engine/base/types.h"

namespace glovebox::engine {

struct Uop {
  Handler handler = nullptr;
  std::int32_t imm = 0;  // displacement or immediate
  std::uint8_t a = 0;    // operand bytes: what they mean is the handler's business
  std::uint8_t b = 0;
  std::uint8_t c = 0;
  std::uint8_t d = 0;  // of an exit: the instructions that retire with it
};
static_assert(sizeof(Uop) == 16);

struct Wide {
  std::uint64_t displacement = 0;
  std::uint64_t immediate = 0;
};
static_assert(sizeof(Wide) == sizeof(Uop));

// The target of an exit. Unlinked exits point at a stub uop that links them, so the hot path has no
// test.
struct Jump {
  const Uop* target = nullptr;
  GuestAddr rip = 0;
};
static_assert(sizeof(Jump) == sizeof(Uop));

}  // namespace glovebox::engine
