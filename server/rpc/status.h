// Error to gRPC status, here and nowhere else.
#pragma once

#include <grpcpp/support/status.h>

#include "engine/base/result.h"

namespace glovebox::server {

// The status carries a google.rpc.Status with ErrorInfo (domain "glovebox"), and BadRequest where a
// field is at fault.
grpc::Status StatusOf(const Error& error);

template <typename T>
grpc::Status StatusOf(const Result<T, Error>& result) {
  return result ? grpc::Status::OK : StatusOf(result.error());
}

}  // namespace glovebox::server
