// Which string instructions repeat. Intel SDM vol. 2B, REP: where a comparison repeats by F2 or F3,
// the others do by either.
#pragma once

#include <Zydis/Zydis.h>

namespace glovebox::engine::x86 {

constexpr bool IsRepeatedString(const ZydisDecodedInstruction& decoded) {
  constexpr ZydisInstructionAttributes kRepeats =
      ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;
  return decoded.meta.category == ZYDIS_CATEGORY_STRINGOP && (decoded.attributes & kRepeats) != 0;
}

}  // namespace glovebox::engine::x86
