// How a job gets in: checked, its blobs found, made durable, queued.
#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "server/core/clock.h"
#include "server/core/codec.h"
#include "server/core/live_job.h"
#include "server/core/log.h"
#include "server/core/spec_check.h"
#include "server/store/file_io.h"

namespace glovebox::server {
namespace {

// What a request id stands for: the whole request, in our canonical encoding.
std::string BodyOf(const CreateRequest& request) {
  const std::string text =
      fmt::format("unwatched {}\n{}{}", request.cancel_if_unwatched_s,
                  request.wait_for_debugger ? "debugged\n" : "", Encode(request.spec));
  return HexOf(DigestOf(BytesOf(text)));
}

Error Reused(const std::string& request_id) {
  return Error{ErrorCode::kAlreadyExists, "REQUEST_ID_REUSED",
               fmt::format("request id \"{}\" was used before, with another request", request_id),
               "request_id"};
}

Error Draining() {
  return Error{
      ErrorCode::kUnavailable, "DRAINING", "the daemon is about to end and takes no jobs", {}};
}

Result<void, Error> CheckRequest(const CreateRequest& request) {
  if (request.request_id.size() > kMaxRequestIdBytes) {
    return Fail(ErrorCode::kInvalidArgument, "REQUEST_ID_TOO_LONG",
                fmt::format("a request id of {} bytes exceeds {}", request.request_id.size(),
                            kMaxRequestIdBytes),
                "request_id");
  }
  return CheckSpec(request.spec);
}

}  // namespace

void JobManager::Create(CreateRequest request, JobDone done) {
  if (auto checked = CheckRequest(request); !checked) return done(std::unexpected(checked.error()));
  std::string body = BodyOf(request);
  std::optional<Error> refused;
  {
    absl::MutexLock lock(&mu_);
    if (draining_) {
      refused = Draining();
    } else if (!request.request_id.empty()) {
      const auto [pending, first] = requests_.try_emplace(request.request_id);
      if (first) pending->second.body = body;
      if (pending->second.body != body) {
        refused = Reused(request.request_id);
      } else {
        pending->second.waiting.push_back(std::move(done));
        if (!first) return;  // answered together with the one that came first
        done = [this, id = request.request_id](const Result<JobView, Error>& result) {
          ResolveRequest(id, result);
        };
      }
    }
    if (!refused) {
      Post([this, request = std::make_shared<CreateRequest>(std::move(request)), body, done] {
        Admit(*request, body, done);
      });
    }
  }
  if (refused) done(std::unexpected(*refused));
}

void JobManager::ResolveRequest(const std::string& request_id,
                                const Result<JobView, Error>& result) {
  std::vector<JobDone> waiting;
  {
    absl::MutexLock lock(&mu_);
    auto pending = requests_.extract(request_id);
    if (!pending.empty()) waiting = std::move(pending.mapped().waiting);
  }
  for (const JobDone& done : waiting) done(result);
}

void JobManager::Admit(const CreateRequest& request, const std::string& body, const JobDone& done) {
  if (!request.request_id.empty()) {
    auto known = FindRequest(request.request_id, body);
    if (!known) return done(std::unexpected(known.error()));
    if (*known) return done(std::move(**known));
  }
  bool closure_is_new = false;
  auto closure = CheckBlobs(request.spec, closure_is_new);
  if (!closure) return done(std::unexpected(closure.error()));
  TakeIn(request, body, std::move(*closure), closure_is_new, done);
}

Result<std::optional<JobView>, Error> JobManager::FindRequest(const std::string& request_id,
                                                              const std::string& body) {
  const auto known = parts_.store->reader().FindRequestId(kDefaultTenant, request_id);
  if (!known) return std::unexpected(known.error());
  if (!*known) return std::optional<JobView>();
  if ((*known)->body != body) return std::unexpected(Reused(request_id));
  auto job = Get((*known)->job);
  if (!job) return std::unexpected(job.error());
  return std::optional(std::move(*job));
}

Result<std::shared_ptr<const std::vector<Digest>>, Error> JobManager::Closure(const Digest& root,
                                                                              bool& is_new) {
  is_new = false;
  {
    absl::MutexLock lock(&mu_);
    if (const auto known = closures_.find(root); known != closures_.end()) {
      if (auto closure = known->second.lock()) return closure;
    }
  }
  auto stored = parts_.store->reader().FindRoot(root);
  if (!stored) return std::unexpected(stored.error());
  if (!*stored) {
    auto computed = ComputeClosure(*parts_.blobs, parts_.parser, root);
    if (!computed) return std::unexpected(computed.error());
    *stored = std::move(*computed);
    is_new = true;
  }
  auto closure = std::make_shared<const std::vector<Digest>>(std::move(**stored));
  absl::MutexLock lock(&mu_);
  std::erase_if(closures_, [](const auto& entry) { return entry.second.expired(); });
  closures_[root] = closure;
  return closure;
}

Result<std::shared_ptr<const std::vector<Digest>>, Error> JobManager::CheckBlobs(
    const JobSpec& spec, bool& is_new) {
  if (spec.stdin_blob && !parts_.blobs->Has(*spec.stdin_blob)) {
    return Fail(ErrorCode::kFailedPrecondition, "BLOB_MISSING",
                fmt::format("stdin {} of {} bytes is not stored", HexOf(*spec.stdin_blob),
                            spec.stdin_blob->size_bytes),
                "spec.stdin_blob");
  }
  auto closure = Closure(spec.root, is_new);
  if (!closure) return closure;
  // Looking at each file of a large root again for each job would cost more than the job: blobs
  // only ever vanish through the blob store, which counts its losses.
  const std::uint64_t losses = parts_.blobs->losses();
  {
    absl::MutexLock lock(&mu_);
    const auto seen = complete_.find(spec.root);
    if (seen != complete_.end() && seen->second == losses) return closure;
  }
  if (auto stored = CheckStored(*parts_.blobs, **closure, "spec.root"); !stored) {
    return std::unexpected(stored.error());
  }
  constexpr std::size_t kRemembered = 10'000;
  absl::MutexLock lock(&mu_);
  if (complete_.size() >= kRemembered) complete_.clear();
  complete_[spec.root] = losses;
  return closure;
}

void JobManager::TakeIn(const CreateRequest& request, const std::string& body,
                        std::shared_ptr<const std::vector<Digest>> closure, bool closure_is_new,
                        const JobDone& done) {
  auto job = std::make_unique<LiveJob>();
  auto spec = std::make_shared<const JobSpec>(request.spec);
  job->feed = std::make_shared<JobFeed>();
  job->closure = closure;
  job->next.spec = spec;
  job->next.cancel_if_unwatched_s = request.cancel_if_unwatched_s;
  job->outcome.waits_for_debugger = request.wait_for_debugger;

  AfterUnlock after;
  absl::MutexLock lock(&mu_);
  std::optional<Error> refused;
  if (draining_) {
    refused = Draining();
  } else if (queue_.size() + arriving_ >= options_.max_queued) {
    refused =
        Error{ErrorCode::kResourceExhausted,
              "QUEUE_FULL",
              fmt::format("{} jobs are queued, and no more than that may be", options_.max_queued),
              {}};
  }
  if (refused) {
    after += [done, error = *refused] { done(std::unexpected(error)); };
    return;
  }

  const std::int64_t now = WallClockNs();
  const std::string id = ids_->Next(now / 1'000'000);
  job->next.id = id;
  job->next.create_ns = now;
  job->feed->output =
      std::make_shared<FrameLog>(FrameLog::Unit::kBytes, parts_.directory->output_log(id));
  if (spec->trace_syscalls) {
    job->feed->trace =
        std::make_shared<FrameLog>(FrameLog::Unit::kFrames, parts_.directory->trace_log(id));
  }
  if (spec->input_is_written()) {
    // Nothing is opened before the first byte, so this cannot fail.
    job->input.stream = InputFile::Open(parts_.directory->input(id), 0, false).value();
  }
  LiveJob& taken = *jobs_.emplace(id, std::move(job)).first->second;
  ++arriving_;
  AddEvent(taken, "accepted");

  JobRow row;
  row.id = id;
  row.state = static_cast<int>(JobState::kQueued);
  row.create_ns = now;
  row.unwatched_s = request.cancel_if_unwatched_s;
  const auto insert = [row, spec, closure, closure_is_new, body, request_id = request.request_id](
                          Transaction& transaction) -> Result<void, Error> {
    auto written = transaction.InsertJob(row, Encode(*spec));
    if (written && !request_id.empty()) {
      written = transaction.PutRequestId(row.tenant, request_id, {row.id, body});
    }
    if (written) written = transaction.PutBlobRef(row.tenant, {spec->root, row.id});
    if (written && spec->stdin_blob)
      written = transaction.PutBlobRef(row.tenant, {*spec->stdin_blob, row.id});
    if (written && closure_is_new) written = transaction.PutRoot(spec->root, *closure);
    return written;
  };
  Persist(taken, Durability::kPower, insert, [this, id, done](const Result<void, Error>& result) {
    std::optional<JobView> view;
    {
      absl::MutexLock relock(&mu_);
      --arriving_;
      if (result) {
        view = ShownView(id);
        queue_.push_back(id);
        ArmUnwatched(*Find(id));
        StartQueued();
      } else {
        jobs_.erase(id);
      }
    }
    if (view) {
      LogJob(spdlog::level::info, id, "accepted");
      done(std::move(*view));
    } else {
      done(std::unexpected(result.error()));
    }
  });
}

}  // namespace glovebox::server
