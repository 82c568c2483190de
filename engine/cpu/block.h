// Decoded code of one basic block, and its chains to others. What they mean is the ISA's; how they
// are kept is not.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/base/types.h"
#include "engine/cpu/uop.h"
#include "engine/memory/fault.h"

namespace glovebox::engine {

// Upper bounds of a block, which decoders keep. Together they make it span two pages at most.
inline constexpr int kMaxBlockInstructions = 64;

// Where an instruction of a block begins.
struct InstructionMark {
  std::uint32_t uop = 0;         // index of its first unit
  std::uint32_t rip_offset = 0;  // from the block's start, bytes
};

// What a decoder makes of the code at an address.
struct Translation {
  std::vector<Uop> uops;
  // One per instruction, and a last one for the end. Fused instructions share a unit.
  std::vector<InstructionMark> marks;
  std::vector<std::uint32_t> jumps;  // indices of the units that are Jumps, still without target
};

class Translator {
 public:
  virtual ~Translator() = default;
  // Decodes up to `max_instructions` from `rip` on. A page that cannot be fetched ends the block
  // before it. With `checks_itself` a store ends the block too, and one instruction that stores
  // again and again leaves dispatch where it may have changed itself: see Block::bytes.
  // Errors: the fault of the very first instruction's fetch.
  // No block goes on behind a border (sorted): what is there begins one of its own.
  virtual std::optional<MemoryFault> Translate(GuestAddr rip, int max_instructions,
                                               bool checks_itself,
                                               std::span<const GuestAddr> borders,
                                               Translation& out) = 0;
};

struct Block;

// One known way out of a block.
struct Exit {
  Block* from = nullptr;
  std::uint32_t jump = 0;  // index of the Jump unit
  std::uint32_t stub = 0;  // index of the uop that links it
  GuestAddr rip = 0;
  Block* to = nullptr;  // null: not linked
};

struct Block {
  GuestAddr start = 0;
  GuestAddr end = 0;    // exclusive
  bool single = false;  // one instruction, for steps; never linked to
  bool dead = false;    // invalidated; kept until dispatch is left
  // Of a block that checks itself: the code that it was made from. Its first uop compares.
  std::vector<std::byte> bytes;
  std::uint32_t patience =
      0;  // so often it may still be found unchanged before it is watched again
  std::vector<Uop> uops;
  std::vector<InstructionMark> marks;
  std::vector<Exit> exits;      // never resized after the block is made
  std::vector<Exit*> incoming;  // linked exits of others (and of itself) that lead here

  std::int64_t instruction_count() const { return static_cast<std::int64_t>(marks.size()) - 1; }
  // The instruction whose units hold `uop`.
  std::size_t IndexOf(const Uop* uop) const;
  GuestAddr RipOf(std::size_t index) const { return start + marks[index].rip_offset; }
};

}  // namespace glovebox::engine
