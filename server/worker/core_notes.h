// The notes of an ELF core: threads with their registers, the process, its files.
// Sources: core(5), elf(5); fs/binfmt_elf.c and include/linux/elfcore.h of Linux 6.1 for the
// structures, whose sizes are those of the guest's ABI.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/errno.h"
#include "engine/base/result.h"
#include "engine/debug.h"

namespace glovebox::worker {

// All notes, ready for PT_NOTE. `first` stands before the other threads: debuggers select it.
// Errors: ESRCH where there is no such process any more.
Result<std::string, engine::Errno> CoreNotes(engine::BoxDebugger& debugger,
                                             const engine::BoxDebugger::ProcessRow& process,
                                             engine::ThreadId first,
                                             const std::vector<engine::Mapping>& mappings);

}  // namespace glovebox::worker
