// Frames of i386 programs: struct sigframe_ia32 for handlers of one argument, rt_sigframe_ia32 for
// those with SA_SIGINFO. Source: arch/x86/ia32/ia32_signal.c, arch/x86/kernel/fpu/regset.c.
#include <bit>
#include <cstring>
#include <span>

#include "engine/linux/legacy_float.h"
#include "engine/linux/return_page.h"
#include "engine/linux/signal_frame_parts.h"

namespace glovebox::engine {
namespace {

using abi::i386::InfoFrame;
using abi::i386::LegacyFloat;
using abi::i386::PlainFrame;
using abi::i386::Sigcontext;
using x86::Registers;

constexpr std::uint16_t kUserCs = 0x23, kUserDs = 0x2b;
constexpr std::uint32_t kUcXsave = 1;    // the float state is an XSAVE image
constexpr std::uint64_t kCallBytes = 4;  // what a call would have pushed

template <typename Frame>
constexpr FrameShape ShapeOf() {
  return {0, sizeof(LegacyFloat), sizeof(Frame), kCallBytes};
}

// In the order of Registers::gpr.
constexpr std::uint32_t Sigcontext::* kGprs[8] = {&Sigcontext::ax, &Sigcontext::cx, &Sigcontext::dx,
                                                  &Sigcontext::bx, &Sigcontext::sp, &Sigcontext::bp,
                                                  &Sigcontext::si, &Sigcontext::di};

struct SelectorRow {
  x86::SegmentRegister reg;
  std::uint16_t Sigcontext::* saved;
};
constexpr SelectorRow kDataSelectors[] = {{x86::kGs, &Sigcontext::gs},
                                          {x86::kFs, &Sigcontext::fs},
                                          {x86::kDs, &Sigcontext::ds},
                                          {x86::kEs, &Sigcontext::es}};

constexpr std::uint32_t Low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

Sigcontext SaveContext(const Task& task, const Registers& before, GuestAddr float_state) {
  const x86::Vcpu& cpu = *task.program->cpu;
  Sigcontext saved{};
  for (const SelectorRow& row : kDataSelectors) saved.*row.saved = cpu.selector(row.reg);
  for (std::size_t i = 0; i < std::size(kGprs); ++i) saved.*kGprs[i] = Low(before.gpr[i]);
  saved.trap_number = Low(task.last_trap.number);
  saved.error = Low(task.last_trap.error);
  saved.ip = Low(before.rip);
  saved.cs = cpu.selector(x86::kCs);
  saved.flags = Low(before.rflags);
  saved.sp_at_signal = Low(before.gpr[x86::kRsp]);
  saved.ss = cpu.selector(x86::kSs);
  saved.fpstate = Low(float_state);
  saved.old_mask = Low(MaskForFrame(task));
  saved.cr2 = Low(task.last_trap.address);
  return saved;
}

bool WriteFloat(Task& task, const FramePlace& place) {
  const abi::FloatFrame floats = SaveFloat(task.cpu(), sizeof(LegacyFloat));
  const LegacyFloat legacy = LegacyOf(floats.fx);
  const auto bytes = std::as_bytes(std::span(&floats, 1)).first(abi::kFloatFrameBytes);
  return task.memory().WriteBytes(place.float_state, std::as_bytes(std::span(&legacy, 1))) &&
         task.memory().WriteBytes(place.xsave, bytes);
}

bool ReadFloatOf(Task& task, GuestAddr float_state) {
  if (float_state == 0) {
    task.cpu().ResetFx();
    return true;
  }
  const auto legacy = task.memory().Read(GuestPtr<const LegacyFloat>{float_state});
  auto floats = ReadFloat(task, float_state + sizeof(LegacyFloat));
  if (!legacy || !floats) return false;
  const abi::XsaveHeader& header = floats->frame.header;
  // The kernel looks at the header itself (validate_user_xstate_header), more closely than XRSTOR.
  const bool is_sound = (header.present & ~abi::kXsaveFeatures) == 0 && header.compacted == 0 &&
                        header.reserved == decltype(header.reserved){};
  if (!is_sound) return false;
  TakeLegacy(*legacy, floats->frame.fx);
  return RestoreFloat(task.cpu(), *floats);
}

// ia32_restore_sigcontext: selectors of the user's privilege; flat code and stack segments are the
// only ones that there are.
bool RestoreContext(Task& task, const Sigcontext& saved) {
  constexpr std::uint16_t kUserPrivilege = 3;
  if ((saved.cs | kUserPrivilege) != kUserCs) return false;
  if (!ReadFloatOf(task, saved.fpstate)) return false;
  x86::Vcpu& cpu = task.cpu();
  Registers registers = cpu.Get();
  for (std::size_t i = 0; i < std::size(kGprs); ++i) registers.gpr[i] = saved.*kGprs[i];
  registers.rip = saved.ip;
  registers.rflags = saved.flags;
  cpu.Set(registers);
  for (const SelectorRow& row : kDataSelectors) {
    const std::uint16_t selector = saved.*row.saved;
    // What cannot be loaded becomes a null selector, as the kernel's fault handler has it.
    const auto wanted = static_cast<std::uint16_t>(selector == 0 ? 0 : selector | kUserPrivilege);
    if (!cpu.LoadSegment(row.reg, wanted)) cpu.LoadSegment(row.reg, 0);
  }
  return true;
}

template <typename Frame>
bool WriteAndEnter(Task& task, const Sigaction& action, int signal, const FramePlace& place,
                   Frame& frame, const Registers& before, std::uint64_t dx, std::uint64_t cx) {
  constexpr ReturnCode kCode =
      std::is_same_v<Frame, PlainFrame> ? ReturnCode::kSigreturn : ReturnCode::kRtSigreturn;
  frame.signal = signal;
  frame.return_address =
      Low((action.flags & kSaRestorer) != 0 ? action.restorer
                                            : task.program->return_page + OffsetOf(kCode));
  // Nobody runs it; debuggers know the frame by it.
  std::ranges::copy(BytesOf(kCode), frame.return_code.begin());
  if (!WriteFloat(task, place) ||
      !task.memory().WriteBytes(place.frame, std::as_bytes(std::span(&frame, 1)))) {
    return false;
  }
  Registers after = before;
  after.rip = action.handler;
  after.gpr[x86::kRsp] = place.frame;
  after.gpr[x86::kRax] = static_cast<std::uint64_t>(signal);
  after.gpr[x86::kRdx] = dx;
  after.gpr[x86::kRcx] = cx;
  after.rflags &= ~std::uint64_t{x86::kDf | x86::kTf};
  task.cpu().Set(after);
  for (const auto reg : {x86::kDs, x86::kEs}) task.cpu().LoadSegment(reg, kUserDs);
  EnterHandler(task, action, signal);
  return true;
}

bool PushPlain(Task& task, const Sigaction& action, int signal) {
  const Registers before = task.cpu().Get();
  const auto place = PlaceFrame(task, action, before.gpr[x86::kRsp], ShapeOf<PlainFrame>());
  if (!place) return false;
  PlainFrame frame{};
  frame.context = SaveContext(task, before, place->float_state);
  frame.mask_high = Low(MaskForFrame(task) >> 32);
  return WriteAndEnter(task, action, signal, *place, frame, before, 0, 0);
}

bool PushInfo(Task& task, const Sigaction& action, const abi::Siginfo& info) {
  const Registers before = task.cpu().Get();
  const auto place = PlaceFrame(task, action, before.gpr[x86::kRsp], ShapeOf<InfoFrame>());
  if (!place) return false;
  const GuestAddr info_at = place->frame + offsetof(InfoFrame, info);
  const GuestAddr context_at = place->frame + offsetof(InfoFrame, context);
  InfoFrame frame{};
  frame.info_pointer = Low(info_at);
  frame.context_pointer = Low(context_at);
  Encode(info, frame.info);
  frame.context.flags = kUcXsave;
  abi::i386::SignalStack stack{};
  Encode(task.signals.alternate, stack);
  frame.context.stack = stack;
  frame.context.context = SaveContext(task, before, place->float_state);
  frame.context.mask = MaskForFrame(task);
  return WriteAndEnter(task, action, info.signal, *place, frame, before, info_at, context_at);
}

// The handler's return popped the address; the code behind it has popped the signal too.
bool PopPlain(Task& task) {
  const GuestAddr address = (task.cpu().gpr(x86::kRsp) - 2 * kCallBytes) & 0xffffffff;
  const auto frame = task.memory().Read(GuestPtr<const PlainFrame>{address});
  if (!frame || !RestoreContext(task, frame->context)) return false;
  task.signals.SetBlocked(frame->context.old_mask | std::uint64_t{frame->mask_high} << 32);
  return true;
}

bool PopInfo(Task& task) {
  const GuestAddr address = (task.cpu().gpr(x86::kRsp) - kCallBytes) & 0xffffffff;
  const auto frame = task.memory().Read(GuestPtr<const InfoFrame>{address});
  if (!frame || !RestoreContext(task, frame->context.context)) return false;
  task.signals.SetBlocked(frame->context.mask);
  abi::SignalStack stack{};
  Decode(frame->context.stack, stack);
  RestoreStack(task, stack);
  return true;
}

}  // namespace

bool PushFrameI386(Task& task, const Sigaction& action, const abi::Siginfo& info) {
  return (action.flags & kSaSigInfo) != 0 ? PushInfo(task, action, info)
                                          : PushPlain(task, action, info.signal);
}

bool PopFrameI386(Task& task, FrameKind kind) {
  return kind == FrameKind::kInfo ? PopInfo(task) : PopPlain(task);
}

}  // namespace glovebox::engine
