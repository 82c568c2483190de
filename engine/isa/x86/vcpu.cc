#include "engine/isa/x86/vcpu.h"

#include <xmmintrin.h>

#include "engine/cpu/host_float.h"
#include "engine/cpu/runner.h"
#include "engine/isa/x86/cpu_state.h"
#include "engine/isa/x86/decoder.h"
#include "engine/isa/x86/fx_state.h"
#include "engine/isa/x86/mxcsr.h"
#include "engine/isa/x86/rflags.h"

namespace glovebox::engine::x86 {
namespace {

// Guest arithmetic runs on the host's SSE unit under the guest's MXCSR; sticky flags come back.
class FloatEnvironment final : public DispatchHooks {
 public:
  explicit FloatEnvironment(Cpu& cpu) : cpu_(cpu) {}
  void BeforeDispatch() override { _mm_setcsr(HostMxcsr(cpu_.mxcsr)); }
  void AfterDispatch() override {
    cpu_.mxcsr |= _mm_getcsr() & kMxcsrFlags;
    _mm_setcsr(kHostMxcsr);
  }

 private:
  Cpu& cpu_;
};

}  // namespace

struct Vcpu::State {
  explicit State(AddressSpace& memory)
      : decoder(memory), float_environment(cpu), runner(memory, cpu, decoder, float_environment) {}

  Cpu cpu;
  Decoder decoder;
  FloatEnvironment float_environment;
  Runner runner;
};

Vcpu::Vcpu(AddressSpace& memory) : state_(std::make_unique<State>(memory)) {}
Vcpu::~Vcpu() = default;

Stop Vcpu::Run(std::uint64_t budget) {
  Stop stop = state_->runner.Run(budget);
  // #GP instead of #PF.
  if (stop.kind == StopKind::kMemoryFault && !IsCanonical(stop.memory.address)) {
    stop.kind = StopKind::kException;
    stop.exception = ExceptionKind::kGeneralProtection;
  }
  const bool names_instruction =
      stop.kind == StopKind::kException && (stop.exception == ExceptionKind::kNotImplemented ||
                                            stop.exception == ExceptionKind::kInvalidOpcode);
  if (names_instruction) stop.instruction = state_->decoder.Describe(state_->cpu.rip);
  return stop;
}

void Vcpu::Nudge() { state_->runner.Nudge(); }

Icount Vcpu::icount() const { return state_->runner.icount(); }

Registers Vcpu::Get() const {
  const Cpu& cpu = state_->cpu;
  Registers registers;
  std::copy_n(cpu.gpr.begin(), registers.gpr.size(), registers.gpr.begin());
  registers.rip = cpu.rip;
  registers.rflags = ReadRflags(cpu);
  registers.fs_base = cpu.segment_base[1];
  registers.gs_base = cpu.segment_base[2];
  return registers;
}

void Vcpu::Set(const Registers& registers) {
  Cpu& cpu = state_->cpu;
  std::copy(registers.gpr.begin(), registers.gpr.end(), cpu.gpr.begin());
  cpu.rip = registers.rip;
  WriteRflags(cpu, registers.rflags);
  SetFsBase(registers.fs_base);
  SetGsBase(registers.gs_base);
}

std::uint64_t Vcpu::gpr(Gpr index) const { return state_->cpu.gpr[index]; }
void Vcpu::SetGpr(Gpr index, std::uint64_t value) { state_->cpu.gpr[index] = value; }
GuestAddr Vcpu::rip() const { return state_->cpu.rip; }
void Vcpu::SetRip(GuestAddr rip) { state_->cpu.rip = rip; }
void Vcpu::SetFsBase(std::uint64_t base) { state_->cpu.segment_base[1] = base; }
void Vcpu::SetGsBase(std::uint64_t base) { state_->cpu.segment_base[2] = base; }

void Vcpu::SaveFx(FxsaveArea& area) const {
  area = {};
  SaveFxImage(state_->cpu, area.data());
}
bool Vcpu::RestoreFx(const FxsaveArea& area) { return RestoreFxImage(state_->cpu, area.data()); }

VectorRegisters Vcpu::GetVectors() const {
  VectorRegisters vectors;
  for (std::uint8_t i = 0; i < vectors.size(); ++i) {
    vectors[i] = ReadVector<VectorRegisters::value_type>(state_->cpu, i);
  }
  return vectors;
}
void Vcpu::SetVectors(const VectorRegisters& vectors) {
  for (std::uint8_t i = 0; i < vectors.size(); ++i) WriteVector(state_->cpu, i, vectors[i]);
}

void Vcpu::ResetFx() {
  const Cpu fresh;
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
