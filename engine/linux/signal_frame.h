// What a signal handler finds on its stack, and the way back.
#pragma once

#include <cstdint>

#include "engine/linux/task.h"

namespace glovebox::engine {

// Makes the task enter the handler of `action` for `info`, with a frame as the ABI of its program
// has it. False where the frame does not fit its stack: Linux then sends SIGSEGV by force. Source:
// arch/x86/kernel/signal.c, setup_rt_frame.
bool PushSignalFrame(Task& task, const Sigaction& action, const abi::Siginfo& info);

// Which frame a return is from: i386 has two, x86-64 the second only.
enum class FrameKind : std::uint8_t { kPlain, kInfo };

// sigreturn(2), rt_sigreturn(2): takes registers, mask and alternate stack from the frame. False
// where the frame cannot be read or is not one.
bool PopSignalFrame(Task& task, FrameKind kind);

// sigaltstack(2), once its structure is read. `stack_pointer` decides whether the stack is in use.
// Errors: EPERM, EINVAL, ENOMEM.
Result<void, Errno> SetAlternateStack(Task& task, const abi::SignalStack& to,
                                      GuestAddr stack_pointer);
// As sigaltstack(2) tells it.
abi::SignalStack AlternateStack(const Task& task, GuestAddr stack_pointer);

}  // namespace glovebox::engine
