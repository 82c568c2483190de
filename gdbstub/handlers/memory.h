// Memory: m M x X, qSearch:memory, qCRC.
#pragma once

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

Reply OnReadMemory(Conversation& conversation, const Arguments& arguments);
Reply OnReadBinary(Conversation& conversation, const Arguments& arguments);
Reply OnWriteMemory(Conversation& conversation, const Arguments& arguments);
Reply OnSearchMemory(Conversation& conversation, const Arguments& arguments);
Reply OnCrc(Conversation& conversation, const Arguments& arguments);

}  // namespace glovebox::gdbstub
