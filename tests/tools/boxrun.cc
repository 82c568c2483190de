// boxrun: runs a program in the engine, in this process: no daemon, no sandbox. For
// developers, the golden tests and the benchmark. Do not give it programs that you do not trust.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "engine/epoch.h"
#include "engine/linux/default_root.h"
#include "engine/linux/syscalls/table.h"
#include "engine/process.h"
#include "tests/tools/memory_tree.h"

namespace {

using namespace glovebox;
using namespace glovebox::engine;

constexpr int kOurFault = 125;

class Terminal : public BoxHost {
 public:
  explicit Terminal(int stdin_fd) : stdin_fd_(stdin_fd) {}

  void OnOutput(OutputStream stream, std::span<const std::byte> bytes, Icount) override {
    while (!bytes.empty()) {
      const ssize_t n = ::write(static_cast<int>(stream), bytes.data(), bytes.size());
      if (n <= 0) return;  // nobody reads any more
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
  }
  void OnTrace(const TraceEvent& event) override {
    std::string line = fmt::format("[{}] {}", event.icount,
                                   event.is_signal ? "--- " + event.name + " " : event.name + "(");
    for (std::size_t i = 0; i < event.arguments.size(); ++i)
      line += (i == 0 ? "" : ", ") + event.arguments[i];
    line += event.is_signal ? " ---\n" : fmt::format(") = {}\n", event.result);
    std::fputs(line.c_str(), stderr);
  }
  Result<Input, Error> ReadStdin(std::uint64_t, std::size_t size) override {
    Input input;
    input.bytes.resize(size);
    const ssize_t n = stdin_fd_ < 0 ? 0 : ::read(stdin_fd_, input.bytes.data(), size);
    input.bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    input.end = n <= 0;
    return input;
  }

 private:
  int stdin_fd_;
};

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string_view KindName(Termination::Kind kind) {
  switch (kind) {
    case Termination::Kind::kExited:
      return "exited";
    case Termination::Kind::kSignaled:
      return "signaled";
    case Termination::Kind::kLimit:
      return "limit";
    case Termination::Kind::kDeadlock:
      return "deadlock";
    case Termination::Kind::kNotStarted:
      return "not_started";
  }
  return "?";
}

std::string ToJson(const BoxReport& report, double host_seconds) {
  const Termination& end = *report.termination;
  std::string absent;
  for (const auto& [name, count] : report.absent_syscalls) {
    absent += fmt::format("{}{}: {}", absent.empty() ? "" : ", ", Quoted(name), count);
  }
  const std::string limit =
      end.kind == Termination::Kind::kLimit ? Quoted(Row(end.limit).name) : std::string("null");
  return fmt::format(
      "{{\"epoch\": {}, \"termination\": {{\"kind\": {}, \"code\": {}, \"limit\": {}, \"detail\": "
      "{}}}, "
      "\"icount\": {}, \"virtual_time_ns\": {}, \"peak_memory_bytes\": {}, \"output_bytes\": {}, "
      "\"syscalls\": {}, "
      "\"trace_hash\": {}, \"absent_syscalls\": {{{}}}, \"unimplemented\": {}, \"host_seconds\": "
      "{:.6f}}}\n",
      kEpoch, Quoted(KindName(end.kind)), end.code, limit, Quoted(end.detail), report.icount,
      report.virtual_time, report.peak_memory_bytes, report.output_bytes, report.syscall_count,
      Quoted(report.trace_hash), absent,
      report.unimplemented_instruction ? Quoted(report.unimplemented_instruction->mnemonic)
                                       : "null",
      host_seconds);
}

int ExitStatus(const BoxReport& report) {
  const Termination& end = *report.termination;
  switch (end.kind) {
    case Termination::Kind::kExited:
      return end.code;
    case Termination::Kind::kSignaled:
      return 128 + end.code;
    case Termination::Kind::kLimit:
      return 124;
    case Termination::Kind::kDeadlock:
      return kOurFault;
    case Termination::Kind::kNotStarted:
      return end.code == kENOENT ? 127 : 126;
  }
  return kOurFault;
}

void Explain(const BoxReport& report) {
  const Termination& end = *report.termination;
  if (end.kind == Termination::Kind::kLimit) {
    std::fprintf(stderr, "boxrun: limit %s (%llu) reached\n",
                 std::string(Row(end.limit).name).c_str(),
                 static_cast<unsigned long long>(end.limit_value));
  } else if (!end.detail.empty()) {
    std::fprintf(stderr, "boxrun: %s: %s\n", std::string(KindName(end.kind)).c_str(),
                 end.detail.c_str());
  } else if (end.kind == Termination::Kind::kSignaled) {
    std::fprintf(stderr, "boxrun: killed by signal %d\n", end.code);
  }
  if (report.unimplemented_instruction) {
    std::string bytes;
    for (int i = 0; i < report.unimplemented_instruction->length_bytes; ++i) {
      bytes += fmt::format(" {:02x}",
                           report.unimplemented_instruction->bytes[static_cast<std::size_t>(i)]);
    }
    std::fprintf(stderr, "boxrun: instruction not implemented: %s (%s) at %#llx\n",
                 report.unimplemented_instruction->mnemonic.c_str(), bytes.c_str() + 1,
                 static_cast<unsigned long long>(report.unimplemented_instruction->address));
  }
}

struct Options {
  std::vector<std::string> files, directories, env, world, command;
  std::string root, stdin_path, report, limits, terminal, directory = "/";
  std::uint64_t seed = 0;
  std::uint64_t slice = 10'000'000;
  bool trace = false;
  bool list_syscalls = false;
};

int Complain(const std::string& message) {
  std::fprintf(stderr, "boxrun: %s\n", message.c_str());
  return kOurFault;
}

// "K=V" into its place: the client's rule.
void SetEnvironment(std::vector<std::string>& env, const std::string& entry) {
  const std::string key = entry.substr(0, entry.find('=') + 1);
  for (std::string& old : env) {
    if (old.starts_with(key)) {
      old = entry;
      return;
    }
  }
  env.push_back(entry);
}

Result<void, Error> SetLimits(LimitValues& values, const std::string& text) {
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string item = text.substr(start, end - start);
    start = end + 1;
    const std::size_t equals = item.find('=');
    const LimitRow* row = FindLimit(item.substr(0, equals));
    if (row == nullptr || equals == std::string::npos) {
      return Fail(ErrorCode::kInvalidArgument, "LIMIT_INVALID", "no limit: " + item);
    }
    std::uint64_t value = 0;
    const auto [rest, error] =
        std::from_chars(item.data() + equals + 1, item.data() + item.size(), value);
    const std::string_view unit(rest, item.data() + item.size());
    const int shift = unit == "K"    ? 10
                      : unit == "M"  ? 20
                      : unit == "G"  ? 30
                      : unit.empty() ? 0
                                     : -1;
    if (error != std::errc{} || shift < 0) {
      return Fail(ErrorCode::kInvalidArgument, "LIMIT_INVALID", "no number: " + item);
    }
    values.Set(row->id, value << shift);
  }
  return {};
}

void ListSyscalls() {
  constexpr const char* kNames[] = {"full", "partial", "refused", "absent"};
  const auto number = [](std::int16_t n) { return n < 0 ? std::string("-") : std::to_string(n); };
  for (const SyscallRow& row : Syscalls()) {
    fmt::print("{:<28} {:>3} {:>3}  {:<8} {}\n", row.name, number(row.x86_64), number(row.i386),
               kNames[static_cast<int>(row.support)], row.note);
  }
}

// Types what our stdin brings at a box that waits for it: so the guest's reads alone decide what
// comes when, and the same bytes in the same pieces give the same run.
class Typist {
 public:
  explicit Typist(int fd) : fd_(fd) {}
  void TypeAt(Box& box) {
    if (pending_.empty() && !ended_) {
      pending_.resize(kPieceBytes);
      const ssize_t n = fd_ < 0 ? 0 : ::read(fd_, pending_.data(), pending_.size());
      pending_.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
      ended_ = n <= 0;
    }
    const auto taken = box.InjectInput(std::as_bytes(std::span(pending_)), ended_);
    if (taken) pending_.erase(0, *taken);
  }

 private:
  static constexpr std::size_t kPieceBytes = 512;
  const int fd_;
  std::string pending_;
  bool ended_ = false;
};

// "24x80"
std::optional<TerminalSize> SizeOf(const std::string& text) {
  TerminalSize size;
  const std::size_t cross = text.find('x');
  if (cross == std::string::npos) return std::nullopt;
  const char* const end = text.data() + text.size();
  if (std::from_chars(text.data(), end, size.rows).ec != std::errc() ||
      std::from_chars(text.data() + cross + 1, end, size.columns).ec != std::errc()) {
    return std::nullopt;
  }
  return size;
}

int Run(const Options& options) {
  tests::MemoryTree tree;
  if (!options.root.empty()) {
    if (::access((options.root + "/.").c_str(), X_OK) != 0)
      return Complain(options.root + " is no directory that can be read");
    tree.BaseOnHostDirectory(options.root);
  } else {
    tree.AddDefaultDirectories();
  }
  BoxSpec spec;
  for (const std::string& directory : options.directories) tree.AddDirectory(directory, 0755);
  for (const std::string& file : options.files) {
    const std::size_t colon = file.rfind(':');
    if (colon == std::string::npos) return Complain("--file wants SRC:DST, got " + file);
    if (const auto ok = tree.AddHostFile(file.substr(colon + 1), file.substr(0, colon)); !ok) {
      return Complain(ok.error().message);
    }
  }
  // A command that is a file of the host is sent along and run at that path; with a root, an
  // absolute path is one of the root's.
  const std::string& program = options.command.front();
  if ((program.starts_with('/') && options.root.empty()) || program.starts_with("./")) {
    char absolute[4096];
    if (::realpath(program.c_str(), absolute) != nullptr) {
      const std::string at = program.starts_with('/') ? program : std::string(absolute);
      bool named = false;
      for (const std::string& file : options.files) named |= file.ends_with(":" + at);
      if (!named && !tree.AddHostFile(at, absolute)) return Complain(program + " cannot be read");
      spec.program = at;
    }
  }
  spec.argv = options.command;
  if (spec.program.empty()) spec.program = program;
  for (const std::string_view entry : kDefaultEnvironment) spec.env.emplace_back(entry);
  for (const std::string& entry : options.env) SetEnvironment(spec.env, entry);
  for (const std::string& entry : options.world) {
    spec.world_overrides.emplace_back(entry.substr(0, entry.find('=')),
                                      entry.substr(entry.find('=') + 1));
  }
  spec.seed = options.seed;
  spec.working_directory = options.directory;
  spec.trace_syscalls = options.trace;
  if (const auto ok = SetLimits(spec.limits, options.limits); !ok)
    return Complain(ok.error().message);
  spec.root = tree.Root();
  if (!options.terminal.empty()) {
    spec.terminal = SizeOf(options.terminal);
    if (!spec.terminal) return Complain("--terminal wants ROWSxCOLUMNS, got " + options.terminal);
    spec.live_input = true;
  }

  int stdin_fd = -1;
  if (options.stdin_path == "-") {
    stdin_fd = 0;
  } else if (!options.stdin_path.empty()) {
    stdin_fd = ::open(options.stdin_path.c_str(), O_RDONLY | O_CLOEXEC);
    if (stdin_fd < 0) return Complain(options.stdin_path + " cannot be read");
  }
  Terminal terminal(stdin_fd);
  Typist typist(stdin_fd);
  const auto began = std::chrono::steady_clock::now();
  auto box = Box::Make(spec, tree, terminal);
  if (!box) return Complain(box.error().message);
  while (true) {
    const auto state = (*box)->Run((*box)->Report().icount + options.slice);
    if (!state) return Complain(state.error().message);
    if (*state == RunState::kEnded) break;
    if (*state == RunState::kWaitsForInput && spec.live_input) typist.TypeAt(**box);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const BoxReport report = (*box)->Report();
  Explain(report);
  if (!options.report.empty()) std::ofstream(options.report) << ToJson(report, took.count());
  return ExitStatus(report);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "boxrun [OPTIONS] -- CMD ARGS...: runs a program in Glovebox' engine, in this "
      "process.",
      "boxrun");
  Options options;
  app.add_option("--file", options.files, "SRC:DST: a file of the host's at a path of the guest's")
      ->take_all();
  app.add_option("--root", options.root,
                 "a directory of the host that is the root file system, used where it lies");
  app.add_option("--dir", options.directories, "a directory of the guest's")->take_all();
  app.add_option("--env", options.env, "K=V")->take_all();
  app.add_option("--world", options.world, "NAME=VALUE: overrides a row of the guest's world")
      ->take_all();
  app.add_option("--seed", options.seed, "of all randomness");
  app.add_option("--cwd", options.directory, "working directory");
  app.add_option("--stdin", options.stdin_path,
                 "file that the guest reads, - for ours; default: nothing");
  app.add_option("--terminal", options.terminal,
                 "ROWSxCOLUMNS: the standard streams are a terminal, and what --stdin brings is "
                 "typed whenever the guest waits");
  app.add_option("--limit", options.limits, "NAME=VALUE[K|M|G],...");
  app.add_option("--report", options.report, "file for a JSON object that says how it went");
  app.add_option("--slice", options.slice, "instructions of one call of Box::Run");
  app.add_flag("--trace", options.trace, "system calls and signals on stderr");
  app.add_flag("--list-syscalls", options.list_syscalls,
               "the table of system calls: number on x86-64, on i386, support");
  app.prefix_command();
  CLI11_PARSE(app, argc, argv);
  options.command = app.remaining();
  if (!options.command.empty() && options.command.front() == "--")
    options.command.erase(options.command.begin());
  if (options.list_syscalls) {
    ListSyscalls();
    return 0;
  }
  if (options.command.empty()) return Complain("no command");
  return Run(options);
}
