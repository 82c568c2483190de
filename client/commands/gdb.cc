// glovebox gdb: a debugger at a job.
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "client/commands/command.h"
#include "client/debug/gdb_command.h"
#include "client/debug/listener.h"
#include "client/debug/relay.h"
#include "client/exit_status.h"
#include "client/notice.h"
#include "client/rpc/connection.h"
#include "client/rpc/job_name.h"

namespace glovebox::client {
namespace {

struct GdbOptions {
  std::string gdb = "gdb";
  std::string listen;
  bool print = false;
};

constexpr std::string_view kExamples = R"(Examples:
  glovebox gdb $job                        join it where it is; it stands still until gdb lets it go
  glovebox gdb $job -x script.gdb ./prog   what follows JOB goes to gdb
  glovebox gdb --print $job                only say what gdb would be started with
  glovebox gdb --listen :1234 $job         wait on a port of the loopback instead, for an IDE or lldb:
                                           (gdb) target extended-remote :1234     (lldb) gdb-remote 1234
  glovebox run --gdb ./prog                a new job that stands at its first instruction

A job has one debugger at a time. It goes on where it was when gdb detaches, ends or dies. While it stands, no time
passes for the guest. Files and symbols come out of the box. A job that has ended cannot be joined.
)";

[[nodiscard]] std::unexpected<Error> CannotStart(const std::string& gdb) {
  return Fail(
      ErrorCode::kNotFound, "NO_GDB",
      fmt::format("cannot start {}: {} (--gdb names another one)", gdb, std::strerror(errno)));
}

Result<int, Error> Gdb(const GdbOptions& options, const Invocation& invocation) {
  if (invocation.command.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "BAD_OPTION", "which JOB? See `glovebox job ls`");
  }
  const auto connection = Connection::Open(invocation);
  if (!connection) return std::unexpected(connection.error());
  const auto job = ResolveJobName(connection->jobs(), invocation.command.front());
  if (!job) return std::unexpected(job.error());
  if (!options.listen.empty()) {
    auto listener = DebugListener::Open(options.listen);
    if (!listener) return std::unexpected(listener.error());
    Notice(invocation, fmt::format("a debugger may join {} at {}", *job, listener->address()));
    const auto served = listener->Serve(connection->sessions(), *job);
    if (!served) return std::unexpected(served.error());
    return kExitOk;
  }
  const std::vector<std::string> words = GdbCommand(options.gdb, OwnPath(), connection->address(),
                                                    *job, std::span(invocation.command).subspan(1));
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
  app.footer(std::string(kExamples));
  return [options](const Invocation& invocation) { return Gdb(*options, invocation); };
}

}  // namespace glovebox::client
