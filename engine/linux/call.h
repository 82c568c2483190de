// A system call on its way: from the instruction to the result in the registers.
#pragma once

#include "engine/linux/task.h"

namespace glovebox::engine {

enum class CallProgress : std::uint8_t {
  kDone,           // the registers hold the result (or the box has ended)
  kBlocked,        // the task waits; the call is tried again when it is woken
  kMoreToDo,       // the slice is over; nothing that the guest sees has happened
  kHalted,         // a debugger is asked about a signal first; likewise
  kWaitsForInput,  // bytes of stdin are not there yet; nothing that the guest sees has happened
};

// Takes number and arguments from the registers; the CPU has just retired the instruction, whose
// kind decides whose table and structures the call follows.
void BeginCall(Task& task, SyscallEntry entry);

// Serves the call, or goes on serving it.
CallProgress AdvanceCall(Task& task);
// A debugger lets a call begin that it was shown.
void GoOnWithCall(Task& task, SyscallEntry entry);
// A debugger changes the registers of a task in mid-call: the call looks as if a signal had
// interrupted it, and is made again where the registers still say so.
void AbandonCall(Task& task);
// A tracer lets a call begin that it was shown: BeginCall had stopped the task.
void ResumeEntry(Task& task);

}  // namespace glovebox::engine
