// What a lower function writes a block's uops with.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dispatch.h"  // of dispatch_tail or dispatch_loop: the build chooses the folder
#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/instruction_table.h"

namespace glovebox::engine::x86 {

// The handler of a body: a struct with `[[gnu::always_inline]] static const Uop* Run(Context& c)`.
template <typename Body>
inline constexpr Handler kHandler = &RunHandler<Cpu, Body>;

// The operand byte of a general register (AL to R15, AH to BH); kNoRegister for
// ZYDIS_REGISTER_NONE.
std::uint8_t GprSlot(ZydisRegister reg);
// 0 to 15 of XMM0 to XMM15 (YMM and MM alike), or of ST0 to ST7.
std::uint8_t VectorIndex(ZydisRegister reg);

inline bool IsRegister(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER;
}
inline bool IsMemory(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_MEMORY;
}
// Does 32-bit code write through CS there? Such an operand is emitted so that every access to it is
// #GP: what reads it too asks for writing, but ARPL.
bool WritesToCode(const Instruction& instruction, const ZydisDecodedOperand& memory);
inline bool IsImmediate(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

// The handlers of one semantic for each form of address. Null forms fall back on `general`.
struct AddressHandlers {
  Handler general = nullptr;
  Handler base = nullptr;
  Handler base_index = nullptr;
  Handler base32 = nullptr;
  Handler base_index32 = nullptr;
  Handler absolute = nullptr;
};
// All forms of a body that is a template over the address.
template <template <typename Address> typename Body>
inline constexpr AddressHandlers kAddressHandlers = {
    .general = kHandler<Body<AddressGeneral>>,
    .base = kHandler<Body<AddressBase>>,
    .base_index = kHandler<Body<AddressBaseIndex>>,
    .base32 = kHandler<Body<AddressBase32>>,
    .base_index32 = kHandler<Body<AddressBaseIndex32>>,
    .absolute = kHandler<Body<AddressAbsolute>>};
// For what is seldom run.
template <template <typename Address> typename Body>
inline constexpr AddressHandlers kGeneralHandler = {.general = kHandler<Body<AddressGeneral>>};

// Address forms whose second unit carries an immediate: what EmitMemoryImmediate wants.
template <template <typename Address> typename Body>
inline constexpr AddressHandlers kImmediateHandlers = {
    .general = kHandler<Body<AddressGeneral>>,
    .base = kHandler<Body<AddressBaseWide>>,
    .base_index = kHandler<Body<AddressBaseIndexWide>>,
    .base32 = kHandler<Body<AddressBase32Wide>>,
    .base_index32 = kHandler<Body<AddressBaseIndex32Wide>>,
    .absolute = kHandler<Body<AddressAbsolute>>};

class Emitter {
 public:
  explicit Emitter(std::vector<Uop>& uops) : uops_(uops) {}

  // An instruction of one unit without operands in memory.
  void Emit(Handler handler, Uop fields) {
    fields.handler = handler;
    uops_.push_back(fields);
  }
  // An instruction of two units.
  void Emit(Handler handler, Uop fields, Wide wide) {
    Emit(handler, fields);
    uops_.push_back(std::bit_cast<Uop>(wide));
  }
  // An exit: the second unit is a Jump to `rip`, linked later. Byte d is set to the instructions
  // that retire with it, and so not for the handler's own use.
  void EmitExit(Handler handler, Uop fields, const Instruction& instruction, GuestAddr rip);

  // An instruction with an operand in memory. `a` is the handler's own operand byte (b, c, d hold
  // the address). `immediate` goes to the second unit's Wide and forces the general form.
  void EmitMemory(const AddressHandlers& handlers, const Instruction& instruction,
                  const ZydisDecodedOperand& memory, std::uint8_t a,
                  std::optional<std::uint64_t> immediate = std::nullopt);
  // The same for handlers whose forms all have a second unit (kImmediateHandlers).
  void EmitMemoryImmediate(const AddressHandlers& handlers, const Instruction& instruction,
                           const ZydisDecodedOperand& memory, std::uint8_t a,
                           std::uint64_t immediate);

  // The indices of the Jump units written so far.
  const std::vector<std::uint32_t>& jumps() const { return jumps_; }
  std::size_t size() const { return uops_.size(); }

 private:
  void EmitAddressed(const AddressHandlers& handlers, const Instruction& instruction,
                     const ZydisDecodedOperand& memory, std::uint8_t a, std::uint64_t immediate,
                     bool short_forms, bool second_unit);

  std::vector<Uop>& uops_;
  std::vector<std::uint32_t> jumps_;
};

// An instruction of one unit that needs to know nothing of its operands.
template <typename Body>
bool Plain(Emitter& emitter, const Instruction&) {
  emitter.Emit(kHandler<Body>, {});
  return true;
}

}  // namespace glovebox::engine::x86
