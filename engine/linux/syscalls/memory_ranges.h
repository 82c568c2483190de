// What calls about ranges of the address space share.
#pragma once

#include "engine/linux/syscall_result.h"
#include "engine/linux/syscalls/flag_names.h"
#include "engine/linux/task.h"
#include "engine/memory/address_space.h"

namespace glovebox::engine {

// As an errno; what ends the box, ends it.
Errno FromMapError(Task& task, MapError error);
SyscallResult FromMap(Task& task, const Result<void, MapError>& result);

// Is [address, address + size) where the program can have mappings? The size is rounded up to pages
// by the caller.
bool Fits(const Task& task, GuestAddr address, std::uint64_t size);
// What mprotect, msync, mlock and others share: page aligned, and rounded up. `beyond`: the errno
// of ranges that wrap or leave the address space.
Result<std::uint64_t, Errno> CheckRange(const Task& task, GuestAddr address, std::uint64_t length,
                                        Errno beyond);

// RLIMIT_MEMLOCK: CAP_IPC_LOCK, or a limit that is not 0; room for `size` bytes more.
bool CanLock(const Task& task);
bool MayLock(Task& task, std::uint64_t size);
// RLIMIT_AS: room for `size` bytes more.
bool MayGrow(Task& task, std::uint64_t size);

// memory_advice.cc: process_madvise(2).
SyscallResult SysProcessMadvise(Task& task, Fd pidfd, InVectors vectors, Size count, Advice advice,
                                Hex flags);

}  // namespace glovebox::engine
