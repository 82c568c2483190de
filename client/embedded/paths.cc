#include "client/embedded/paths.h"

#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "client/tree/host_file.h"

namespace glovebox::client {
namespace {

// The specification: "If an implementation encounters a relative path [...] it should consider the
// path invalid".
std::string AbsoluteOrNothing(std::string path) { return path.starts_with('/') ? path : ""; }

}  // namespace

Result<EmbeddedPaths, Error> FindEmbeddedPaths(
    const std::function<std::string(std::string_view)>& variable, unsigned uid) {
  EmbeddedPaths paths;
  const std::string runtime = AbsoluteOrNothing(variable("XDG_RUNTIME_DIR"));
  paths.runtime_directory =
      runtime.empty() ? fmt::format("/tmp/glovebox-{}", uid) : runtime + "/glovebox";

  std::string state = AbsoluteOrNothing(variable("XDG_STATE_HOME"));
  if (state.empty()) {
    const std::string home = AbsoluteOrNothing(variable("HOME"));
    if (home.empty()) {
      return Fail(ErrorCode::kFailedPrecondition, "NO_HOME",
                  "neither XDG_STATE_HOME nor HOME says where the embedded daemon may keep its "
                  "jobs; set one of them");
    }
    state = home + "/.local/state";
  }
  paths.state_directory = state + "/glovebox";

  if (paths.Socket().size() >= sizeof(sockaddr_un::sun_path)) {
    return Fail(ErrorCode::kFailedPrecondition, "SOCKET_PATH_TOO_LONG",
                fmt::format("{} is too long for a unix socket (at most {} bytes); set "
                            "XDG_RUNTIME_DIR to a shorter path",
                            paths.Socket(), sizeof(sockaddr_un::sun_path) - 1));
  }
  return paths;
}

Result<EmbeddedPaths, Error> FindEmbeddedPaths() {
  const auto variable = [](std::string_view name) -> std::string {
    if (const char* value = std::getenv(std::string(name).c_str())) return value;
    if (name != "HOME") return {};
    const passwd* user = ::getpwuid(::geteuid());
    return user != nullptr ? user->pw_dir : "";
  };
  return FindEmbeddedPaths(variable, ::geteuid());
}

Result<void, Error> MakePrivateDirectory(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    ::mkdir(path.substr(0, slash).c_str(), 0700);  // the last mkdir reports what is wrong
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail(ErrorCode::kFailedPrecondition, "UNSAFE_DIRECTORY",
                fmt::format("cannot make {}: {}", path, ErrnoText(errno)));
  }
  // Under /tmp anybody may have been faster: what is there has to be a directory, ours, and closed
  // to others.
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
      status.st_uid != ::geteuid() || (status.st_mode & 0077) != 0) {
    return Fail(ErrorCode::kFailedPrecondition, "UNSAFE_DIRECTORY",
                fmt::format("{} is not a directory of this user alone (mode 0700): remove it, or "
                            "set XDG_RUNTIME_DIR and XDG_STATE_HOME to safe places",
                            path));
  }
  return {};
}

}  // namespace glovebox::client
