// What calls that follow a job have in common: looking again when the job's bell rings, one write
// at a time, an end when the client has gone.
//
// A reactor owns itself until gRPC says OnDone. The bell holds it weakly, so a ring that comes late
// finds nobody. No lock is held while gRPC is called: it may call back from within.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <absl/synchronization/mutex.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "server/core/job_manager.h"
#include "server/rpc/activity.h"
#include "server/rpc/status.h"

namespace glovebox::server {

// What a look at the job comes to.
enum class Step {
  kWrite,  // there is a message to send
  kWait,   // for the next ring
  kDone,   // the call ends
};

// The look itself: one kind of call each. Called by one thread at a time.
template <typename Response>
class Source {
 public:
  virtual ~Source() = default;
  // Fills `response`, or `status`, or neither.
  virtual Step Next(const JobFeed& feed, Response& response, grpc::Status& status) = 0;
};

template <typename Response>
class Follower : public grpc::ServerWriteReactor<Response> {
 public:
  // Begins to serve a call; the answer is for gRPC.
  static grpc::ServerWriteReactor<Response>* Serve(Activity& activity, JobManager& manager,
                                                   const Result<std::string, Error>& job,
                                                   std::unique_ptr<Source<Response>> source) {
    auto follower = std::make_shared<Follower>(activity, std::move(source));
    follower->self_ = follower;
    if (!job) {
      follower->End(StatusOf(job.error()));
      return follower.get();
    }
    auto watch = manager.Watch(*job, [weak = std::weak_ptr<Follower>(follower)] {
      if (const auto strong = weak.lock()) strong->Look();
    });
    if (!watch) {
      follower->End(StatusOf(watch.error()));
      return follower.get();
    }
    {
      absl::MutexLock lock(&follower->mu_);
      follower->watch_ = std::move(*watch);
    }
    follower->Look();
    return follower.get();
  }

  Follower(Activity& activity, std::unique_ptr<Source<Response>> source)
      : call_(activity), source_(std::move(source)) {}

  void OnWriteDone(bool ok) override {
    {
      absl::MutexLock lock(&mu_);
      writing_ = false;
      cancelled_ |= !ok;
    }
    Look();
  }
  void OnCancel() override {
    {
      absl::MutexLock lock(&mu_);
      cancelled_ = true;
    }
    Look();
  }
  void OnDone() override {
    std::unique_ptr<JobWatch> watch;  // let go without the lock
    {
      absl::MutexLock lock(&mu_);
      watch = std::move(watch_);
    }
    watch.reset();
    const std::shared_ptr<Follower> self = std::move(self_);
  }

 private:
  void Look() {
    grpc::Status status;
    Step step = Step::kWait;
    {
      absl::MutexLock lock(&mu_);
      // A ring that comes during a write is made up for by the look after it.
      if (!watch_ || writing_ || finished_) return;
      if (cancelled_) {
        status = grpc::Status::CANCELLED;
        step = Step::kDone;
      } else {
        step = source_->Next(watch_->feed(), response_, status);
      }
      writing_ = step == Step::kWrite;
      finished_ = step == Step::kDone;
    }
    if (step == Step::kWrite) this->StartWrite(&response_);
    if (step == Step::kDone) this->Finish(status);
  }

  void End(const grpc::Status& status) {
    {
      absl::MutexLock lock(&mu_);
      finished_ = true;
    }
    this->Finish(status);
  }

  std::shared_ptr<Follower> self_;
  const Activity::Call call_;
  const std::unique_ptr<Source<Response>> source_;
  Response response_;  // belongs to gRPC while writing_

  absl::Mutex mu_;
  std::unique_ptr<JobWatch> watch_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace glovebox::server
