// What the slow paths of dispatch ask about single instructions: where they access memory.
#pragma once

#include <optional>

#include "engine/cpu/aside.h"
#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/decoder.h"

namespace glovebox::engine::x86 {

class Facts final : public InstructionFacts {
 public:
  Facts(const Cpu& cpu, Decoder& decoder) : cpu_(cpu), decoder_(decoder) {}

  // With addresses of 64 bits, and of 32.
  Pointers StringPointers(const Uop& uop) const override;
  std::optional<SoleAccess> SoleAccessAt(GuestAddr rip) override;
  GuestAddr AddressOf(const SoleAccess& access) const override;

 private:
  const Cpu& cpu_;
  Decoder& decoder_;
};

// Of the uop that stands for an instruction with a guard: Aside::Guard.
Handler GuardHandler();

}  // namespace glovebox::engine::x86
