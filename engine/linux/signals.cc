#include "engine/linux/signals.h"

#include <algorithm>
#include <bit>

namespace glovebox::engine {

DefaultAction DefaultActionOf(int signal) {
  const auto row = std::ranges::find(kSignals, signal, &SignalRow::number);
  return row == std::end(kSignals) ? DefaultAction::kTerminate : row->action;
}

std::string SignalName(int signal) {
  const auto row = std::ranges::find(kSignals, signal, &SignalRow::number);
  if (row != std::end(kSignals)) return std::string(row->name);
  if (signal >= kFirstRealTime && signal <= kSignalCount) {
    return signal == kFirstRealTime ? "SIGRTMIN"
                                    : "SIGRT_" + std::to_string(signal - kFirstRealTime);
  }
  return std::to_string(signal);
}

bool SignalState::IsIgnored(int signal) const {
  const std::uint64_t handler = action(signal).handler;
  if (handler == kHandlerIgnore) return true;
  if (handler != kHandlerDefault) return false;
  const DefaultAction by_default = DefaultActionOf(signal);
  return by_default == DefaultAction::kIgnore || by_default == DefaultAction::kContinue;
}

bool SignalState::Send(const abi::Siginfo& info) {
  // A blocked signal stays pending even where it is ignored: it may be waited for.
  if (IsIgnored(info.signal) && (blocked_ & SetOf(info.signal)) == 0) return true;
  const bool standard = info.signal < kFirstRealTime;
  if (standard && (pending_ & SetOf(info.signal)) != 0) return true;  // one of each is enough
  if (!standard && queue_.size() >= kMaxQueued) return false;
  pending_ |= SetOf(info.signal);
  queue_.push_back(info);
  return true;
}

void SignalState::Force(const abi::Siginfo& info) {
  if ((blocked_ & SetOf(info.signal)) != 0 || action(info.signal).handler == kHandlerIgnore) {
    actions_[static_cast<std::size_t>(info.signal - 1)] = {};
    blocked_ &= ~SetOf(info.signal);
  }
  if ((pending_ & SetOf(info.signal)) != 0) Drop(info.signal);
  pending_ |= SetOf(info.signal);
  queue_.push_back(info);
}

int SignalState::Next(SignalSet ready) {
  if (ready == 0) return 0;
  return std::countr_zero((ready & kSynchronous) != 0 ? ready & kSynchronous : ready) + 1;
}

void SignalState::DiscardIgnored() {
  for (SignalSet left = pending_ & ~blocked_; left != 0; left &= left - 1) {
    const int signal = std::countr_zero(left) + 1;
    if (IsIgnored(signal)) Drop(signal);
  }
}

std::optional<abi::Siginfo> SignalState::Take(SignalSet allowed) {
  const int signal = Next(pending_ & allowed);
  if (signal == 0) return std::nullopt;
  const auto found = std::ranges::find(queue_, signal, &abi::Siginfo::signal);
  const abi::Siginfo info = *found;
  queue_.erase(found);
  if (std::ranges::find(queue_, signal, &abi::Siginfo::signal) == queue_.end())
    pending_ &= ~SetOf(signal);
  return info;
}

void SignalState::Drop(int signal) {
  std::erase_if(queue_, [signal](const abi::Siginfo& info) { return info.signal == signal; });
  pending_ &= ~SetOf(signal);
}

void SignalState::SetAction(int signal, const Sigaction& action) {
  actions_[static_cast<std::size_t>(signal - 1)] = action;
  actions_[static_cast<std::size_t>(signal - 1)].mask &= ~kUnblockable;
  if (IsIgnored(signal)) Drop(signal);
}

void SignalState::ResetHandlers() {
  for (Sigaction& action : actions_) {
    action =
        Sigaction{action.handler == kHandlerIgnore ? kHandlerIgnore : kHandlerDefault, 0, 0, 0};
  }
  alternate = {0, 2, 0, 0};
}

abi::Siginfo SenderInfo(int signal, int code, std::uint32_t pid, std::uint32_t uid,
                        std::uint64_t value) {
  abi::Siginfo info{};
  info.signal = signal;
  info.code = code;
  info.sender = {static_cast<std::int32_t>(pid), uid, value};
  return info;
}

abi::Siginfo FaultInfo(int signal, int code, std::uint64_t address) {
  abi::Siginfo info{};
  info.signal = signal;
  info.code = code;
  info.fault = {address, 0};
  return info;
}

}  // namespace glovebox::engine
