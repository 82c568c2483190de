#include "server/worker/debug_link.h"

#include <algorithm>
#include <utility>

namespace glovebox::worker {

using engine::RunState;

namespace {
// More than any debugger says before it has heard anything.
constexpr std::size_t kMaxEarlyBytes = std::size_t{1} << 20;
}  // namespace

DebugLink::DebugLink(Channel& channel, engine::Box& box, const engine::LimitValues& limits,
                     bool waits)
    : channel_(channel), box_(box), limits_(limits) {
  if (waits) debuggee().Begin();
}

DebugLink::~DebugLink() = default;

BoxDebuggee& DebugLink::debuggee() {
  if (!debuggee_) debuggee_ = std::make_unique<BoxDebuggee>(box_, limits_);
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
  wire::FromWorker message;
  message.mutable_debug()->set_closed(true);
  channel_.Queue(message);
}

// The box stands still at once, but for one that has not begun.
void DebugLink::Open() {
  if (session_ || opens_) return;
  if (debuggee().Processes().empty()) debuggee().Begin();
  opens_ = true;
}

// A debugger that leaves, in whatever way, lets the box run on.
void DebugLink::Close() {
  opens_ = false;
  early_.clear();
  session_.reset();
  if (debuggee_) debuggee_->LetGo();
}

void DebugLink::CloseIfDone() {
  if (!session_ || !session_->closed()) return;
  Close();
  wire::FromWorker message;
  message.mutable_debug()->set_closed(true);
  channel_.Queue(message);
}

void DebugLink::AfterRun(RunState state) {
  if (!debuggee_) return;
  if (opens_ && (state == RunState::kStopped || state == RunState::kEnded)) {
    opens_ = false;
    debuggee_->TakeInitialStop();
    session_.emplace(*debuggee_, static_cast<gdbstub::Sink&>(*this));
    const std::string early = std::exchange(early_, {});
    session_->Receive(std::as_bytes(std::span(early)));
  }
  debuggee_->Pump();
  CloseIfDone();
  const bool stopped = state == RunState::kStopped;
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
