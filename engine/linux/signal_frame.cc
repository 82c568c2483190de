#include "engine/linux/signal_frame.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "engine/linux/signal_frame_parts.h"

namespace glovebox::engine {
namespace {

constexpr std::int32_t kOnStack = 1, kDisable = 2;
constexpr auto kAutoDisarm = static_cast<std::int32_t>(0x80000000);
constexpr std::uint64_t kMinStackBytes = 2048;  // MINSIGSTKSZ

bool Contains(const abi::SignalStack& stack, GuestAddr stack_pointer) {
  return stack_pointer > stack.pointer && stack_pointer - stack.pointer <= stack.size;
}

// A stack that is disarmed on entry cannot be in use: include/linux/sched/signal.h, on_sig_stack.
bool IsOnStack(const Task& task, GuestAddr stack_pointer) {
  const abi::SignalStack& stack = task.signals.alternate;
  return (stack.flags & kAutoDisarm) == 0 && Contains(stack, stack_pointer);
}

// XRSTOR refuses these: Intel SDM vol. 1, 13.8.
bool IsSound(const abi::XsaveHeader& header) {
  return (header.present & ~abi::kXsaveFeatures) == 0 && header.compacted == 0 &&
         header.reserved == decltype(header.reserved){};
}

}  // namespace

bool PushSignalFrame(Task& task, const Sigaction& action, const abi::Siginfo& info) {
  return task.program->abi == abi::AbiId::kI386 ? PushFrameI386(task, action, info)
                                                : PushFrameX86_64(task, action, info);
}

bool PopSignalFrame(Task& task, FrameKind kind) {
  // A call of the other ABI finds no frame of its own.
  if (task.call->abi != task.program->abi) return false;
  return task.program->abi == abi::AbiId::kI386 ? PopFrameI386(task, kind) : PopFrameX86_64(task);
}

abi::SignalStack AlternateStack(const Task& task, GuestAddr stack_pointer) {
  abi::SignalStack stack = task.signals.alternate;
  const std::int32_t use = stack.size == 0                  ? kDisable
                           : IsOnStack(task, stack_pointer) ? kOnStack
                                                            : 0;
  stack.flags = use | (stack.flags & kAutoDisarm);
  return stack;
}

Result<void, Errno> SetAlternateStack(Task& task, const abi::SignalStack& to,
                                      GuestAddr stack_pointer) {
  if (IsOnStack(task, stack_pointer)) return std::unexpected(kEPERM);
  const std::int32_t mode = to.flags & ~kAutoDisarm;
  if (mode != 0 && mode != kOnStack && mode != kDisable) return std::unexpected(kEINVAL);
  if (mode == kDisable) {
    task.signals.alternate = {0, to.flags, 0, 0};
    return {};
  }
  if (to.size < kMinStackBytes) return std::unexpected(kENOMEM);
  task.signals.alternate = {to.pointer, to.flags, 0, to.size};
  return {};
}

std::optional<FramePlace> PlaceFrame(const Task& task, const Sigaction& action,
                                     GuestAddr stack_pointer, const FrameShape& shape) {
  const abi::SignalStack& alternate = task.signals.alternate;
  GuestAddr at = stack_pointer - shape.red_zone_bytes;
  const bool nested = IsOnStack(task, stack_pointer);
  const bool enters = (action.flags & kSaOnStack) != 0 && alternate.size != 0 && !nested;
  if (enters) at = alternate.pointer + alternate.size;
  FramePlace place{};
  place.xsave = (at - abi::kFloatFrameBytes) & ~GuestAddr{63};
  place.float_state = place.xsave - shape.legacy_float_bytes;
  place.frame =
      ((place.float_state - shape.frame_bytes + shape.alignment_offset) & ~GuestAddr{15}) -
      shape.alignment_offset;
  if ((nested || enters) && !Contains(alternate, place.frame)) return std::nullopt;
  return place;
}

abi::FloatFrame SaveFloat(const x86::Vcpu& cpu, std::uint64_t legacy_bytes) {
  abi::FloatFrame frame{};
  cpu.SaveFx(frame.fx);
  const abi::FloatMarks marks{abi::kFloatMagic,
                              static_cast<std::uint32_t>(abi::kFloatFrameBytes + legacy_bytes),
                              abi::kXsaveFeatures,
                              static_cast<std::uint32_t>(abi::kXsaveBytes),
                              {}};
  std::memcpy(frame.fx.data() + abi::kFloatMarksOffset, &marks, sizeof marks);
  frame.header.present = abi::kXsaveFeatures;
  const x86::VectorRegisters vectors = cpu.GetVectors();
  for (std::size_t i = 0; i < vectors.size(); ++i)
    frame.ymm_high[i] = {vectors[i][2], vectors[i][3]};
  frame.end_mark = abi::kFloatEndMagic;
  return frame;
}

std::optional<abi::FloatFrame> ReadFloat(Task& task, GuestAddr xsave) {
  abi::FloatFrame frame{};
  if (!task.memory().ReadBytes(xsave, frame.fx)) return std::nullopt;
  abi::FloatMarks marks{};
  std::memcpy(&marks, frame.fx.data() + abi::kFloatMarksOffset, sizeof marks);
  frame.header.present = abi::kXsaveX87 | abi::kXsaveSse;
  // arch/x86/kernel/fpu/signal.c, check_xstate_in_sigframe: where the marks do not hold, the rest
  // is taken to be in its initial state.
  if (marks.magic != abi::kFloatMagic || marks.image_size != abi::kXsaveBytes ||
      marks.image_size > marks.extended_size) {
    return frame;
  }
  const auto whole = std::as_writable_bytes(std::span(&frame, 1)).first(abi::kFloatFrameBytes);
  abi::FloatFrame extended{};
  const auto out = std::as_writable_bytes(std::span(&extended, 1)).first(whole.size());
  if (!task.memory().ReadBytes(xsave, out)) return std::nullopt;
  return extended.end_mark == abi::kFloatEndMagic ? extended : frame;
}

bool RestoreFloat(x86::Vcpu& cpu, const abi::FloatFrame& from) {
  if (!IsSound(from.header)) return false;
  // What is not present takes its initial state: Intel SDM vol. 1, 13.6.
  x86::FxsaveArea fx = from.fx;
  constexpr std::size_t kMxcsr = 24, kSt = 32, kXmm = 160, kEnd = 416;
  if ((from.header.present & abi::kXsaveX87) == 0) {
    constexpr std::uint16_t kInitialControl = 0x37f;
    std::fill_n(fx.begin(), kMxcsr, std::byte{0});
    std::fill(fx.begin() + kSt, fx.begin() + kXmm, std::byte{0});
    std::memcpy(fx.data(), &kInitialControl, sizeof kInitialControl);
  }
  if ((from.header.present & abi::kXsaveSse) == 0)
    std::fill(fx.begin() + kXmm, fx.begin() + kEnd, std::byte{0});
  if (!cpu.RestoreFx(fx)) return false;
  x86::VectorRegisters vectors = cpu.GetVectors();
  const bool avx = (from.header.present & abi::kXsaveAvx) != 0;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    vectors[i][2] = avx ? from.ymm_high[i][0] : 0;
    vectors[i][3] = avx ? from.ymm_high[i][1] : 0;
  }
  cpu.SetVectors(vectors);
  return true;
}

void RestoreStack(Task& task, const abi::SignalStack& stack) {
  // Linux ignores what sigaltstack(2) would refuse: kernel/signal.c, restore_altstack.
  static_cast<void>(SetAlternateStack(task, stack, task.cpu().gpr(x86::kRsp)));
}

SignalSet MaskForFrame(const Task& task) {
  return task.signals.saved_mask.value_or(task.signals.blocked());
}

void EnterHandler(Task& task, const Sigaction& action, int signal) {
  task.cpu().ResetFx();  // a handler owes nothing to the control words of whom it interrupts
  if ((task.signals.alternate.flags & kAutoDisarm) != 0)
    task.signals.alternate = {0, kDisable, 0, 0};
  task.signals.saved_mask.reset();
  SignalSet blocked = task.signals.blocked() | action.mask;
  if ((action.flags & kSaNoDefer) == 0) blocked |= SetOf(signal);
  task.signals.SetBlocked(blocked);
}

}  // namespace glovebox::engine
