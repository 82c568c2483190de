// boxgdb: runs a program in the engine, in this process, under a debugger: no daemon, no sandbox.
// For developers and the tests that hold the stub against a real gdb:
//   gdb -ex 'target extended-remote | boxgdb -- ./program' ./program
// Do not give it programs that you do not trust.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "engine/linux/default_root.h"
#include "engine/process.h"
#include "gdbstub/session.h"
#include "server/worker/debuggee.h"
#include "tests/tools/memory_tree.h"

namespace {

using namespace glovebox;
using namespace glovebox::engine;

constexpr int kOurFault = 125;

int Complain(const std::string& message) {
  std::fprintf(stderr, "boxgdb: %s\n", message.c_str());
  return kOurFault;
}

struct Options {
  std::vector<std::string> files, env, world, command;
  std::string root, report, input, output;
  int port = -1;
};

bool IsReadable(int fd, int timeout_ms) {
  pollfd wanted{fd, POLLIN, 0};
  return ::poll(&wanted, 1, timeout_ms) > 0;
}

void WriteAll(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n <= 0) return;  // nobody reads any more
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

class Doors final : public BoxHost {
 public:
  Doors(int input, int output) : input_(input), output_(output) {}
  void OnOutput(OutputStream, std::span<const std::byte> bytes, Icount) override {
    WriteAll(output_, bytes);
  }
  void OnTrace(const TraceEvent&) override {}
  // The stream from its start, as far as it has come.
  Result<Input, Error> ReadStdin(std::uint64_t offset, std::size_t size) override {
    Input input;
    if (input_ >= 0 && offset >= taken_.size() && !ended_) {
      if (!IsReadable(input_, 0)) {
        input.not_yet = true;
        return input;
      }
      std::array<char, 4096> piece{};
      const ssize_t n = ::read(input_, piece.data(), piece.size());
      if (n > 0) taken_.append(piece.data(), static_cast<std::size_t>(n));
      ended_ = n <= 0;
    }
    const std::string rest = offset < taken_.size() ? taken_.substr(offset, size) : "";
    const auto bytes = std::as_bytes(std::span(rest));
    input.bytes.assign(bytes.begin(), bytes.end());
    input.end = input_ < 0 || (ended_ && offset + rest.size() == taken_.size());
    return input;
  }

 private:
  const int input_;
  const int output_;
  std::string taken_;
  bool ended_ = false;
};

class Wire final : public gdbstub::Sink {
 public:
  explicit Wire(int fd) : fd_(fd) {}
  void Send(std::span<const std::byte> bytes) override { WriteAll(fd_, bytes); }

 private:
  const int fd_;
};

// One debugger at a loopback port; the port that was chosen is told on stderr.
std::optional<int> Accept(int port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  const int yes = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (listener < 0 || ::bind(listener, generic, length) != 0 || ::listen(listener, 1) != 0 ||
      ::getsockname(listener, generic, &length) != 0) {
    return std::nullopt;
  }
  std::fprintf(stderr, "boxgdb: listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  ::close(listener);
  if (connection < 0) return std::nullopt;
  ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return connection;
}

void WriteReport(const std::string& path, const BoxReport& report, bool altered) {
  const Termination end = report.termination.value_or(Termination{});
  std::ofstream(path) << fmt::format(
      "{{\"kind\": {}, \"code\": {}, \"icount\": {}, \"virtual_time_ns\": {}, \"output_bytes\": "
      "{}, "
      "\"peak_memory_bytes\": {}, \"syscalls\": {}, \"trace_hash\": \"{}\", \"altered\": {}}}\n",
      static_cast<int>(end.kind), end.code, report.icount, report.virtual_time, report.output_bytes,
      report.peak_memory_bytes, report.syscall_count, report.trace_hash, altered);
}

// The debugger's side of a run.
class Conversation {
 public:
  Conversation(worker::BoxDebuggee& debuggee, int in, int out)
      : debuggee_(debuggee), in_(in), wire_(out) {
    session_.emplace(debuggee, wire_);
  }
  bool is_open() const { return session_.has_value(); }
  // Takes what has come; `waits`: until something comes.
  void Take(bool waits) {
    if (!IsReadable(in_, waits ? -1 : 0)) return;
    std::array<std::byte, 65536> piece{};
    const ssize_t n = ::read(in_, piece.data(), piece.size());
    if (n > 0) session_->Receive(std::span(piece).first(static_cast<std::size_t>(n)));
    if (n > 0 && !session_->closed()) return;
    session_.reset();
    debuggee_.LetGo();
  }

 private:
  worker::BoxDebuggee& debuggee_;
  const int in_;
  Wire wire_;
  std::optional<gdbstub::Session> session_;
};

int Run(const Options& options) {
  tests::MemoryTree tree;
  if (options.root.empty()) {
    tree.AddDefaultDirectories();
  } else {
    tree.BaseOnHostDirectory(options.root);
  }
  BoxSpec spec;
  for (const std::string& file : options.files) {
    const std::size_t colon = file.rfind(':');
    if (colon == std::string::npos) return Complain("--file wants SRC:DST, got " + file);
    if (const auto ok = tree.AddHostFile(file.substr(colon + 1), file.substr(0, colon)); !ok)
      return Complain(ok.error().message);
  }
  const std::string& program = options.command.front();
  spec.program = program;
  char absolute[4096];
  if ((options.root.empty() || program.starts_with("./")) &&
      ::realpath(program.c_str(), absolute) != nullptr) {
    if (!tree.AddHostFile(absolute, absolute)) return Complain(program + " cannot be read");
    spec.program = absolute;
  }
  spec.argv = options.command;
  for (const std::string_view entry : kDefaultEnvironment) spec.env.emplace_back(entry);
  for (const std::string& entry : options.env) spec.env.push_back(entry);
  for (const std::string& entry : options.world) {
    spec.world_overrides.emplace_back(entry.substr(0, entry.find('=')),
                                      entry.substr(entry.find('=') + 1));
  }
  spec.root = tree.Root();

  int output = options.port < 0 ? STDERR_FILENO : STDOUT_FILENO;
  if (!options.output.empty()) {
    output = ::open(options.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (output < 0) return Complain(options.output + " cannot be written");
  }
  int input = options.port < 0 ? -1 : STDIN_FILENO;
  if (!options.input.empty()) {
    input = ::open(options.input.c_str(), O_RDWR | O_CLOEXEC);
    if (input < 0) return Complain(options.input + " cannot be opened");
  }
  Doors doors(input, output);
  auto box = Box::Make(spec, tree, doors);
  if (!box) return Complain(box.error().message);
  worker::BoxDebuggee debuggee(**box, spec.limits);
  debuggee.Begin();
  auto state = (*box)->Run(kNoLimit);
  if (!state) return Complain(state.error().message);
  debuggee.TakeInitialStop();

  int in = STDIN_FILENO, out = STDOUT_FILENO;
  if (options.port >= 0) {
    const auto connection = Accept(options.port);
    if (!connection) return Complain("no port to listen on");
    in = out = *connection;
  }
  Conversation conversation(debuggee, in, out);
  while (conversation.is_open() || *state != RunState::kEnded) {
    const bool idle = *state == RunState::kStopped || *state == RunState::kEnded;
    if (conversation.is_open()) conversation.Take(idle);
    if (*state != RunState::kEnded) {
      state = (*box)->Run(kNoLimit);
      if (!state) return Complain(state.error().message);
    }
    debuggee.Pump();
    // A box that waits for our stdin looks at it, and at the debugger, now and then.
    constexpr int kLookMs = 5;
    if (*state == RunState::kWaitsForInput) ::poll(nullptr, 0, kLookMs);
  }
  const BoxReport report = (*box)->Report();
  if (!options.report.empty()) WriteReport(options.report, report, debuggee.altered());
  const Termination end = report.termination.value_or(Termination{});
  return end.kind == Termination::Kind::kSignaled ? 128 + end.code : end.code;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "boxgdb [OPTIONS] -- CMD ARGS...: runs a program in Glovebox' engine, in this process, under "
      "the debugger that speaks on our stdin and stdout.",
      "boxgdb");
  Options options;
  app.add_option("--file", options.files, "SRC:DST: a file of the host's at a path of the guest's")
      ->take_all();
  app.add_option("--root", options.root, "a directory of the host that is the root file system");
  app.add_option("--env", options.env, "K=V")->take_all();
  app.add_option("--world", options.world, "NAME=VALUE: overrides a row of the guest's world")
      ->take_all();
  app.add_option("--report", options.report, "file for a JSON object that says how it went");
  app.add_option("--input", options.input, "file that the guest reads; a FIFO is never at its end");
  app.add_option("--output", options.output,
                 "file for what the guest writes; default: stderr, with --listen stdout");
  app.add_option("--listen", options.port,
                 "a port of the loopback for the debugger, 0 for any: the guest then reads our "
                 "stdin");
  app.prefix_command();
  CLI11_PARSE(app, argc, argv);
  options.command = app.remaining();
  if (!options.command.empty() && options.command.front() == "--")
    options.command.erase(options.command.begin());
  if (options.command.empty()) return Complain("no command");
  return Run(options);
}
