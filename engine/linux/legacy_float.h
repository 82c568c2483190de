// The x87 state as i386 programs find it in signal frames and by ptrace(2): in the form of FSAVE.
// Source: arch/x86/kernel/fpu/regset.c, convert_from_fxsr and convert_to_fxsr, of Linux 6.1.
#pragma once

#include "engine/isa/x86/registers.h"
#include "engine/linux/abi/i386_signal.h"

namespace glovebox::engine {

abi::i386::LegacyFloat LegacyOf(const x86::FxsaveArea& fx);
// The x87 part of the image follows what somebody left in the legacy form.
void TakeLegacy(const abi::i386::LegacyFloat& legacy, x86::FxsaveArea& fx);

}  // namespace glovebox::engine
