// The registers of a traced thread as ptrace(2) shows and sets them. The thread has its CPU.
// Source: arch/x86/kernel/ptrace.c, arch/x86/kernel/fpu/regset.c of Linux 6.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/linux/task.h"

namespace glovebox::engine::ptrace {

// Sets of registers, by their notes in core files: elf.h.
enum class RegisterSet : std::uint32_t {
  kGeneral = 1,          // NT_PRSTATUS: user_regs_struct
  kFloat = 2,            // NT_PRFPREG: FXSAVE; of i386 what FSAVE has
  kFxsave = 0x46e62b7f,  // NT_PRXFPREG, of i386 alone
  kXstate = 0x202,       // NT_X86_XSTATE
};

// The set as programs of `abi` have it; empty where they have none such.
std::vector<std::byte> ReadSet(Task& task, RegisterSet set, abi::AbiId abi);
// Sets what the first `bytes` of the set hold. Errors: EIO, EINVAL, EFAULT. General registers are
// set one by one, up to the first that cannot be.
Result<void, Errno> WriteSet(Task& task, RegisterSet set, abi::AbiId abi,
                             std::span<const std::byte> bytes);

// A word of the general registers by its place in user_regs_struct. Empty: none lies there.
std::optional<std::uint64_t> ReadGeneralWord(Task& task, abi::AbiId abi, std::uint64_t offset);
bool WriteGeneralWord(Task& task, abi::AbiId abi, std::uint64_t offset, std::uint64_t value);
// Of user_regs_struct.
std::size_t GeneralBytes(abi::AbiId abi);

}  // namespace glovebox::engine::ptrace
