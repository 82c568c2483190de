// Where the registers that gdb numbers lie in the forms in which the engine has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/debug.h"
#include "gdbstub/architecture.h"

namespace glovebox::worker {

// What the engine gives of a thread's registers.
struct RegisterImages {
  std::vector<std::byte> general;
  std::vector<std::byte> xstate;
  std::vector<std::byte>& Of(engine::DebugRegisterSet set) {
    return set == engine::DebugRegisterSet::kGeneral ? general : xstate;
  }
};

// Fills a register file: `out` is as large as the layout says.
void FillRegisters(gdbstub::Architecture architecture, const RegisterImages& images,
                   std::span<std::byte> out);

// The set that the register is in; empty: there is no such register.
std::optional<engine::DebugRegisterSet> SetOf(gdbstub::Architecture architecture,
                                              gdbstub::RegisterNumber number);
// Puts a value into its image.
void PutRegister(gdbstub::Architecture architecture, gdbstub::RegisterNumber number,
                 std::span<const std::byte> value, RegisterImages& images);

// Of the image of general registers.
engine::GuestAddr InstructionPointer(std::span<const std::byte> general);

// A register of a running CPU, cut to 64 bits.
std::uint64_t RegisterOf(gdbstub::Architecture architecture, gdbstub::RegisterNumber number,
                         const engine::x86::Vcpu& cpu);

}  // namespace glovebox::worker
