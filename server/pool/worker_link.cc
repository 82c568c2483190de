#include "server/pool/worker_link.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "server/channel/clean_text.h"

namespace glovebox::server {
namespace {

using asio::posix::descriptor_base;
using std::chrono::milliseconds;

constexpr milliseconds kStartupPatience{30'000};
// Between the end of a worker's channel and the end of its process there is only the kernel's work.
constexpr milliseconds kEofPatience{5'000};
constexpr std::size_t kReadBytes = std::size_t{64} << 10;
constexpr std::size_t kLastWordsBytes = 1024;

void SendSignal(int pidfd, int number) {
  ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0);
}

// "killed by SIGSEGV".
std::string DescribeStatus(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return "exited with status " + std::to_string(info.si_status);
  const char* const name = ::sigabbrev_np(info.si_status);
  std::string text =
      "killed by SIG" + std::string(name == nullptr ? std::to_string(info.si_status) : name);
  if (info.si_status == SIGSYS)
    text += ", which is how the sandbox ends a worker that makes a forbidden system call";
  return text;
}

// Empty: it still runs. With `wait`, only once it does not. The descriptor is non-blocking for
// Asio's sake, and waitid(2) then answers EAGAIN instead of waiting, so poll waits.
std::optional<std::string> WaitFor(int pidfd, bool wait) {
  pollfd ended{pidfd, POLLIN, 0};
  while (::poll(&ended, 1, wait ? -1 : 0) < 0 && errno == EINTR) {
  }
  siginfo_t info{};
  int result = 0;
  do {
    result = ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info,
                      WEXITED | WNOHANG);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return "ended in a way that somebody else was told of";  // ECHILD
  if (info.si_pid == 0) return std::nullopt;
  return DescribeStatus(info);
}

}  // namespace

WorkerLink::WorkerLink(asio::io_context& io, FreshWorker worker, milliseconds cancel_grace,
                       Observer observer)
    : channel_(io, worker.channel.Release()),
      process_(io, worker.process.Release()),
      stderr_(std::move(worker.stderr_)),
      startup_timer_(io),
      cancel_timer_(io),
      eof_timer_(io),
      pid_(worker.pid),
      cancel_grace_(cancel_grace),
      observer_(std::move(observer)) {}

WorkerLink::~WorkerLink() {
  if (status_) return;
  SendSignal(process_.native_handle(), SIGKILL);
  WaitFor(process_.native_handle(), /*wait=*/true);
}

void WorkerLink::Start() {
  KillAfter(&startup_timer_, kStartupPatience, "did not lock itself up in time");
  WaitReadable();
  WaitProcess();
}

void WorkerLink::Detach() {
  observer_ = {};
  if (const auto launch = std::exchange(launch_, nullptr)) {
    launch->events = nullptr;
    launch->link = nullptr;
  }
  finished_ = true;
  StopReading();
  asio::error_code ignored;
  process_.cancel(ignored);
}

void WorkerLink::KillAfter(asio::steady_timer* timer, milliseconds time, std::string why) {
  timer->expires_after(time);
  timer->async_wait([self = shared_from_this(), why = std::move(why)](asio::error_code error) {
    if (!error) self->Kill(why);
  });
}

void WorkerLink::Kill(const std::string& why) {
  if (finished_) return;
  if (killed_why_.empty()) killed_why_ = why;
  StopReading();
  if (status_) return FinishIfDone();
  SendSignal(process_.native_handle(), SIGKILL);
}

void WorkerLink::StopReading() {
  reading_ = false;
  outgoing_.clear();
  asio::error_code ignored;
  channel_.cancel(ignored);
  startup_timer_.cancel();
  cancel_timer_.cancel();
  eof_timer_.cancel();
}

// --- the process ---

void WorkerLink::WaitProcess() {
  process_.async_wait(descriptor_base::wait_read,
                      [self = shared_from_this()](asio::error_code error) {
                        if (!error) self->Reap();
                      });
}

void WorkerLink::Reap() {
  status_ = WaitFor(process_.native_handle(), /*wait=*/false);
  if (!status_) return WaitProcess();
  FinishIfDone();  // else the rest of what it said is read first, up to the end of its channel
}

void WorkerLink::FinishIfDone() {
  if (finished_ || !status_ || reading_) return;
  finished_ = true;
  eof_timer_.cancel();
  std::string what = killed_why_.empty() ? "worker " + *status_ : "worker killed: " + killed_why_;
  if (const std::string words = LastWords(); !words.empty()) what += "; its last words: " + words;
  const auto launch = std::exchange(launch_, nullptr);
  if (launch) {
    launch->link = nullptr;
    if (untouched_ && killed_why_.empty() && observer_.on_untouched) {
      observer_.on_untouched(launch, what);
    } else {
      launch->Lose(what);
    }
  }
  if (observer_.on_gone) observer_.on_gone(shared_from_this(), what);
}

std::string WorkerLink::LastWords() {
  std::array<char, kLastWordsBytes> bytes;
  const channel::IoResult got =
      channel::ReceiveSome(stderr_.get(), bytes, nullptr, /*block=*/false);
  std::string words =
      channel::CleanText(std::string_view(bytes.data(), got.bytes), kLastWordsBytes);
  while (words.ends_with('\n')) words.pop_back();
  return words;
}

// --- from the worker ---

void WorkerLink::WaitReadable() {
  channel_.async_wait(descriptor_base::wait_read,
                      [self = shared_from_this()](asio::error_code error) {
                        if (!error && self->reading_) self->OnReadable();
                      });
}

void WorkerLink::OnReadable() {
  std::array<char, kReadBytes> bytes;
  const channel::IoResult got =
      channel::ReceiveSome(channel_.native_handle(), bytes, nullptr, /*block=*/false);
  switch (got.state) {
    case channel::IoState::kNotNow:
      break;
    case channel::IoState::kClosed:
    case channel::IoState::kFailed:
      StopReading();
      if (!status_) KillAfter(&eof_timer_, kEofPatience, "closed its channel and lived on");
      return FinishIfDone();
    case channel::IoState::kDone:
      incoming_.Append(std::span(bytes).first(got.bytes));
      TakeFrames();
      break;
  }
  if (reading_) WaitReadable();
}

void WorkerLink::TakeFrames() {
  while (reading_) {
    const auto frame = incoming_.Next();
    if (!frame) return Kill(frame.error().message);
    if (!*frame) return;
    wire::FromWorker message;
    if (!message.ParseFromArray((*frame)->data(), static_cast<int>((*frame)->size()))) {
      return Kill("sent a frame that is not a message");
    }
    if (const auto checked = conversation_.OnMessage(message); !checked)
      return Kill(checked.error().message);
    Handle(message);
  }
}

// `message` passed the conversation's checks.
void WorkerLink::Handle(const wire::FromWorker& message) {
  // An event may drop the handle, and with it the last other owner of either.
  const auto self = shared_from_this();
  const auto launch = launch_;
  const auto events = launch ? launch->events : nullptr;
  if (launch) untouched_ = false;
  switch (message.kind_case()) {
    case wire::FromWorker::kLocked:
      startup_timer_.cancel();
      layers_ = LayersOf(message.locked());
      if (observer_.on_ready) observer_.on_ready(self);
      return;
    case wire::FromWorker::kBlob:
      return AnswerBlob(message.blob());
    case wire::FromWorker::kInput:
      if (events)
        events->OnInputWanted(message.input().offset_bytes(), message.input().size_bytes());
      return;
    case wire::FromWorker::kOutput: {
      const std::string& data = message.output().data();
      if (events) {
        events->OnOutput(static_cast<int>(message.output().stream()),
                         std::as_bytes(std::span(data)), message.output().icount());
      }
      return;
    }
    case wire::FromWorker::kTrace:
      if (events) events->OnTrace(TraceRecordsOf(message.trace()));
      return;
    case wire::FromWorker::kJournal:
      if (events) events->OnJournal(JournalRecordOf(message.journal()));
      return;
    case wire::FromWorker::kDebug:
      if (events) events->OnDebug(DebugNewsOf(message.debug(), conversation_.core_id()));
      return;
    case wire::FromWorker::kEnded:
      // Nothing that follows counts, and nothing that the process does any more.
      launch->End(BoxEndOf(message.ended()));
      return Kill("its job has ended");
    case wire::FromWorker::KIND_NOT_SET:
      return;
  }
}

void WorkerLink::AnswerBlob(const wire::BlobWanted& wanted) {
  const Digest digest = DigestOfWire(wanted.digest());
  auto opened = launch_->request.open_blob(digest);
  wire::ToWorker message;
  wire::BlobReply& reply = *message.mutable_blob();
  reply.set_found(opened.has_value());
  if (opened) return Send(message, std::move(*opened), /*answers_blob=*/true);
  if (opened.error().code == ErrorCode::kNotFound) {
    return Kill("wanted the blob " + HexOf(digest) + ", which is not of its job");
  }
  reply.set_reason(opened.error().reason);
  reply.set_message(channel::CleanText(opened.error().message, channel::kMaxNameBytes * 8));
  Send(message, {}, /*answers_blob=*/true);
}

// --- to the worker ---

void WorkerLink::Run(std::shared_ptr<Launch> launch) {
  launch_ = std::move(launch);
  launch_->link = shared_from_this();
  launch_->pid = pid_;
  conversation_.OnRun(launch_->request);
  const wire::ToWorker message = RunMessageOf(launch_->request);
  if (message.ByteSizeLong() > channel::kMaxToWorkerBytes) {
    BoxEnd end;
    end.kind = BoxEnd::Kind::kFailed;
    end.failure_reason = "REQUEST_TOO_LARGE";
    end.detail = "the job's spec and journal together exceed what a worker takes";
    launch_->End(end);
    return Kill("its job is too large");
  }
  Send(message);
  untouched_ = true;
}

void WorkerLink::Signal(int number) {
  if (number < 1 || number > channel::kMaxSignal || !conversation_.OnSignal()) return;
  wire::ToWorker message;
  message.mutable_signal()->set_number(number);
  Send(message);
}

void WorkerLink::Cancel(const std::string& why, bool wall_limit) {
  conversation_.OnCancel(wall_limit);
  wire::ToWorker message;
  message.mutable_cancel()->set_why(channel::CleanText(why, channel::kMaxDetailBytes));
  message.mutable_cancel()->set_wall_limit(wall_limit);
  Send(message);
  if (std::exchange(cancelled_, true)) return;
  KillAfter(
      &cancel_timer_, cancel_grace_,
      "did not end within " + std::to_string(cancel_grace_.count()) + " ms of being cancelled");
}

void WorkerLink::SupplyInput(std::span<const std::byte> bytes, bool end) {
  if (!conversation_.OnInputSupplied(bytes.size(), end)) return;
  wire::ToWorker message;
  message.mutable_input()->set_data(bytes.data(), bytes.size());
  message.mutable_input()->set_end(end);
  Send(message);
}

void WorkerLink::Type(std::span<const std::byte> bytes, bool end) {
  if (!conversation_.OnTyped(bytes, end)) return;
  wire::ToWorker message;
  message.mutable_live()->set_data(bytes.data(), bytes.size());
  message.mutable_live()->set_end(end);
  Send(message);
}

void WorkerLink::Resize(const TerminalSize& size) {
  if (!conversation_.OnResize(size)) return;
  wire::ToWorker message;
  message.mutable_resize()->set_rows(size.rows);
  message.mutable_resize()->set_columns(size.columns);
  Send(message);
}

void WorkerLink::OpenDebugger() {
  if (!conversation_.OnDebug(0)) return;
  wire::ToWorker message;
  message.mutable_debug()->set_open(true);
  Send(message);
}

void WorkerLink::TellDebuggee(std::span<const std::byte> bytes, std::function<void()> sent) {
  if (!conversation_.OnDebug(bytes.size())) return;
  wire::ToWorker message;
  message.mutable_debug()->set_data(bytes.data(), bytes.size());
  Send(message, {}, /*answers_blob=*/false, std::move(sent));
}

void WorkerLink::OpenCore(std::uint32_t pid) {
  if (!conversation_.OnCore()) return;
  wire::ToWorker message;
  message.mutable_debug()->mutable_core()->set_pid(pid);
  message.mutable_debug()->mutable_core()->set_id(conversation_.core_id());
  Send(message);
}

void WorkerLink::MoreCore() {
  if (!conversation_.OnMoreCore()) return;
  wire::ToWorker message;
  message.mutable_debug()->set_more_core(true);
  Send(message);
}

void WorkerLink::CloseDebugger() {
  if (!conversation_.OnDebug(0)) return;
  wire::ToWorker message;
  message.mutable_debug()->set_close(true);
  Send(message);
}

void WorkerLink::Send(const wire::ToWorker& message, HostFd descriptor, bool answers_blob,
                      std::function<void()> then) {
  if (!reading_) return;
  untouched_ = false;
  Outgoing out{.bytes = {},
               .sent = 0,
               .descriptor = std::move(descriptor),
               .answers_blob = answers_blob,
               .then = std::move(then)};
  channel::AppendFrame(message, &out.bytes);
  outgoing_.push_back(std::move(out));
  if (!pumping_) Pump();
}

void WorkerLink::Pump() {
  while (reading_ && !outgoing_.empty()) {
    Outgoing& out = outgoing_.front();
    const channel::IoResult sent = channel::SendSome(
        channel_.native_handle(), std::span<const char>(out.bytes).subspan(out.sent),
        out.sent == 0 ? out.descriptor.get() : -1, /*block=*/false);
    // A worker that is gone is noticed by whoever reads.
    if (sent.state == channel::IoState::kClosed || sent.state == channel::IoState::kFailed)
      return outgoing_.clear();
    if (sent.state == channel::IoState::kNotNow) {
      pumping_ = true;
      channel_.async_wait(descriptor_base::wait_write,
                          [self = shared_from_this()](asio::error_code error) {
                            self->pumping_ = false;
                            if (!error) self->Pump();
                          });
      return;
    }
    out.sent += sent.bytes;
    if (out.sent < out.bytes.size()) continue;
    // Only now, so that no worker can make answers, and descriptors with them, pile up here.
    if (out.answers_blob) conversation_.OnBlobAnswered();
    const std::function<void()> then = std::move(out.then);
    outgoing_.pop_front();
    if (then) then();
  }
}

}  // namespace glovebox::server
