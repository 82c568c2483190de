// glovebox job submit: a job queued, its id printed.
#include <fmt/core.h>

#include <memory>

#include "client/commands/command.h"
#include "client/commands/submit.h"
#include "client/render/json.h"

namespace glovebox::client {

Action DeclareJobSubmit(CLI::App& app) {
  const auto options = std::make_shared<JobOptions>();
  DeclareJobOptions(app, *options);
  app.footer(
      "Examples:\n"
      "  job=$(glovebox job submit -- /bin/busybox sha256sum /etc/passwd)\n"
      "  glovebox job wait $job; glovebox logs $job\n\n"
      "As `glovebox run --detach`: CMD and the options mean the same there.\n\n" +
      LimitHelp());
  return [options](const Invocation& invocation) -> Result<int, Error> {
    auto planned = PlanWithServer(*options, invocation);
    if (!planned) return std::unexpected(planned.error());
    const auto job = SubmitJob(planned->connection, invocation, planned->plan, 0);
    if (!job) return std::unexpected(job.error());
    fmt::print("{}", invocation.format == OutputFormat::kJson ? ToJson(*job, JsonLayout::kIndented)
                                                              : job->name() + "\n");
    return 0;
  };
}

}  // namespace glovebox::client
