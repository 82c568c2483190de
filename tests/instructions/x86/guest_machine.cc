#include "tests/instructions/x86/guest_machine.h"

#include <cstring>

#include "engine/base/check.h"

namespace glovebox::engine::x86 {
namespace {

constexpr std::uint64_t kMemoryLimit = 64_MiB;
constexpr std::uint64_t kInstructionLimit = 100'000;

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
    case ExceptionKind::kInvalidOpcode:
      return Ending::kInvalidOpcode;
    case ExceptionKind::kGeneralProtection:
      return Ending::kGeneralProtection;
    case ExceptionKind::kFloatingPoint:
      return Ending::kFloatingPoint;
    case ExceptionKind::kNotImplemented:
      return Ending::kNotImplemented;
    default:
      return Ending::kOther;
  }
}

}  // namespace

GuestMachine::GuestMachine() : meter_(kMemoryLimit) {
  auto memory = AddressSpace::Make({.window_bytes = 4_GiB}, meter_);
  GB_CHECK(memory.has_value());
  memory_ = std::move(*memory);
  Map(*memory_, kDataAddress, kWritableBytes, kProtRead | kProtWrite);
  Map(*memory_, kDataAddress + kWritableBytes, kDataBytes - kWritableBytes, kProtRead);
  Map(*memory_, kCodeAddress, kCodeBytes, kProtRead | kProtExec);
  const std::vector<std::byte> traps(kCodeBytes, std::byte{kInt3});
  GB_CHECK(memory_->Poke(kCodeAddress, traps) == traps.size());
  vcpu_ = std::make_unique<Vcpu>(*memory_);
}

Ending GuestMachine::RunToEnd(bool in_blocks, std::uint64_t& fault_address) {
  const std::uint64_t start = vcpu_->icount();
  for (;;) {
    std::byte next{};
    if (memory_->Peek({&next, 1}, vcpu_->rip()) == 1 && next == std::byte{kInt3}) {
      return Ending::kReachedInt3;
    }
    if (vcpu_->icount() - start >= kInstructionLimit) return Ending::kOther;
    const Stop stop = vcpu_->Run(in_blocks ? kInstructionLimit : 1);
    switch (stop.kind) {
      case StopKind::kBudget:
      case StopKind::kYield:
        continue;
      case StopKind::kMemoryFault:
        fault_address = stop.memory.address;
        return Ending::kPageFault;
      case StopKind::kException:
        if (stop.exception == ExceptionKind::kBreakpoint) {
          vcpu_->SetRip(vcpu_->rip() - 1);
          return Ending::kReachedInt3;
        }
        missing_ = stop.instruction;
        return EndingOf(stop.exception);
      default:
        return Ending::kOther;
    }
  }
}

void GuestMachine::Run(std::span<const std::uint8_t> code, MachineState& state, bool in_blocks) {
  const std::uint64_t start = state.rip;
  GB_CHECK(memory_->Poke(start, std::as_bytes(code)) == code.size());
  GB_CHECK(memory_->Poke(kDataAddress, std::as_bytes(std::span(state.data))) == kDataBytes);

  Registers registers;
  registers.gpr = state.gpr;
  registers.rip = state.rip;
  registers.rflags = state.rflags;
  vcpu_->Set(registers);
  alignas(64) FxsaveArea area{};
  std::memcpy(area.data(), &state.fx, sizeof(state.fx));
  GB_CHECK(vcpu_->RestoreFx(area));

  state.ending = RunToEnd(in_blocks, state.fault_address);

  registers = vcpu_->Get();
  state.gpr = registers.gpr;
  state.rip = registers.rip;
  state.rflags = registers.rflags;
  vcpu_->SaveFx(area);
  std::memcpy(&state.fx, area.data(), sizeof(state.fx));
  GB_CHECK(memory_->Peek(std::as_writable_bytes(std::span(state.data)), kDataAddress) ==
           kDataBytes);

  const std::vector<std::uint8_t> traps(code.size(), kInt3);
  GB_CHECK(memory_->Poke(start, std::as_bytes(std::span(traps))) == traps.size());
}

}  // namespace glovebox::engine::x86
