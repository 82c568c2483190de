#include <fcntl.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "client/command_line.h"

namespace {

// A standard descriptor that we were started without must not become some file that we open: it is
// made one that has no input, and that refuses output.
void OccupyStandardDescriptors() {
  for (const int fd : {0, 1, 2}) {
    if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDONLY));
  }
}

// System V gABI, "Initialization and Termination Functions": before the initialisers of the
// libraries, some of which open descriptors of their own.
[[gnu::section(".preinit_array"),
  gnu::used]] void (*before_libraries)() = OccupyStandardDescriptors;

// While no call waits for it, gRPC looks at a connection that is being made only every 5 s, and
// lets it time out meanwhile: that long a daemon that is started again would seem to be gone. There
// is no channel argument for it; gRPC's doc/environment_variables.md names this.
void WatchConnections() {
  ::setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "100", /*overwrite=*/0);
}

}  // namespace

int main(int argc, char** argv) {
  WatchConnections();
  return glovebox::client::RunCommandLine(std::vector<std::string>(argv + 1, argv + argc));
}
