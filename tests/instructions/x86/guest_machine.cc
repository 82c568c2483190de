#include "tests/instructions/x86/guest_machine.h"

#include <cstring>

#include "engine/base/check.h"

namespace glovebox::engine::x86 {
namespace {

constexpr std::uint64_t kMemoryLimit = 64_MiB;
constexpr std::uint64_t kInstructionLimit = 20'000;

const std::array<std::uint8_t, kCodeBytes> kTraps = [] {
  std::array<std::uint8_t, kCodeBytes> traps;
  traps.fill(kInt3);
  return traps;
}();

constexpr SegmentRegister kSetSegments[] = {kEs, kSs, kDs, kFs, kGs};

// A data segment of user mode, 32-bit, 4 GiB: Intel SDM vol. 3A, 3.4.5.
constexpr std::uint64_t DataDescriptor(std::uint32_t base) {
  // Linux sets AVL for what set_thread_area(2) calls useable.
  constexpr std::uint64_t kFlatWritable = 0x00DFF3000000FFFF;
  return kFlatWritable | std::uint64_t{base & 0xFFFFFF} << 16 | std::uint64_t{base >> 24} << 56;
}

void Map(AddressSpace& memory, std::uint64_t address, std::uint64_t size_bytes,
         std::uint8_t protection) {
  MapRequest request;
  request.address = address;
  request.size_bytes = size_bytes;
  request.protection = protection;
  request.fixed = true;
  GB_CHECK(memory.Map(request).has_value());
}

Ending EndingOf(ExceptionKind kind) {
  switch (kind) {
    case ExceptionKind::kDivideError:
      return Ending::kDivideError;
    case ExceptionKind::kSingleStep:
      return Ending::kSingleStep;
    case ExceptionKind::kOverflow:
      return Ending::kOverflow;
    case ExceptionKind::kInvalidOpcode:
      return Ending::kInvalidOpcode;
    case ExceptionKind::kGeneralProtection:
      return Ending::kGeneralProtection;
    case ExceptionKind::kBoundRange:
      return Ending::kBound;
    case ExceptionKind::kStackFault:
      return Ending::kStackFault;
    case ExceptionKind::kSegmentNotPresent:
      return Ending::kSegmentNotPresent;
    case ExceptionKind::kAlignmentCheck:
      return Ending::kAlignmentCheck;
    case ExceptionKind::kFloatingPoint:
      return Ending::kFloatingPoint;
    case ExceptionKind::kNotImplemented:
      return Ending::kNotImplemented;
    default:
      return Ending::kOther;
  }
}

}  // namespace

void LoadState(Vcpu& vcpu, const MachineState& state) {
  for (const SegmentRegister reg : kSetSegments) {
    if (vcpu.selector(reg) != state.selectors[reg]) {
      GB_CHECK(vcpu.LoadSegment(reg, state.selectors[reg]));
    }
  }
  Registers registers = vcpu.Get();
  registers.gpr = state.gpr;
  registers.rip = state.rip;
  registers.rflags = state.rflags;
  if (vcpu.mode() == CpuMode::kLong64) {
    registers.fs_base = state.fs_base;
    registers.gs_base = state.gs_base;
  }
  vcpu.Set(registers);
  alignas(64) FxsaveArea area_fx{};
  std::memcpy(area_fx.data(), &state.fx, sizeof(state.fx));
  GB_CHECK(vcpu.RestoreFx(area_fx));
  VectorRegisters vectors;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    const auto& low = state.fx.xmm[i];
    const auto& high = state.ymm_high[i];
    vectors[i] = {low[0], low[1], high[0], high[1]};
  }
  vcpu.SetVectors(vectors);
}

void StoreState(const Vcpu& vcpu, MachineState& state) {
  const Registers registers = vcpu.Get();
  state.gpr = registers.gpr;
  state.rip = registers.rip;
  state.rflags = registers.rflags;
  state.fs_base = registers.fs_base;
  state.gs_base = registers.gs_base;
  for (const SegmentRegister reg : kSetSegments) state.selectors[reg] = vcpu.selector(reg);
  alignas(64) FxsaveArea area_fx;
  vcpu.SaveFx(area_fx);
  std::memcpy(&state.fx, area_fx.data(), sizeof(state.fx));
  const VectorRegisters vectors = vcpu.GetVectors();
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    state.ymm_high[i] = {vectors[i][2], vectors[i][3]};
  }
}

void SetTlsDescriptors(Vcpu& vcpu) {
  for (std::size_t i = 0; i < std::size(kTlsBases); ++i) {
    vcpu.SetTlsDescriptor(i, DataDescriptor(kTlsBases[i]));
  }
}

GuestMachine::GuestMachine(CpuMode mode) : meter_(kMemoryLimit) {
  auto memory = AddressSpace::Make({.window_bytes = 4_GiB}, meter_);
  GB_CHECK(memory.has_value());
  memory_ = std::move(*memory);
  Map(*memory_, kDataAddress, kWritableBytes, kProtRead | kProtWrite);
  Map(*memory_, kDataAddress + kWritableBytes, kDataBytes - kWritableBytes, kProtRead);
  Map(*memory_, kCodeAddress, kCodeBytes, kProtRead | kProtExec);
  GB_CHECK(memory_->Poke(kCodeAddress, std::as_bytes(std::span(kTraps))) == kTraps.size());
  vcpu_ = std::make_unique<Vcpu>(*memory_, mode);
  SetTlsDescriptors(*vcpu_);
  SetImage(image_);
}

void GuestMachine::SetImage(const DataImage& image) {
  image_ = image;
  GB_CHECK(memory_->Poke(kDataAddress, std::as_bytes(std::span(image_))) == kDataBytes);
  is_data_changed_ = false;
}

void GuestMachine::Place(std::uint64_t rip, std::span<const std::uint8_t> code) {
  GB_CHECK(rip >= kCodeAddress && rip + code.size() < kCodeAddress + kCodeBytes);
  if (placed_bytes_ != 0) {
    const auto traps = std::as_bytes(std::span(kTraps)).first(placed_bytes_);
    GB_CHECK(memory_->Poke(placed_at_, traps) == traps.size());
  }
  GB_CHECK(memory_->Poke(rip, std::as_bytes(code)) == code.size());
  placed_at_ = rip;
  placed_bytes_ = code.size();
}

std::span<const std::uint8_t> GuestMachine::data() const {
  return {reinterpret_cast<const std::uint8_t*>(memory_->base()) + kDataAddress, kDataBytes};
}

Ending GuestMachine::RunToEnd(bool in_blocks, MachineState& state) {
  const std::uint64_t start = vcpu_->icount();
  for (;;) {
    const std::uint64_t rip = vcpu_->rip();
    if (rip - kCodeAddress < kCodeBytes &&
        static_cast<std::uint8_t>(memory_->base()[rip]) == kInt3) {
      return Ending::kReachedInt3;
    }
    if (vcpu_->icount() - start >= kInstructionLimit) return Ending::kOther;
    const Stop stop = vcpu_->Run(in_blocks ? kInstructionLimit : 1);
    switch (stop.kind) {
      case StopKind::kBudget:
      case StopKind::kYield:
        continue;
      case StopKind::kMemoryFault:
        state.fault_address = stop.memory.address;
        state.fault_access = stop.memory.access;
        return Ending::kPageFault;
      case StopKind::kException:
        if (stop.exception == ExceptionKind::kBreakpoint) {
          vcpu_->SetRip(vcpu_->rip() - 1);
          --retired_;
          return Ending::kReachedInt3;
        }
        missing_ = stop.instruction;
        return EndingOf(stop.exception);
      default:
        return Ending::kOther;
    }
  }
}

// The pages are charged and hold no code, so the window may be written as a guest would.
void GuestMachine::PrepareData(std::span<const Patch> patches) {
  auto* const area = reinterpret_cast<std::uint8_t*>(memory_->base()) + kDataAddress;
  if (is_data_changed_) std::memcpy(area, image_.data(), kWritableBytes);
  is_data_changed_ = !patches.empty();
  Apply(patches, {area, kDataBytes});
}

void GuestMachine::Run(MachineState& state, std::span<const Patch> patches, bool in_blocks) {
  PrepareData(patches);
  LoadState(*vcpu_, state);
  const std::uint64_t start = vcpu_->icount();
  retired_ = 0;
  state.ending = RunToEnd(in_blocks, state);
  retired_ += vcpu_->icount() - start;

  StoreState(*vcpu_, state);
}

}  // namespace glovebox::engine::x86
