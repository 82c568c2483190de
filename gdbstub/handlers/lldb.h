// What lldb asks for beyond gdb. Source: LLDB, "GDB Remote Protocol Extensions".
#pragma once

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

Reply OnHostInfo(Conversation& conversation, const Arguments& arguments);
Reply OnProcessInfo(Conversation& conversation, const Arguments& arguments);
Reply OnRegisterInfo(Conversation& conversation, const Arguments& arguments);
Reply OnMemoryRegionInfo(Conversation& conversation, const Arguments& arguments);
Reply OnLibraryInfoAddress(Conversation& c, const Arguments& arguments);
Reply OnThreadsInfo(Conversation& conversation, const Arguments& arguments);
Reply OnThreadStopInfo(Conversation& conversation, const Arguments& arguments);
Reply OnThreadSuffix(Conversation& conversation, const Arguments& arguments);
Reply OnListThreads(Conversation& conversation, const Arguments& arguments);
Reply OnErrorStrings(Conversation& conversation, const Arguments& arguments);
Reply OnEcho(Conversation& conversation, const Arguments& arguments);

}  // namespace glovebox::gdbstub
