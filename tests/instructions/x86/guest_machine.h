// Our CPU behind the same face as the host's (native_machine.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "engine/isa/x86/vcpu.h"
#include "engine/memory/address_space.h"
#include "engine/memory/meter.h"
#include "tests/instructions/x86/machine_state.h"

namespace glovebox::engine::x86 {

class GuestMachine {
 public:
  GuestMachine();

  // Runs `code` at state.rip, one instruction at a time or in blocks, until rip is at an INT3 or
  // something else ends it; then `state` is what it left. A program that goes on longer than
  // `limit` instructions ends as kOther.
  void Run(std::span<const std::uint8_t> code, MachineState& state, bool in_blocks);

  // The instruction that ended the last run with kNotImplemented.
  const InstructionReport& missing() const { return missing_; }

 private:
  Ending RunToEnd(bool in_blocks, std::uint64_t& fault_address);

  MemoryMeter meter_;
  std::unique_ptr<AddressSpace> memory_;
  std::unique_ptr<Vcpu> vcpu_;
  InstructionReport missing_;
};

}  // namespace glovebox::engine::x86
