// Symbols that the debugger looks up for the stub, and thread-local storage found by them.
#pragma once

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

Reply OnSymbol(Conversation& conversation, const Arguments& arguments);
Reply OnTlsAddress(Conversation& conversation, const Arguments& arguments);

}  // namespace glovebox::gdbstub
