// glovebox gdb: a debugger at a job.
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "client/commands/command.h"
#include "client/commands/number.h"
#include "client/debug/gdb_command.h"
#include "client/debug/listener.h"
#include "client/debug/relay.h"
#include "client/exit_status.h"
#include "client/notice.h"
#include "client/rpc/call.h"
#include "client/rpc/connection.h"
#include "client/rpc/job_name.h"
#include "client/session/job_session.h"

namespace glovebox::client {
namespace {

struct GdbOptions {
  std::string gdb = "gdb";
  std::string listen;
  bool print = false;
  std::optional<std::uint64_t> at;
};

constexpr std::string_view kExamples = R"(Examples:
  glovebox gdb $job                        join it where it is; it stands still until gdb lets it go
  glovebox gdb $job -x script.gdb ./prog   what follows JOB goes to gdb
  glovebox gdb --print $job                only say what gdb would be started with
  glovebox gdb --listen :1234 $job         wait on a port of the loopback instead, for an IDE or lldb:
                                           (gdb) target extended-remote :1234     (lldb) gdb-remote 1234
  glovebox run --gdb ./prog                a new job that stands at its first instruction

  glovebox gdb --at 1500000 $job           a job that has ended, after so many instructions

A job has one debugger at a time. It goes on where it was when gdb detaches, ends or dies. While it stands, no time
passes for the guest. Files and symbols come out of the box. A job that has ended runs again for gdb, and stands where it
ended: at its fatal signal, before its exit. The job itself stays as it is.
)";

[[nodiscard]] std::unexpected<Error> CannotStart(const std::string& gdb) {
  return Fail(
      ErrorCode::kNotFound, "NO_GDB",
      fmt::format("cannot start {}: {} (--gdb names another one)", gdb, std::strerror(errno)));
}

Result<int, Error> Listen(const GdbOptions& options, const Invocation& invocation,
                          const Connection& connection, const std::string& job, bool has_ended) {
  auto listener = DebugListener::Open(options.listen);
  if (!listener) return std::unexpected(listener.error());
  const auto tell = [&] {
    Notice(invocation, fmt::format("a debugger may join {} at {}", job, listener->address()));
  };
  if (!has_ended) tell();
  const auto served = has_ended
                          ? listener->ServeReplays(connection.sessions(), job, options.at, tell)
                          : listener->Serve(connection.sessions(), job);
  if (!served) return std::unexpected(served.error());
  return kExitOk;
}

Result<int, Error> Gdb(const GdbOptions& options, const Invocation& invocation) {
  if (invocation.command.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "BAD_OPTION", "which JOB? See `glovebox job ls`");
  }
  const auto connection = Connection::Open(invocation);
  if (!connection) return std::unexpected(connection.error());
  const auto job = ResolveJobName(connection->jobs(), invocation.command.front());
  if (!job) return std::unexpected(job.error());
  v1::GetJobRequest request;
  request.set_name(*job);
  const auto found = Call(connection->jobs(), &v1::JobService::StubInterface::GetJob, request);
  if (!found) return std::unexpected(found.error());
  const bool has_ended = HasEnded(*found);
  if (options.at && !has_ended) {
    return Fail(ErrorCode::kFailedPrecondition, "JOB_NOT_ENDED",
                fmt::format("{} has not ended: --at is for jobs that have", *job));
  }
  if (!options.listen.empty()) return Listen(options, invocation, *connection, *job, has_ended);
  const GdbTarget target{
      .server = connection->address(),
      .job = *job,
      .waits = has_ended || found->state() == v1::QUEUED || found->state() == v1::PREPARING,
      .at_icount = options.at};
  const std::vector<std::string> words =
      GdbCommand(options.gdb, OwnPath(), target, std::span(invocation.command).subspan(1));
  if (options.print) {
    fmt::print("{}\n", ShellLine(words));
    return kExitOk;
  }
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  return CannotStart(options.gdb);
}

}  // namespace

Action DeclareGdb(CLI::App& app) {
  const auto options = std::make_shared<GdbOptions>();
  app.add_option("--gdb", options->gdb, "The gdb to start (default: gdb)")->type_name("PROGRAM");
  app.add_option("--listen", options->listen,
                 "Start no gdb: wait for one on this port of the loopback")
      ->type_name("[HOST]:PORT");
  app.add_flag("--print", options->print, "Only print the command that starts gdb");
  app.add_option("--at", options->at,
                 "Of a job that has ended: stand at this icount, not at its end")
      ->type_name("ICOUNT")
      ->check(IsCount());
  app.footer(std::string(kExamples));
  return [options](const Invocation& invocation) { return Gdb(*options, invocation); };
}

}  // namespace glovebox::client
