// The conversation itself: what both ends can do.
#pragma once

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

Reply OnSupported(Conversation& conversation, const Arguments& arguments);
Reply OnStartNoAckMode(Conversation& conversation, const Arguments& arguments);
Reply OnMustReplyEmpty(Conversation& conversation, const Arguments& arguments);
Reply OnExtendedMode(Conversation& conversation, const Arguments& arguments);
Reply OnNonStop(Conversation& conversation, const Arguments& arguments);
Reply OnMonitor(Conversation& conversation, const Arguments& arguments);

}  // namespace glovebox::gdbstub
