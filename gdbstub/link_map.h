// The list of loaded libraries, read out of a process' memory the way gdb would, in one go.
// Source: System V ABI, "Dynamic Linking"; <link.h> of the GNU C library; GDB manual,
// "Library List Format for SVR4 Targets".
#pragma once

#include <string>

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

// The whole document. `start`: the link map to begin with (0: the first of all), `previous`: the
// one before it, as the annex has them.
Answer<std::string> LibraryListXml(Conversation& conversation, const ProcessInfo& process,
                                   GuestAddr start, GuestAddr previous);

// The program's own block of thread-local variables, whichever C library it has: on x86 it ends
// where the thread pointer points. Source: U. Drepper, "ELF Handling For Thread-Local Storage",
// variant II. Errors: kENODATA: it has none.
Answer<GuestAddr> ProgramTlsBlock(Conversation& conversation, const ProcessInfo& process,
                                  GuestAddr thread_pointer);

// Where the program says where the list is: what lldb starts from.
// Errors: kENOENT: a static program.
Answer<GuestAddr> LibraryDebugPointer(Conversation& conversation, const ProcessInfo& process);

}  // namespace glovebox::gdbstub
