// The oracle: runs bytes on the host's own CPU from a given state, and catches the state at their
// end.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "tests/instructions/x86/machine_state.h"

namespace glovebox::engine::x86 {

// One at a time in a process, single-threaded: it owns addresses below 4 GiB and the signals by
// which guests end.
class NativeMachine {
 public:
  NativeMachine();
  ~NativeMachine();
  NativeMachine(const NativeMachine&) = delete;
  NativeMachine& operator=(const NativeMachine&) = delete;

  // Does the host's kernel run 32-bit code?
  bool can_run_32bit() const { return can_run_32bit_; }
  // What the data area is to hold before runs.
  void SetImage(const DataImage& image);
  // Says that a run has written to it, so that it is put right before the next one. Runs with
  // patches know it themselves.
  void MarkDataChanged() { is_data_changed_ = true; }
  // Puts `code` at `rip` within the code area, in place of what was there.
  void Place(CpuMode mode, std::uint64_t rip, std::span<const std::uint8_t> code);
  // Runs the code from `state` until its end, an INT3 or an exception; then `state` is what it
  // left. The code must neither make system calls nor write outside of the data area.
  void Run(MachineState& state, std::span<const Patch> patches);
  // As the last run left it.
  std::span<const std::uint8_t> data() const;

 private:
  void PrepareData(std::span<const Patch> patches);
  std::unique_ptr<std::byte[]> signal_stack_;
  bool can_run_32bit_ = false;
  std::byte* writable_ = nullptr;  // data and code once more, both writable
  DataImage image_{};
  bool is_data_changed_ = false;
  CpuMode mode_ = CpuMode::kLong64;
  std::uint64_t placed_at_ = kCodeAddress;
  std::size_t placed_bytes_ = 0;
};

// "GenuineIntel family 6 model 207", by CPUID.
std::string HostCpuName();
// Is it of the family whose undefined flags are ours: AMD Zen?
bool HostIsReferenceFamily();

}  // namespace glovebox::engine::x86
