#include "server/rpc/status.h"

#include <array>
#include <cstddef>

#include "google/rpc/error_details.pb.h"

namespace glovebox::server {
namespace {

struct CodeRow {
  ErrorCode code;
  grpc::StatusCode status;
};

constexpr std::array kCodes{
    CodeRow{ErrorCode::kInvalidArgument, grpc::StatusCode::INVALID_ARGUMENT},
    CodeRow{ErrorCode::kNotFound, grpc::StatusCode::NOT_FOUND},
    CodeRow{ErrorCode::kAlreadyExists, grpc::StatusCode::ALREADY_EXISTS},
    CodeRow{ErrorCode::kFailedPrecondition, grpc::StatusCode::FAILED_PRECONDITION},
    CodeRow{ErrorCode::kResourceExhausted, grpc::StatusCode::RESOURCE_EXHAUSTED},
    CodeRow{ErrorCode::kDataLoss, grpc::StatusCode::DATA_LOSS},
    CodeRow{ErrorCode::kUnavailable, grpc::StatusCode::UNAVAILABLE},
    CodeRow{ErrorCode::kAborted, grpc::StatusCode::ABORTED},
    CodeRow{ErrorCode::kCancelled, grpc::StatusCode::CANCELLED},
    CodeRow{ErrorCode::kDeadlineExceeded, grpc::StatusCode::DEADLINE_EXCEEDED},
    CodeRow{ErrorCode::kUnimplemented, grpc::StatusCode::UNIMPLEMENTED},
    CodeRow{ErrorCode::kOutOfRange, grpc::StatusCode::OUT_OF_RANGE},
    CodeRow{ErrorCode::kInternal, grpc::StatusCode::INTERNAL},
};

grpc::StatusCode CodeOf(ErrorCode code) {
  for (const CodeRow& row : kCodes) {
    if (row.code == code) return row.status;
  }
  return grpc::StatusCode::INTERNAL;
}

// Trailing metadata has a limit of its own (8 KiB by default): a message must not be what makes a
// call fail.
constexpr std::size_t kMaxMessage = 1'024;

// Cut at a character's start, so that it stays UTF-8.
std::string Clipped(const std::string& text) {
  if (text.size() <= kMaxMessage) return text;
  std::size_t end = kMaxMessage;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

}  // namespace

grpc::Status StatusOf(const Error& error) {
  const grpc::StatusCode code = CodeOf(error.code);
  const std::string message = Clipped(error.message);
  google::rpc::Status details;
  details.set_code(code);
  details.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(error.reason);
  info.set_domain("glovebox");
  details.add_details()->PackFrom(info);
  if (!error.field.empty()) {
    google::rpc::BadRequest request;
    auto* const violation = request.add_field_violations();
    violation->set_field(Clipped(error.field));
    violation->set_description(message);
    details.add_details()->PackFrom(request);
  }
  return grpc::Status(code, message, details.SerializeAsString());
}

}  // namespace glovebox::server
