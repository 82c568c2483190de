#include "client/rpc/status.h"

#include <fmt/core.h>

#include <array>

#include "google/rpc/error_details.pb.h"

namespace glovebox::client {
namespace {

struct CodeRow {
  grpc::StatusCode status;
  ErrorCode code;
  std::string_view name;  // the reason where the server gave none
};

constexpr std::array kCodes{
    CodeRow{grpc::StatusCode::INVALID_ARGUMENT, ErrorCode::kInvalidArgument, "INVALID_ARGUMENT"},
    CodeRow{grpc::StatusCode::OUT_OF_RANGE, ErrorCode::kOutOfRange, "OUT_OF_RANGE"},
    CodeRow{grpc::StatusCode::NOT_FOUND, ErrorCode::kNotFound, "NOT_FOUND"},
    CodeRow{grpc::StatusCode::ALREADY_EXISTS, ErrorCode::kAlreadyExists, "ALREADY_EXISTS"},
    CodeRow{grpc::StatusCode::FAILED_PRECONDITION, ErrorCode::kFailedPrecondition,
            "FAILED_PRECONDITION"},
    CodeRow{grpc::StatusCode::PERMISSION_DENIED, ErrorCode::kFailedPrecondition,
            "PERMISSION_DENIED"},
    CodeRow{grpc::StatusCode::UNAUTHENTICATED, ErrorCode::kFailedPrecondition, "UNAUTHENTICATED"},
    CodeRow{grpc::StatusCode::RESOURCE_EXHAUSTED, ErrorCode::kResourceExhausted,
            "RESOURCE_EXHAUSTED"},
    CodeRow{grpc::StatusCode::DATA_LOSS, ErrorCode::kDataLoss, "DATA_LOSS"},
    CodeRow{grpc::StatusCode::UNAVAILABLE, ErrorCode::kUnavailable, "UNAVAILABLE"},
    CodeRow{grpc::StatusCode::ABORTED, ErrorCode::kAborted, "ABORTED"},
    CodeRow{grpc::StatusCode::CANCELLED, ErrorCode::kCancelled, "CANCELLED"},
    CodeRow{grpc::StatusCode::DEADLINE_EXCEEDED, ErrorCode::kDeadlineExceeded, "DEADLINE_EXCEEDED"},
    CodeRow{grpc::StatusCode::UNIMPLEMENTED, ErrorCode::kUnimplemented, "UNIMPLEMENTED"},
    CodeRow{grpc::StatusCode::INTERNAL, ErrorCode::kInternal, "INTERNAL"},
    CodeRow{grpc::StatusCode::UNKNOWN, ErrorCode::kInternal, "UNKNOWN"},
};

constexpr const CodeRow& RowOf(grpc::StatusCode status) {
  for (const CodeRow& row : kCodes) {
    if (row.status == status) return row;
  }
  return kCodes.back();
}

}  // namespace

Error ErrorOf(const grpc::Status& status) {
  const CodeRow& row = RowOf(status.error_code());
  Error error{row.code, std::string(row.name), status.error_message(), {}};
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return error;
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    if (any.UnpackTo(&info) && !info.reason().empty()) {
      error.reason = info.reason();
    } else if (any.UnpackTo(&bad_request) && bad_request.field_violations_size() > 0) {
      error.field = bad_request.field_violations(0).field();
    }
  }
  return error;
}

std::string Describe(const Error& error) {
  if (error.field.empty()) return fmt::format("{} ({})", error.message, error.reason);
  return fmt::format("{} ({}, field {})", error.message, error.reason, error.field);
}

}  // namespace glovebox::client
