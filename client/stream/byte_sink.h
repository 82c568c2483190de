// Writes bytes to a descriptor, all of them, unbuffered.
#pragma once

#include <string_view>

#include "engine/base/result.h"

namespace glovebox::client {

enum class WriteOutcome : std::uint8_t {
  kDone,
  kReaderGone,  // EPIPE: as `| head` leaves us; no error
};

// Errors: kInternal WRITE_FAILED ("No space left on device").
Result<WriteOutcome, Error> WriteAll(int fd, std::string_view bytes);

}  // namespace glovebox::client
