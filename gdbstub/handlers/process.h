// Processes: run, attach, detach, kill, and what a run starts with.
#pragma once

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

Reply OnKillAll(Conversation& conversation, const Arguments& arguments);
Reply OnKill(Conversation& conversation, const Arguments& arguments);
Reply OnDetach(Conversation& conversation, const Arguments& arguments);
Reply OnAttached(Conversation& conversation, const Arguments& arguments);
Reply OnRun(Conversation& conversation, const Arguments& arguments);
Reply OnAttach(Conversation& conversation, const Arguments& arguments);
Reply OnDisableRandomization(Conversation& conversation, const Arguments& arguments);
Reply OnStartupWithShell(Conversation& conversation, const Arguments& arguments);
Reply OnEnvironmentSet(Conversation& conversation, const Arguments& arguments);
Reply OnEnvironmentUnset(Conversation& conversation, const Arguments& arguments);
Reply OnEnvironmentReset(Conversation& conversation, const Arguments& arguments);
Reply OnSetWorkingDirectory(Conversation& conversation, const Arguments& arguments);

}  // namespace glovebox::gdbstub
