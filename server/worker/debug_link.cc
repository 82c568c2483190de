#include "server/worker/debug_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/channel/clean_text.h"

namespace glovebox::worker {

using engine::RunState;

namespace {
// More than any debugger says before it has heard anything.
constexpr std::size_t kMaxEarlyBytes = std::size_t{1} << 20;
// Process 1 is the box itself.
constexpr std::uint32_t kFirstProcess = 2;
}  // namespace

DebugLink::DebugLink(Channel& channel, engine::Box& box, const Options& options)
    : channel_(channel),
      box_(box),
      limits_(options.limits),
      changes_(options.changes),
      is_replay_(options.replay != nullptr) {
  if (options.waits) debuggee().Begin();
  if (!is_replay_) return;
  opens_ = !options.replay->has_core();
  if (!opens_) core_ = options.replay->core();
}

DebugLink::~DebugLink() = default;

BoxDebuggee& DebugLink::debuggee() {
  if (!debuggee_) debuggee_ = std::make_unique<BoxDebuggee>(box_, limits_, changes_);
  return *debuggee_;
}

void DebugLink::Send(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), channel::kMaxDebugBytes));
    bytes = bytes.subspan(piece.size());
    wire::FromWorker message;
    message.mutable_debug()->set_data(piece.data(), piece.size());
    channel_.Queue(message);
  }
}

void DebugLink::Notice(const std::string& text) {
  if (text.empty()) return;
  wire::FromWorker message;
  message.mutable_debug()->set_notice(channel::CleanText(text, channel::kMaxDetailBytes));
  channel_.Queue(message);
}

void DebugLink::Take(const wire::DebugInput& message) {
  switch (message.kind_case()) {
    case wire::DebugInput::kOpen:
      Open();
      break;
    case wire::DebugInput::kData:
      Hear(message.data());
      break;
    case wire::DebugInput::kClose:
      Close();
      break;
    case wire::DebugInput::kCore:
      OpenCore(message.core());
      break;
    case wire::DebugInput::kMoreCore:
      ++pieces_owed_;
      MoreCore();
      break;
    case wire::DebugInput::KIND_NOT_SET:
      break;
  }
  CloseIfDone();
}

// What comes before the box stands still is kept until it does.
void DebugLink::Hear(const std::string& bytes) {
  if (session_) return session_->Receive(std::as_bytes(std::span(bytes)));
  if (!opens_) return;
  early_ += bytes;
  if (early_.size() <= kMaxEarlyBytes) return;
  Close();
  TellClosed();
}

// The box stands still at once, but for one that has not begun.
void DebugLink::Open() {
  if (session_ || opens_ || core_) return;
  opens_ = true;
  if (!deferred_ && debuggee().Processes().empty()) debuggee().Begin();
}

void DebugLink::OpenCore(const wire::CoreWanted& wanted) {
  if (session_ || opens_ || core_ || is_replay_) return;
  core_ = wanted;
  if (!deferred_) StandForCore();
}

void DebugLink::StandForCore() {
  const auto processes = debuggee().Processes();
  if (!processes.empty()) return;  // one that waits for its debugger
  attached_for_core_ = debuggee().Begin(core_->pid());
  if (!attached_for_core_) GiveUpCore();
}

void DebugLink::GiveUpCore() {
  Notice(fmt::format("there is no process {} in the box", core_->pid()));
  Close();
  TellClosed();
}

void DebugLink::MoreCore() {
  if (!dump_ && core_) return;  // once the box stands still
  for (; pieces_owed_ != 0; --pieces_owed_) {
    wire::FromWorker message;
    wire::CorePiece& piece = *message.mutable_debug()->mutable_core();
    piece.set_end(true);
    if (dump_) {
      CoreDump::Piece next = dump_->Next(channel::kMaxCoreBytes);
      piece.set_id(core_->id());
      piece.set_offset_bytes(next.offset_bytes);
      piece.set_data(std::move(next.data));
      piece.set_end(next.end);
    }
    channel_.Queue(message);
    channel_.Flush();
  }
}

void DebugLink::Defer(bool deferred) {
  if (deferred == deferred_) return;
  deferred_ = deferred;
  if (deferred_ || is_replay_) return;
  if (core_) return StandForCore();
  if (opens_ && debuggee().Processes().empty()) debuggee().Begin();
}

// A debugger that leaves, in whatever way, lets the box run on.
void DebugLink::Close() {
  early_.clear();
  session_.reset();
  dump_.reset();
  const bool was_core = std::exchange(core_, std::nullopt).has_value();
  opens_ = false;
  pieces_owed_ = 0;
  if (!debuggee_ || (was_core && !std::exchange(attached_for_core_, false))) return;
  debuggee_->LetGo();
}

void DebugLink::TellClosed() {
  wire::FromWorker message;
  message.mutable_debug()->set_closed(true);
  channel_.Queue(message);
}

void DebugLink::CloseIfDone() {
  if (!session_ || !session_->closed()) return;
  Close();
  TellClosed();
}

void DebugLink::StandFor(const ReplayPlan& plan) {
  plan_ = &plan;
  const std::uint32_t pid = core_ ? core_->pid() : 0;
  changes_before_ = debuggee().changes();
  // The first process is the one that ends.
  if (!debuggee().Begin() || (pid > kFirstProcess && !debuggee().Begin(pid))) {
    Notice(fmt::format("there is no process {} in the box at icount {}", pid, box_.At().icount));
    Close();
    return TellClosed();
  }
  if (!plan.awaits_event()) {
    stands_for_plan_ = true;
    return debuggee().StandWhoRuns();
  }
  debuggee().GoOn();
}

// May whoever wants the box join it now?
bool DebugLink::Joins(RunState state) {
  if (deferred_) return false;
  if (!is_replay_) return state == RunState::kStopped || state == RunState::kEnded;
  if (plan_ == nullptr || state != RunState::kStopped) return false;
  stands_for_plan_ = stands_for_plan_ || debuggee_->Await([this](const engine::DebugEvent& event) {
    return plan_->IsAwaited(event);
  });
  return stands_for_plan_;
}

void DebugLink::AfterRun(RunState state) {
  if (!debuggee_) return;
  const bool joins = (opens_ || (core_ && !dump_)) && Joins(state);
  if (joins && is_replay_) Notice(plan_->Describe(box_.Report()));
  if (joins && core_) {
    if (attached_for_core_ || is_replay_) debuggee_->TakeInitialStop();
    dump_.emplace(debuggee_->debugger(), core_->pid(), debuggee_->told_thread());
    if (dump_->empty()) return GiveUpCore();
    MoreCore();
  } else if (joins) {
    opens_ = false;
    debuggee_->TakeInitialStop();
    session_.emplace(*debuggee_, static_cast<gdbstub::Sink&>(*this));
    const std::string early = std::exchange(early_, {});
    session_->Receive(std::as_bytes(std::span(early)));
  }
  debuggee_->Pump();
  CloseIfDone();
  const bool stopped =
      state == RunState::kStopped && !deferred_ && (!is_replay_ || stands_for_plan_);
  const bool altered = debuggee_->altered();
  if (stopped == told_stopped_ && altered == told_altered_) return;
  wire::FromWorker message;
  if (stopped != told_stopped_) message.mutable_debug()->set_stopped(stopped);
  message.mutable_debug()->set_altered(altered);
  told_stopped_ = stopped;
  told_altered_ = altered;
  channel_.Queue(message);
}

}  // namespace glovebox::worker
