// siginfo_t between its two forms. Source: kernel/signal.c, siginfo_layout,
// copy_siginfo_to_external32.
#include "engine/linux/abi/siginfo.h"

#include <cstring>

#include "engine/linux/abi/i386_signal.h"

namespace glovebox::engine::abi {
namespace {

using Member = SiginfoMember;

// Codes from 1 on mean what their signal says, up to the largest one that it has.
struct SignalCodesRow {
  std::int32_t signal, most;
  Member member;
};
constexpr SignalCodesRow kSignalCodes[] = {
    {4, 11, Member::kFault},   // SIGILL
    {5, 6, Member::kFault},    // SIGTRAP
    {7, 5, Member::kFault},    // SIGBUS
    {8, 15, Member::kFault},   // SIGFPE
    {11, 10, Member::kFault},  // SIGSEGV
    {17, 6, Member::kChild},   // SIGCHLD
    {29, 6, Member::kPoll},    // SIGIO
    {31, 2, Member::kSystem},  // SIGSYS
};

}  // namespace

SiginfoMember MemberOf(std::int32_t signal, std::int32_t code) {
  constexpr std::int32_t kKernel = 0x80, kTimerCode = -2, kSigioCode = -5, kMostPoll = 6;
  if (code > 0 && code < kKernel) {
    for (const SignalCodesRow& row : kSignalCodes) {
      if (row.signal == signal && code <= row.most) return row.member;
    }
    return code <= kMostPoll ? Member::kPoll : Member::kSender;
  }
  if (code == kTimerCode) return Member::kTimer;
  return code == kSigioCode ? Member::kPoll : Member::kSender;
}

namespace i386 {

bool Encode(const abi::Siginfo& from, Siginfo& to) {
  std::memset(&to, 0, sizeof to);
  to.signal = from.signal;
  to.error = from.error;
  to.code = from.code;
  const auto narrow = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto ticks = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
  switch (MemberOf(from.signal, from.code)) {
    case Member::kSender:
      to.sender = {from.sender.pid, from.sender.uid, narrow(from.sender.value)};
      break;
    case Member::kFault:
      to.fault = narrow(from.fault.address);
      break;
    case Member::kTimer:
      to.timer = {from.timer.timer, from.timer.overrun, narrow(from.timer.value)};
      break;
    case Member::kChild:
      to.child = {from.child.pid, from.child.uid, from.child.status, ticks(from.child.user_ticks),
                  ticks(from.child.system_ticks)};
      break;
    case Member::kPoll:
      to.poll = {ticks(from.poll.band), from.poll.fd};
      break;
    case Member::kSystem:
      to.system = {narrow(from.system.address), from.system.number, from.system.architecture};
      break;
  }
  return true;
}

void Decode(const Siginfo& from, abi::Siginfo& to) {
  std::memset(&to, 0, sizeof to);
  to.signal = from.signal;
  to.error = from.error;
  to.code = from.code;
  switch (MemberOf(from.signal, from.code)) {
    case Member::kSender:
      to.sender = {from.sender.pid, from.sender.uid, from.sender.value};
      break;
    case Member::kFault:
      to.fault = {from.fault, 0};
      break;
    case Member::kTimer:
      to.timer = {from.timer.timer, from.timer.overrun, from.timer.value};
      break;
    case Member::kChild:
      to.child = {from.child.pid,        from.child.uid,         from.child.status, 0,
                  from.child.user_ticks, from.child.system_ticks};
      break;
    case Member::kPoll:
      to.poll = {from.poll.band, from.poll.fd};
      break;
    case Member::kSystem:
      to.system = {from.system.address, from.system.number, from.system.architecture};
      break;
  }
}

}  // namespace i386
}  // namespace glovebox::engine::abi
