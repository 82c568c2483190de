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
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
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
  std::string root, report, input, output, directory = "/";
  bool host_environment = false, terminal = false, real_clock = false, multi = false;
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

// Our terminal as the guest's: bytes go both ways as they are, and the guest's own terminal makes
// of them what terminals make of bytes.
class Console {
 public:
  Console() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    is_terminal_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  ~Console() {
    if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  static TerminalSize Size() {
    winsize size{};
    if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return {};
    return {size.ws_row, size.ws_col};
  }
  bool at_end() const { return ended_; }
  // What was typed goes to the box, as far as it has room for it. True: some did.
  bool Feed(Box& box) {
    constexpr std::size_t kMostTyped = 4096;
    if (!ended_ && typed_.size() < kMostTyped && IsReadable(STDIN_FILENO, 0)) {
      std::array<std::byte, kMostTyped> piece{};
      const ssize_t n = ::read(STDIN_FILENO, piece.data(), piece.size());
      ended_ = n <= 0;
      if (n > 0) typed_.insert(typed_.end(), piece.begin(), piece.begin() + n);
    }
    if (typed_.empty() || !box.TakesInput()) return false;
    const auto taken = box.InjectInput(typed_, /*end=*/false);
    if (!taken) return false;
    typed_.erase(typed_.begin(), typed_.begin() + static_cast<std::ptrdiff_t>(*taken));
    return *taken != 0;
  }

 private:
  termios before_{};
  bool is_terminal_ = false;
  bool ended_ = false;
  std::vector<std::byte> typed_;
};

// The host's time for the box, without that in which a debugger holds it.
class Clock {
 public:
  explicit Clock(const Box& box) : zero_(Now() - box.Report().virtual_time) {}
  static std::uint64_t Now() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
    return static_cast<std::uint64_t>(now.tv_sec) * kNanosecondsPerSecond +
           static_cast<std::uint64_t>(now.tv_nsec);
  }
  void LeaveOut(std::uint64_t since) { zero_ += Now() - since; }
  std::uint64_t Elapsed() const { return Now() - zero_; }

 private:
  std::uint64_t zero_;
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
  std::fprintf(stderr, "boxgdb: Listening on port %d\n", ntohs(address.sin_port));
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
  int fd() const { return in_; }
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

// Until the debugger says something, somebody types, or `most_ms` have passed.
void WaitForSomebody(const Conversation& conversation, const Console* console, int most_ms) {
  std::array<pollfd, 2> wanted{};
  nfds_t count = 0;
  if (conversation.is_open()) wanted[count++] = {conversation.fd(), POLLIN, 0};
  if (console != nullptr && !console->at_end()) wanted[count++] = {STDIN_FILENO, POLLIN, 0};
  ::poll(wanted.data(), count, most_ms);
}

// A sleeper whose time has come goes on. Returns how many milliseconds there are to wait for one.
int MoveTime(Box& box, const Clock& clock) {
  constexpr std::uint64_t kNanosecondsPerMillisecond = 1'000'000, kLongest = 1000;
  const std::uint64_t elapsed = clock.Elapsed();
  const std::uint64_t wake = box.WakeTime();
  if (elapsed >= wake) {
    static_cast<void>(box.InjectTime(elapsed));
    return 0;
  }
  return static_cast<int>(std::min((wake - elapsed) / kNanosecondsPerMillisecond + 1, kLongest));
}

// Runs the box, and talks to its debugger, until both have ended.
Result<void, Error> Converse(Box& box, RunState state, worker::BoxDebuggee& debuggee,
                             Conversation& conversation, Console* console) {
  // A box that waits for our stdin looks at it, and at the debugger, now and then.
  constexpr int kLookMs = 5;
  Clock clock(box);
  while (conversation.is_open() || state != RunState::kEnded) {
    const bool idle = state == RunState::kStopped || state == RunState::kEnded;
    const std::uint64_t since = Clock::Now();
    if (conversation.is_open()) conversation.Take(idle);
    if (idle) clock.LeaveOut(since);
    if (state != RunState::kEnded) {
      const auto ran = box.Run(kNoLimit);
      if (!ran) return std::unexpected(ran.error());
      state = *ran;
    }
    debuggee.Pump();
    if (console != nullptr && state != RunState::kEnded && console->Feed(box)) continue;
    if (state == RunState::kWaitsForInput)
      WaitForSomebody(conversation, console, console == nullptr ? kLookMs : -1);
    if (state == RunState::kWaitsForClock)
      WaitForSomebody(conversation, console, MoveTime(box, clock));
  }
  return {};
}

// The program that the box was made with goes before it has begun: a debugger says what is to run.
Result<RunState, Error> EmptyBox(Box& box, worker::BoxDebuggee& debuggee) {
  debuggee.process_control()->Extend();
  for (const gdbstub::ProcessInfo& process : debuggee.Processes())
    static_cast<void>(debuggee.Kill(process.pid));
  RunState state = RunState::kRunning;
  while (state == RunState::kRunning) {
    const auto ran = box.Run(kNoLimit);
    if (!ran) return std::unexpected(ran.error());
    state = *ran;
  }
  debuggee.TakeInitialStop();
  return state;
}

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
  if (options.host_environment) {
    for (char** entry = environ; *entry != nullptr; ++entry) spec.env.emplace_back(*entry);
  } else {
    for (const std::string_view entry : kDefaultEnvironment) spec.env.emplace_back(entry);
  }
  for (const std::string& entry : options.env) spec.env.push_back(entry);
  spec.working_directory = options.directory;
  spec.real_clock = options.real_clock;
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
  std::optional<Console> console;
  if (options.terminal) {
    console.emplace();
    spec.live_input = true;
    spec.terminal = Console::Size();
  }
  auto box = Box::Make(spec, tree, doors);
  if (!box) return Complain(box.error().message);
  worker::BoxDebuggee debuggee(**box, spec.limits);
  debuggee.Begin();
  auto state = (*box)->Run(kNoLimit);
  if (!state) return Complain(state.error().message);
  debuggee.TakeInitialStop();
  if (options.multi) state = EmptyBox(**box, debuggee);
  if (!state) return Complain(state.error().message);

  int in = STDIN_FILENO, out = STDOUT_FILENO;
  if (options.port >= 0) {
    const auto connection = Accept(options.port);
    if (!connection) return Complain("no port to listen on");
    in = out = *connection;
  }
  Conversation conversation(debuggee, in, out);
  const auto done = Converse(**box, *state, debuggee, conversation, console ? &*console : nullptr);
  if (!done) return Complain(done.error().message);
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
  app.add_flag("--host-environment", options.host_environment,
               "our environment instead of the usual one");
  app.add_option("--directory", options.directory, "where the guest starts");
  app.add_flag("--terminal", options.terminal,
               "our stdin, and stdout with --listen, are the guest's terminal");
  app.add_flag("--real-clock", options.real_clock, "sleeps last as long as they say");
  app.add_flag("--multi", options.multi,
               "nothing runs until a debugger says what; CMD is what it runs if it does not");
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
  if (options.command.empty() && options.multi) options.command = {"/bin/true"};
  if (options.command.empty()) return Complain("no command");
  return Run(options);
}
