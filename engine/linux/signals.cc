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

// --- PendingSignals ---

bool PendingSignals::Add(const abi::Siginfo& info, std::uint64_t most) {
  const bool standard = info.signal < kFirstRealTime;
  const bool is_pending = (set_ & SetOf(info.signal)) != 0;
  if (standard && is_pending) return true;
  if (!standard && queue_.size() >= std::min<std::uint64_t>(most, kMaxQueued)) {
    if (info.code != kSiUser) return false;
    if (is_pending) return true;
  }
  set_ |= SetOf(info.signal);
  queue_.push_back(info);
  return true;
}

abi::Siginfo PendingSignals::Take(int signal) {
  const auto found = std::ranges::find(queue_, signal, &abi::Siginfo::signal);
  const abi::Siginfo info = *found;
  queue_.erase(found);
  if (std::ranges::find(queue_, signal, &abi::Siginfo::signal) == queue_.end())
    set_ &= ~SetOf(signal);
  return info;
}

void PendingSignals::Drop(int signal) {
  if ((set_ & SetOf(signal)) == 0) return;
  std::erase_if(queue_, [signal](const abi::Siginfo& info) { return info.signal == signal; });
  set_ &= ~SetOf(signal);
}

// --- SignalHandlers ---

bool SignalHandlers::IsIgnored(int signal) const {
  const std::uint64_t handler = action(signal).handler;
  if (handler == kHandlerIgnore) return true;
  if (handler != kHandlerDefault) return false;
  const DefaultAction by_default = DefaultActionOf(signal);
  return by_default == DefaultAction::kIgnore || by_default == DefaultAction::kContinue;
}

void SignalHandlers::Set(int signal, const Sigaction& action) {
  Sigaction& slot = actions_[static_cast<std::size_t>(signal - 1)];
  slot = action;
  slot.mask &= ~kUnblockable;
}

void SignalHandlers::Reset() {
  for (Sigaction& action : actions_) {
    action =
        Sigaction{action.handler == kHandlerIgnore ? kHandlerIgnore : kHandlerDefault, 0, 0, 0};
  }
}

// --- SignalState ---

void SignalState::Inherit(const SignalState& from, bool share_handlers) {
  blocked_ = from.saved_mask.value_or(from.blocked_);
  handlers_ = share_handlers ? from.handlers_ : std::make_shared<SignalHandlers>(*from.handlers_);
}

bool SignalState::Send(const abi::Siginfo& info, std::uint64_t most) {
  // A blocked signal stays pending even where it is ignored: it may be waited for.
  if (Discards(info.signal) && (blocked_ & SetOf(info.signal)) == 0) return true;
  return own_.Add(info, most);
}

void SignalState::Force(const abi::Siginfo& info) {
  if ((blocked_ & SetOf(info.signal)) != 0 || action(info.signal).handler == kHandlerIgnore) {
    handlers_->Set(info.signal, {});
    blocked_ &= ~SetOf(info.signal);
  }
  own_.Drop(info.signal);
  own_.Add(info);
}

namespace {

// Signals that an instruction caused go first.
int NextOf(SignalSet ready) {
  if (ready == 0) return 0;
  return std::countr_zero((ready & kSynchronous) != 0 ? ready & kSynchronous : ready) + 1;
}

}  // namespace

// As next_signal in kernel/signal.c: the thread's own before those of the process.
std::optional<abi::Siginfo> SignalState::Take(SignalSet allowed) {
  for (PendingSignals* const queue : {&own_, &shared_}) {
    if (const int signal = NextOf(queue->set() & allowed); signal != 0) return queue->Take(signal);
  }
  return std::nullopt;
}

int SignalState::NextDeliverable() const {
  const int own = NextOf(own_.set() & ~blocked_);
  return own != 0 ? own : NextOf(shared_.set() & ~blocked_);
}

void SignalState::DiscardIgnored() {
  for (SignalSet left = pending() & ~blocked_; left != 0; left &= left - 1) {
    const int signal = std::countr_zero(left) + 1;
    if (Discards(signal)) Drop(signal);
  }
}

void SignalState::Drop(int signal) {
  own_.Drop(signal);
  shared_.Drop(signal);
}

void SignalState::ResetHandlers() {
  if (handlers_.use_count() > 1) handlers_ = std::make_shared<SignalHandlers>(*handlers_);
  handlers_->Reset();
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
