// glovebox job show: all about a job.
#include <fmt/core.h>

#include "client/commands/with_job.h"
#include "client/render/job.h"
#include "client/render/json.h"
#include "client/rpc/call.h"

namespace glovebox::client {

Action DeclareJobShow(CLI::App& app) {
  app.footer("Example:\n  glovebox job show 01K -o json | jq .result\n");
  return DeclareWithJob(app,
                        [](const Connection& connection, const std::string& name,
                           const Invocation& invocation) -> Result<int, Error> {
                          v1::GetJobRequest request;
                          request.set_name(name);
                          const auto job = Call(connection.jobs(),
                                                &v1::JobService::StubInterface::GetJob, request);
                          if (!job) return std::unexpected(job.error());
                          fmt::print("{}", invocation.format == OutputFormat::kJson
                                               ? ToJson(*job, JsonLayout::kIndented)
                                               : JobDetails(*job));
                          return 0;
                        });
}

}  // namespace glovebox::client
