// Rows of the instruction table that cannot be compared with the host's CPU, and why.
#pragma once

#include <Zydis/Zydis.h>

#include <span>
#include <string_view>

namespace glovebox::engine::x86 {

struct UncomparedRow {
  ZydisMnemonic mnemonic;
  std::string_view reason;
};
// This list only shrinks.
std::span<const UncomparedRow> UncomparedRows();
bool IsUncompared(ZydisMnemonic mnemonic);

}  // namespace glovebox::engine::x86
