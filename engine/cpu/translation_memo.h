// What decoding made of code, for address spaces to come: a process that is forked runs its
// parent's code, and a program that is started once more its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/base/types.h"
#include "engine/cpu/block.h"

namespace glovebox::engine {

// Of one mode of one ISA. Decoders share it and ask for code by a key of their making (its first
// bytes, and what else they like); they believe a row only where memory holds all of its bytes. So
// nothing ever has to be taken out of it, and what a guest runs is what it would run without.
//
// Code that lies at other addresses in each process (position-independent programs) is found too:
// which words of a block's second units are addresses of its surroundings shows where the decoder
// writes the block a second time for another place. Rejected: marks of such words by each
// instruction's own lowering, a list that one could forget to keep.
//
// Threads: one at a time.
class TranslationMemo {
 public:
  // A block as a decoder has written it for `start`.
  struct Row {
    GuestAddr start = 0;
    std::vector<std::byte> bytes;  // the code
    Translation translation;
    // Words of units, as 2 * unit + word, that move with the code.
    std::vector<std::uint32_t> addresses;
    bool movable = false;  // false: right at `start` only
  };

  // Null where there is none.
  const Row* Find(std::uint64_t key) const;
  // Is it worth to Add? Most code of a large program runs in one process: a row is made the second
  // time that its code is decoded. A full memo begins anew only where it has paid.
  bool Wants(std::uint64_t key);
  // `moved`: the same code's units for start + distance. A key that is known gets the new row.
  void Add(std::uint64_t key, GuestAddr start, std::span<const std::byte> bytes,
           const Translation& translation, std::span<const Uop> moved, std::uint64_t distance);

  // The row's block for `start`, into `out`; only where CanServe. Addresses wrap at `last_address`.
  static bool CanServe(const Row& row, GuestAddr start) {
    return row.movable || row.start == start;
  }
  void Serve(const Row& row, GuestAddr start, GuestAddr last_address, Translation& out);
  std::uint64_t served() const { return served_; }

 private:
  static constexpr std::size_t kMaxUnits = 256u << 10;  // 4 MiB
  static constexpr std::size_t kNoticed = 64u << 10;

  std::unordered_map<std::uint64_t, Row> rows_;
  std::vector<std::uint32_t> noticed_;  // halves of keys that were decoded, by the other halves
  std::size_t unit_count_ = 0;
  std::uint64_t served_ = 0;
  std::uint64_t served_before_ = 0;  // the rows that are there now
};

}  // namespace glovebox::engine
