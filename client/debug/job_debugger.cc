#include "client/debug/job_debugger.h"

#include <fmt/core.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <vector>

#include "client/debug/gdb_command.h"
#include "client/notice.h"
#include "client/rpc/status.h"

namespace glovebox::client {
namespace {

// What we block and ignore is ours alone.
Result<pid_t, Error> Spawn(const std::vector<std::string>& words) {
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  sigset_t usual;
  ::sigemptyset(&usual);
  ::sigaddset(&usual, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], nullptr, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (error == 0) return pid;
  return Fail(ErrorCode::kNotFound, "NO_GDB",
              fmt::format("cannot start {}: {}", words.front(), std::strerror(error)));
}

}  // namespace

Result<std::unique_ptr<JobDebugger>, Error> JobDebugger::Start(const Connection& connection,
                                                               const Invocation& invocation,
                                                               const std::string& job,
                                                               const std::string& listen) {
  std::unique_ptr<JobDebugger> debugger(new JobDebugger());
  if (listen.empty()) {
    const auto spawned = Spawn(GdbCommand("gdb", OwnPath(), {connection.address(), job}, {}));
    if (!spawned) return std::unexpected(spawned.error());
    debugger->gdb_ = *spawned;
    return debugger;
  }
  auto listener = DebugListener::Open(listen);
  if (!listener) return std::unexpected(listener.error());
  Notice(invocation, fmt::format("a debugger may join {} at {}", job, listener->address()));
  debugger->listener_.emplace(std::move(*listener));
  debugger->stop_ = HostFd(::eventfd(0, EFD_CLOEXEC));
  debugger->thread_ = std::thread([&service = connection.sessions(), job, of = debugger.get()] {
    const auto served = of->listener_->Serve(service, job, of->stop_.get());
    if (!served) Warn(Describe(served.error()));
  });
  return debugger;
}

JobDebugger::~JobDebugger() {
  while (gdb_ > 0 && ::waitpid(gdb_, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  static_cast<void>(!::write(stop_.get(), &one, sizeof one));
  thread_.join();
}

}  // namespace glovebox::client
