// What gdb hangs on a breakpoint, as the debuggee carries it out at each hit.
#pragma once

#include <memory>
#include <string_view>

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

// "X5,2603e8...X..;cmds:1,X..." behind a breakpoint's kind: conditions, of which one must hold, and
// commands, which run instead of a stop. Null for none.
// Errors: kEINVAL, with the reason where an expression is no good: it is refused, not ignored.
// Source: GDB manual, "Packets", Z0.
Answer<std::shared_ptr<HitAction>> ParseHitAction(std::string_view text,
                                                  const RegisterLayout& layout, Console& console);

}  // namespace glovebox::gdbstub
