// Running and stopping.
#pragma once

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

Reply OnStopReason(Conversation& conversation, const Arguments& arguments);
Reply OnContActions(Conversation& conversation, const Arguments& arguments);
Reply OnCont(Conversation& conversation, const Arguments& arguments);
Reply OnContinue(Conversation& conversation, const Arguments& arguments);
Reply OnStep(Conversation& conversation, const Arguments& arguments);
Reply OnContinueWithSignal(Conversation& conversation, const Arguments& arguments);
Reply OnStepWithSignal(Conversation& conversation, const Arguments& arguments);
Reply OnCtrlC(Conversation& conversation, const Arguments& arguments);
Reply OnStopped(Conversation& conversation, const Arguments& arguments);
Reply OnStepBack(Conversation& conversation, const Arguments& arguments);
Reply OnContinueBack(Conversation& conversation, const Arguments& arguments);
Reply OnPassSignals(Conversation& conversation, const Arguments& arguments);
Reply OnProgramSignals(Conversation& conversation, const Arguments& arguments);
Reply OnCatchSyscalls(Conversation& conversation, const Arguments& arguments);
Reply OnThreadEvents(Conversation& conversation, const Arguments& arguments);

}  // namespace glovebox::gdbstub
