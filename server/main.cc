// gloveboxd: flags to objects, and signals to the end.
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include "engine/base/host_cpu.h"
#include "server/daemon.h"
#include "server/log_setup.h"
#include "server/pool/worker_pool.h"
#include "server/version.h"

namespace glovebox::server {
namespace {

struct Flags {
  std::string socket;
  std::string store;
  unsigned boxes = std::max(1u, std::thread::hardware_concurrency());
  unsigned workers_warm = 2;
  std::string worker = DefaultWorkerPath();
  std::vector<std::string> require_layers;
  unsigned idle_exit_s = 0;
  unsigned drain_timeout_s = 60;
  std::string log_format = "text";
  std::string log_level = "info";
};

void Declare(CLI::App& app, Flags& flags) {
  app.set_version_flag("--version", std::string("gloveboxd ") + kVersion);
  app.add_option("--socket", flags.socket,
                 "Unix socket to serve on (mode 0600, in a directory of mode 0700). TCP is "
                 "refused: there is no TLS yet.")
      ->required();
  app.add_option("--store", flags.store, "Directory of the jobs and blobs")->required();
  app.add_option("--boxes", flags.boxes, "Boxes that run at the same time")
      ->check(CLI::Range(1u, 1024u))
      ->capture_default_str();
  app.add_option("--workers-warm", flags.workers_warm, "Worker processes that wait for a job")
      ->check(CLI::Range(1u, 1024u))
      ->capture_default_str();
  app.add_option("--worker", flags.worker, "The program glovebox-worker, of this very build")
      ->capture_default_str();
  app.add_option("--require-layer", flags.require_layers,
                 "Layer of the workers' sandbox without which no job runs (repeatable)");
  app.add_option("--idle-exit", flags.idle_exit_s,
                 "End after so many seconds without jobs and calls; 0: never")
      ->capture_default_str();
  app.add_option(
         "--drain-timeout", flags.drain_timeout_s,
         "Seconds that running jobs get after SIGTERM; then they are left for the next start")
      ->capture_default_str();
  app.add_option("--log-format", flags.log_format, "Log lines on stderr")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level,
                 "trace, debug, info, warning, error, critical or off")
      ->capture_default_str();
}

// "unix:PATH" is a path too; anything else with a scheme or a port is an address that we do not
// serve.
Result<std::filesystem::path, Error> SocketPath(std::string text) {
  if (text.starts_with("unix:")) text.erase(0, 5);
  const bool address = text.find("://") != std::string::npos ||
                       (text.find('/') == std::string::npos && text.find(':') != std::string::npos);
  if (address) {
    return Fail(
        ErrorCode::kInvalidArgument, "TCP_REFUSED",
        fmt::format(
            "--socket {}: only unix sockets are served; TCP is refused until it can have TLS",
            text));
  }
  return std::filesystem::absolute(text);
}

// Blobs on their way to workers, sockets of workers and clients: the soft limit of 1,024 is soon
// too low.
void RaiseOpenFiles() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  constexpr rlim_t kWanted = 65'536;
  limit.rlim_cur = std::min(limit.rlim_max, std::max(limit.rlim_cur, kWanted));
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// sd_notify(3): one datagram to the socket that the service manager names.
void NotifyReady() {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || path[0] == '\0') return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof(address.sun_path)) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // an abstract name
  const HostFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  constexpr std::string_view kReady = "READY=1";
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  if (::sendto(fd.get(), kReady.data(), kReady.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), size) < 0) {
    spdlog::warn("the service manager could not be told that we are ready: {}",
                 std::strerror(errno));
  }
}

// The signals that end us, and how long to wait for one of them.
class EndSignals {
 public:
  // Before the first thread: all inherit the mask. Workers reset theirs.
  EndSignals() {
    ::sigemptyset(&set_);
    ::sigaddset(&set_, SIGTERM);
    ::sigaddset(&set_, SIGINT);
    ::sigprocmask(SIG_BLOCK, &set_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
  }
  // Returns: the signal, or 0 after `timeout`.
  int Wait(std::chrono::milliseconds timeout) const {
    const timespec time{.tv_sec = timeout.count() / 1'000,
                        .tv_nsec = timeout.count() % 1'000 * 1'000'000};
    const int number = ::sigtimedwait(&set_, nullptr, &time);
    return number > 0 ? number : 0;
  }

 private:
  sigset_t set_;
};

void Drain(Daemon& daemon, const EndSignals& signals, std::chrono::milliseconds timeout) {
  daemon.BeginDrain();
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  constexpr std::chrono::milliseconds kLook{50};
  while (!daemon.AwaitDrained(kLook)) {
    if (signals.Wait(std::chrono::milliseconds(0)) != 0) {
      spdlog::warn("a second signal: running jobs are left for the next start");
      return;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      spdlog::warn("jobs still run after {} ms: they are left for the next start", timeout.count());
      return;
    }
  }
}

void ServeUntilEnd(Daemon& daemon, const EndSignals& signals, const Flags& flags) {
  constexpr std::chrono::milliseconds kTick{200};
  while (true) {
    if (const int number = signals.Wait(kTick); number != 0) {
      spdlog::info("signal {}: no more jobs are taken, those that run get {} s", number,
                   flags.drain_timeout_s);
      return Drain(daemon, signals, std::chrono::seconds(flags.drain_timeout_s));
    }
    if (flags.idle_exit_s != 0 && daemon.QuietFor() >= std::chrono::seconds(flags.idle_exit_s)) {
      spdlog::info("nothing to do for {} s: the end", flags.idle_exit_s);
      return;
    }
  }
}

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app("Glovebox' daemon: keeps jobs and runs them in boxes");
  Declare(app, flags);
  CLI11_PARSE(app, argc, argv);
  const auto refuse = [](const Error& error) {
    fmt::print(stderr, "gloveboxd: {} ({})\n", error.message, error.reason);
    return EXIT_FAILURE;
  };
  if (auto set_up = SetUpLog(flags.log_format, flags.log_level); !set_up)
    return refuse(set_up.error());
  if (auto host = CheckHostCpu(); !host) return refuse(host.error());  // workers would crash
  const auto socket = SocketPath(flags.socket);
  if (!socket) return refuse(socket.error());

  const EndSignals signals;
  RaiseOpenFiles();
  DaemonOptions options;
  options.socket = *socket;
  options.store = std::filesystem::absolute(flags.store);
  options.version = kVersion;
  options.jobs.concurrent_boxes = flags.boxes;
  WorkerPoolOptions pool;
  pool.worker_path = flags.worker;
  pool.warm = flags.workers_warm;
  pool.required_layers = flags.require_layers;
  pool.log = [](const std::string& line) { spdlog::warn("workers: {}", line); };

  auto daemon = Daemon::Start(options, [&pool] { return MakeWorkerPool(pool); });
  if (!daemon) return refuse(daemon.error());
  spdlog::info("READY socket={} store={} boxes={} version={}", options.socket.string(),
               options.store.string(), flags.boxes, kVersion);
  NotifyReady();
  ServeUntilEnd(**daemon, signals, flags);
  daemon->reset();
  spdlog::info("the end");
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace glovebox::server

int main(int argc, char** argv) { return glovebox::server::Main(argc, argv); }
