// Tracepoints. Source: GDB manual, "Tracepoint Packets".
#pragma once

#include "gdbstub/conversation.h"
#include "gdbstub/hex.h"

namespace glovebox::gdbstub {

Reply OnTraceInit(Conversation& conversation, const Arguments& arguments);
Reply OnTracepoint(Conversation& conversation, const Arguments& arguments);
Reply OnTraceSource(Conversation& conversation, const Arguments& arguments);
Reply OnTraceVariable(Conversation& conversation, const Arguments& arguments);
Reply OnEnableTracepoint(Conversation& conversation, const Arguments& arguments);
Reply OnDisableTracepoint(Conversation& conversation, const Arguments& arguments);
Reply OnTraceReadOnly(Conversation& conversation, const Arguments& arguments);
Reply OnTraceStart(Conversation& conversation, const Arguments& arguments);
Reply OnTraceStop(Conversation& conversation, const Arguments& arguments);
Reply OnTraceCircular(Conversation& conversation, const Arguments& arguments);
Reply OnTraceBufferSize(Conversation& conversation, const Arguments& arguments);
Reply OnTraceNotes(Conversation& conversation, const Arguments& arguments);
Reply OnTraceDisconnected(Conversation& conversation, const Arguments& arguments);

// What has been collected: handlers/trace_frames.cc.
Reply OnTraceStatus(Conversation& conversation, const Arguments& arguments);
Reply OnSelectFrame(Conversation& conversation, const Arguments& arguments);
Reply OnReadTraceBuffer(Conversation& conversation, const Arguments& arguments);
Reply OnTracepointStatus(Conversation& conversation, const Arguments& arguments);
Reply OnReadTraceVariable(Conversation& conversation, const Arguments& arguments);
Reply OnFirstTracepoints(Conversation& conversation, const Arguments& arguments);
Reply OnFirstTraceVariables(Conversation& conversation, const Arguments& arguments);
Reply OnMoreOfTrace(Conversation& conversation, const Arguments& arguments);
Reply OnFastTracepointLength(Conversation& conversation, const Arguments& arguments);

// With a frame selected: its registers as 'g' has them, 'x' for what was not collected, and the
// piece of them that is one register.
std::string FrameRegisters(const Conversation& conversation);
// Bytes of the frame, or of what is never written, from `address` on. Errors: EFAULT.
Answer<Bytes> ReadFrameMemory(Conversation& conversation, GuestAddr address, std::size_t most);

}  // namespace glovebox::gdbstub
