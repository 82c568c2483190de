// Frames of x86-64 programs: struct rt_sigframe. System V ABI x86-64, 3.2.2 (red zone).
#include <span>

#include "engine/linux/signal_frame_parts.h"

namespace glovebox::engine {
namespace {

using abi::x86_64::Sigcontext;
using abi::x86_64::SignalFrame;
using x86::Registers;

// uapi/asm/ucontext.h: the float state is an XSAVE image, ss is saved and restored.
constexpr std::uint64_t kUcFlags = 1 | 2 | 4;
constexpr std::uint16_t kUserCs = 0x33, kUserSs = 0x2b;
constexpr std::uint64_t kCallBytes = 8;  // what a call would have pushed
constexpr FrameShape kShape{128, 0, sizeof(SignalFrame), kCallBytes};

// In the order of Registers::gpr.
constexpr std::uint64_t Sigcontext::* kGprs[16] = {
    &Sigcontext::ax,  &Sigcontext::cx,  &Sigcontext::dx,  &Sigcontext::bx,
    &Sigcontext::sp,  &Sigcontext::bp,  &Sigcontext::si,  &Sigcontext::di,
    &Sigcontext::r8,  &Sigcontext::r9,  &Sigcontext::r10, &Sigcontext::r11,
    &Sigcontext::r12, &Sigcontext::r13, &Sigcontext::r14, &Sigcontext::r15};

}  // namespace

bool PushFrameX86_64(Task& task, const Sigaction& action, const abi::Siginfo& info) {
  // Linux on x86-64 has no return code of its own for handlers.
  if ((action.flags & kSaRestorer) == 0) return false;
  const Registers before = task.cpu().Get();
  const auto place = PlaceFrame(task, action, before.gpr[x86::kRsp], kShape);
  if (!place) return false;

  SignalFrame frame{};
  frame.return_address = action.restorer;
  frame.context.flags = kUcFlags;
  frame.context.stack = task.signals.alternate;
  Sigcontext& saved = frame.context.context;
  for (std::size_t i = 0; i < before.gpr.size(); ++i) saved.*kGprs[i] = before.gpr[i];
  saved.ip = before.rip;
  saved.flags = before.rflags;
  saved.cs = kUserCs;
  saved.ss = kUserSs;
  saved.error = task.last_trap.error;
  saved.trap_number = task.last_trap.number;
  saved.cr2 = task.last_trap.address;
  saved.old_mask = MaskForFrame(task);
  saved.fpstate = place->float_state;
  frame.context.mask = MaskForFrame(task);
  frame.info = info;
  const abi::FloatFrame floats = SaveFloat(task.cpu(), kShape.legacy_float_bytes);
  const auto float_bytes = std::as_bytes(std::span(&floats, 1)).first(abi::kFloatFrameBytes);
  if (!task.memory().WriteBytes(place->xsave, float_bytes) ||
      !task.memory().WriteBytes(place->frame, std::as_bytes(std::span(&frame, 1)))) {
    return false;
  }

  Registers after = before;
  after.rip = action.handler;
  after.gpr[x86::kRsp] = place->frame;
  after.gpr[x86::kRdi] = static_cast<std::uint64_t>(info.signal);
  after.gpr[x86::kRsi] = place->frame + offsetof(SignalFrame, info);
  after.gpr[x86::kRdx] = place->frame + offsetof(SignalFrame, context);
  after.gpr[x86::kRax] = 0;
  after.rflags &= ~std::uint64_t{x86::kDf | x86::kTf};
  task.cpu().Set(after);
  EnterHandler(task, action, info.signal);
  return true;
}

bool PopFrameX86_64(Task& task) {
  // The handler's return popped return_address.
  const GuestAddr address = task.cpu().gpr(x86::kRsp) - kCallBytes;
  const auto frame = task.memory().Read(GuestPtr<const SignalFrame>{address});
  if (!frame) return false;
  const Sigcontext& saved = frame->context.context;
  if (saved.cs != kUserCs) return false;
  if (saved.fpstate == 0) {
    task.cpu().ResetFx();
  } else {
    const auto floats = ReadFloat(task, saved.fpstate);
    if (saved.fpstate % 64 != 0 || !floats || !RestoreFloat(task.cpu(), *floats)) return false;
  }
  Registers registers = task.cpu().Get();
  for (std::size_t i = 0; i < registers.gpr.size(); ++i) registers.gpr[i] = saved.*kGprs[i];
  registers.rip = saved.ip;
  registers.rflags = saved.flags;
  task.cpu().Set(registers);
  task.signals.SetBlocked(frame->context.mask);
  RestoreStack(task, frame->context.stack);
  return true;
}

}  // namespace glovebox::engine
