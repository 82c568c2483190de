#include "client/debug/relay.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <thread>

#include "client/notice.h"
#include "client/rpc/call.h"
#include "client/rpc/status.h"
#include "client/stream/byte_sink.h"
#include "engine/base/host_fd.h"

namespace glovebox::client {
namespace {

constexpr std::size_t kMaxChunk = 64 << 10;  // of a DebugRequest

}  // namespace

// The way from the debugger to the box, on a thread of its own.
class DebugCall::Upstream {
 public:
  Upstream(grpc::ClientContext& context, Stream& stream, int in, int stop)
      : context_(context),
        stream_(stream),
        in_(in),
        stop_(stop),
        wake_(::eventfd(0, EFD_CLOEXEC)),
        thread_([this] { Run(); }) {}
  ~Upstream() {
    Wake(&over_);
    thread_.join();
  }
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  // Before that only the debugger's end is looked for.
  void Begin() { Wake(&begun_); }

 private:
  void Wake(std::atomic<bool>* what) {
    *what = true;
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_.get(), &one, sizeof one));
  }

  void Run() {
    std::array<char, kMaxChunk> buffer;
    v1::DebugRequest request;
    while (!over_) {
      std::array<pollfd, 3> polls{{{in_, static_cast<short>(begun_ ? POLLIN : 0), 0},
                                   {wake_.get(), POLLIN, 0},
                                   {stop_, POLLIN, 0}}};
      if (::poll(polls.data(), polls.size(), -1) < 0 && errno != EINTR) break;
      if (polls[2].revents != 0) break;
      if (polls[1].revents != 0) {
        std::uint64_t count = 0;
        static_cast<void>(!::read(wake_.get(), &count, sizeof count));
        continue;
      }
      if (polls[0].revents == 0) continue;
      const ssize_t got = begun_ ? ::read(in_, buffer.data(), buffer.size()) : 0;
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      request.set_data(buffer.data(), static_cast<std::size_t>(got));
      if (!stream_.Write(request)) return;
    }
    // The debugger has gone: the call ends, and the box goes on.
    if (!over_) context_.TryCancel();
  }

  grpc::ClientContext& context_;
  Stream& stream_;
  const int in_;
  const int stop_;
  const HostFd wake_;
  std::atomic<bool> begun_ = false;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

DebugCall::DebugCall(v1::SessionService::StubInterface& service, const std::string& job,
                     std::optional<std::uint64_t> at_icount)
    : stream_(service.Debug(&context_)) {
  v1::DebugRequest request;
  request.set_name(job);
  if (at_icount) request.set_at_icount(*at_icount);
  stream_->Write(request);
}

DebugCall::~DebugCall() {
  if (finished_) return;
  context_.TryCancel();
  static_cast<void>(stream_->Finish());
}

bool DebugCall::AwaitAttached() {
  v1::DebugResponse response;
  while (!attached_ && stream_->Read(&response)) {
    if (!response.notice().empty()) Warn(response.notice());
    attached_ = response.attached();
  }
  return attached_;
}

Result<void, Error> DebugCall::Relay(int in, int out, int stop) {
  Result<WriteOutcome, Error> written = WriteOutcome::kDone;
  {
    Upstream upstream(context_, *stream_, in, stop);
    if (AwaitAttached()) upstream.Begin();
    v1::DebugResponse response;
    while (attached_ && stream_->Read(&response)) {
      if (!response.notice().empty()) Warn(response.notice());
      written = WriteAll(out, response.data());
      if (!written || *written == WriteOutcome::kReaderGone) {
        context_.TryCancel();
        break;
      }
    }
  }
  const Result<void, Error> finished = Finish();
  if (!written) return std::unexpected(written.error());
  return finished;
}

Result<void, Error> DebugCall::Finish() {
  finished_ = true;
  const grpc::Status status = stream_->Finish();
  if (status.ok() || status.error_code() == grpc::StatusCode::CANCELLED) return {};
  return std::unexpected(ErrorOf(status));
}

Result<void, Error> RelayDebugger(v1::SessionService::StubInterface& service,
                                  const std::string& job, std::optional<std::uint64_t> at_icount,
                                  int in, int out, int stop) {
  Patience patience;
  while (true) {
    DebugCall call(service, job, at_icount);
    const auto relayed = call.Relay(in, out, stop);
    if (relayed || call.attached() || relayed.error().code != ErrorCode::kUnavailable ||
        !patience.Wait()) {
      return relayed;
    }
  }
}

}  // namespace glovebox::client
