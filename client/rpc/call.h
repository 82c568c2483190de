// Calls of the service that outlive a lost connection: unary calls are made again, streams go on
// where they stopped.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "client/rpc/status.h"
#include "engine/base/result.h"

namespace glovebox::client {

// How long a call is made again while the server cannot be reached: long enough for a daemon to be
// restarted.
class Patience {
 public:
  static constexpr int kAttempts = 32;  // about 30 s

  // False when it is used up; otherwise returns after a pause of 20 ms, twice as long each time, at
  // most 1 s.
  bool Wait() {
    if (++failures_ >= kAttempts) return false;
    std::this_thread::sleep_for(pause_);
    pause_ = std::min(pause_ * 2, std::chrono::milliseconds(1000));
    return true;
  }
  void Renew() { *this = Patience(); }

 private:
  int failures_ = 0;
  std::chrono::milliseconds pause_{20};
};

enum class Repeat { kWhileUnavailable, kNever };

// One unary call. `method` is a member of the generated StubInterface.
template <typename Stub, typename Request, typename Response>
Result<Response, Error> Call(Stub& stub,
                             grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                          Response*),
                             const Request& request, Repeat repeat = Repeat::kWhileUnavailable) {
  Patience patience;
  while (true) {
    grpc::ClientContext context;
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (status.ok()) return response;
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || repeat == Repeat::kNever ||
        !patience.Wait()) {
      return std::unexpected(ErrorOf(status));
    }
  }
}

// Ends a call from another thread. Threads: any.
class CallStopper {
 public:
  void Stop() {
    const std::lock_guard lock(mu_);
    stopped_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  bool stopped() const {
    const std::lock_guard lock(mu_);
    return stopped_;
  }
  // The call that Stop ends; null when it is over.
  void Watch(grpc::ClientContext* context) {
    const std::lock_guard lock(mu_);
    context_ = context;
    if (stopped_ && context_ != nullptr) context_->TryCancel();
  }

 private:
  mutable std::mutex mu_;
  bool stopped_ = false;
  grpc::ClientContext* context_ = nullptr;
};

// Reads a stream to its end. `on_message(message, request)` notes in `request` where to go on after
// a lost connection, and returns false to end the stream early, which is no error; nor is
// `stopper.Stop()`.
template <typename Stub, typename Request, typename Message, typename OnMessage>
Result<void, Error> ReadStream(Stub& stub,
                               std::unique_ptr<grpc::ClientReaderInterface<Message>> (
                                   Stub::*method)(grpc::ClientContext*, const Request&),
                               Request request, CallStopper& stopper, OnMessage on_message) {
  Patience patience;
  while (true) {
    grpc::ClientContext context;
    stopper.Watch(&context);
    const auto reader = (stub.*method)(&context, request);
    Message message;
    bool wanted = true;
    while (wanted && reader->Read(&message)) {
      patience.Renew();
      wanted = on_message(message, request);
    }
    if (!wanted) context.TryCancel();
    const grpc::Status status = reader->Finish();
    stopper.Watch(nullptr);
    if (!wanted || status.ok() || stopper.stopped()) return {};
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE || !patience.Wait()) {
      return std::unexpected(ErrorOf(status));
    }
  }
}

}  // namespace glovebox::client
