// The private daemon of a user: found where it runs, started where it does not, one for all of the
// user's clients.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>

#include "client/embedded/paths.h"
#include "engine/base/host_fd.h"
#include "engine/base/result.h"

namespace glovebox::client {

class EmbeddedDaemon {
 public:
  // `note` hears what the user may want to know while it takes long. It lives as long as the
  // object.
  EmbeddedDaemon(EmbeddedPaths paths, std::function<void(const std::string&)> note);

  struct Peer {
    pid_t pid = 0;
    bool outdated = false;  // its program, or its worker's, is not the one that we would start now
  };

  // Who serves the socket; nothing when nobody does. Errors: UNSAFE_SOCKET where it is not this
  // user.
  Result<std::optional<Peer>, Error> Find() const;

  // Returns who serves, after starting it where nobody did. Concurrent callers start one.
  // Errors: kUnavailable DAEMON_NOT_FOUND (no gloveboxd beside our own program or in PATH),
  // DAEMON_FAILED (with the end of its log).
  Result<Peer, Error> Ensure();

  // Ends the daemon `pid` if it still serves, and returns when it has gone.
  Result<void, Error> Stop(pid_t pid);

  void Note(const std::string& text) const { note_(text); }
  const EmbeddedPaths& paths() const { return paths_; }

 private:
  Result<HostFd, Error> TakeStartLock() const;
  Result<void, Error> Start(const std::string& program);

  EmbeddedPaths paths_;
  std::function<void(const std::string&)> note_;
};

// The program `name` beside our own one, else in PATH; nothing when it is in neither.
std::optional<std::string> FindProgram(std::string_view name);

}  // namespace glovebox::client
