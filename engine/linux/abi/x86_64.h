// Structures of guest memory that are x86-64's own. Sources: uapi/asm/stat.h,
// uapi/asm/sigcontext.h, uapi/asm/ucontext.h, uapi/asm/signal.h of Linux 6.1.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/linux/abi/common.h"

namespace glovebox::engine::abi::x86_64 {

struct Stat {
  std::uint64_t device, inode, links;
  std::uint32_t mode, uid, gid, pad;
  std::uint64_t special_device;
  std::int64_t size, block_size, blocks;
  Timespec accessed, modified, changed;
  std::int64_t unused[3];
};
static_assert(sizeof(Stat) == 144 && offsetof(Stat, special_device) == 40 &&
              offsetof(Stat, accessed) == 72);

struct Sigaction {
  std::uint64_t handler;
  std::uint64_t flags;
  std::uint64_t restorer;
  std::uint64_t mask;
};
static_assert(sizeof(Sigaction) == 32);

struct Sigcontext {
  std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
  std::uint64_t di, si, bp, bx, dx, ax, cx, sp, ip, flags;
  std::uint16_t cs, gs, fs, ss;
  std::uint64_t error, trap_number, old_mask, cr2;
  std::uint64_t fpstate;
  std::uint64_t reserved[8];
};
static_assert(sizeof(Sigcontext) == 256 && offsetof(Sigcontext, fpstate) == 184);

struct Ucontext {
  std::uint64_t flags, link;
  SignalStack stack;
  Sigcontext context;
  std::uint64_t mask;
};
static_assert(sizeof(Ucontext) == 304 && offsetof(Ucontext, mask) == 296);

// What a handler's stack holds: arch/x86/include/asm/sigframe.h, struct rt_sigframe.
struct SignalFrame {
  std::uint64_t return_address;
  Ucontext context;
  Siginfo info;
};
static_assert(sizeof(SignalFrame) == 440 && offsetof(SignalFrame, info) == 312);

}  // namespace glovebox::engine::abi::x86_64
