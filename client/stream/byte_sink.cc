#include "client/stream/byte_sink.h"

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "client/tree/host_file.h"

namespace glovebox::client {

Result<WriteOutcome, Error> WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      // Somebody who shares the descriptor made it non-blocking.
      pollfd writable{fd, POLLOUT, 0};
      ::poll(&writable, 1, -1);
    } else if (errno == EPIPE) {
      return WriteOutcome::kReaderGone;
    } else if (errno != EINTR) {
      return Fail(ErrorCode::kInternal, "WRITE_FAILED",
                  fmt::format("cannot write to descriptor {}: {}", fd, ErrnoText(errno)));
    }
  }
  return WriteOutcome::kDone;
}

}  // namespace glovebox::client
