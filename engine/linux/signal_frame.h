// What a signal handler finds on its stack, and the way back: x86-64.
#pragma once

#include "engine/linux/task.h"

namespace glovebox::engine {

// Makes the task enter the handler of `action` for `info`. False where the frame does not fit its
// stack: Linux then sends SIGSEGV by force. Source: arch/x86/kernel/signal.c, __setup_rt_frame;
// System V ABI x86-64, 3.2.2 (red zone).
bool PushSignalFrame(Task& task, const Sigaction& action, const abi::Siginfo& info);

// rt_sigreturn(2): takes the registers and the mask from the frame. False where the frame cannot be
// read or is not one.
bool PopSignalFrame(Task& task);

// Is the stack pointer on the alternate stack?
bool OnAlternateStack(const Task& task, GuestAddr stack_pointer);

}  // namespace glovebox::engine
