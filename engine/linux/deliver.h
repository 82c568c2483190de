// Signals on their way into a task: delivery, default actions, and what faults of the CPU become.
#pragma once

#include "engine/cpu/stop.h"
#include "engine/linux/task.h"

namespace glovebox::engine {

// Delivers every signal that can be delivered now: enters handlers, or ends the box by a default
// action.
void DeliverSignals(Task& task);

// Takes the deliverable signals that stop the process, as long as no other comes first.
void StopByDefault(Task& task);

// Turns a memory fault or an exception into the signal that Linux sends for it.
// Source: Intel SDM vol. 3A, 6.15; arch/x86/kernel/traps.c, arch/x86/mm/fault.c.
void RaiseFault(Task& task, const Stop& stop);

}  // namespace glovebox::engine
