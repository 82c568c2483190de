#include "engine/isa/x86/vcpu.h"

#include <xmmintrin.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include "engine/cpu/host_float.h"
#include "engine/cpu/runner.h"
#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/decoder.h"
#include "engine/isa/x86/emitter.h"
#include "engine/isa/x86/fx_state.h"
#include "engine/isa/x86/instruction_facts.h"
#include "engine/isa/x86/memory_access.h"
#include "engine/isa/x86/mxcsr.h"
#include "engine/isa/x86/repeat.h"
#include "engine/isa/x86/rflags.h"
#include "engine/isa/x86/segments.h"
#include "engine/isa/x86/xsave.h"

namespace glovebox::engine::x86 {
namespace {

// Guest arithmetic runs on the host's SSE unit under the guest's MXCSR; sticky flags come back.
class FloatEnvironment final : public DispatchHooks {
 public:
  explicit FloatEnvironment(Cpu& cpu) : cpu_(cpu) {}
  void BeforeDispatch() override { Load(_mm_getcsr(), HostMxcsr(cpu_.mxcsr)); }
  void AfterDispatch() override {
    const std::uint32_t found = _mm_getcsr();
    cpu_.mxcsr |= found & kMxcsrFlags;
    Load(found, kHostMxcsr);
  }

 private:
  // Loading is dear where runs are as short as system calls are apart, and mostly changes nothing.
  static void Load(std::uint32_t there, std::uint32_t wanted) {
    if (there != wanted) _mm_setcsr(wanted);
  }

  Cpu& cpu_;
};

// Faults leave RF in the flags that are shown, traps do not: Intel SDM vol. 3B, 17.3.1.1.
bool IsFault(const Stop& stop) {
  if (stop.kind == StopKind::kMemoryFault) return true;
  if (stop.kind != StopKind::kException) return false;
  switch (stop.exception) {
    case ExceptionKind::kBreakpoint:
    case ExceptionKind::kOverflow:
    case ExceptionKind::kDebugTrap:
    case ExceptionKind::kSingleStep:
      return false;
    default:
      return true;
  }
}

// A REP that stores with 32-bit addresses clears their upper halves even where it does nothing
// (string.h).
void CutStringAddresses(Cpu& cpu, const Instruction& instruction) {
  const ZydisDecodedInstruction& decoded = instruction.decoded;
  if (!IsRepeatedString(decoded) || decoded.address_width != 32) return;
  const auto operands = std::span(instruction.operands).first(decoded.operand_count);
  const bool stores = std::ranges::any_of(operands, [](const ZydisDecodedOperand& operand) {
    return IsMemory(operand) && (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
  });
  if (!stores) return;
  for (const ZydisDecodedOperand& operand : operands) {
    if (!IsMemory(operand)) continue;
    std::uint64_t& address = cpu.gpr[GprSlot(operand.mem.base) / 8];
    address &= 0xffff'ffff;
  }
}

// Steps while alignment is checked, before the caller gets to look at its clock.
constexpr int kStepsPerRun = 256;

}  // namespace

struct Vcpu::State {
  State(AddressSpace& guest_memory, CpuMode mode, TranslationMemo* memo)
      : memory(guest_memory),
        decoder(memory, mode, memo),
        float_environment(cpu),
        facts(cpu, decoder),
        runner(memory, cpu, decoder, float_environment, facts, GuardHandler()),
        width_mask(mode == CpuMode::kLong64 ? ~std::uint64_t{0} : 0xffff'ffff) {
    cpu.mode = mode;
    ResetSegments(cpu);
  }

  bool IsStepped() const { return (cpu.other_flags & kSteppedFlags) != 0; }
  bool NextIsMisaligned();
  bool HasGathered(const std::array<VectorRegister, 16>& before);
  Stop Step(bool traps);
  void Finish(Stop& stop);
  Stop RunStepping(std::uint64_t budget);
  MemoryAccess FaultingAccess(GuestAddr address);
  void JudgeAddress(Stop& stop);
  void FinishFault(const Stop& stop);
  bool ReadsWhatItWrites(GuestAddr rip);

  AddressSpace& memory;
  Cpu cpu;
  Decoder decoder;
  FloatEnvironment float_environment;
  Facts facts;
  Runner runner;
  const std::uint64_t width_mask;  // of the general registers
  bool traps_in_part = false;      // the single step that is about to be told left its instruction
};

struct ThreadContext::State {
  ThreadState thread;
  GuestAddr rip = 0;
};

ThreadContext::ThreadContext() : state_(std::make_unique<State>()) {}
ThreadContext::~ThreadContext() = default;
ThreadContext::ThreadContext(const ThreadContext& other)
    : state_(std::make_unique<State>(*other.state_)) {}
ThreadContext& ThreadContext::operator=(const ThreadContext& other) {
  *state_ = *other.state_;
  return *this;
}
Vcpu::Vcpu(AddressSpace& memory, CpuMode mode, TranslationMemo* memo)
    : state_(std::make_unique<State>(memory, mode, memo)) {}
Vcpu::~Vcpu() = default;

bool Vcpu::State::NextIsMisaligned() {
  Instruction instruction;
  if (!decoder.DecodeAt(cpu.rip, instruction)) return false;
  if (!ChecksAlignmentInVain(cpu, memory, instruction)) return false;
  CutStringAddresses(cpu, instruction);
  return true;
}

// Has the instruction, a gather that faults, taken elements since the registers were those of
// `before`? Its mask loses the sign of each (vex_gather.h).
bool Vcpu::State::HasGathered(const std::array<VectorRegister, 16>& before) {
  Instruction instruction;
  if (!decoder.DecodeAt(cpu.rip, instruction)) return false;
  const ZydisDecodedOperand& indexed = instruction.operands[1];
  const bool is_gather = IsMemory(indexed) && indexed.mem.type == ZYDIS_MEMOP_TYPE_VSIB;
  if (!is_gather) return false;
  const std::uint8_t mask = VectorIndex(instruction.operands[2].reg.value);
  const std::size_t element_bytes = instruction.operands[0].element_size / 8;
  for (std::size_t i = element_bytes - 1; i < instruction.operands[0].size / 8;
       i += element_bytes) {
    constexpr std::byte kSign{0x80};
    const std::byte lost = before[mask].bytes[i] & ~cpu.vector[mask].bytes[i];
    if ((lost & kSign) != std::byte{0}) return true;
  }
  return false;
}

// One instruction, with what TF and AC ask for: Intel SDM vol. 3B, 17.3.1.4, and vol. 3A, 6.15,
// #AC.
Stop Vcpu::State::Step(bool traps) {
  if ((cpu.other_flags & kAc) != 0 && NextIsMisaligned()) {
    return Stop{.kind = StopKind::kException, .exception = ExceptionKind::kAlignmentCheck};
  }
  const Icount before = runner.icount();
  cpu.stack_segment_loaded = false;
  const std::array<VectorRegister, 16> vectors_before = cpu.vector;
  Stop stop = runner.Run(1);
  // What a gather has loaded before it faults is trapped instead of the fault, and RF is set as by
  // that (vol. 2C, VGATHERDPS).
  traps_in_part = traps && stop.kind == StopKind::kMemoryFault && HasGathered(vectors_before);
  if (traps_in_part) {
    return Stop{.kind = StopKind::kException, .exception = ExceptionKind::kSingleStep};
  }
  const bool went_on = stop.kind == StopKind::kBudget || stop.kind == StopKind::kYield;
  if (!traps || !went_on || runner.icount() == before) return stop;
  // Whoever loads SS may load RSP before a trap; of several in a row only the first (vol.
  // 3A, 6.8.3).
  cpu.trap_withheld = cpu.stack_segment_loaded && !cpu.trap_withheld;
  if (cpu.trap_withheld) return stop;
  return Stop{.kind = StopKind::kException, .exception = ExceptionKind::kSingleStep};
}

Stop Vcpu::State::RunStepping(std::uint64_t budget) {
  const Icount end = runner.icount() + budget;
  for (int i = 0; i < kStepsPerRun; ++i) {
    if (runner.icount() == end) return Stop{.kind = StopKind::kBudget};
    const Stop stop = Step((cpu.other_flags & kTf) != 0);
    if (stop.kind != StopKind::kBudget) return stop;
    if (!IsStepped()) break;
  }
  return Stop{.kind = runner.icount() == end ? StopKind::kBudget : StopKind::kYield};
}

// The access that faults, as far as operands tell of it.
MemoryAccess Vcpu::State::FaultingAccess(GuestAddr address) {
  Instruction instruction;
  if (!decoder.DecodeAt(cpu.rip, instruction)) return {};
  for (const MemoryAccess& access : AccessesOf(cpu, instruction)) {
    if (address - access.address < access.size_bytes) return access;
  }
  // An element of a gather.
  const auto operands = std::span(instruction.operands).first(instruction.decoded.operand_count);
  const bool on_stack = std::ranges::any_of(operands, [](const ZydisDecodedOperand& operand) {
    return IsMemory(operand) && operand.mem.type == ZYDIS_MEMOP_TYPE_VSIB &&
           operand.mem.segment == ZYDIS_REGISTER_SS;
  });
  return {.on_stack = on_stack};
}

// #GP or #SS instead of #PF, where the address is none or beyond a segment.
void Vcpu::State::JudgeAddress(Stop& stop) {
  const bool is_fetch = stop.memory.access == Access::kExecute;
  const GuestAddr first = is_fetch ? stop.memory.address : cpu.miss.address;
  const GuestAddr last = is_fetch ? first : first + (cpu.miss.size_bytes - 1);
  const bool is_address = IsCanonical(first) && IsCanonical(last);
  if (is_address && (is_fetch || cpu.mode == CpuMode::kLong64)) return;
  const MemoryAccess access = is_fetch ? MemoryAccess{} : FaultingAccess(first);
  if (is_address && !access.beyond_limit) return;
  stop.kind = StopKind::kException;
  stop.exception = access.on_stack ? ExceptionKind::kStackFault : ExceptionKind::kGeneralProtection;
}

// Whatever is only known once an instruction has faulted.
void Vcpu::State::FinishFault(const Stop& stop) {
  Instruction instruction;
  const bool is_fetch =
      stop.kind == StopKind::kMemoryFault && stop.memory.access == Access::kExecute;
  if (!is_fetch && decoder.DecodeAt(cpu.rip, instruction)) {
    StoreBeforeFault(cpu, memory, instruction);
  }
}

bool Vcpu::State::ReadsWhatItWrites(GuestAddr rip) {
  Instruction instruction;
  if (!decoder.DecodeAt(rip, instruction)) return false;
  const auto operands = std::span(instruction.operands).first(instruction.decoded.operand_count);
  return std::ranges::any_of(operands, [](const ZydisDecodedOperand& operand) {
    return IsMemory(operand) && (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0 &&
           (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
  });
}

// What has to be said of a stop before others see it.
void Vcpu::State::Finish(Stop& stop) {
  const bool is_protection =
      stop.kind == StopKind::kException && stop.exception == ExceptionKind::kGeneralProtection;
  if (stop.kind == StopKind::kMemoryFault || is_protection) JudgeAddress(stop);
  cpu.resumes_fault = IsFault(stop) || std::exchange(traps_in_part, false);
  if (IsFault(stop)) FinishFault(stop);
  const bool names_instruction =
      stop.kind == StopKind::kException && (stop.exception == ExceptionKind::kNotImplemented ||
                                            stop.exception == ExceptionKind::kInvalidOpcode);
  if (names_instruction) stop.instruction = decoder.Describe(cpu.rip);
}

Stop Vcpu::Run(std::uint64_t budget) {
  Stop stop = state_->IsStepped() ? state_->RunStepping(budget) : state_->runner.Run(budget);
  state_->Finish(stop);
  return stop;
}

Stop Vcpu::Step() {
  Stop stop = state_->Step(/*traps=*/true);
  state_->Finish(stop);
  return stop;
}

void Vcpu::SetBreakpoint(GuestAddr address) { state_->runner.SetBreakpoint(address); }
void Vcpu::ClearBreakpoint(GuestAddr address) { state_->runner.ClearBreakpoint(address); }
std::optional<DebugStop> Vcpu::TakeDebugStop() {
  const auto stop = state_->runner.TakeDebugStop();
  const bool counts =
      stop && (!stop->hit.if_it_reads || state_->ReadsWhatItWrites(stop->instruction));
  return counts ? stop : std::nullopt;
}
void Vcpu::PassBreakpoint() { state_->runner.PassBreakpoint(); }

bool Vcpu::IsRepeating() {
  constexpr ZydisInstructionAttributes kRepeats =
      ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;
  Instruction instruction;
  return state_->decoder.DecodeAt(state_->cpu.rip, instruction) &&
         instruction.decoded.meta.category == ZYDIS_CATEGORY_STRINGOP &&
         (instruction.decoded.attributes & kRepeats) != 0;
}

void Vcpu::Nudge() { state_->runner.Nudge(); }

Icount Vcpu::icount() const { return state_->runner.icount(); }

void Vcpu::Save(ThreadContext& context) const {
  context.state_->thread = state_->cpu;
  context.state_->rip = state_->cpu.rip;
}
void Vcpu::Load(const ThreadContext& context) {
  static_cast<ThreadState&>(state_->cpu) = context.state_->thread;
  state_->cpu.rip = context.state_->rip;
}

Registers Vcpu::Get() const {
  const Cpu& cpu = state_->cpu;
  Registers registers;
  std::copy_n(cpu.gpr.begin(), registers.gpr.size(), registers.gpr.begin());
  registers.rip = cpu.rip;
  registers.rflags = ReadRflags(cpu) | FlagIf(cpu.resumes_fault, kRf);
  if (cpu.repeating_at == cpu.rip) {
    registers.rflags = (registers.rflags & ~kStatusFlags) | cpu.flags_before_repeat.Materialise();
  }
  registers.fs_base = cpu.segment_base[0];
  registers.gs_base = cpu.segment_base[1];
  return registers;
}

void Vcpu::Set(const Registers& registers) {
  Cpu& cpu = state_->cpu;
  std::ranges::transform(registers.gpr, cpu.gpr.begin(),
                         [this](std::uint64_t value) { return value & state_->width_mask; });
  SetRip(registers.rip);
  WriteRflags(cpu, registers.rflags);
  SetFsBase(registers.fs_base);
  SetGsBase(registers.gs_base);
}

std::uint64_t Vcpu::gpr(Gpr index) const { return state_->cpu.gpr[index]; }
std::span<const std::uint64_t, 16> Vcpu::gprs() const {
  return std::span(state_->cpu.gpr).first<16>();
}
void Vcpu::SetGpr(Gpr index, std::uint64_t value) {
  state_->cpu.gpr[index] = value & state_->width_mask;
}
GuestAddr Vcpu::rip() const { return state_->cpu.rip; }
void Vcpu::SetRip(GuestAddr rip) {
  state_->cpu.rip = rip & state_->width_mask;
  state_->cpu.repeating_at = kNotRepeating;
  state_->cpu.resumes_fault = false;
}
void Vcpu::SetFsBase(std::uint64_t base) {
  state_->cpu.segment_base[0] = base & state_->width_mask;
  UpdateSegments(state_->cpu);
}
void Vcpu::SetGsBase(std::uint64_t base) {
  state_->cpu.segment_base[1] = base & state_->width_mask;
  UpdateSegments(state_->cpu);
}

CpuMode Vcpu::mode() const { return state_->cpu.mode; }
std::uint16_t Vcpu::selector(SegmentRegister reg) const { return state_->cpu.selector[reg]; }
bool Vcpu::LoadSegment(SegmentRegister reg, std::uint16_t selector) {
  return reg != kCs && !x86::LoadSegment(state_->cpu, reg, selector);
}
std::uint64_t Vcpu::TlsDescriptor(std::size_t index) const { return state_->cpu.tls[index]; }
void Vcpu::SetTlsDescriptor(std::size_t index, std::uint64_t descriptor) {
  state_->cpu.tls[index] = descriptor;
}

void Vcpu::SaveFx(FxsaveArea& area) const {
  area = {};
  SaveFxImage(state_->cpu, area.data());
}
bool Vcpu::RestoreFx(const FxsaveArea& area) { return RestoreFxImage(state_->cpu, area.data()); }

VectorRegisters Vcpu::GetVectors() const {
  VectorRegisters vectors;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    vectors[i] = ReadVector<VectorRegisters::value_type>(state_->cpu, static_cast<std::uint8_t>(i));
  }
  return vectors;
}
void Vcpu::SetVectors(const VectorRegisters& vectors) {
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    WriteVector(state_->cpu, static_cast<std::uint8_t>(i), vectors[i]);
  }
}

void Vcpu::SaveXstate(XsaveArea& area) const {
  area = {};
  XSavePlan(state_->cpu, XSaveKind::kStandard, kXcr0).Write(state_->cpu, area.data());
}
bool Vcpu::RestoreXstate(const XsaveArea& area, std::uint64_t wanted) {
  XHeader header;
  std::memcpy(&header, &area[kXHeaderAt], sizeof(header));
  return header.IsValid() && XRestore(state_->cpu, header, wanted & kXcr0, area.data());
}

void Vcpu::ResetFx() {
  const ThreadState fresh;
  state_->cpu.x87 = fresh.x87;
  state_->cpu.mxcsr = fresh.mxcsr;
  state_->cpu.vector = fresh.vector;
}

std::uint32_t Vcpu::UnmaskedFloatExceptions() const {
  const Cpu& cpu = state_->cpu;
  const std::uint32_t sse = cpu.mxcsr & ~(cpu.mxcsr >> 7) & kMxcsrFlags;
  return sse != 0 ? sse : cpu.x87.StatusWord() & ~std::uint32_t{cpu.x87.control} & kMxcsrFlags;
}

void Vcpu::SetTscOffset(std::uint64_t offset) { state_->cpu.tsc_offset = offset; }

}  // namespace glovebox::engine::x86
