// What signal handlers of i386 programs find in memory, and siginfo_t as their calls have it.
// Sources: arch/x86/include/asm/sigframe.h (sigframe_ia32, rt_sigframe_ia32),
// arch/x86/include/uapi/asm/sigcontext.h (sigcontext_32, _fpstate_32), include/linux/compat.h
// (compat_siginfo) of Linux 6.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/linux/abi/i386.h"

namespace glovebox::engine::abi {
namespace i386 {

struct SiginfoTimer {
  std::int32_t timer, overrun;
  std::uint32_t value;
};
struct SiginfoSender {
  std::int32_t pid;
  std::uint32_t uid, value;
};
struct SiginfoChild {
  std::int32_t pid;
  std::uint32_t uid;
  std::int32_t status, user_ticks, system_ticks;
};
struct SiginfoPoll {
  std::int32_t band, fd;
};
struct SiginfoSystem {
  std::uint32_t address;
  std::int32_t number;
  std::uint32_t architecture;
};
struct Siginfo {
  std::int32_t signal, error, code;
  union {
    std::uint32_t fault;
    SiginfoTimer timer;
    SiginfoSender sender;
    SiginfoChild child;
    SiginfoPoll poll;
    SiginfoSystem system;
    std::array<std::uint8_t, 116> bytes;
  };
};
static_assert(sizeof(Siginfo) == 128 && offsetof(Siginfo, sender) == 12);

// Which member of the union a signal has follows from its number and code (siginfo.cc).
void Decode(const Siginfo& from, abi::Siginfo& to);
bool Encode(const abi::Siginfo& from, Siginfo& to);

struct Sigcontext {
  std::uint16_t gs, gs_high, fs, fs_high, es, es_high, ds, ds_high;
  std::uint32_t di, si, bp, sp, bx, dx, cx, ax;
  std::uint32_t trap_number, error, ip;
  std::uint16_t cs, cs_high;
  std::uint32_t flags, sp_at_signal;
  std::uint16_t ss, ss_high;
  std::uint32_t fpstate, old_mask, cr2;
};
static_assert(sizeof(Sigcontext) == 88 && offsetof(Sigcontext, fpstate) == 76);

// The x87 state as FSAVE has it, before the FXSAVE image: struct fregs_state.
struct [[gnu::packed]] LegacyFloat {
  std::uint32_t control, status, tags, instruction_offset, code_segment, data_offset, data_segment;
  std::array<std::array<std::byte, 10>, 8> st;
  std::uint16_t status_again, magic;
};
static_assert(sizeof(LegacyFloat) == 112);

// After sigaction without SA_SIGINFO.
struct PlainFrame {
  std::uint32_t return_address;
  std::int32_t signal;
  Sigcontext context;
  std::array<std::uint8_t, 624> unused;  // where kernels before 2.6.28 had the x87 state
  std::uint32_t mask_high;
  std::array<std::uint8_t, 8> return_code;
};
static_assert(sizeof(PlainFrame) == 732 && offsetof(PlainFrame, mask_high) == 720);

struct [[gnu::packed]] Ucontext {
  std::uint32_t flags, link;
  SignalStack stack;
  Sigcontext context;
  std::uint64_t mask;
};
static_assert(sizeof(Ucontext) == 116);

// With SA_SIGINFO.
struct InfoFrame {
  std::uint32_t return_address;
  std::int32_t signal;
  std::uint32_t info_pointer, context_pointer;
  Siginfo info;
  Ucontext context;
  std::array<std::uint8_t, 8> return_code;
};
static_assert(sizeof(InfoFrame) == 268 && offsetof(InfoFrame, context) == 144);

}  // namespace i386

template <>
struct I386Form<Siginfo> : I386Forms<i386::Siginfo> {};

}  // namespace glovebox::engine::abi
