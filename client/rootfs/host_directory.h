// A directory of this machine as a root file system.
#pragma once

#include <string>

#include "client/rootfs/import_sink.h"
#include "engine/base/result.h"

namespace glovebox::client {

// Modes, owners, times, extended attributes, symbolic and hard links are kept. What is mounted
// beneath the directory, device nodes, FIFOs and sockets are left out.
// Errors: FILE_UNREADABLE, FILE_CHANGED, and those of the sink.
Result<void, Error> ImportDirectory(const std::string& path, ImportSink& sink);

}  // namespace glovebox::client
