// glovebox gdb-pipe: what gdb talks to, as `target extended-remote | glovebox gdb-pipe JOB`.
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "client/commands/with_job.h"
#include "client/debug/relay.h"
#include "client/exit_status.h"

namespace glovebox::client {

Action DeclareGdbPipe(CLI::App& app) {
  app.footer(
      "The GDB remote protocol of a job's box on standard input and output: for gdb's\n"
      "  target extended-remote | glovebox gdb-pipe JOB\n"
      "which `glovebox gdb JOB` says for you.\n");
  const auto at = std::make_shared<std::optional<std::uint64_t>>();
  app.add_option("--at", *at, "Of a job that has ended: stand at this icount, not at its end")
      ->type_name("ICOUNT");
  return DeclareWithJob(app,
                        [at](const Connection& connection, const std::string& name,
                             const Invocation&) -> Result<int, Error> {
                          const auto relayed = RelayDebugger(connection.sessions(), name, *at,
                                                             STDIN_FILENO, STDOUT_FILENO);
                          if (!relayed) return std::unexpected(relayed.error());
                          return kExitOk;
                        });
}

}  // namespace glovebox::client
