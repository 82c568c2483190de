// Thread-local storage of i386 programs: the descriptors that set_thread_area(2) and clone(2) set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

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

// An entry of the thread's as programs know it, by its number in the table. Empty: it has no such.
std::optional<abi::i386::UserDescriptor> ReadThreadArea(const x86::Vcpu& cpu, std::uint32_t entry);

// Selectors that are loaded already take the new descriptor at once.
void SetThreadDescriptor(x86::Vcpu& cpu, const ThreadDescriptor& descriptor);

}  // namespace glovebox::engine
