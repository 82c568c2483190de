// Which threads there are, and which one packets are about.
#pragma once

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

Reply OnSelectThread(Conversation& conversation, const Arguments& arguments);
Reply OnSelectResumeScope(Conversation& conversation, const Arguments& arguments);
Reply OnThreadAlive(Conversation& conversation, const Arguments& arguments);
Reply OnCurrentThread(Conversation& conversation, const Arguments& arguments);
Reply OnFirstThreads(Conversation& conversation, const Arguments& arguments);
Reply OnMoreThreads(Conversation& conversation, const Arguments& arguments);
Reply OnThreadExtraInfo(Conversation& conversation, const Arguments& arguments);

}  // namespace glovebox::gdbstub
