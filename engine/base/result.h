// The one way in which our functions fail: a value of std::expected. See ARCHITECTURE.md, "Errors".
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace glovebox {

template <typename T, typename E>
using Result = std::expected<T, E>;

// What kind of failure an operator or client is told of. One gRPC status code each, assigned in
// server/rpc/status.cc and nowhere else.
enum class ErrorCode {
  kInvalidArgument,     // the request is wrong, whatever the state
  kNotFound,            // the named thing does not exist
  kAlreadyExists,       // the name is taken by something else
  kFailedPrecondition,  // right request, wrong state
  kResourceExhausted,   // a limit or quota
  kDataLoss,            // stored bytes are damaged
  kUnavailable,         // try again later
  kAborted,             // somebody else was faster
  kCancelled,
  kDeadlineExceeded,
  kUnimplemented,
  kOutOfRange,  // beyond the end of what is there
  kInternal,    // ours
};

// An error of ours, for an operator or a client. Not for guests: they get an Errno or a Fault.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string reason;   // UPPER_SNAKE_CASE, stable, for programs: "BLOB_MISSING"
  std::string message;  // one sentence: object, attempt, limit
  std::string field;    // path of the request's field at fault ("spec.argv[0]"), or empty
};

inline std::unexpected<Error> Fail(ErrorCode code, std::string reason, std::string message,
                                   std::string field = {}) {
  return std::unexpected(Error{code, std::move(reason), std::move(message), std::move(field)});
}

}  // namespace glovebox
