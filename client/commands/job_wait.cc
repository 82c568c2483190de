// glovebox job wait: a job's end, and its status as ours.
#include <fmt/core.h>

#include <memory>

#include "client/commands/number.h"
#include "client/commands/with_job.h"
#include "client/exit_status.h"
#include "client/render/job.h"
#include "client/render/json.h"
#include "client/session/job_session.h"

namespace glovebox::client {

Action DeclareJobWait(CLI::App& app) {
  const auto timeout_ms = std::make_shared<std::uint64_t>(0);
  app.add_option("--timeout", *timeout_ms, "Give up after so many milliseconds, with status 125")
      ->type_name("MS")
      ->check(IsCount());
  app.footer(
      "Prints how the job ended, and returns the status that `glovebox run` would have returned\n"
      "(see its --help).\n\n"
      "Example:\n  glovebox job wait $job && echo it went well\n");
  return DeclareWithJob(
      app,
      [timeout_ms](const Connection& connection, const std::string& name,
                   const Invocation& invocation) -> Result<int, Error> {
        const auto job = WaitForEnd(connection.jobs(), name, *timeout_ms);
        if (!job) return std::unexpected(job.error());
        if (!HasEnded(*job)) {
          return Fail(ErrorCode::kDeadlineExceeded, "NOT_ENDED",
                      fmt::format("{} is still {}", name, v1::JobState_Name(job->state())));
        }
        if (invocation.format == OutputFormat::kJson) {
          fmt::print("{}", ToJson(*job, JsonLayout::kIndented));
        } else if (!invocation.quiet) {
          fmt::print("{}\n", OutcomeText(*job));
        }
        return ExitStatusOf(*job);
      });
}

}  // namespace glovebox::client
