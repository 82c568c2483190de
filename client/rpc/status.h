// A gRPC status as an error of ours: its google.rpc details decoded into reason and field.
#pragma once

#include <grpcpp/support/status.h>

#include "engine/base/result.h"

namespace glovebox::client {

// Not for an OK status.
Error ErrorOf(const grpc::Status& status);

// One line for a person: message, reason, field.
std::string Describe(const Error& error);

}  // namespace glovebox::client
