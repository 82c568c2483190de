// Rows of the instruction table that cannot be compared with the host's CPU, and why.
#pragma once

#include <Zydis/Zydis.h>

#include <span>
#include <string_view>

#include "engine/isa/x86/registers.h"

namespace glovebox::engine::x86 {

struct UncomparedRow {
  ZydisMnemonic mnemonic;
  std::string_view reason;
  bool in_long = true;       // not compared in 64-bit code,
  bool in_protected = true;  // in 32-bit code
};
// This list only shrinks.
std::span<const UncomparedRow> UncomparedRows();
bool IsUncompared(ZydisMnemonic mnemonic, CpuMode mode);

}  // namespace glovebox::engine::x86
