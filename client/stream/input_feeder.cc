#include "client/stream/input_feeder.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "client/tree/host_file.h"

namespace glovebox::client {
namespace {

constexpr std::size_t kPiece = 64 << 10;  // job_service.proto, WriteInputRequest.data

using Service = v1::JobService::StubInterface;

}  // namespace

InputKind KindOfInput(int fd) {
  struct stat status;
  if (::fstat(fd, &status) != 0) return InputKind::kNone;
  if (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3))
    return InputKind::kNone;  // mem(4)
  return ::isatty(fd) != 0 ? InputKind::kTerminal : InputKind::kStream;
}

void SentWindow::Append(std::string_view bytes) {
  bytes_.append(bytes);
  if (bytes_.size() < 2 * kCapacity) return;  // cut rarely: each cut moves what stays
  const std::size_t surplus = bytes_.size() - kCapacity;
  bytes_.erase(0, surplus);
  begin_bytes_ += surplus;
}

bool SentWindow::From(std::uint64_t offset_bytes, std::string& bytes) const {
  if (offset_bytes < begin_bytes_ || offset_bytes > end_bytes()) return false;
  bytes = bytes_.substr(static_cast<std::size_t>(offset_bytes - begin_bytes_));
  return true;
}

InputFeeder::InputFeeder(Service& service, std::string job, int fd)
    : service_(service), job_(std::move(job)), fd_(fd), wake_(::eventfd(0, EFD_CLOEXEC)) {
  thread_ = std::thread([this] { Run(); });
}

InputFeeder::~InputFeeder() { static_cast<void>(Stop()); }

Result<void, Error> InputFeeder::Stop() {
  stopper_.Stop();
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_.get(), &one, sizeof(one)));
  if (thread_.joinable()) thread_.join();
  return result_;
}

void InputFeeder::Run() {
  while (true) {
    const auto step = OneCall();
    if (!step && !stopper_.stopped()) result_ = std::unexpected(step.error());
    if (!step || *step == Step::kDone) return;
    resumed_ = true;
  }
}

// One WriteInput call, from where the server is to the end of the input, of the job, or of the
// connection.
Result<InputFeeder::Step, Error> InputFeeder::OneCall() {
  std::string pending;
  std::uint64_t offset = 0;
  if (resumed_) {
    const auto stored = StoredSoFar();
    if (!stored) return std::unexpected(stored.error());
    offset = *stored;
    if (!window_.From(offset, pending)) {
      return Fail(ErrorCode::kDataLoss, "INPUT_LOST",
                  "the connection was lost, and the server asks again for input that is gone; give "
                  "large input with --stdin FILE");
    }
  }
  grpc::ClientContext context;
  stopper_.Watch(&context);
  v1::WriteInputResponse response;
  const auto writer = service_.WriteInput(&context, &response);
  v1::WriteInputRequest request;
  request.set_name(job_);
  Result<void, Error> read;
  while (!request.end() && !stopper_.stopped()) {
    if (pending.empty() && !at_end_) {
      auto piece = ReadPiece();
      if (!piece) {
        read = std::unexpected(piece.error());
        break;
      }
      if (stopper_.stopped()) break;
      at_end_ = piece->empty();
      window_.Append(*piece);
      pending = *std::move(piece);
    }
    const std::string_view bytes = std::string_view(pending).substr(0, kPiece);
    request.set_offset_bytes(offset);
    request.set_data(bytes.data(), bytes.size());
    request.set_end(at_end_ && bytes.size() == pending.size());
    offset += bytes.size();
    pending.erase(0, bytes.size());
    if (!writer->Write(request)) break;
    patience_.Renew();
    request.clear_name();
  }
  if (!read) context.TryCancel();
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  stopper_.Watch(nullptr);
  if (!read) return std::unexpected(read.error());
  // An answer before our end means that the job has ended: nobody waits for the rest.
  if (status.ok() || stopper_.stopped()) return Step::kDone;
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE && patience_.Wait()) return Step::kAgain;
  return std::unexpected(ErrorOf(status));
}

Result<std::uint64_t, Error> InputFeeder::StoredSoFar() {
  v1::GetJobRequest request;
  request.set_name(job_);
  const auto job = Call(service_, &Service::GetJob, request);
  if (!job) return std::unexpected(job.error());
  return job->input_bytes();
}

Result<std::string, Error> InputFeeder::ReadPiece() {
  std::string piece(kPiece, '\0');
  while (true) {
    std::array<pollfd, 2> waiting{pollfd{fd_, POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;  // EINTR
    if (waiting[1].revents != 0) return std::string();
    const ssize_t count = ::read(fd_, piece.data(), piece.size());
    if (count >= 0) {
      piece.resize(static_cast<std::size_t>(count));
      return piece;
    }
    if (errno != EINTR && errno != EAGAIN) {
      return Fail(ErrorCode::kInternal, "STDIN_UNREADABLE",
                  fmt::format("cannot read standard input: {}", ErrnoText(errno)));
    }
  }
}

}  // namespace glovebox::client
