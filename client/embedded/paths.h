// Where the private daemon of a user lives: XDG Base Directory Specification 0.8.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace glovebox::client {

struct EmbeddedPaths {
  std::string runtime_directory;  // $XDG_RUNTIME_DIR/glovebox, or /tmp/glovebox-UID
  std::string state_directory;    // $XDG_STATE_HOME/glovebox, or ~/.local/state/glovebox

  std::string Socket() const { return runtime_directory + "/gloveboxd.sock"; }
  std::string Lock() const { return runtime_directory + "/start.lock"; }
  std::string Store() const { return state_directory + "/store"; }
  std::string Log() const { return state_directory + "/gloveboxd.log"; }
};

// `variable` answers what the environment says, empty for nothing. Errors: kFailedPrecondition
// NO_HOME, SOCKET_PATH_TOO_LONG.
Result<EmbeddedPaths, Error> FindEmbeddedPaths(
    const std::function<std::string(std::string_view)>& variable, unsigned uid);

// The same, from this process' environment.
Result<EmbeddedPaths, Error> FindEmbeddedPaths();

// Makes the directory where it lacks (with its parents), for this user alone. Errors:
// kFailedPrecondition UNSAFE_DIRECTORY where it is a symbolic link, somebody else's, or open to
// others.
Result<void, Error> MakePrivateDirectory(const std::string& path);

}  // namespace glovebox::client
