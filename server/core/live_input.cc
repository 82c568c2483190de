// What a client does while the box runs: signals, sizes of its terminal, bytes of a live stdin.
// Each comes back from the worker as a journal record once it has taken effect.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "server/core/live_job.h"
#include "server/core/spec_check.h"

namespace glovebox::server {
namespace {

constexpr int kMaxSignal = 64;  // signal(7): SIGRTMAX

}  // namespace

Result<void, Error> JobManager::Signal(const std::string& id, int number) {
  if (number < 1 || number > kMaxSignal) {
    return Fail(ErrorCode::kInvalidArgument, "SIGNAL_NUMBER",
                fmt::format("{} is no signal: they are 1 to {}", number, kMaxSignal), "signal");
  }
  AfterUnlock after;
  {
    absl::MutexLock lock(&mu_);
    if (LiveJob* const job = FindInterruptible(id)) {
      job->early_signals.push_back(number);
      if (IsReady(*job)) SendEarly(*job, after);
      return {};
    }
  }
  return NotRunning(id, "a signal");
}

Result<void, Error> JobManager::Resize(const std::string& id, const TerminalSize& size) {
  if (auto checked = CheckTerminalSize(size, "size"); !checked) return checked;
  AfterUnlock after;
  {
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    // One that is queued gets it when it starts.
    if (job && job->shown && !job->box_gone && !IsTerminal(job->next.state)) {
      if (!job->next.spec->terminal) {
        return Fail(ErrorCode::kFailedPrecondition, "NO_TERMINAL",
                    fmt::format("job {} has no terminal", id), "name");
      }
      job->early_size = size;
      if (IsReady(*job)) SendEarly(*job, after);
      return {};
    }
  }
  return NotRunning(id, "another size");
}

JobManager::LiveJob* JobManager::FindInterruptible(const std::string& id) {
  LiveJob* const job = Find(id);
  const bool takes = job && job->shown && !job->box_gone && IsInterruptible(job->next.state);
  return takes ? job : nullptr;
}

bool JobManager::IsReady(const LiveJob& job) {
  return job.next.state != JobState::kPreparing && job.handle;
}

Result<void, Error> JobManager::NotRunning(const std::string& id, const char* what) {
  const auto view = Get(id);
  if (!view) return std::unexpected(view.error());
  return Fail(ErrorCode::kFailedPrecondition, "JOB_NOT_RUNNING",
              fmt::format("job {} is {} and does not take {}", id, NameOf(view->state), what));
}

// Inputs that came before the box could take them, or just now; and a debugger.
void JobManager::SendEarly(LiveJob& job, AfterUnlock& after) {
  for (const int number : std::exchange(job.early_signals, {})) {
    after += [handle = job.handle, number] { handle->Signal(number); };
  }
  if (const auto size = std::exchange(job.early_size, std::nullopt))
    after += [handle = job.handle, size] { handle->Resize(*size); };
  JoinDebugger(job, after);
}

bool JobManager::IsLive(const std::string& id) {
  absl::MutexLock lock(&mu_);
  const LiveJob* const job = Find(id);
  return job != nullptr && job->next.spec->stdin_live;
}

// Sends what was typed and is not on its way yet. One thread at a time, so that bytes keep their
// order.
void JobManager::SupplyLive(const std::string& id) {
  while (true) {
    std::shared_ptr<BoxHandle> handle;
    std::shared_ptr<InputFile> input;
    std::uint64_t offset = 0;
    std::size_t size = 0;
    bool end = false;
    {
      absl::MutexLock lock(&mu_);
      LiveJob* const job = Find(id);
      if (!job || job->box_gone || !IsReady(*job)) return;
      job->typing_missed = job->typing;
      if (job->typing) return;
      const InputFile::State state = job->input.stream->state();
      const std::uint64_t under_way = job->typed - std::min(job->typed, job->input_position);
      const std::uint64_t room = BoxHandle::kMaxLiveUnderWay -
                                 std::min<std::uint64_t>(BoxHandle::kMaxLiveUnderWay, under_way);
      offset = job->typed;
      size = static_cast<std::size_t>(std::min(state.size - std::min(state.size, offset), room));
      end = state.ended && offset + size == state.size && !job->typed_end;
      if (size == 0 && !end) return;
      job->typing = true;
      job->typed += size;
      job->typed_end = job->typed_end || end;
      handle = job->handle;
      input = job->input.stream;
    }
    const auto bytes = input->Read(offset, size);
    if (!bytes) return OnStoreFailed(id, bytes.error());
    handle->Type(std::as_bytes(std::span(*bytes)), end);
    absl::MutexLock lock(&mu_);
    LiveJob* const job = Find(id);
    if (!job) return;
    job->typing = false;
    if (!std::exchange(job->typing_missed, false)) return;
  }
}

}  // namespace glovebox::server
