#include "engine/linux/signal_frame.h"

#include <cstring>

namespace glovebox::engine {
namespace {

using abi::x86_64::SignalFrame;
using x86::Registers;

constexpr std::uint64_t kRedZoneBytes = 128;
constexpr std::uint64_t kUcSigcontextSs = 2, kUcStrictRestoreSs = 4;  // uapi/asm/ucontext.h
constexpr std::uint16_t kUserCs = 0x33, kUserSs = 0x2b;
constexpr std::int32_t kSsOnStack = 1, kSsDisable = 2;

// Names of registers in a Sigcontext, in the order of Registers::gpr.
constexpr std::uint64_t abi::x86_64::Sigcontext::* kContextGprs[16] = {
    &abi::x86_64::Sigcontext::ax,  &abi::x86_64::Sigcontext::cx,  &abi::x86_64::Sigcontext::dx,
    &abi::x86_64::Sigcontext::bx,  &abi::x86_64::Sigcontext::sp,  &abi::x86_64::Sigcontext::bp,
    &abi::x86_64::Sigcontext::si,  &abi::x86_64::Sigcontext::di,  &abi::x86_64::Sigcontext::r8,
    &abi::x86_64::Sigcontext::r9,  &abi::x86_64::Sigcontext::r10, &abi::x86_64::Sigcontext::r11,
    &abi::x86_64::Sigcontext::r12, &abi::x86_64::Sigcontext::r13, &abi::x86_64::Sigcontext::r14,
    &abi::x86_64::Sigcontext::r15};

}  // namespace

bool OnAlternateStack(const Task& task, GuestAddr stack_pointer) {
  const abi::SignalStack& stack = task.signals.alternate;
  return (stack.flags & kSsDisable) == 0 && stack_pointer > stack.pointer &&
         stack_pointer - stack.pointer <= stack.size;
}

bool PushSignalFrame(Task& task, const Sigaction& action, const abi::Siginfo& info) {
  // Linux on x86-64 has no return code of its own for handlers.
  if ((action.flags & kSaRestorer) == 0) return false;
  const Registers before = task.cpu().Get();
  GuestAddr stack = before.gpr[x86::kRsp] - kRedZoneBytes;
  const abi::SignalStack& alternate = task.signals.alternate;
  const bool was_on_alternate = OnAlternateStack(task, before.gpr[x86::kRsp]);
  const bool use_alternate =
      (action.flags & kSaOnStack) != 0 && (alternate.flags & kSsDisable) == 0;
  if (use_alternate && !was_on_alternate) stack = alternate.pointer + alternate.size;

  const GuestAddr fpstate = (stack - sizeof(x86::FxsaveArea)) & ~GuestAddr{63};
  // As if a call had just pushed a return address: rsp + 8 is a multiple of 16.
  const GuestAddr frame_address = ((fpstate - sizeof(SignalFrame)) & ~GuestAddr{15}) - 8;
  if (use_alternate && frame_address < alternate.pointer) return false;

  SignalFrame frame{};
  frame.return_address = action.restorer;
  frame.context.flags = kUcSigcontextSs | kUcStrictRestoreSs;
  frame.context.stack = alternate;
  if (was_on_alternate) frame.context.stack.flags |= kSsOnStack;
  auto& saved = frame.context.context;
  for (std::size_t i = 0; i < before.gpr.size(); ++i) saved.*kContextGprs[i] = before.gpr[i];
  saved.ip = before.rip;
  saved.flags = before.rflags;
  saved.cs = kUserCs;
  saved.ss = kUserSs;
  saved.fpstate = fpstate;
  const bool is_fault = info.code > 0 && (SetOf(info.signal) & kSynchronous) != 0;
  if (is_fault && (info.signal == kSIGSEGV || info.signal == kSIGBUS)) {
    saved.trap_number = 14;  // #PF
    saved.cr2 = info.fault.address;
  }
  frame.context.mask = task.signals.saved_mask.value_or(task.signals.blocked());
  frame.info = info;
  x86::FxsaveArea fx{};
  task.cpu().SaveFx(fx);
  if (!task.memory().WriteBytes(fpstate, fx) ||
      !task.memory().WriteBytes(frame_address, std::as_bytes(std::span(&frame, 1)))) {
    return false;
  }

  Registers after = before;
  after.rip = action.handler;
  after.gpr[x86::kRsp] = frame_address;
  after.gpr[x86::kRdi] = static_cast<std::uint64_t>(info.signal);
  after.gpr[x86::kRsi] = frame_address + offsetof(SignalFrame, info);
  after.gpr[x86::kRdx] = frame_address + offsetof(SignalFrame, context);
  after.gpr[x86::kRax] = 0;
  after.rflags &= ~std::uint64_t{x86::kDf | x86::kTf};
  task.cpu().Set(after);
  task.cpu().ResetFx();  // a handler owes nothing to the control words of whom it interrupts

  task.signals.saved_mask.reset();
  SignalSet blocked = task.signals.blocked() | action.mask;
  if ((action.flags & kSaNoDefer) == 0) blocked |= SetOf(info.signal);
  task.signals.SetBlocked(blocked);
  return true;
}

bool PopSignalFrame(Task& task) {
  // The handler's return popped return_address.
  const GuestAddr address = task.cpu().gpr(x86::kRsp) - 8;
  const auto frame = task.memory().Read(GuestPtr<const SignalFrame>{address});
  if (!frame) return false;
  const auto& saved = frame->context.context;
  if (saved.cs != kUserCs) return false;
  if (saved.fpstate != 0) {
    x86::FxsaveArea fx{};
    if (!task.memory().ReadBytes(saved.fpstate, fx) || !task.cpu().RestoreFx(fx)) return false;
  }
  Registers registers = task.cpu().Get();
  for (std::size_t i = 0; i < registers.gpr.size(); ++i) registers.gpr[i] = saved.*kContextGprs[i];
  registers.rip = saved.ip;
  registers.rflags = saved.flags;
  task.cpu().Set(registers);
  task.signals.SetBlocked(frame->context.mask);
  return true;
}

}  // namespace glovebox::engine
