#include "client/embedded/daemon.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot to say that it is C
}

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "client/tree/host_file.h"

namespace glovebox::client {
namespace {

constexpr int kIdleExitSeconds = 300;
constexpr int kExplainAfterMs = 2'000;
constexpr int kGiveUpAfterMs = 60'000;
constexpr off_t kLogTail = 2'000;         // bytes of the log that an error quotes
constexpr off_t kLogTurnover = 16 << 20;  // bytes after which the log starts anew

std::unexpected<Error> StartFailure(std::string message) {
  return Fail(ErrorCode::kUnavailable, "DAEMON_FAILED", std::move(message));
}

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
  return address;
}

// The end of what the daemon wrote since the log had `from` bytes, each line indented.
std::string LogTail(const std::string& path, off_t from) {
  const HostFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (!fd || ::fstat(fd.get(), &status) != 0) return "  (it cannot be read)";
  std::array<char, kLogTail> buffer;
  const off_t start = std::max(from, status.st_size - kLogTail);
  const ssize_t count = ::pread(fd.get(), buffer.data(), buffer.size(), start);
  std::string text = "  ";
  for (const char c :
       std::string_view(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0)) {
    text += c;
    if (c == '\n') text += "  ";
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n')) text.pop_back();
  return text.empty() ? "  (nothing)" : text;
}

std::string ExitText(int status) {
  if (WIFEXITED(status)) return fmt::format("it exited with status {}", WEXITSTATUS(status));
  return fmt::format("it was killed by signal {}", WTERMSIG(status));
}

// A datagram socket that hears "READY=1": the protocol of sd_notify(3).
class ReadySocket {
 public:
  static Result<ReadySocket, Error> Make(const std::string& directory) {
    ReadySocket ready;
    ready.path_ = fmt::format("{}/ready.{}", directory, ::getpid());
    ready.fd_ = HostFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_un address = AddressOf(ready.path_);
    ::unlink(ready.path_.c_str());
    if (!ready.fd_ || ::bind(ready.fd_.get(), reinterpret_cast<const sockaddr*>(&address),
                             sizeof(address)) != 0) {
      return StartFailure(fmt::format("cannot make {}: {}", ready.path_, ErrnoText(errno)));
    }
    return ready;
  }
  ReadySocket(ReadySocket&& other) noexcept
      : fd_(std::move(other.fd_)), path_(std::exchange(other.path_, {})) {}
  ReadySocket& operator=(ReadySocket&&) = delete;
  ~ReadySocket() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  bool TakeReady() const {
    std::array<char, 512> message;
    const ssize_t count = ::recv(fd_.get(), message.data(), message.size(), 0);
    return count > 0 &&
           std::string_view(message.data(), static_cast<std::size_t>(count)).find("READY=1") !=
               std::string_view::npos;
  }

 private:
  ReadySocket() = default;
  HostFd fd_;
  std::string path_;
};

// posix_spawn(3) of a program in a session of its own, with all but its log closed.
Result<pid_t, Error> Spawn(const std::vector<std::string>& command,
                           const std::vector<std::string>& environment, const std::string& log) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawn_file_actions_addchdir_np(&actions, "/");
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const auto pointers = [](const std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (const std::string& string : strings) result.push_back(const_cast<char*>(string.c_str()));
    result.push_back(nullptr);
    return result;
  };
  pid_t pid = 0;
  const int number = ::posix_spawn(&pid, command.front().c_str(), &actions, &attributes,
                                   pointers(command).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (number != 0) {
    return StartFailure(fmt::format("cannot start {}: {}", command.front(), ErrnoText(number)));
  }
  return pid;
}

bool SameFile(const std::string& a, const std::string& b) {
  struct stat one;
  struct stat other;
  // Where /proc hides the daemon from us, its version has to do.
  if (::stat(a.c_str(), &one) != 0 || ::stat(b.c_str(), &other) != 0) return true;
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// Was `file` put there after `reference` was made?
bool Newer(const std::string& file, const std::string& reference) {
  struct stat one;
  struct stat other;
  if (::stat(file.c_str(), &one) != 0 || ::stat(reference.c_str(), &other) != 0) return false;
  return std::pair(one.st_ctim.tv_sec, one.st_ctim.tv_nsec) >
         std::pair(other.st_mtim.tv_sec, other.st_mtim.tv_nsec);
}

}  // namespace

std::optional<std::string> FindProgram(std::string_view name) {
  std::vector<std::string> directories;
  std::array<char, 4096> self;
  const ssize_t length = ::readlink("/proc/self/exe", self.data(), self.size());
  if (length > 0) {
    const std::string_view path(self.data(), static_cast<std::size_t>(length));
    directories.emplace_back(path.substr(0, path.rfind('/')));
  }
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable != nullptr ? variable : "";
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    directories.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  for (const std::string& directory : directories) {
    // Relative entries of PATH would make the daemon depend on where the user happens to stand.
    if (!directory.starts_with('/')) continue;
    std::string path = fmt::format("{}/{}", directory, name);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return std::nullopt;
}

EmbeddedDaemon::EmbeddedDaemon(EmbeddedPaths paths, std::function<void(const std::string&)> note)
    : paths_(std::move(paths)), note_(std::move(note)) {}

Result<std::optional<EmbeddedDaemon::Peer>, Error> EmbeddedDaemon::Find() const {
  const HostFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = AddressOf(paths_.Socket());
  if (!fd ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return std::nullopt;
  }
  ucred credentials{};
  socklen_t length = sizeof(credentials);
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0 ||
      credentials.uid != ::geteuid()) {
    return Fail(ErrorCode::kFailedPrecondition, "UNSAFE_SOCKET",
                fmt::format("{} is served by somebody else", paths_.Socket()));
  }
  Peer peer{credentials.pid, false};
  const auto program = FindProgram("gloveboxd");
  if (program && peer.pid > 0) {
    const std::string worker = program->substr(0, program->rfind('/')) + "/glovebox-worker";
    peer.outdated = !SameFile(fmt::format("/proc/{}/exe", peer.pid), *program) ||
                    Newer(worker, paths_.Socket());
  }
  return peer;
}

Result<HostFd, Error> EmbeddedDaemon::TakeStartLock() const {
  for (const std::string& directory : {paths_.runtime_directory, paths_.state_directory}) {
    const auto made = MakePrivateDirectory(directory);
    if (!made) return std::unexpected(made.error());
  }
  HostFd lock(::open(paths_.Lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock)
    return StartFailure(fmt::format("cannot open {}: {}", paths_.Lock(), ErrnoText(errno)));
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) {
      return StartFailure(fmt::format("cannot lock {}: {}", paths_.Lock(), ErrnoText(errno)));
    }
  }
  return lock;
}

Result<EmbeddedDaemon::Peer, Error> EmbeddedDaemon::Ensure() {
  auto found = Find();
  if (!found) return std::unexpected(found.error());
  if (*found) return **found;
  const auto lock = TakeStartLock();
  if (!lock) return std::unexpected(lock.error());
  found = Find();  // another client may have been faster
  if (!found) return std::unexpected(found.error());
  if (*found) return **found;

  const auto program = FindProgram("gloveboxd");
  if (!program) {
    return Fail(
        ErrorCode::kUnavailable, "DAEMON_NOT_FOUND",
        "no daemon runs, and there is no gloveboxd beside this program or in PATH to start; "
        "--server unix:PATH names one that runs elsewhere");
  }
  const auto started = Start(*program);
  if (!started) return std::unexpected(started.error());
  found = Find();
  if (!found) return std::unexpected(found.error());
  if (!*found) return StartFailure("the embedded daemon ended as soon as it had started");
  return **found;
}

Result<void, Error> EmbeddedDaemon::Start(const std::string& program) {
  const auto ready = ReadySocket::Make(paths_.runtime_directory);
  if (!ready) return std::unexpected(ready.error());

  struct stat status;
  off_t log_start = ::stat(paths_.Log().c_str(), &status) == 0 ? status.st_size : 0;
  if (log_start > kLogTurnover) {
    ::rename(paths_.Log().c_str(), (paths_.Log() + ".1").c_str());
    log_start = 0;
  }
  std::vector<std::string> environment{"NOTIFY_SOCKET=" + ready->path()};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("NOTIFY_SOCKET=")) environment.emplace_back(*entry);
  }
  const auto pid = Spawn({program, "--socket", paths_.Socket(), "--store", paths_.Store(),
                          "--idle-exit", std::to_string(kIdleExitSeconds), "--log-format", "text"},
                         environment, paths_.Log());
  if (!pid) return std::unexpected(pid.error());

  const HostFd child(::pidfd_open(*pid, 0));
  std::array<pollfd, 2> waiting{pollfd{ready->fd(), POLLIN, 0}, pollfd{child.get(), POLLIN, 0}};
  std::string why = fmt::format("it was not ready after {} s", kGiveUpAfterMs / 1000);
  for (const int wait_ms : {kExplainAfterMs, kGiveUpAfterMs - kExplainAfterMs}) {
    int count = 0;
    do {
      count = ::poll(waiting.data(), waiting.size(), wait_ms);
    } while (count < 0 && errno == EINTR);
    if ((waiting[0].revents & POLLIN) != 0 && ready->TakeReady()) return {};
    if (count > 0) {
      int exit_status = 0;
      ::waitpid(*pid, &exit_status, 0);
      why = ExitText(exit_status);
      break;
    }
    note_(fmt::format("waiting for the embedded daemon to come up (its log: {})", paths_.Log()));
  }
  return StartFailure(
      fmt::format("the embedded daemon {} did not come up: {}. The end of its log, {}:\n{}",
                  program, why, paths_.Log(), LogTail(paths_.Log(), log_start)));
}

Result<void, Error> EmbeddedDaemon::Stop(pid_t pid) {
  const auto lock = TakeStartLock();
  if (!lock) return std::unexpected(lock.error());
  const HostFd process(::pidfd_open(pid, 0));
  // Looked at again behind the lock and the descriptor: the process that we signal is the one that
  // serves.
  const auto found = Find();
  if (!found) return std::unexpected(found.error());
  if (!process || !*found || (*found)->pid != pid) return {};
  if (::pidfd_send_signal(process.get(), SIGTERM, nullptr, 0) != 0) {
    return StartFailure(
        fmt::format("cannot end the daemon, process {}: {}", pid, ErrnoText(errno)));
  }
  pollfd gone{process.get(), POLLIN, 0};
  int count = 0;
  do {
    count = ::poll(&gone, 1, kGiveUpAfterMs);
  } while (count < 0 && errno == EINTR);
  if (count == 0) return StartFailure(fmt::format("the daemon, process {}, does not end", pid));
  return {};
}

}  // namespace glovebox::client
