// Our own canonical encoding of what the store keeps as bytes: the same value always gives the same
// bytes, on every host and in every build, so that their SHA-256 can name a request. Not protobuf,
// whose serialisation promises no such thing
// (https://protobuf.dev/programming-guides/serialization-not-canonical/).
//
// A record is its fields in rising order of their tags: tag (varint), length (varint), payload. A
// field that has its default value is left out; unknown tags are skipped, so a later field does not
// disturb an older reader. Payloads: unsigned numbers are varints, signed ones are zigzag varints,
// strings their bytes, lists their elements with a length before each, maps lists of key and value
// in the order of keys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "server/core/job.h"
#include "server/core/root_names.h"

namespace glovebox::server {

std::string Encode(const JobSpec& spec);
std::string Encode(const JobOutcome& outcome);
std::string Encode(const TraceRecord& record);
std::string Encode(const RootConfig& config);

// Errors: DATA_LOSS RECORD_DAMAGED.
Result<JobSpec, Error> DecodeSpec(std::string_view bytes);
Result<JobOutcome, Error> DecodeOutcome(std::string_view bytes);
Result<TraceRecord, Error> DecodeTrace(std::string_view bytes);
Result<RootConfig, Error> DecodeRootConfig(std::string_view bytes);

}  // namespace glovebox::server
