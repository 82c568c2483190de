// The oracle: runs bytes on the host's own CPU from a given state, and catches the state at their
// end.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "tests/instructions/x86/machine_state.h"

namespace glovebox::engine::x86 {

// One at a time in a process, single-threaded: it owns the signals by which guests end.
class NativeMachine {
 public:
  NativeMachine();
  ~NativeMachine();
  NativeMachine(const NativeMachine&) = delete;
  NativeMachine& operator=(const NativeMachine&) = delete;

  // Runs `code`, placed at state.rip within the code area, until an INT3 or an exception; then
  // `state` is what it left. The code must neither make system calls nor touch memory outside of
  // the areas of machine_state.h.
  void Run(std::span<const std::uint8_t> code, MachineState& state);

 private:
  void WriteReadOnlyPage(std::span<const std::uint8_t> bytes);

  std::unique_ptr<std::byte[]> signal_stack_;
  bool read_only_written_ = false;
};

}  // namespace glovebox::engine::x86
