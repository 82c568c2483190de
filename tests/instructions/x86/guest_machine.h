// Our CPU behind the same face as the host's (native_machine.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "engine/isa/x86/vcpu.h"
#include "engine/memory/address_space.h"
#include "engine/memory/meter.h"
#include "tests/instructions/x86/machine_state.h"

namespace glovebox::engine::x86 {

// Between a Vcpu and the state that tests look at. Memory, endings and fs_base and gs_base in
// 32-bit mode, which follow from the selectors, are not touched.
void LoadState(Vcpu& vcpu, const MachineState& state);
void StoreState(const Vcpu& vcpu, MachineState& state);
// Entries of the descriptor table that kTlsSelectors name.
void SetTlsDescriptors(Vcpu& vcpu);

class GuestMachine {
 public:
  explicit GuestMachine(CpuMode mode);

  void SetImage(const DataImage& image);
  // Says that a run has written to it, so that it is put right before the next one. Runs with
  // patches know it themselves.
  void MarkDataChanged() { is_data_changed_ = true; }
  void Place(std::uint64_t rip, std::span<const std::uint8_t> code);
  // Runs the code from `state`, one instruction at a time or in blocks, until rip is at an INT3 or
  // something else ends it; then `state` is what it left. A program that goes on for more than
  // 20,000 instructions ends as kOther.
  void Run(MachineState& state, std::span<const Patch> patches, bool in_blocks);
  std::span<const std::uint8_t> data() const;

  // Instructions that the last run retired, without the INT3.
  std::uint64_t retired() const { return retired_; }
  // The instruction that ended the last run with kNotImplemented.
  const InstructionReport& missing() const { return missing_; }

 private:
  Ending RunToEnd(bool in_blocks, MachineState& state);
  void PrepareData(std::span<const Patch> patches);

  MemoryMeter meter_;
  std::unique_ptr<AddressSpace> memory_;
  std::unique_ptr<Vcpu> vcpu_;
  DataImage image_{};
  bool is_data_changed_ = false;
  std::uint64_t placed_at_ = kCodeAddress;
  std::size_t placed_bytes_ = 0;
  std::uint64_t retired_ = 0;
  InstructionReport missing_;
};

}  // namespace glovebox::engine::x86
