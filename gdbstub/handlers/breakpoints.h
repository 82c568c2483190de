// Z and z. `kType` is the digit behind the letter.
#pragma once

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

Reply InsertBreakpoint(Conversation& conversation, const Arguments& arguments, char type);
Reply InsertWatchpoint(Conversation& conversation, const Arguments& arguments, char type);
Reply RemovePointOf(Conversation& conversation, const Arguments& arguments, char type);
Answer<void> RemovePoint(Debuggee& debuggee, const InsertedPoint& point);

// Of InsertedPoint: no packet has it.
inline constexpr char kTracepointType = 't';
// What collects at this address, where it is not there yet.
Answer<void> InsertTracepoint(Conversation& conversation, std::uint32_t pid, GuestAddr address);
// All of them, of all processes.
void RemoveTracepoints(Conversation& conversation);

template <char kType>
Reply OnInsertBreakpoint(Conversation& conversation, const Arguments& arguments) {
  return InsertBreakpoint(conversation, arguments, kType);
}
template <char kType>
Reply OnInsertWatchpoint(Conversation& conversation, const Arguments& arguments) {
  return InsertWatchpoint(conversation, arguments, kType);
}
template <char kType>
Reply OnRemovePoint(Conversation& conversation, const Arguments& arguments) {
  return RemovePointOf(conversation, arguments, kType);
}

}  // namespace glovebox::gdbstub
