#include "server/rpc/core_call.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/synchronization/mutex.h>

#include "server/core/debugger.h"
#include "server/rpc/convert.h"
#include "server/rpc/status.h"

namespace glovebox::server {
namespace {

// Pieces on their way: while the client takes one, the worker makes the next ones.
constexpr int kAhead = 4;

// See follower.h for who owns a reactor, and why gRPC is called without the lock.
class CoreCall : public grpc::ServerWriteReactor<v1::CoreChunk>,
                 public DebuggerEvents,
                 public std::enable_shared_from_this<CoreCall> {
 public:
  CoreCall(Activity& activity, JobManager& manager) : call_(activity), manager_(manager) {}

  grpc::ServerWriteReactor<v1::CoreChunk>* Serve(const v1::ReadCoreRequest& request) {
    self_ = shared_from_this();
    if (const auto joined = Join(request); !joined) End(StatusOf(joined.error()));
    return this;
  }

  void OnWriteDone(bool ok) override {
    bool more = false;
    {
      absl::MutexLock lock(&mu_);
      writing_ = false;
      more = response_.notice().empty();
      if (!ok && !ending_) ending_ = grpc::Status::CANCELLED;
    }
    if (more) session_->MoreCore();
    Go();
  }
  void OnCancel() override { End(grpc::Status::CANCELLED); }
  void OnDone() override {
    session_.reset();
    watch_.reset();
    const std::shared_ptr<CoreCall> self = std::move(self_);
  }

  void OnJoined() override { Begin(&joined_); }
  void OnBytes(std::span<const std::byte>) override {}
  void OnNotice(std::string_view text) override {
    v1::CoreChunk chunk;
    chunk.set_notice(std::string(text));
    {
      absl::MutexLock lock(&mu_);
      last_notice_ = text;
      out_.push_back(std::move(chunk));
    }
    Go();
  }
  void OnCore(const CorePiece& piece) override {
    v1::CoreChunk chunk;
    chunk.set_offset_bytes(piece.offset_bytes);
    chunk.set_data(piece.bytes.data(), piece.bytes.size());
    chunk.set_end(piece.end);
    {
      absl::MutexLock lock(&mu_);
      if (ending_) return;
      out_.push_back(std::move(chunk));
      if (piece.end) ending_ = grpc::Status::OK;
    }
    Go();
  }
  // Before the last piece: there was nothing to make a core of.
  void OnClosed() override {
    std::string why;
    {
      absl::MutexLock lock(&mu_);
      why = last_notice_.empty() ? "the job has ended meanwhile" : last_notice_;
    }
    End(StatusOf(Error{ErrorCode::kNotFound, "PROCESS_NOT_FOUND", std::move(why), "pid"}));
  }
  void OnFailed(const Error& error) override { End(StatusOf(error)); }

 private:
  Result<void, Error> Join(const v1::ReadCoreRequest& request) {
    auto id = JobIdOf(request.name());
    if (!id) return std::unexpected(id.error());
    auto watch = manager_.Watch(*id, [] {});  // a job whose core is read is watched
    if (!watch) return std::unexpected(watch.error());
    watch_ = std::move(*watch);
    DebugOptions options;
    options.core = request.pid();
    if (request.has_at_icount()) options.at_icount = request.at_icount();
    auto session = manager_.Debug(*id, shared_from_this(), options);
    if (!session) return std::unexpected(session.error());
    session_ = std::move(*session);
    Begin(&has_session_);
    return {};
  }

  // Asks for the first pieces, once the box is there and there is somebody to ask.
  void Begin(bool* what) {
    {
      absl::MutexLock lock(&mu_);
      *what = true;
      if (!has_session_ || !joined_ || std::exchange(begun_, true)) return;
    }
    for (int i = 0; i < kAhead; ++i) session_->MoreCore();
  }

  // The next write, or the end when everything is written.
  void Go() {
    std::optional<grpc::Status> last;
    {
      absl::MutexLock lock(&mu_);
      if (writing_ || finished_) return;
      const bool fails = ending_ && !ending_->ok();
      if (!out_.empty() && !fails) {
        writing_ = true;
        response_ = std::move(out_.front());
        out_.pop_front();
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

  void End(const grpc::Status& status) {
    {
      absl::MutexLock lock(&mu_);
      if (!ending_) ending_ = status;
    }
    Go();
  }

  std::shared_ptr<CoreCall> self_;
  const Activity::Call call_;
  JobManager& manager_;
  std::unique_ptr<JobWatch> watch_;
  std::unique_ptr<DebugSession> session_;
  v1::CoreChunk response_;  // gRPC's while writing_

  absl::Mutex mu_;
  // At most kAhead pieces, and a few notices.
  std::deque<v1::CoreChunk> out_ ABSL_GUARDED_BY(mu_);
  std::string last_notice_ ABSL_GUARDED_BY(mu_);
  bool has_session_ ABSL_GUARDED_BY(mu_) = false;
  bool joined_ ABSL_GUARDED_BY(mu_) = false;
  bool begun_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<grpc::Status> ending_ ABSL_GUARDED_BY(mu_);  // when what waits is written
};

}  // namespace

grpc::ServerWriteReactor<v1::CoreChunk>* ServeCore(Activity& activity, JobManager& manager,
                                                   const v1::ReadCoreRequest& request) {
  return std::make_shared<CoreCall>(activity, manager)->Serve(request);
}

}  // namespace glovebox::server
