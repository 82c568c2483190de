#include "server/core/replays.h"

#include <absl/cleanup/cleanup.h>
#include <fmt/format.h>

#include "server/core/journal.h"
#include "server/core/log.h"
#include "server/store/file_io.h"

namespace glovebox::server {
namespace {

// Is it known where the box was when it ended?
bool KnowsItsEnd(const JobOutcome& outcome) {
  return outcome.end && outcome.end->kind != BoxEnd::Kind::kFailed;
}

// Whether there is something to run again, and somewhere to stand still.
Result<void, Error> CheckReplayable(const JobView& view, const DebugOptions& options,
                                    std::uint32_t epoch) {
  const auto refuse = [&](const char* reason, const std::string& why) {
    return Fail(ErrorCode::kFailedPrecondition, reason,
                fmt::format("job {} has ended and cannot be replayed: {}", view.id, why), "name");
  };
  const JobOutcome& outcome = *view.outcome;
  if (view.epoch == 0) return refuse("NOTHING_TO_REPLAY", "it never ran");
  if (outcome.end && outcome.end->kind == BoxEnd::Kind::kNotStarted)
    return refuse("NOTHING_TO_REPLAY", "its program could not be started: " + outcome.end->detail);
  if (!KnowsItsEnd(outcome) && !options.at_icount) {
    return refuse("NOTHING_TO_REPLAY",
                  "it FAILED, and where it was then is not known; an icount to stand at helps");
  }
  if (epoch != 0 && view.epoch != epoch) {
    return refuse("EPOCH_UNAVAILABLE",
                  fmt::format("it is of epoch {}, the workers here are of {}", view.epoch, epoch));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<DebugSession>, Error> JobManager::DebugEnded(
    const std::string& id, std::shared_ptr<DebuggerEvents> debugger, const DebugOptions& options) {
  auto view = FindStored(id);
  if (!view) return std::unexpected(view.error());
  if (!IsTerminal(view->state)) return std::unexpected(NotRunning(id, "a debugger").error());
  if (auto checked = CheckReplayable(*view, options, launcher_->epoch()); !checked)
    return std::unexpected(checked.error());

  absl::MutexLock lock(&mu_);
  if (draining_) {
    return Fail(ErrorCode::kUnavailable, "DRAINING", "the daemon ends and replays nothing more");
  }
  if (replays_.size() >= options_.max_replays) {
    return Fail(ErrorCode::kResourceExhausted, "REPLAYS_BUSY",
                fmt::format("{} jobs that have ended are being debugged, and no more than that may "
                            "be at a time",
                            replays_.size()));
  }
  const std::uint64_t number = ++last_replay_;
  auto replay = std::make_shared<Replay>();
  replay->view = std::move(*view);
  replay->options = options;
  replay->debugger = std::move(debugger);
  replays_.emplace(number, std::move(replay));
  Post([this, number] { LaunchReplay(number); });
  return std::make_unique<DebugSession>(
      [this, number]() -> std::shared_ptr<BoxHandle> {
        absl::MutexLock relock(&mu_);
        const auto found = replays_.find(number);
        if (found == replays_.end() || !found->second->joined) return nullptr;
        return found->second->handle;
      },
      [this, number] { TakeReplay(number); });
}

Result<RunRequest, Error> JobManager::PrepareReplay(const std::shared_ptr<Replay>& replay) {
  // What is set once and read by other threads later is set at the end, with the lock.
  const JobView& view = replay->view;
  const JobSpec& spec = *view.spec;
  bool is_new = false;
  auto closure = Closure(spec.root, is_new);
  if (!closure) return std::unexpected(closure.error());
  JobReader& reader = parts_.store->reader();
  const auto journal = reader.Journal(view.id);
  if (!journal) return std::unexpected(journal.error());
  InputSource input;
  if (spec.stdin_blob) {
    auto blob = parts_.blobs->OpenVerified(*spec.stdin_blob);
    if (!blob) return std::unexpected(blob.error());
    input.blob = std::make_shared<const HostFd>(std::move(*blob));
    input.blob_bytes = spec.stdin_blob->size_bytes;
  } else if (spec.stdin_stream) {
    const auto row = reader.FindInput(view.id);
    if (!row) return std::unexpected(row.error());
    const InputRow known = row->value_or(InputRow{});
    auto stream = InputFile::Open(parts_.directory->input(view.id), known.size, known.ended);
    if (!stream) return std::unexpected(stream.error());
    input.stream = std::move(*stream);
  }

  RunRequest run;
  FillRun(view.id, spec, std::move(*closure), run);
  for (const JournalRow& record : *journal) run.journal.push_back(RecordOf(record));
  RunRequest::Replay& how = run.replay.emplace();
  if (KnowsItsEnd(*view.outcome)) how.end = view.outcome->end;
  how.icount = replay->options.at_icount;
  how.core = replay->options.core;
  absl::MutexLock lock(&mu_);
  replay->input = std::move(input);
  return run;
}

void JobManager::LaunchReplay(std::uint64_t number) {
  std::shared_ptr<Replay> replay;
  {
    absl::MutexLock lock(&mu_);
    const auto found = replays_.find(number);
    if (found == replays_.end()) return;
    replay = found->second;
  }
  auto run = PrepareReplay(replay);
  if (!run) return EndReplay(number, &run.error());
  {
    absl::MutexLock lock(&mu_);
    if (stopping_ || !replays_.contains(number)) return;
    ++launching_;
  }
  const absl::Cleanup launched = [this] {
    absl::MutexLock lock(&mu_);
    --launching_;
  };
  std::shared_ptr<BoxHandle> handle =
      launcher_->Launch(std::move(*run), std::make_shared<ReplaySession>(*this, number));
  LogJob(spdlog::level::info, replay->view.id, "runs again for a debugger");
  AfterUnlock after;
  absl::MutexLock lock(&mu_);
  if (!replays_.contains(number)) {
    after += [handle] {};  // dropped without the lock
    return;
  }
  replay->handle = std::move(handle);
  JoinReplay(*replay, after);
  after += [this, number] { SupplyReplay(number); };
}

void JobManager::JoinReplay(Replay& replay, AfterUnlock& after) {
  if (!replay.handle || !replay.stands || std::exchange(replay.joined, true)) return;
  after += [debugger = replay.debugger] { debugger->OnJoined(); };
}

// Its box goes with the last owner of what is returned.
std::shared_ptr<JobManager::Replay> JobManager::TakeReplay(std::uint64_t number) {
  absl::MutexLock lock(&mu_);
  const auto found = replays_.find(number);
  if (found == replays_.end()) return nullptr;
  auto replay = std::move(found->second);
  replays_.erase(found);
  return replay;
}

// `error` null: it is over.
void JobManager::EndReplay(std::uint64_t number, const Error* error) {
  const auto replay = TakeReplay(number);
  if (!replay) return;
  if (error == nullptr) return replay->debugger->OnClosed();
  replay->debugger->OnFailed(*error);
}

void JobManager::SupplyReplay(std::uint64_t number) {
  constexpr std::uint32_t kMaxReply = 64 << 10;
  std::shared_ptr<BoxHandle> handle;
  InputSource source;
  LiveJob::InputWanted wanted;
  {
    absl::MutexLock lock(&mu_);
    const auto found = replays_.find(number);
    if (found == replays_.end()) return;
    Replay& replay = *found->second;
    if (!replay.handle || !replay.input_wanted) return;
    wanted = *std::exchange(replay.input_wanted, std::nullopt);
    handle = replay.handle;
    source = replay.input;
  }
  const auto piece = source.Read(wanted.offset, std::min(wanted.size, kMaxReply));
  if (!piece) return EndReplay(number, &piece.error());
  // Nothing: the job was cancelled while it waited for more, which will not come any more.
  if (*piece) handle->SupplyInput(BytesOf((*piece)->bytes), (*piece)->last);
}

void JobManager::ReplaySession::OnLocked(std::vector<SandboxLayer>, std::uint32_t epoch) {
  std::optional<Error> refused;
  {
    absl::MutexLock lock(&manager_.mu_);
    const auto found = manager_.replays_.find(number_);
    if (found == manager_.replays_.end()) return;
    const Replay& replay = *found->second;
    if (const auto checked = CheckReplayable(replay.view, replay.options, epoch); !checked)
      refused = checked.error();
  }
  if (refused) manager_.EndReplay(number_, &*refused);
}

void JobManager::ReplaySession::OnInputWanted(std::uint64_t offset_bytes,
                                              std::uint32_t size_bytes) {
  {
    absl::MutexLock lock(&manager_.mu_);
    const auto found = manager_.replays_.find(number_);
    if (found == manager_.replays_.end()) return;
    found->second->input_wanted = LiveJob::InputWanted{offset_bytes, size_bytes};
  }
  manager_.SupplyReplay(number_);
}

void JobManager::ReplaySession::OnDebug(const DebugNews& news) {
  {
    AfterUnlock after;
    absl::MutexLock lock(&manager_.mu_);
    const auto found = manager_.replays_.find(number_);
    if (found == manager_.replays_.end()) return;
    Replay& replay = *found->second;
    replay.stands = replay.stands || news.stopped.value_or(false);
    after += [debugger = replay.debugger, news] {
      if (!news.notice.empty()) debugger->OnNotice(news.notice);
    };
    manager_.JoinReplay(replay, after);
    after += [debugger = replay.debugger, news] {
      if (!news.bytes.empty()) debugger->OnBytes(news.bytes);
      if (news.core) debugger->OnCore(*news.core);
    };
  }
  if (news.closed) manager_.EndReplay(number_, nullptr);
}

void JobManager::ReplaySession::OnEnded(const BoxEnd& end) {
  if (end.kind != BoxEnd::Kind::kFailed) return manager_.EndReplay(number_, nullptr);
  const Error error{ErrorCode::kFailedPrecondition, end.failure_reason, end.detail, {}};
  manager_.EndReplay(number_, &error);
}

void JobManager::ReplaySession::OnLost(const std::string& what) {
  const Error error{
      ErrorCode::kUnavailable, "WORKER_LOST", "the replay's worker is lost: " + what, {}};
  manager_.EndReplay(number_, &error);
}

}  // namespace glovebox::server
