// Thread-local storage of i386 programs: the descriptors that set_thread_area(2) and clone(2) set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/isa/x86/vcpu.h"
#include "engine/linux/abi/i386.h"
#include "engine/linux/guest_memory.h"

namespace glovebox::engine {

class Task;

// An entry of the thread's descriptors, 0 to 2, and what it is to hold.
struct ThreadDescriptor {
  std::size_t index;
  std::uint64_t value;
};

// Reads and checks what clone(2) is given; it names its entry. Errors: EFAULT, EINVAL.
Result<ThreadDescriptor, Errno> ReadThreadDescriptor(Task& task,
                                                     GuestPtr<abi::i386::UserDescriptor> from);

// Selectors that are loaded already take the new descriptor at once.
void SetThreadDescriptor(x86::Vcpu& cpu, const ThreadDescriptor& descriptor);

}  // namespace glovebox::engine
