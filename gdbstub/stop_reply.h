// Stop replies: "T05swbreak:;thread:p1.1;core:0;06:...". Source: GDB manual, "Stop Reply Packets".
#pragma once

#include <string>

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

// The registers that a debugger asks for after every stop are in it, so that it need not.
std::string StopReply(Conversation& conversation, const StopEvent& event);

}  // namespace glovebox::gdbstub
