#include <fcntl.h>

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

}  // namespace

int main(int argc, char** argv) {
  return glovebox::client::RunCommandLine(std::vector<std::string>(argv + 1, argv + argc));
}
