// What the frames of all ABIs have in common. For the signal_frame_*.cc alone.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/linux/abi/float_frame.h"
#include "engine/linux/abi/i386_signal.h"
#include "engine/linux/signal_frame.h"
#include "engine/linux/task.h"

namespace glovebox::engine {

// The frames themselves; see signal_frame.h.
bool PushFrameX86_64(Task& task, const Sigaction& action, const abi::Siginfo& info);
bool PopFrameX86_64(Task& task);
bool PushFrameI386(Task& task, const Sigaction& action, const abi::Siginfo& info);
bool PopFrameI386(Task& task, FrameKind kind);

// How a frame lies on the stack: get_sigframe and fpu__alloc_mathframe of Linux.
struct FrameShape {
  std::uint64_t red_zone_bytes;
  std::uint64_t legacy_float_bytes;  // before the XSAVE image
  std::uint64_t frame_bytes;
  // The frame's address plus this is a multiple of 16.
  std::uint64_t alignment_offset;
};
struct FramePlace {
  GuestAddr frame;
  GuestAddr float_state;  // with the legacy part, where there is one
  GuestAddr xsave;        // a multiple of 64
};
// Nothing where the alternate stack is too small.
std::optional<FramePlace> PlaceFrame(const Task& task, const Sigaction& action,
                                     GuestAddr stack_pointer, const FrameShape& shape);

// The x87, SSE and AVX state of the CPU. `legacy_bytes` as in FrameShape.
abi::FloatFrame SaveFloat(const x86::Vcpu& cpu, std::uint64_t legacy_bytes);

// What SaveFloat wrote, or a handler made of it.
struct FloatRead {
  abi::FloatFrame frame;
  std::uint64_t features;  // those that the marks want back; the others take their initial state
  bool is_legacy;          // the marks are gone: an FXSAVE image, and no header
};
std::optional<FloatRead> ReadFloat(Task& task, GuestAddr xsave);
// False, with nothing changed, where hardware would refuse it.
bool RestoreFloat(x86::Vcpu& cpu, const FloatRead& from);

// The alternate stack, as the frame holds it, comes back.
void RestoreStack(Task& task, const abi::SignalStack& stack);

// The mask that the frame holds.
SignalSet MaskForFrame(const Task& task);
// What changes beside the registers once a frame is written: masks, alternate stack, float state.
void EnterHandler(Task& task, const Sigaction& action, int signal);

}  // namespace glovebox::engine
