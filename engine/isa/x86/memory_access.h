// Where an instruction would touch memory, worked out from its operands and the registers before it
// runs. For what must not cost anything as long as nobody asks: alignment checks, and which segment
// an address that is no address belonged to. Handlers know nothing of it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/instruction_table.h"

namespace glovebox::engine::x86 {

struct MemoryAccess {
  GuestAddr address = 0;
  std::uint32_t size_bytes = 0;
  bool on_stack = false;  // by way of SS
};

class MemoryAccesses {
 public:
  MemoryAccesses(const Cpu& cpu, const Instruction& instruction);
  const MemoryAccess* begin() const { return accesses_.data(); }
  const MemoryAccess* end() const { return accesses_.data() + count_; }

 private:
  std::array<MemoryAccess, 4> accesses_{};
  std::size_t count_ = 0;
};

// Does alignment checking (#AC) find fault with it? Intel SDM vol. 3A, table 6-7. Operands of 16
// bytes and more have rules of their own, and no others.
bool IsMisaligned(const MemoryAccess& access);

}  // namespace glovebox::engine::x86
