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

// The image within the frame, as XSAVE has it.
x86::XsaveArea ImageOf(const abi::FloatFrame& frame) {
  x86::XsaveArea image;
  std::memcpy(image.data(), &frame, image.size());
  return image;
}

// Gives `features` their initial state, and leaves MXCSR alone but where SSE is among them.
void ResetFloat(x86::Vcpu& cpu, std::uint64_t features) {
  x86::XsaveArea image{};
  x86::FxsaveArea fx;
  cpu.SaveFx(fx);
  constexpr std::size_t kMxcsrAt = 24;  // Intel SDM vol. 1, table 10-2
  constexpr std::uint32_t kInitialMxcsr = 0x1f80;
  std::memcpy(&image[kMxcsrAt], &fx[kMxcsrAt], sizeof kInitialMxcsr);
  if ((features & abi::kXsaveSse) != 0)
    std::memcpy(&image[kMxcsrAt], &kInitialMxcsr, sizeof kInitialMxcsr);
  static_cast<void>(cpu.RestoreXstate(image, features));  // its own MXCSR is no wrong one
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
  x86::XsaveArea image;
  cpu.SaveXstate(image);
  std::memcpy(static_cast<void*>(&frame), image.data(), image.size());
  const abi::FloatMarks marks{abi::kFloatMagic,
                              static_cast<std::uint32_t>(abi::kFloatFrameBytes + legacy_bytes),
                              abi::kXsaveFeatures,
                              static_cast<std::uint32_t>(abi::kXsaveBytes),
                              {}};
  std::memcpy(frame.fx.data() + abi::kFloatMarksOffset, &marks, sizeof marks);
  // Handlers older than XSAVE look for x87 and SSE there in any case: save_xstate_epilog.
  frame.header.present |= abi::kXsaveX87 | abi::kXsaveSse;
  frame.end_mark = abi::kFloatEndMagic;
  return frame;
}

// arch/x86/kernel/fpu/signal.c, check_xstate_in_sigframe and __fpu_restore_sig.
std::optional<FloatRead> ReadFloat(Task& task, GuestAddr xsave) {
  constexpr std::uint64_t kLegacyFeatures = abi::kXsaveX87 | abi::kXsaveSse;
  constexpr std::uint32_t kLeastBytes = offsetof(abi::FloatFrame, ymm_high);
  FloatRead read{.frame = {}, .features = kLegacyFeatures, .is_legacy = true};
  abi::FloatFrame& frame = read.frame;
  if (!task.memory().ReadBytes(xsave, frame.fx)) return std::nullopt;
  frame.header.present = kLegacyFeatures;
  abi::FloatMarks marks{};
  std::memcpy(&marks, frame.fx.data() + abi::kFloatMarksOffset, sizeof marks);
  const bool is_marked = marks.magic == abi::kFloatMagic && marks.image_size >= kLeastBytes &&
                         marks.image_size <= abi::kXsaveBytes &&
                         marks.image_size <= marks.extended_size;
  if (!is_marked) return read;
  const auto end = task.memory().Read(GuestPtr<const std::uint32_t>{xsave + marks.image_size});
  if (!end) return std::nullopt;
  if (*end != abi::kFloatEndMagic) return read;
  const auto header = task.memory().Read(
      GuestPtr<const abi::XsaveHeader>{xsave + offsetof(abi::FloatFrame, header)});
  if (!header) return std::nullopt;
  frame.header = *header;
  read.features = marks.features & abi::kXsaveFeatures;
  read.is_legacy = false;
  // XRSTOR reads what is present and wanted, however short the image says that it is.
  if ((frame.header.present & read.features & abi::kXsaveAvx) == 0) return read;
  const auto upper = std::as_writable_bytes(std::span(frame.ymm_high));
  if (!task.memory().ReadBytes(xsave + kLeastBytes, upper)) return std::nullopt;
  return read;
}

bool RestoreFloat(x86::Vcpu& cpu, const FloatRead& from) {
  if (!cpu.RestoreXstate(ImageOf(from.frame), from.features)) return false;
  ResetFloat(cpu, abi::kXsaveFeatures & ~from.features);
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
