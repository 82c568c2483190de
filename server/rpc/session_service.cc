#include "server/rpc/session_service.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/synchronization/mutex.h>
#include <fmt/format.h>

#include "server/core/debugger.h"
#include "server/rpc/convert.h"
#include "server/rpc/core_call.h"
#include "server/rpc/status.h"
#include "server/store/file_io.h"

namespace glovebox::server {
namespace {

constexpr std::size_t kMaxChunk = 64 << 10;
// What may wait for a debugger that does not read. The stub answers one packet at a time, so only
// one that asks on and on without reading comes this far.
constexpr std::size_t kMaxUnread = 8 << 20;

// See follower.h for who owns a reactor, and why gRPC is called without the lock. Reads one message
// at a time, and the next one when the worker's socket has taken this one.
class DebugCall : public grpc::ServerBidiReactor<v1::DebugRequest, v1::DebugResponse>,
                  public DebuggerEvents,
                  public std::enable_shared_from_this<DebugCall> {
 public:
  static DebugCall* Serve(Activity& activity, JobManager& manager) {
    auto call = std::make_shared<DebugCall>(activity, manager);
    call->self_ = call;
    call->StartRead(&call->request_);
    return call.get();
  }

  DebugCall(Activity& activity, JobManager& manager) : call_(activity), manager_(manager) {}

  void OnReadDone(bool ok) override {
    {
      absl::MutexLock lock(&mu_);
      reading_ = false;
    }
    if (!ok) return End(grpc::Status::OK);  // the client says no more, or is gone
    if (id_.empty()) {
      if (const auto joined = Join(); !joined) End(StatusOf(joined.error()));
      return;
    }
    if (request_.data().size() > kMaxChunk) {
      return End(StatusOf(
          Error{ErrorCode::kInvalidArgument, "DATA_TOO_LARGE",
                fmt::format("{} bytes exceed {}", request_.data().size(), kMaxChunk), "data"}));
    }
    if (!request_.name().empty() && request_.name() != std::string(kJobNamePrefix) + id_) {
      return End(StatusOf(Error{ErrorCode::kInvalidArgument, "JOB_NAME",
                                "later messages are of the same job", "name"}));
    }
    session_->Tell(BytesOf(request_.data()), [weak = weak_from_this()] {
      if (const auto strong = weak.lock()) strong->Read();
    });
  }
  void OnWriteDone(bool ok) override {
    {
      absl::MutexLock lock(&mu_);
      writing_ = false;
      if (!ok && !ending_) ending_ = grpc::Status::CANCELLED;
    }
    Go();
  }
  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override {
    session_.reset();
    watch_.reset();
    const std::shared_ptr<DebugCall> self = std::move(self_);
  }

  void OnJoined() override {
    v1::DebugResponse response;
    response.set_attached(true);
    Queue(std::move(response));
    {
      absl::MutexLock lock(&mu_);
      joined_ = true;
    }
    Read();
  }
  void OnNotice(std::string_view text) override {
    v1::DebugResponse response;
    response.set_notice(std::string(text));
    Queue(std::move(response));
  }
  void OnBytes(std::span<const std::byte> bytes) override {
    v1::DebugResponse response;
    response.set_data(bytes.data(), bytes.size());
    Queue(std::move(response));
  }
  void OnClosed() override { End(grpc::Status::OK); }
  void OnFailed(const Error& error) override { End(StatusOf(error), /*after_all=*/true); }

 private:
  Result<void, Error> Join() {
    auto id = JobIdOf(request_.name());
    if (!id) return std::unexpected(id.error());
    auto watch = manager_.Watch(*id, [] {});  // a job with a debugger is watched
    if (!watch) return std::unexpected(watch.error());
    watch_ = std::move(*watch);
    id_ = std::move(*id);
    DebugOptions options;
    if (request_.has_at_icount()) options.at_icount = request_.at_icount();
    auto session = manager_.Debug(id_, shared_from_this(), options);
    if (!session) return std::unexpected(session.error());
    session_ = std::move(*session);
    {
      absl::MutexLock lock(&mu_);
      has_session_ = true;
    }
    Read();
    return {};
  }

  // Begins to read, once there is somebody to tell it to.
  void Read() {
    {
      absl::MutexLock lock(&mu_);
      if (reading_ || finished_ || ending_) return;
      if (!has_session_ || !joined_) return;
      reading_ = true;
      starting_ = true;
    }
    StartRead(&request_);
    {
      absl::MutexLock lock(&mu_);
      starting_ = false;
    }
    Go();
  }

  void Queue(v1::DebugResponse response) {
    bool too_slow = false;
    {
      absl::MutexLock lock(&mu_);
      if (ending_) return;
      unread_bytes_ += response.data().size();
      too_slow = unread_bytes_ > kMaxUnread;
      if (!too_slow) out_.push_back(std::move(response));
    }
    if (too_slow) {
      return End(StatusOf(Error{ErrorCode::kResourceExhausted,
                                "DEBUGGER_TOO_SLOW",
                                "the debugger does not read what it asks for",
                                {}}));
    }
    Go();
  }

  // The next write, or the end when everything is written.
  void Go() {
    std::optional<grpc::Status> last;
    {
      absl::MutexLock lock(&mu_);
      if (writing_ || finished_ || starting_) return;
      const bool cancelled = ending_ && !ending_->ok() && !ends_after_all_;
      if (!out_.empty() && !cancelled) {
        writing_ = true;
        response_ = std::move(out_.front());
        out_.pop_front();
        unread_bytes_ -= response_.data().size();
      } else if (ending_) {
        finished_ = true;
        last = ending_;
      } else {
        return;
      }
    }
    if (last) return Finish(*last);
    StartWrite(&response_);
  }

  // `after_all`: what waits is written first, though it is no success.
  void End(const grpc::Status& status, bool after_all = false) {
    {
      absl::MutexLock lock(&mu_);
      if (!ending_) ends_after_all_ = after_all;
      if (!ending_) ending_ = status;
    }
    Go();
  }

  std::shared_ptr<DebugCall> self_;
  const Activity::Call call_;
  JobManager& manager_;
  v1::DebugRequest request_;    // gRPC's between StartRead and OnReadDone
  v1::DebugResponse response_;  // gRPC's while writing_
  std::string id_;
  std::unique_ptr<JobWatch> watch_;
  std::unique_ptr<DebugSession> session_;

  absl::Mutex mu_;
  std::deque<v1::DebugResponse> out_ ABSL_GUARDED_BY(mu_);
  std::size_t unread_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool has_session_ ABSL_GUARDED_BY(mu_) = false;
  bool joined_ ABSL_GUARDED_BY(mu_) = false;
  bool reading_ ABSL_GUARDED_BY(mu_) = true;
  bool starting_ ABSL_GUARDED_BY(mu_) = false;  // somebody is on the way to StartRead
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  bool ends_after_all_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<grpc::Status> ending_ ABSL_GUARDED_BY(mu_);  // when what waits is written
};

}  // namespace

grpc::ServerBidiReactor<v1::DebugRequest, v1::DebugResponse>* SessionServiceImpl::Debug(
    grpc::CallbackServerContext*) {
  return DebugCall::Serve(activity_, manager_);
}

grpc::ServerWriteReactor<v1::CoreChunk>* SessionServiceImpl::ReadCore(
    grpc::CallbackServerContext*, const v1::ReadCoreRequest* request) {
  return ServeCore(activity_, manager_, *request);
}

}  // namespace glovebox::server
