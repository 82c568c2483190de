// From guest bytes to a block of uops: Zydis decodes, a backward pass finds dead flags, rows lower.
#pragma once

#include <Zydis/Zydis.h>

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "engine/cpu/block.h"
#include "engine/cpu/stop.h"
#include "engine/cpu/translation_memo.h"
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/registers.h"
#include "engine/memory/fault.h"

namespace glovebox::engine {
class AddressSpace;
}

namespace glovebox::engine::x86 {

// An instruction and what is to be done with it.
struct Decoded {
  Instruction instruction;
  Lower lower = nullptr;
  std::uint16_t traits = kNoTraits;
};

class Decoder final : public Translator {
 public:
  // `memo`: where to look for what others have decoded already, and to leave it; may be null.
  Decoder(AddressSpace& memory, CpuMode mode, TranslationMemo* memo);

  std::optional<MemoryFault> Translate(GuestAddr rip, int max_instructions, bool checks_itself,
                                       std::span<const GuestAddr> borders,
                                       Translation& out) override;

  // The instruction at `rip` with its operands. False where it is none or cannot be fetched.
  bool DecodeAt(GuestAddr rip, Instruction& out);
  // The instruction at `rip` for people, as far as its bytes can be read.
  InstructionReport Describe(GuestAddr rip);

 private:
  // Copies up to 15 executable bytes. Empty where not even the first can be fetched.
  struct Fetched {
    std::array<std::uint8_t, ZYDIS_MAX_INSTRUCTION_LENGTH> bytes{};
    std::size_t count = 0;
    std::optional<MemoryFault> fault;  // of the first byte that is missing
  };
  Fetched Fetch(GuestAddr rip);

  std::optional<MemoryFault> Decode(GuestAddr rip, int max_instructions, bool checks_itself,
                                    std::span<const GuestAddr> borders, Translation& out);
  bool Recall(GuestAddr rip, std::uint64_t key, Translation& out);
  void Remember(GuestAddr rip, std::uint64_t key, const Translation& made);

  // 32-bit code runs on at 0 behind the last byte of 4 GiB.
  GuestAddr Wrap(GuestAddr rip) const { return rip & last_address_; }

  AddressSpace& memory_;
  TranslationMemo* const memo_;
  const GuestAddr last_address_;
  ZydisDecoder zydis_;
  // Where a block is decoded: instructions are too big to be moved about. As long as the longest
  // block so far.
  std::vector<Decoded> block_;
  std::size_t block_length_ = 0;  // of the last one
  Translation moved_;
};

}  // namespace glovebox::engine::x86
