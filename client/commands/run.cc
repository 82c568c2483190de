// glovebox run: a program in a box, as if it ran here.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "client/commands/command.h"
#include "client/commands/submit.h"
#include "client/exit_status.h"
#include "client/notice.h"
#include "client/render/job.h"
#include "client/render/json.h"
#include "client/render/table.h"
#include "client/render/units.h"
#include "client/session/job_session.h"
#include "client/stream/input_feeder.h"
#include "client/stream/signal_watcher.h"

namespace glovebox::client {
namespace {

struct RunOptions {
  JobOptions job;
  std::string trace_output;
  bool detach = false;
  bool summary = false;
  // Long enough for a daemon that is started again and for a channel that finds it.
  std::uint32_t linger_s = 30;
};

constexpr std::string_view kExamples = R"(Examples:
  glovebox run ./prog arg                     a program of this machine, sent along
  glovebox run -- /bin/busybox sh -c 'echo hi; exit 3'
  echo hello | glovebox run --file rules.txt:/etc/rules ./filter /etc/rules
  glovebox run --limit insns=50M,mem=64M,wall=10s --trace syscalls ./prog
  glovebox rootfs import --name debian ./debian.tar.xz; glovebox run --root debian -- bash -c 'ls /'
  glovebox run -o json ./prog | jq .result.icount    (the output is then in `glovebox logs`)

CMD with a '/' is sent along when it is a file of this machine, and runs at the same path in the box (a relative
path is taken from the guest's --cwd). Its interpreter and its shared libraries come along, unless --file or --dir put
something at their places; what it opens later (dlopen, data files) does not. A bare name is looked for in the box only, along the guest's PATH.
The box starts with /dev /etc /proc /root /tmp and what --file, --dir and CMD put there; with --root it starts with
that root, an absolute CMD is a file of the root's, and without CMD the image's own command runs.
Standard input goes to the guest when it is a pipe or a file; a terminal counts as empty so far.
^C goes to the guest as SIGINT; the second one cancels the job, the third one leaves at once.
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
    Warn(fmt::format("cannot run {}: {} ({}){}", program, termination.not_started().error_name(),
                     termination.not_started().detail(),
                     status != kExitNotFound ? ""
                     : bare ? fmt::format("; a bare name is looked for in the box only: a path, "
                                          "such as ./{} or $(command -v {}), is sent along",
                                          program, program)
                            : "; it is neither a file of this machine nor put there by --file"));
    return;
  }
  if (!termination.has_exited()) {
    Warn(fmt::format("at instruction {} the guest {}{}", CountText(result.icount()),
                     termination.has_signaled() ? "was " : "", OutcomeText(job)));
  }
  const std::string unimplemented = UnimplementedText(result);
  if (!unimplemented.empty()) Warn("not implemented in Glovebox: " + unimplemented);
  const std::string absent = AbsentSyscallsText(result);
  if (!absent.empty()) Warn("system calls that Glovebox lacks answered ENOSYS: " + absent);
}

// As a tool ends whose reader has gone.
[[noreturn]] void EndBySigpipe() {
  ::signal(SIGPIPE, SIG_DFL);
  ::raise(SIGPIPE);
  ::_exit(kExitSignalBase + SIGPIPE);
}

Result<int, Error> Run(const RunOptions& options, const Invocation& invocation) {
  HoldSignals();
  Interruption interruption(invocation);
  const SignalWatcher watcher([&](int number) { interruption.OnSignal(number); });

  auto planned = PlanWithServer(options.job, invocation);
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
  const InputKind input =
      plan->stdin_blob || options.detach ? InputKind::kNone : KindOfInput(STDIN_FILENO);
  if (input == InputKind::kStream) plan->spec.set_stdin_stream(true);
  if (input == InputKind::kTerminal) {
    Notice(invocation, "input from a terminal is not built yet: the guest finds its end at once");
  }

  const auto job = SubmitJob(*connection, invocation, *plan, options.detach ? 0 : options.linger_s);
  if (!job) return std::unexpected(job.error());
  const bool json = invocation.format == OutputFormat::kJson;
  if (options.detach) {
    fmt::print("{}", json ? ToJson(*job, JsonLayout::kIndented) : job->name() + "\n");
    return kExitOk;
  }

  interruption.Hold(connection->jobs(), job->name());
  const SessionOptions session{.show_output = !json,
                               .trace = plan->spec.trace_syscalls() && (!json || trace_file),
                               .trace_fd = trace_file ? trace_file.get() : STDERR_FILENO,
                               .feed_input = input == InputKind::kStream};
  const auto end = HoldJob(*connection, job->name(), session, interruption);
  interruption.LetGo();
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
  app.add_option("--trace-output", options->trace_output,
                 "Write the trace to FILE instead of stderr")
      ->type_name("FILE")
      ->needs("--trace")
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
