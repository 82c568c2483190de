// vFile: the box's files. Source: GDB manual, "Host I/O Packets".
#pragma once

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

Reply OnSetFilesystem(Conversation& conversation, const Arguments& arguments);
Reply OnOpen(Conversation& conversation, const Arguments& arguments);
Reply OnClose(Conversation& conversation, const Arguments& arguments);
Reply OnPread(Conversation& conversation, const Arguments& arguments);
Reply OnPwrite(Conversation& conversation, const Arguments& arguments);
Reply OnFstat(Conversation& conversation, const Arguments& arguments);
Reply OnStat(Conversation& conversation, const Arguments& arguments);
Reply OnLstat(Conversation& conversation, const Arguments& arguments);
Reply OnUnlink(Conversation& conversation, const Arguments& arguments);
Reply OnReadLink(Conversation& conversation, const Arguments& arguments);

}  // namespace glovebox::gdbstub
