#include "server/rpc/job_calls.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <absl/synchronization/mutex.h>
#include <fmt/format.h>
#include <grpcpp/alarm.h>

#include "server/rpc/convert.h"
#include "server/rpc/status.h"
#include "server/store/file_io.h"

namespace glovebox::server {
namespace {

constexpr std::size_t kMaxInputChunk = 64 << 10;
constexpr std::uint64_t kMaxWaitMs = 365ull * 86'400'000;

// See follower.h for who owns a reactor, and why gRPC is called without the lock.
class WaitCall : public grpc::ServerUnaryReactor {
 public:
  static grpc::ServerUnaryReactor* Serve(Activity& activity, JobManager& manager,
                                         const v1::WaitJobRequest& request, v1::Job* response) {
    auto call = std::make_shared<WaitCall>(activity, manager, response);
    call->self_ = call;
    call->Begin(request, call);
    return call.get();
  }

  WaitCall(Activity& activity, JobManager& manager, v1::Job* response)
      : call_(activity), manager_(manager), response_(response) {}

  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override {
    alarm_.Cancel();
    std::unique_ptr<JobWatch> watch;
    {
      absl::MutexLock lock(&mu_);
      watch = std::move(watch_);
    }
    watch.reset();
    const std::shared_ptr<WaitCall> self = std::move(self_);
  }

 private:
  void Begin(const v1::WaitJobRequest& request, const std::shared_ptr<WaitCall>& self) {
    const auto id = JobIdOf(request.name());
    if (!id) return End(StatusOf(id.error()));
    id_ = *id;
    const std::weak_ptr<WaitCall> weak = self;
    auto watch = manager_.Watch(id_, [weak] {
      if (const auto strong = weak.lock()) strong->Look(false);
    });
    if (!watch) return End(StatusOf(watch.error()));
    {
      absl::MutexLock lock(&mu_);
      watch_ = std::move(*watch);
    }
    if (request.timeout_ms() != 0) {
      const auto timeout = std::chrono::milliseconds(std::min(request.timeout_ms(), kMaxWaitMs));
      alarm_.Set(std::chrono::system_clock::now() + timeout, [weak](bool expired) {
        const auto strong = weak.lock();
        if (expired && strong) strong->Look(true);
      });
    }
    Look(false);
  }

  void Look(bool timed_out) {
    {
      absl::MutexLock lock(&mu_);
      if (!watch_ || finished_) return;
      if (!timed_out && !watch_->feed().ended) return;
    }
    const auto view = manager_.Get(id_);
    if (!view) return End(StatusOf(view.error()));
    v1::Job job = MessageOf(*view);
    {
      absl::MutexLock lock(&mu_);
      if (finished_) return;
      finished_ = true;
    }
    response_->Swap(&job);
    Finish(grpc::Status::OK);
  }

  void End(const grpc::Status& status) {
    {
      absl::MutexLock lock(&mu_);
      if (finished_) return;
      finished_ = true;
    }
    Finish(status);
  }

  std::shared_ptr<WaitCall> self_;
  const Activity::Call call_;
  JobManager& manager_;
  v1::Job* const response_;
  std::string id_;
  grpc::Alarm alarm_;

  absl::Mutex mu_;
  std::unique_ptr<JobWatch> watch_ ABSL_GUARDED_BY(mu_);
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

// Takes one message at a time: the next one is read when this one is stored, so a client that sends
// faster than the guest reads is held back by gRPC's flow control.
class InputCall : public grpc::ServerReadReactor<v1::WriteInputRequest>,
                  public std::enable_shared_from_this<InputCall> {
 public:
  static grpc::ServerReadReactor<v1::WriteInputRequest>* Serve(Activity& activity,
                                                               JobManager& manager,
                                                               v1::WriteInputResponse* response) {
    auto call = std::make_shared<InputCall>(activity, manager, response);
    call->self_ = call;
    call->StartRead(&call->request_);
    return call.get();
  }

  InputCall(Activity& activity, JobManager& manager, v1::WriteInputResponse* response)
      : call_(activity), manager_(manager), response_(response) {}

  void OnReadDone(bool ok) override {
    if (!ok) return Store();  // the client says no more, or is gone
    if (id_.empty()) {
      if (const auto named = Name(); !named) return End(StatusOf(named.error()));
    }
    if (const auto checked = Check(); !checked) return End(StatusOf(checked.error()));
    {
      absl::MutexLock lock(&mu_);
      holding_ = true;
    }
    Look();
  }
  // A read that is under way comes back and ends the call; one that was taken and waits for room
  // does not.
  void OnCancel() override {
    {
      absl::MutexLock lock(&mu_);
      cancelled_ = true;
    }
    Look();
  }
  void OnDone() override {
    std::unique_ptr<JobWatch> watch;
    {
      absl::MutexLock lock(&mu_);
      watch = std::move(watch_);
    }
    watch.reset();
    const std::shared_ptr<InputCall> self = std::move(self_);
  }

 private:
  Result<void, Error> Name() {
    auto id = JobIdOf(request_.name());
    if (!id) return std::unexpected(id.error());
    id_ = std::move(*id);
    auto watch = manager_.Watch(id_, [weak = weak_from_this()] {
      if (const auto strong = weak.lock()) strong->Look();
    });
    if (!watch) return std::unexpected(watch.error());
    absl::MutexLock lock(&mu_);
    watch_ = std::move(*watch);
    return {};
  }

  Result<void, Error> Check() const {
    if (!request_.name().empty() && request_.name() != std::string(kJobNamePrefix) + id_) {
      return Fail(ErrorCode::kInvalidArgument, "JOB_NAME", "later messages are of the same job",
                  "name");
    }
    if (request_.data().size() > kMaxInputChunk) {
      return Fail(ErrorCode::kInvalidArgument, "DATA_TOO_LARGE",
                  fmt::format("{} bytes exceed {}", request_.data().size(), kMaxInputChunk),
                  "data");
    }
    return {};
  }

  // Stores the message at hand, if there is room for it by now.
  void Look() {
    Result<JobManager::InputTaken, Error> taken;
    bool gone = false;
    {
      absl::MutexLock lock(&mu_);
      if (!watch_ || finished_ || storing_) return;
      if (!holding_) {
        if (!watch_->feed().ended) return;
        taken = JobManager::InputTaken{.stored = 0, .job_ended = true};
      } else if (cancelled_) {
        gone = true;
      } else {
        taken = manager_.WriteInput(id_, request_.offset_bytes(), BytesOf(request_.data()),
                                    request_.end());
        if (taken && taken->full && !taken->job_ended) return;
        holding_ = false;
        reading_ = taken && !taken->job_ended && !request_.end();
      }
    }
    if (gone) return End(grpc::Status::CANCELLED);
    if (!taken) return End(StatusOf(taken.error()));
    if (taken->job_ended || request_.end()) return Store();
    StartRead(&request_);
    std::optional<grpc::Status> ended;
    {
      absl::MutexLock lock(&mu_);
      reading_ = false;
      ended = std::exchange(late_end_, std::nullopt);
    }
    if (ended) Finish(*ended);
  }

  // The last act: what is answered is durable.
  void Store() {
    if (id_.empty()) {
      return End(StatusOf(Error{ErrorCode::kInvalidArgument, "JOB_NAME",
                                "the first message names the job", "name"}));
    }
    {
      absl::MutexLock lock(&mu_);
      if (finished_ || storing_) return;
      storing_ = true;
    }
    manager_.SyncInput(id_,
                       [self = shared_from_this()](const Result<std::uint64_t, Error>& stored) {
                         if (!stored) return self->End(StatusOf(stored.error()));
                         self->response_->set_accepted_bytes(*stored);
                         self->End(grpc::Status::OK);
                       });
  }

  void End(const grpc::Status& status) {
    {
      absl::MutexLock lock(&mu_);
      if (finished_) return;
      finished_ = true;
      if (reading_) {  // the thread that is about to begin a read ends the call after it
        late_end_ = status;
        return;
      }
    }
    Finish(status);
  }

  std::shared_ptr<InputCall> self_;
  const Activity::Call call_;
  JobManager& manager_;
  v1::WriteInputResponse* const response_;
  v1::WriteInputRequest request_;  // gRPC's between StartRead and OnReadDone
  std::string id_;

  absl::Mutex mu_;
  std::unique_ptr<JobWatch> watch_ ABSL_GUARDED_BY(mu_);
  bool holding_ ABSL_GUARDED_BY(mu_) = false;  // request_ is to be stored
  bool reading_ ABSL_GUARDED_BY(mu_) = false;  // somebody is on the way to StartRead
  std::optional<grpc::Status> late_end_ ABSL_GUARDED_BY(mu_);
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool storing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace

grpc::ServerUnaryReactor* ServeWaitJob(Activity& activity, JobManager& manager,
                                       const v1::WaitJobRequest& request, v1::Job* response) {
  return WaitCall::Serve(activity, manager, request, response);
}

grpc::ServerReadReactor<v1::WriteInputRequest>* ServeWriteInput(Activity& activity,
                                                                JobManager& manager,
                                                                v1::WriteInputResponse* response) {
  return InputCall::Serve(activity, manager, response);
}

}  // namespace glovebox::server
