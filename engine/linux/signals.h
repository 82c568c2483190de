// Signals of a task: what is pending, blocked, handled; signal(7).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/linux/abi/common.h"
#include "engine/linux/abi/x86_64.h"

namespace glovebox::engine {

inline constexpr int kSignalCount = 64;

enum SignalNumber : int {
  kSIGHUP = 1,
  kSIGINT,
  kSIGQUIT,
  kSIGILL,
  kSIGTRAP,
  kSIGABRT,
  kSIGBUS,
  kSIGFPE,
  kSIGKILL,
  kSIGUSR1,
  kSIGSEGV,
  kSIGUSR2,
  kSIGPIPE,
  kSIGALRM,
  kSIGTERM,
  kSIGSTKFLT,
  kSIGCHLD,
  kSIGCONT,
  kSIGSTOP,
  kSIGTSTP,
  kSIGTTIN,
  kSIGTTOU,
  kSIGURG,
  kSIGXCPU,
  kSIGXFSZ,
  kSIGVTALRM,
  kSIGPROF,
  kSIGWINCH,
  kSIGIO,
  kSIGPWR,
  kSIGSYS,
  kFirstRealTime = 32,
};

enum class DefaultAction : std::uint8_t { kTerminate, kCore, kIgnore, kStop, kContinue };

struct SignalRow {
  int number;
  std::string_view name;
  DefaultAction action;
};

// signal(7), "Standard signals", x86 and ARM numbers.
inline constexpr SignalRow kSignals[] = {
    {kSIGHUP, "SIGHUP", DefaultAction::kTerminate},
    {kSIGINT, "SIGINT", DefaultAction::kTerminate},
    {kSIGQUIT, "SIGQUIT", DefaultAction::kCore},
    {kSIGILL, "SIGILL", DefaultAction::kCore},
    {kSIGTRAP, "SIGTRAP", DefaultAction::kCore},
    {kSIGABRT, "SIGABRT", DefaultAction::kCore},
    {kSIGBUS, "SIGBUS", DefaultAction::kCore},
    {kSIGFPE, "SIGFPE", DefaultAction::kCore},
    {kSIGKILL, "SIGKILL", DefaultAction::kTerminate},
    {kSIGUSR1, "SIGUSR1", DefaultAction::kTerminate},
    {kSIGSEGV, "SIGSEGV", DefaultAction::kCore},
    {kSIGUSR2, "SIGUSR2", DefaultAction::kTerminate},
    {kSIGPIPE, "SIGPIPE", DefaultAction::kTerminate},
    {kSIGALRM, "SIGALRM", DefaultAction::kTerminate},
    {kSIGTERM, "SIGTERM", DefaultAction::kTerminate},
    {kSIGSTKFLT, "SIGSTKFLT", DefaultAction::kTerminate},
    {kSIGCHLD, "SIGCHLD", DefaultAction::kIgnore},
    {kSIGCONT, "SIGCONT", DefaultAction::kContinue},
    {kSIGSTOP, "SIGSTOP", DefaultAction::kStop},
    {kSIGTSTP, "SIGTSTP", DefaultAction::kStop},
    {kSIGTTIN, "SIGTTIN", DefaultAction::kStop},
    {kSIGTTOU, "SIGTTOU", DefaultAction::kStop},
    {kSIGURG, "SIGURG", DefaultAction::kIgnore},
    {kSIGXCPU, "SIGXCPU", DefaultAction::kCore},
    {kSIGXFSZ, "SIGXFSZ", DefaultAction::kCore},
    {kSIGVTALRM, "SIGVTALRM", DefaultAction::kTerminate},
    {kSIGPROF, "SIGPROF", DefaultAction::kTerminate},
    {kSIGWINCH, "SIGWINCH", DefaultAction::kIgnore},
    {kSIGIO, "SIGIO", DefaultAction::kTerminate},
    {kSIGPWR, "SIGPWR", DefaultAction::kTerminate},
    {kSIGSYS, "SIGSYS", DefaultAction::kCore},
};

DefaultAction DefaultActionOf(int signal);
// "SIGINT", "SIGRT_3".
std::string SignalName(int signal);

// si_code: sigaction(2).
enum SignalCode : int {
  kSiUser = 0,
  kSiKernel = 0x80,
  kSiQueue = -1,
  kSiTimer = -2,
  kSiTkill = -6,
  kIllOpn = 2,
  kFpeIntDiv = 1,
  kFpeIntOverflow = 2,
  kFpeFloatDivide = 3,
  kFpeFloatOverflow = 4,
  kFpeFloatUnderflow = 5,
  kFpeFloatInexact = 6,
  kFpeFloatInvalid = 7,
  kSegvMapErr = 1,
  kSegvAccErr = 2,
  kBusAdrAln = 1,
  kBusAdrErr = 2,
  kTrapBrkpt = 1,
  kTrapTrace = 2,
};

enum SigactionFlag : std::uint64_t {
  kSaNoChildStop = 1,
  kSaNoChildWait = 2,
  kSaSigInfo = 4,
  kSaUnsupported = 0x400,
  kSaRestorer = 0x04000000,
  kSaOnStack = 0x08000000,
  kSaRestart = 0x10000000,
  kSaNoDefer = 0x40000000,
  kSaResetHand = 0x80000000,
};
inline constexpr std::uint64_t kHandlerDefault = 0;
inline constexpr std::uint64_t kHandlerIgnore = 1;

// A set of signals; bit n-1 is signal n, as in sigset_t.
using SignalSet = std::uint64_t;
constexpr SignalSet SetOf(int signal) { return SignalSet{1} << (signal - 1); }
inline constexpr SignalSet kUnblockable = SetOf(kSIGKILL) | SetOf(kSIGSTOP);
// Caused by an instruction: they go before the others, kernel/signal.c SYNCHRONOUS_MASK.
inline constexpr SignalSet kSynchronous = SetOf(kSIGSEGV) | SetOf(kSIGBUS) | SetOf(kSIGILL) |
                                          SetOf(kSIGTRAP) | SetOf(kSIGFPE) | SetOf(kSIGSYS);

using Sigaction = abi::x86_64::Sigaction;

// Signals that were sent and not taken yet: a thread has such a queue, and its process another.
class PendingSignals {
 public:
  static constexpr std::size_t kMaxQueued = 1024;  // RLIMIT_SIGPENDING of the box

  SignalSet set() const { return set_; }
  // One of each standard signal is enough. False where the queue of a real-time signal is full.
  // `most`: RLIMIT_SIGPENDING. kill(2) is not refused: it tells no value that could be lost.
  bool Add(const abi::Siginfo& info, std::uint64_t most = kMaxQueued);
  // Of a timer, which has at most one: whatever is there already.
  void AddOfTimer(const abi::Siginfo& info) {
    set_ |= SetOf(info.signal);
    queue_.push_back(info);
  }
  const std::deque<abi::Siginfo>& queue() const { return queue_; }
  // The oldest one of `signal`; only where set() holds it.
  abi::Siginfo Take(int signal);
  void Drop(int signal);

 private:
  SignalSet set_ = 0;
  std::deque<abi::Siginfo> queue_;  // in order of arrival
};

// What is done about signals: what CLONE_SIGHAND shares.
class SignalHandlers {
 public:
  const Sigaction& action(int signal) const {
    return actions_[static_cast<std::size_t>(signal - 1)];
  }
  void Set(int signal, const Sigaction& action);
  bool IsIgnored(int signal) const;
  // execve(2): handlers become the default, ignored signals stay so.
  void Reset();

 private:
  std::array<Sigaction, kSignalCount> actions_{};
};

// The signals of a thread: what it blocks, what waits for it or for its process.
class SignalState {
 public:
  // `shared` is the queue of the thread's process.
  SignalState(std::shared_ptr<SignalHandlers> handlers, PendingSignals& shared)
      : handlers_(std::move(handlers)), shared_(shared) {}

  // clone(2): the mask, and the handlers or a copy of them.
  void Inherit(const SignalState& from, bool share_handlers);

  // To this thread. False where the queue of a real-time signal is full. Ignored signals vanish.
  bool Send(const abi::Siginfo& info, std::uint64_t most = PendingSignals::kMaxQueued);
  void AddOfTimer(const abi::Siginfo& info) { own_.AddOfTimer(info); }
  // As a fault does: a blocked or ignored signal gets its default action back, so that it cannot be
  // missed.
  void Force(const abi::Siginfo& info);
  // The next signal of `allowed`; removed from what is pending.
  std::optional<abi::Siginfo> Take(SignalSet allowed);

  // Of the thread and of its process.
  SignalSet pending() const { return own_.set() | shared_.set(); }
  SignalSet own_pending() const { return own_.set(); }
  const PendingSignals& own() const { return own_; }
  bool HasDeliverable() const { return (pending() & ~blocked_) != 0; }
  // The number that Take(~blocked()) would give; 0 for none.
  int NextDeliverable() const;
  // Drops what is unblocked but ignored: it ends no wait.
  void DiscardIgnored();
  void Drop(int signal);
  // Would it be taken at once: by a handler, or by sigtimedwait(2)?
  bool Wants(int signal) const { return (blocked_ & ~awaited & SetOf(signal)) == 0; }
  SignalSet blocked() const { return blocked_; }
  void SetBlocked(SignalSet set) { blocked_ = set & ~kUnblockable; }

  SignalHandlers& handlers() const { return *handlers_; }
  const std::shared_ptr<SignalHandlers>& shared_handlers() const { return handlers_; }
  const Sigaction& action(int signal) const { return handlers_->action(signal); }
  bool IsIgnored(int signal) const { return handlers_->IsIgnored(signal); }
  // Is it lost when it is sent? Tracers see ignored ones too: kernel/signal.c, sig_ignored.
  bool Discards(int signal) const {
    return IsIgnored(signal) && (!keeps_ignored || signal == kSIGKILL);
  }
  // execve(2): handlers of its own, the default ones; no alternate stack.
  void ResetHandlers();

  // sigsuspend, ppoll: the mask to come back to once the call is over.
  std::optional<SignalSet> saved_mask;
  SignalSet awaited = 0;       // what sigtimedwait waits for
  bool keeps_ignored = false;  // it is traced
  abi::SignalStack alternate{0, 2 /* SS_DISABLE */, 0, 0};

 private:
  std::shared_ptr<SignalHandlers> handlers_;
  PendingSignals own_;
  PendingSignals& shared_;
  SignalSet blocked_ = 0;
};

// kill(2) and its kin: who sent it.
abi::Siginfo SenderInfo(int signal, int code, std::uint32_t pid, std::uint32_t uid,
                        std::uint64_t value = 0);
abi::Siginfo FaultInfo(int signal, int code, std::uint64_t address);

}  // namespace glovebox::engine
