#include "client/session/job_session.h"

#include <fmt/core.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "client/exit_status.h"
#include "client/notice.h"
#include "client/render/job.h"
#include "client/rpc/call.h"
#include "client/stream/byte_sink.h"
#include "client/stream/input_feeder.h"
#include "client/stream/output_merger.h"
#include "client/stream/raw_terminal.h"

namespace glovebox::client {
namespace {

using Service = v1::JobService::StubInterface;

constexpr std::chrono::seconds kSignalWithin(10);

grpc::Status Within(std::chrono::seconds limit,
                    const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + limit);
  return call(&context);
}

// The job's streams, joined, on their way to our descriptors.
class Display {
 public:
  Display(Service& service, const std::string& job, const SessionOptions& options)
      : service_(service),
        job_(job),
        options_(options),
        merger_({[this](v1::OutputChunk::Stream stream, std::string_view bytes) {
                   return Write(stream == v1::OutputChunk::STDERR ? 2 : 1, bytes);
                 },
                 [this](const v1::TraceEvent& event) {
                   return Write(options_.trace_fd, TraceLine(event));
                 }},
                options.trace && options.show_output && options.trace_fd == 2) {}

  // To the end of both streams, or of the wish to see them.
  Result<void, Error> Run() {
    Result<void, Error> traced;
    std::thread trace;
    if (options_.trace) trace = std::thread([&] { traced = RunTrace(); });
    const Result<void, Error> shown = options_.show_output ? RunOutput() : Result<void, Error>();
    merger_.EndOutput();
    if (!shown || blocked_) trace_stopper_.Stop();
    if (trace.joinable()) trace.join();
    if (!write_result_) return write_result_;
    return shown ? traced : shown;
  }

  // After Run: the other end of our stdout or stderr was closed.
  bool reader_gone() const { return reader_gone_; }

 private:
  Result<void, Error> RunOutput() {
    v1::ReadOutputRequest request;
    request.set_name(job_);
    request.set_follow(true);
    return ReadStream(service_, &Service::ReadOutput, request, output_stopper_,
                      [&](const v1::OutputChunk& chunk, v1::ReadOutputRequest& next) {
                        next.set_offset_bytes(chunk.offset_bytes() + chunk.data().size());
                        return merger_.AddOutput(chunk);
                      });
  }

  Result<void, Error> RunTrace() {
    v1::StreamTraceRequest request;
    request.set_name(job_);
    request.set_follow(true);
    const auto read = ReadStream(service_, &Service::StreamTrace, request, trace_stopper_,
                                 [&](const v1::TraceEvent& event, v1::StreamTraceRequest& next) {
                                   next.set_after_sequence(event.sequence());
                                   return merger_.AddEvent(event);
                                 });
    merger_.EndTrace();
    if (blocked_) output_stopper_.Stop();
    return read;
  }

  // Called by the merger, one at a time.
  bool Write(int fd, std::string_view bytes) {
    const auto outcome = WriteAll(fd, bytes);
    if (outcome && *outcome == WriteOutcome::kDone) return true;
    if (!outcome) write_result_ = std::unexpected(outcome.error());
    reader_gone_ = outcome.has_value();
    blocked_ = true;
    return false;
  }

  Service& service_;
  const std::string& job_;
  const SessionOptions& options_;
  std::atomic<bool> blocked_ = false;  // nothing more can be written; the next two say why
  bool reader_gone_ = false;
  Result<void, Error> write_result_;
  CallStopper output_stopper_;
  CallStopper trace_stopper_;
  OutputMerger merger_;
};

}  // namespace

void Interruption::Hold(Service& service, std::string job) {
  const std::lock_guard lock(mu_);
  service_ = &service;
  job_ = std::move(job);
}

void Interruption::LetGo() {
  while (true) {
    std::vector<std::thread> calls;  // joined without the lock: a call may make another one
    {
      const std::lock_guard lock(mu_);
      calls = std::exchange(calls_, {});
      if (calls.empty()) service_ = nullptr;
    }
    if (calls.empty()) return;
    for (std::thread& call : calls) call.join();
  }
}

int Interruption::cancelled_by() const {
  const std::lock_guard lock(mu_);
  return cancelled_by_;
}

void Interruption::OnSignal(int number) {
  const std::lock_guard lock(mu_);
  // Nothing of ours needs an orderly end: the server cancels a job that nobody watches.
  if (service_ == nullptr || cancelled_by_ != 0) {
    RawTerminal::Restore();
    ::_exit(kExitSignalBase + number);
  }
  if (number == SIGINT && ++interrupts_ == 1) {
    Notice(invocation_, "interrupt sent to the guest; again to cancel the job");
    Send(number);
    return;
  }
  cancelled_by_ = number;
  Notice(invocation_, "cancelling the job; again to leave at once");
  CancelLocked(number == SIGINT ? "interrupted twice"
                                : fmt::format("client got {}", SignalText(number)));
}

void Interruption::Send(int number) {
  // Calls on threads of their own: the next signal must be heard also while a server does not
  // answer.
  calls_.emplace_back([this, &service = *service_, job = job_, number] {
    v1::SignalJobRequest request;
    request.set_name(job);
    request.set_signal(number);
    const grpc::Status status = Within(kSignalWithin, [&](grpc::ClientContext* context) {
      google::protobuf::Empty none;
      return service.SignalJob(context, request, &none);
    });
    if (status.ok()) return;
    // A job that cannot take it yet is not worth keeping either.
    const std::lock_guard lock(mu_);
    if (cancelled_by_ == 0) cancelled_by_ = number;
    CancelLocked("interrupted before the guest ran");
  });
}

void Interruption::Resize(const v1::TerminalSize& size) {
  const std::lock_guard lock(mu_);
  if (service_ == nullptr) return;
  size_ = size;
  if (!std::exchange(resizing_, true)) calls_.emplace_back([this] { SendSizes(); });
}

// One call after the other, so that the newest size is the last one.
void Interruption::SendSizes() {
  while (true) {
    v1::ResizeTerminalRequest request;
    Service* service = nullptr;
    {
      const std::lock_guard lock(mu_);
      resizing_ = size_.has_value();
      if (!resizing_) return;
      request.set_name(job_);
      *request.mutable_size() = *std::exchange(size_, std::nullopt);
      service = service_;
    }
    // A job that is ending needs no size any more.
    static_cast<void>(Within(kSignalWithin, [&](grpc::ClientContext* context) {
      google::protobuf::Empty none;
      return service->ResizeTerminal(context, request, &none);
    }));
  }
}

void Interruption::Cancel(const std::string& reason) {
  const std::lock_guard lock(mu_);
  CancelLocked(reason);
}

void Interruption::CancelLocked(const std::string& reason) {
  if (std::exchange(cancelling_, true)) return;
  calls_.emplace_back([&service = *service_, job = job_, reason] {
    v1::CancelJobRequest request;
    request.set_name(job);
    request.set_reason(reason);
    const grpc::Status status = Within(kSignalWithin, [&](grpc::ClientContext* context) {
      v1::Job answer;
      return service.CancelJob(context, request, &answer);
    });
    if (!status.ok()) PrintError(ErrorOf(status));
  });
}

bool HasEnded(const v1::Job& job) {
  return job.state() == v1::SUCCEEDED || job.state() == v1::FAILED || job.state() == v1::CANCELLED;
}

Result<v1::Job, Error> WaitForEnd(Service& service, const std::string& job,
                                  std::uint64_t timeout_ms) {
  v1::WaitJobRequest request;
  request.set_name(job);
  request.set_timeout_ms(timeout_ms);
  while (true) {
    auto answer = Call(service, &Service::WaitJob, request);
    if (!answer || HasEnded(*answer) || timeout_ms != 0) return answer;
  }
}

Result<SessionEnd, Error> HoldJob(const Connection& connection, const std::string& job,
                                  const SessionOptions& options, Interruption& interruption) {
  Service& service = connection.jobs();
  std::unique_ptr<InputFeeder> input;
  if (options.feed_input) input = std::make_unique<InputFeeder>(service, job, STDIN_FILENO);
  Display display(service, job, options);
  const auto shown = display.Run();
  if (!shown) interruption.Cancel("the client could not go on: " + shown.error().message);
  if (display.reader_gone()) interruption.Cancel("the reader of the output has gone");
  auto ended = WaitForEnd(service, job, 0);
  if (input) {
    const auto fed = input->Stop();
    if (!fed) PrintError(fed.error());
  }
  if (!shown) return std::unexpected(shown.error());
  if (!ended) return std::unexpected(ended.error());
  return SessionEnd{*std::move(ended), display.reader_gone()};
}

}  // namespace glovebox::client
