// Where an instruction would touch memory, worked out from its operands and the registers before it
// runs. For what must not cost anything as long as nobody asks: alignment checks, and which segment
// an address that is no address belonged to. Handlers know nothing of it.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/instruction_table.h"
#include "engine/memory/address_space.h"

namespace glovebox::engine::x86 {

struct MemoryAccess {
  GuestAddr address = 0;
  std::uint32_t size_bytes = 0;
  std::uint32_t alignment = 1;  // that #AC asks for
  Access access = Access::kRead;
  bool on_stack = false;  // by way of SS
  // Over the end of a segment of 4 GiB that does not begin at 0, or a write through CS: #GP.
  bool beyond_limit = false;
};

// In the order in which they are done, but for the elements of gathers, which are not here.
std::vector<MemoryAccess> AccessesOf(const Cpu& cpu, const Instruction& instruction);

// Does alignment checking (#AC) find fault with it, before anything else of its accesses does?
// Intel SDM vol. 3A, 6.15, #AC, and table 6-7; what the table leaves open is as on Intel's CPUs.
bool ChecksAlignmentInVain(const Cpu& cpu, AddressSpace& memory, const Instruction& instruction);

// An instruction at which a fault was found, with nothing done of it: does what hardware has done
// to memory by then. Of ENTER, that is what it has pushed.
void StoreBeforeFault(const Cpu& cpu, AddressSpace& memory, const Instruction& instruction);

}  // namespace glovebox::engine::x86
