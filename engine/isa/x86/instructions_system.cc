// Flags as a whole, CPUID, the time-stamp counter, system calls, hints, what user mode must not do.
#include "engine/isa/x86/cpuid.h"
#include "engine/isa/x86/instruction_table.h"
#include "engine/isa/x86/lowering.h"
#include "engine/isa/x86/move.h"
#include "engine/isa/x86/rflags.h"
#include "engine/isa/x86/stack.h"
#include "engine/isa/x86/system.h"

namespace glovebox::engine::x86 {
namespace {

struct Nothing {
  [[gnu::always_inline]] static const Uop* Run(Context& c) { return c.Next(); }
};

// --- Single flags ---

template <bool kValue>
struct SetCarry {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    c.cpu.lazy.SetCf(kValue);
    return c.Next();
  }
};
struct ComplementCarry {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    c.cpu.lazy.SetCf(!c.cpu.lazy.Cf());
    return c.Next();
  }
};
template <std::uint8_t kValue>
struct SetDirection {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    c.cpu.direction = kValue;
    return c.Next();
  }
};

// --- PUSHF, POPF. The image that PUSHF stores has RF and VM clear. What POPF sets may end the
// running of blocks (rflags.h) ---

template <typename W, typename S>
struct PushFlags {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    if (!Push<S>(c, static_cast<W>(ReadRflags(c.cpu)))) [[unlikely]]
      return c.Missed();
    return c.Next();
  }
};
template <typename W, typename S>
struct PopFlags {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const S top = StackTop<S>(c.cpu);
    W value;
    if (!c.Load(top, value)) [[unlikely]]
      return c.Missed();
    SetStackTop<S>(c.cpu, top + sizeof(W));
    WriteFlagsImage(c.cpu, value);
    if ((c.cpu.other_flags & kSteppedFlags) == 0) [[likely]]
      return c.template Next<2>();
    c.cpu.budget -= c.uop->d;
    return c.LeaveAt(c.template Second<Wide>().immediate, LeaveKind::kAttention);
  }
};
bool LowerPopFlags(Emitter& emitter, const Instruction& in) {
  return ForStack(in, [&]<typename W, typename S>(W, S) {
    emitter.Emit(kHandler<PopFlags<W, S>>, {.d = static_cast<std::uint8_t>(in.number + 1)},
                 Wide{0, in.next_rip});
    return true;
  });
}

// --- CPUID, RDTSC, RDTSCP ---

struct CpuidBody {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const CpuidResult result = Cpuid(static_cast<std::uint32_t>(c.cpu.gpr[kRax]),
                                     static_cast<std::uint32_t>(c.cpu.gpr[kRcx]));
    c.cpu.gpr[kRax] = result.eax;
    c.cpu.gpr[kRbx] = result.ebx;
    c.cpu.gpr[kRcx] = result.ecx;
    c.cpu.gpr[kRdx] = result.edx;
    return c.Next();
  }
};

// First of its block, so that the budget says how many instructions have retired before it.
template <bool kWithProcessor>
struct ReadTimeStamp {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const auto icount =
        static_cast<std::uint64_t>(c.cpu.icount_base - (c.cpu.budget + c.cpu.penalty));
    const std::uint64_t now = icount + c.cpu.tsc_offset;
    c.cpu.gpr[kRax] = static_cast<std::uint32_t>(now);
    c.cpu.gpr[kRdx] = now >> 32;
    if constexpr (kWithProcessor) c.cpu.gpr[kRcx] = 0;  // IA32_TSC_AUX: node 0, CPU 0
    return c.Next();
  }
};

// RDPID: IA32_TSC_AUX too. The register is as wide as the mode is.
bool ReadProcessorId(Emitter& emitter, const Instruction& in) {
  emitter.Emit(kHandler<MoveBodies<std::uint64_t>::RegisterImmediate>,
               {.imm = 0, .a = GprSlot(in.operands[0].reg.value)});
  return true;
}

// --- System calls, breakpoints, refusals ---

// SYSCALL: RCX and R11 get the return address and the flags (Intel SDM vol. 2B). INT 0x80 and
// SYSENTER change no register that the guest sees.
template <SyscallEntry entry>
struct SystemCall {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const GuestAddr next = c.Second<Wide>().immediate;
    if constexpr (entry == SyscallEntry::kSyscall64 || entry == SyscallEntry::kSyscall32) {
      c.cpu.gpr[kRcx] = next;
    }
    if constexpr (entry == SyscallEntry::kSyscall64) c.cpu.gpr[kR11] = ReadRflags(c.cpu);
    c.cpu.syscall_entry = entry;
    c.cpu.budget -= c.uop->d;
    return c.LeaveAt(next, LeaveKind::kSyscall);
  }
};
template <ExceptionKind kind>
struct Trap {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    c.cpu.budget -= c.uop->d;
    c.cpu.exception = kind;
    return c.LeaveAt(c.Second<Wide>().immediate, LeaveKind::kTrap);
  }
};
template <typename Body>
bool LeavesBehind(Emitter& emitter, const Instruction& in) {
  emitter.Emit(kHandler<Body>, {.d = static_cast<std::uint8_t>(in.number + 1)},
               Wide{0, in.next_rip});
  return true;
}

template <ExceptionKind kind>
bool Raises(Emitter& emitter, const Instruction&) {
  emitter.Emit(kHandler<RaiseBody<kind>>, {});
  return true;
}

// CPUID says that both are there. SYSCALL in 32-bit code is of AMD's CPUs, which have no SYSENTER
// in long mode, of whatever code (AMD APM vol. 3); in 32-bit code ours has it for the programs that
// know no other way.
bool LowerSyscall(Emitter& emitter, const Instruction& in) {
  return Is32BitCode(in) ? LeavesBehind<SystemCall<SyscallEntry::kSyscall32>>(emitter, in)
                         : LeavesBehind<SystemCall<SyscallEntry::kSyscall64>>(emitter, in);
}
bool LowerSysenter(Emitter& emitter, const Instruction& in) {
  if (!Is32BitCode(in)) return Raises<ExceptionKind::kInvalidOpcode>(emitter, in);
  return LeavesBehind<SystemCall<SyscallEntry::kSysenter>>(emitter, in);
}

// INT n. Linux lets user mode raise vectors 3, 4 and 0x80 (arch/x86/kernel/idt.c); the others'
// gates have privilege 0, and the error code says which (Intel SDM vol. 3A, 6.13).
struct RefuseInterrupt {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    return c.Raise(ExceptionKind::kGeneralProtection, static_cast<std::uint32_t>(c.uop->imm));
  }
};
bool SoftwareInterrupt(Emitter& emitter, const Instruction& in) {
  constexpr int kInDescriptorTable = 2;
  const std::uint64_t vector = in.operands[0].imm.value.u & 0xff;
  switch (vector) {
    case 3:
      return LeavesBehind<Trap<ExceptionKind::kBreakpoint>>(emitter, in);
    case 4:
      return LeavesBehind<Trap<ExceptionKind::kOverflow>>(emitter, in);
    case 0x80:
      return LeavesBehind<SystemCall<SyscallEntry::kInt80>>(emitter, in);
    default:
      break;
  }
  emitter.Emit(kHandler<RefuseInterrupt>,
               {.imm = static_cast<std::int32_t>(vector << 3) | kInDescriptorTable});
  return true;
}

// PREFETCH and the multi-byte NOP name memory without touching it; RDSSP is a NOP without shadow
// stacks.
constexpr InstructionRow kRows[] = {
    {ZYDIS_MNEMONIC_NOP, Plain<Nothing>},
    {ZYDIS_MNEMONIC_ENDBR32, Plain<Nothing>},
    {ZYDIS_MNEMONIC_ENDBR64, Plain<Nothing>},
    {ZYDIS_MNEMONIC_RDSSPD, Plain<Nothing>},
    {ZYDIS_MNEMONIC_RDSSPQ, Plain<Nothing>},
    {ZYDIS_MNEMONIC_PAUSE, Plain<Nothing>},
    {ZYDIS_MNEMONIC_PREFETCH, Plain<Nothing>},
    {ZYDIS_MNEMONIC_PREFETCHNTA, Plain<Nothing>},
    {ZYDIS_MNEMONIC_PREFETCHT0, Plain<Nothing>},
    {ZYDIS_MNEMONIC_PREFETCHT1, Plain<Nothing>},
    {ZYDIS_MNEMONIC_PREFETCHT2, Plain<Nothing>},
    {ZYDIS_MNEMONIC_PREFETCHW, Plain<Nothing>},
    {ZYDIS_MNEMONIC_PREFETCHWT1, Plain<Nothing>},
    {ZYDIS_MNEMONIC_LFENCE, Plain<Nothing>},
    {ZYDIS_MNEMONIC_MFENCE, Plain<Nothing>},
    {ZYDIS_MNEMONIC_SFENCE, Plain<Nothing>},
    {ZYDIS_MNEMONIC_CLC, Plain<SetCarry<false>>},
    {ZYDIS_MNEMONIC_STC, Plain<SetCarry<true>>},
    {ZYDIS_MNEMONIC_CMC, Plain<ComplementCarry>},
    {ZYDIS_MNEMONIC_CLD, Plain<SetDirection<0>>},
    {ZYDIS_MNEMONIC_STD, Plain<SetDirection<1>>},
    {ZYDIS_MNEMONIC_PUSHF, OnStack<PushFlags>},
    {ZYDIS_MNEMONIC_PUSHFD, OnStack<PushFlags>},
    {ZYDIS_MNEMONIC_PUSHFQ, OnStack<PushFlags>},
    {ZYDIS_MNEMONIC_POPF, LowerPopFlags, kMayRaise},
    {ZYDIS_MNEMONIC_POPFD, LowerPopFlags, kMayRaise},
    {ZYDIS_MNEMONIC_POPFQ, LowerPopFlags, kMayRaise},
    {ZYDIS_MNEMONIC_CPUID, Plain<CpuidBody>},
    {ZYDIS_MNEMONIC_RDTSC, Plain<ReadTimeStamp<false>>, kOwnBlock},
    {ZYDIS_MNEMONIC_RDTSCP, Plain<ReadTimeStamp<true>>, kOwnBlock},
    {ZYDIS_MNEMONIC_SYSCALL, LowerSyscall, kEndsBlock},
    {ZYDIS_MNEMONIC_SYSENTER, LowerSysenter, kEndsBlock},
    {ZYDIS_MNEMONIC_INT3, LeavesBehind<Trap<ExceptionKind::kBreakpoint>>, kEndsBlock},
    {ZYDIS_MNEMONIC_INT1, LeavesBehind<Trap<ExceptionKind::kDebugTrap>>, kEndsBlock},
    {ZYDIS_MNEMONIC_INT, SoftwareInterrupt, kEndsBlock},
    {ZYDIS_MNEMONIC_RDPID, ReadProcessorId},
    {ZYDIS_MNEMONIC_UD0, Raises<ExceptionKind::kInvalidOpcode>, kEndsBlock},
    {ZYDIS_MNEMONIC_UD1, Raises<ExceptionKind::kInvalidOpcode>, kEndsBlock},
    {ZYDIS_MNEMONIC_UD2, Raises<ExceptionKind::kInvalidOpcode>, kEndsBlock},
    {ZYDIS_MNEMONIC_RSM, Raises<ExceptionKind::kInvalidOpcode>, kEndsBlock},  // not in SMM
    // Privileged, or refused by Linux' IOPL of 0 (Intel SDM vol. 2; vol. 3A, 5.9).
    {ZYDIS_MNEMONIC_HLT, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_CLI, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_STI, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_IN, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_OUT, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_INSB, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_INSW, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_INSD, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_OUTSB, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_OUTSW, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_OUTSD, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_CLTS, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_INVD, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_WBINVD, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_INVLPG, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_RDPMC, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_RDMSR, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_WRMSR, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_LGDT, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_LIDT, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_LLDT, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_LTR, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_LMSW, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_SWAPGS, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_SYSRET, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
    {ZYDIS_MNEMONIC_SYSEXIT, Raises<ExceptionKind::kGeneralProtection>, kEndsBlock},
};

}  // namespace

std::span<const InstructionRow> SystemRows() { return kRows; }

}  // namespace glovebox::engine::x86
