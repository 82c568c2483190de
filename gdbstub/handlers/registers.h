// Registers: g G p P.
#pragma once

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

Reply OnReadRegisters(Conversation& conversation, const Arguments& arguments);
Reply OnWriteRegisters(Conversation& conversation, const Arguments& arguments);
Reply OnReadRegister(Conversation& conversation, const Arguments& arguments);
Reply OnWriteRegister(Conversation& conversation, const Arguments& arguments);

}  // namespace glovebox::gdbstub
