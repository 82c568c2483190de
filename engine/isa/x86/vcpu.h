// One guest thread's x86 CPU, of 64-bit or of 32-bit code, over one address space: decodes basic
// blocks, chains them, runs them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "engine/base/types.h"
#include "engine/cpu/debug_stop.h"
#include "engine/cpu/stop.h"
#include "engine/isa/x86/registers.h"
#include "engine/memory/address_space.h"

namespace glovebox::engine {
class TranslationMemo;
}

namespace glovebox::engine::x86 {

// The whole architectural state of a guest thread that has no CPU at the moment. Copying it makes
// the state of a second one.
class ThreadContext {
 public:
  ThreadContext();
  ~ThreadContext();
  ThreadContext(const ThreadContext& other);
  ThreadContext& operator=(const ThreadContext& other);

 private:
  friend class Vcpu;
  struct State;
  std::unique_ptr<State> state_;
};

// Threads: Run and the accessors on one thread; Nudge from a signal handler on that thread or from
// any other.
class Vcpu {
 public:
  // `memory` outlives the CPU. The decoded code belongs to the address space's observer, which this
  // CPU installs.
  // `memo` outlives it too: what others have decoded, and what others may use. It is of one mode;
  // null: the CPU keeps to itself.
  explicit Vcpu(AddressSpace& memory, CpuMode mode = CpuMode::kLong64,
                TranslationMemo* memo = nullptr);
  ~Vcpu();
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;

  // Runs until `budget` more instructions have retired or something needs attention. The
  // instructions that did retire are added to icount(); with kBudget they are exactly `budget`.
  // Fault, syscall and exception stops leave precise state: see StopKind.
  Stop Run(std::uint64_t budget);

  // One instruction, as with the trap flag set: a kException of kSingleStep behind it, where
  // nothing else stops first. The flag itself stays as it is.
  Stop Step();

  // Breakpoints, for all threads of the address space; between runs. Run yields before the
  // instruction there runs, also where it begins; what it costs is paid by the blocks that reach
  // it. Watchpoints are the address space's (AddressSpace::SetWatches): Run yields behind the
  // access.
  void SetBreakpoint(GuestAddr address);
  void ClearBreakpoint(GuestAddr address);
  // Why the last Run yielded, where that was for a debugger.
  std::optional<DebugStop> TakeDebugStop();
  // The next Run does not stop at a breakpoint at rip().
  void PassBreakpoint();
  // Is the instruction at rip() a string instruction in the middle of its repetitions?
  bool IsRepeating();

  // Makes a running Run return kYield soon (within some tens of microseconds). Async-signal-safe.
  void Nudge();

  Icount icount() const;

  CpuMode mode() const;

  // Between runs only: gives the CPU to another guest thread. Exact: what Save took, Load brings
  // back to the last bit.
  void Save(ThreadContext& context) const;
  void Load(const ThreadContext& context);

  // Between runs only. Get materialises lazy flags; Set takes all of it, user-changeable rflags
  // bits only. With 32-bit code values are cut to 32 bits.
  Registers Get() const;
  void Set(const Registers& registers);
  std::uint64_t gpr(Gpr index) const;
  // All of them, by Gpr.
  std::span<const std::uint64_t, 16> gprs() const;
  void SetGpr(Gpr index, std::uint64_t value);
  GuestAddr rip() const;
  void SetRip(GuestAddr rip);
  void SetFsBase(std::uint64_t base);
  void SetGsBase(std::uint64_t base);

  // Segment registers. A new CPU has those that Linux starts a program with.
  std::uint16_t selector(SegmentRegister reg) const;
  // As MOV to the segment register does (not CS). False, with nothing changed: it would fault.
  bool LoadSegment(SegmentRegister reg, std::uint16_t selector);
  // Entry 0 to 2 of what set_thread_area(2) fills, as the descriptor table holds it; 0: empty. Like
  // hardware, segment registers notice when they are loaded the next time.
  std::uint64_t TlsDescriptor(std::size_t index) const;
  void SetTlsDescriptor(std::size_t index, std::uint64_t descriptor);

  void SaveFx(FxsaveArea& area) const;
  // False, with nothing changed, where reserved MXCSR bits are set (#GP on hardware).
  bool RestoreFx(const FxsaveArea& area);
  // As XSAVE with all components, into an area of zeros.
  void SaveXstate(XsaveArea& area) const;
  // As XRSTOR of the components `wanted` (bits of XCR0). False, with nothing changed, where XRSTOR
  // would be #GP.
  bool RestoreXstate(const XsaveArea& area, std::uint64_t wanted);
  // YMM0 to YMM15, whole; SaveFx and RestoreFx see their low halves.
  VectorRegisters GetVectors() const;
  void SetVectors(const VectorRegisters& vectors);
  // x87, MXCSR and vector registers as a new program finds them.
  void ResetFx();
  // What a stop of kFloatingPoint is about: the exceptions that are raised and not masked, as the
  // low six bits of MXCSR and of the x87 status word have them (IE DE ZE OE UE PE). Those of SSE go
  // first: an x87 exception stays pending, one of SSE is of this instruction.
  std::uint32_t UnmaskedFloatExceptions() const;

  // What the time-stamp counter shows: virtual time is the Linux personality's, so it sets the part
  // that is not icount. TSC = icount + offset.
  void SetTscOffset(std::uint64_t offset);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace glovebox::engine::x86
