// glovebox run: a program in a box, as if it ran here.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>

#include "client/commands/command.h"
#include "client/commands/submit.h"
#include "client/debug/job_debugger.h"
#include "client/exit_status.h"
#include "client/notice.h"
#include "client/render/job.h"
#include "client/render/json.h"
#include "client/render/table.h"
#include "client/render/units.h"
#include "client/session/job_session.h"
#include "client/stream/input_feeder.h"
#include "client/stream/raw_terminal.h"
#include "client/stream/signal_watcher.h"

namespace glovebox::client {
namespace {

struct RunOptions {
  JobOptions job;
  std::string trace_output;
  bool detach = false;
  bool interactive = false;
  bool terminal = false;
  bool summary = false;
  std::string gdb;  // empty: none; "true": at this terminal; otherwise the port to listen on

  bool gdb_at_terminal() const { return gdb == "true"; }
  // Long enough for a daemon that is started again and for a channel that finds it.
  std::uint32_t linger_s = 30;
};

constexpr std::string_view kExamples = R"(Examples:
  glovebox run ./prog arg                     a program of this machine, sent along
  glovebox run -- /bin/busybox sh -c 'echo hi; exit 3'
  echo hello | glovebox run --file rules.txt:/etc/rules ./filter /etc/rules
  glovebox run --limit insns=50M,mem=64M,wall=10s --trace syscalls ./prog
  glovebox rootfs import --name debian ./debian.tar.xz; glovebox run --root debian -- bash -c 'ls /'
  glovebox run -it --file /bin/busybox:/bin/sh -- /bin/sh -i    a shell in the box, at this terminal
  glovebox run -o json ./prog | jq .result.icount    (the output is then in `glovebox logs`)

CMD with a '/' is sent along when it is a file of this machine, and runs at the same path in the box (a relative
path is taken from the guest's --cwd). Its interpreter and its shared libraries come along, unless --file or --dir put
something at their places; what it opens later (dlopen, data files) does not. A bare name is looked for in the box only, along the guest's PATH.
The box starts with /dev /etc /proc /root /tmp and what --file, --dir and CMD put there; with --root it starts with
that root, an absolute CMD is a file of the root's, and without CMD the image's own command runs.
Standard input goes to the guest when it is a pipe or a file, as a file would: a read waits, the box frozen, so that
timing leaves no mark. With -i it is live: bytes reach the guest when they come, and a journal says when, so that the
job can still be replayed. With -t the guest has a terminal, and every key goes to it as it is typed, ^C and ^Z too.
Otherwise ^C goes to the guest as SIGINT; the second one cancels the job, the third one leaves at once.
)";

std::string ExitHelp() {
  std::vector<std::vector<std::string>> rows;
  for (const ExitRow& row : kExitRows) {
    rows.push_back({fmt::format("  {}", row.status), std::string(row.meaning)});
  }
  return "Exit status:\n" + Columns(rows);
}

// What went wrong, on stderr. A guest that ended of itself and well needs no words.
void ExplainOutcome(const v1::Job& job, int status) {
  if (status == 0) return;
  const v1::JobResult& result = job.result();
  const v1::Termination& termination = result.termination();
  if (job.state() != v1::SUCCEEDED) {
    Warn(fmt::format("job {} {}", job.name(), OutcomeText(job)));
    return;
  }
  if (termination.has_not_started()) {
    const std::string& program = job.spec().program();
    const bool bare = program.find('/') == std::string::npos;
    Warn(fmt::format(
        "cannot run {}: {} ({}){}", program, termination.not_started().error_name(),
        termination.not_started().detail(),
        status != kExitNotFound ? ""
        : bare ? fmt::format("; a bare name is looked for in the box only: a path, "
                             "such as ./{} or $(command -v {}), is sent along",
                             program, program)
               : "; what is no file of this machine has to come by --root, --file or --dir"));
    return;
  }
  if (!termination.has_exited()) {
    Warn(fmt::format("at instruction {} the guest {}{}", CountText(result.icount()),
                     termination.has_signaled() ? "was " : "", OutcomeText(job)));
  }
  const std::string unimplemented = UnimplementedText(result);
  if (!unimplemented.empty()) Warn("not implemented in Glovebox: " + unimplemented);
  const std::string absent = AbsentSyscallsText(result);
  if (!absent.empty()) Warn("system calls that Glovebox does not serve: " + absent);
}

// As a tool ends whose reader has gone.
[[noreturn]] void EndBySigpipe() {
  ::signal(SIGPIPE, SIG_DFL);
  ::raise(SIGPIPE);
  ::_exit(kExitSignalBase + SIGPIPE);
}

// What -t cannot be had with.
Result<void, Error> CheckTerminal(const RunOptions& options, const Invocation& invocation) {
  const auto refuse = [](std::string what) {
    return Fail(ErrorCode::kInvalidArgument, "BAD_OPTION", std::move(what));
  };
  if (::isatty(STDIN_FILENO) == 0) {
    return refuse(
        "-t needs a terminal, and standard input is none: leave out -t (-i alone sends the bytes "
        "of a pipe as they come)");
  }
  if (invocation.format == OutputFormat::kJson) return refuse("-t and -o json exclude each other");
  if (!options.job.trace.empty() && options.trace_output.empty())
    return refuse("-t with --trace needs --trace-output FILE: the terminal is the guest's");
  return {};
}

// The guest's terminal is of the kind of ours.
JobOptions WithTerm(JobOptions options) {
  const char* const term = ::getenv("TERM");
  if (term != nullptr && *term != '\0')
    options.environment.insert(options.environment.begin(), fmt::format("TERM={}", term));
  return options;
}

// Signals to us while a job runs.
void OnSignal(int number, const RunOptions& options, Interruption& interruption) {
  const bool terminal = options.terminal;
  if (number == SIGINT && options.gdb_at_terminal()) return;  // it is gdb's
  if (number != SIGWINCH && number != SIGCONT) return interruption.OnSignal(number);
  if (!terminal) return;
  if (number == SIGCONT) RawTerminal::Again();
  interruption.Resize(WindowSize(STDIN_FILENO));
}

// As HoldJob, with our terminal given to the guest for as long as the job runs.
Result<SessionEnd, Error> HoldAtTerminal(const Connection& connection, const v1::Job& job,
                                         const SessionOptions& session,
                                         Interruption& interruption) {
  std::unique_ptr<RawTerminal> raw;
  if (job.spec().has_terminal()) {
    auto entered = RawTerminal::Enter(STDIN_FILENO);
    if (!entered) {
      interruption.Cancel("the client's terminal cannot be used");
      interruption.LetGo();
      return std::unexpected(entered.error());
    }
    raw = std::move(*entered);
    // It may have changed before anybody listened.
    const v1::TerminalSize now = WindowSize(STDIN_FILENO);
    const v1::TerminalSize& given = job.spec().terminal();
    if (now.rows() != given.rows() || now.columns() != given.columns()) interruption.Resize(now);
  }
  return HoldJob(connection, job.name(), session, interruption);
}

Result<int, Error> Run(const RunOptions& options, const Invocation& invocation) {
  if (options.terminal) {
    if (const auto ok = CheckTerminal(options, invocation); !ok) return std::unexpected(ok.error());
  }
  if (options.gdb_at_terminal() && (options.interactive || options.terminal)) {
    return Fail(ErrorCode::kInvalidArgument, "BAD_OPTION",
                "--gdb and -i or -t want the same terminal: --gdb=:PORT takes a debugger from "
                "another one");
  }
  HoldSignals();
  Interruption interruption(invocation);
  const SignalWatcher watcher([&](int number) { OnSignal(number, options, interruption); });

  auto planned = PlanWithServer(options.terminal ? WithTerm(options.job) : options.job, invocation);
  if (!planned) {
    if (planned.error().reason != "CANNOT_RUN") return std::unexpected(planned.error());
    PrintError(planned.error());
    return kExitCannotRun;
  }
  JobPlan* const plan = &planned->plan;
  const Connection* const connection = &planned->connection;
  HostFd trace_file;
  if (!options.trace_output.empty()) {
    trace_file = HostFd(
        ::open(options.trace_output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!trace_file) {
      return Fail(ErrorCode::kInvalidArgument, "BAD_OPTION",
                  fmt::format("--trace-output {}: {}", options.trace_output, ErrnoText(errno)));
    }
  }
  const InputKind input = plan->stdin_blob || options.detach || options.gdb_at_terminal()
                              ? InputKind::kNone
                              : KindOfInput(STDIN_FILENO);
  const bool live = options.interactive || options.terminal;
  if (live) {
    plan->spec.set_stdin_live(true);
    if (options.terminal) *plan->spec.mutable_terminal() = WindowSize(STDIN_FILENO);
  } else if (input == InputKind::kStream) {
    plan->spec.set_stdin_stream(true);
  } else if (input == InputKind::kTerminal) {
    Notice(invocation, "the guest finds its standard input empty: -it gives it this terminal");
  }

  const auto job = SubmitJob(*connection, invocation, *plan, options.detach ? 0 : options.linger_s,
                             !options.gdb.empty());
  if (!job) return std::unexpected(job.error());
  const bool json = invocation.format == OutputFormat::kJson;
  if (options.detach) {
    fmt::print("{}", json ? ToJson(*job, JsonLayout::kIndented) : job->name() + "\n");
    return kExitOk;
  }

  interruption.Hold(connection->jobs(), job->name());
  // A server that does not know the field has run the job without it.
  if (job->spec().stdin_live() != live || job->spec().has_terminal() != options.terminal ||
      job->spec().real_clock() != plan->spec.real_clock()) {
    interruption.Cancel("the server knows neither live input nor a real clock");
    interruption.LetGo();
    return Fail(ErrorCode::kUnimplemented, "SERVER_TOO_OLD",
                "the server is older than this client: it knows -i, -t and --clock real not yet");
  }
  std::unique_ptr<JobDebugger> debugger;
  if (!options.gdb.empty()) {
    auto started = JobDebugger::Start(*connection, invocation, job->name(),
                                      options.gdb_at_terminal() ? "" : options.gdb);
    if (!started) {
      interruption.Cancel("its debugger cannot be started");
      interruption.LetGo();
      return std::unexpected(started.error());
    }
    debugger = std::move(*started);
  }
  const SessionOptions session{.show_output = !json,
                               .trace = plan->spec.trace_syscalls() && (!json || trace_file),
                               .trace_fd = trace_file ? trace_file.get() : STDERR_FILENO,
                               .feed_input = live || input == InputKind::kStream};
  const auto end = HoldAtTerminal(*connection, *job, session, interruption);
  interruption.LetGo();
  debugger.reset();
  if (!end) return std::unexpected(end.error());
  if (end->reader_gone) EndBySigpipe();
  if (json) fmt::print("{}", ToJson(end->job, JsonLayout::kIndented));
  int status = ExitStatusOf(end->job);
  const int cancelled_by = interruption.cancelled_by();
  if (cancelled_by != 0 && end->job.state() == v1::CANCELLED) {
    status = kExitSignalBase + cancelled_by;
  } else {
    ExplainOutcome(end->job, status);
  }
  if (options.summary) fmt::print(stderr, "{}", JobSummary(end->job));
  return status;
}

}  // namespace

Action DeclareRun(CLI::App& app) {
  const auto options = std::make_shared<RunOptions>();
  DeclareJobOptions(app, options->job);
  app.add_flag("--detach,-d", options->detach, "Print the job's name and leave it running");
  app.add_flag("--interactive,-i", options->interactive,
               "Standard input is live: its bytes reach the guest when they come")
      ->excludes("--detach")
      ->excludes("--stdin");
  app.add_flag("--tty,-t", options->terminal,
               "Give the guest a terminal: this one, which it must be; includes -i")
      ->excludes("--detach")
      ->excludes("--stdin");
  app.add_option("--trace-output", options->trace_output,
                 "Write the trace to FILE instead of stderr")
      ->type_name("FILE")
      ->needs("--trace")
      ->excludes("--detach");
  app.add_flag("--gdb", options->gdb,
               "Stop at the first instruction and start gdb; --gdb=:PORT waits for a debugger on a "
               "port of the loopback")
      ->excludes("--detach");
  app.add_flag("--summary", options->summary, "Print the job's result on stderr at the end");
  app.add_option("--linger", options->linger_s,
                 "Seconds that the job outlives a client that has vanished (default 30)")
      ->type_name("S")
      ->check(CLI::Range(1U, 86'400U));
  app.footer(fmt::format("{}\n{}\n{}", kExamples, LimitHelp(), ExitHelp()));
  return [options](const Invocation& invocation) { return Run(*options, invocation); };
}

}  // namespace glovebox::client
