// qXfer: objects that are read in pieces. Source: GDB manual, "General Query Packets".
#pragma once

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

Reply OnReadTargetXml(Conversation& conversation, const Arguments& arguments);
Reply OnReadAuxv(Conversation& conversation, const Arguments& arguments);
Reply OnReadThreads(Conversation& conversation, const Arguments& arguments);
Reply OnReadLibraries(Conversation& conversation, const Arguments& arguments);
Reply OnReadMemoryMap(Conversation& conversation, const Arguments& arguments);
Reply OnReadSiginfo(Conversation& conversation, const Arguments& arguments);
Reply OnWriteSiginfo(Conversation& conversation, const Arguments& arguments);
Reply OnReadExecFile(Conversation& conversation, const Arguments& arguments);
Reply OnReadTraceframeInfo(Conversation& conversation, const Arguments& arguments);
Reply OnReadOsData(Conversation& conversation, const Arguments& arguments);

}  // namespace glovebox::gdbstub
