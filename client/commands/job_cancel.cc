// glovebox job cancel: a wish for a job's end.
#include <fmt/core.h>

#include <memory>

#include "client/commands/with_job.h"
#include "client/render/json.h"
#include "client/rpc/call.h"

namespace glovebox::client {

Action DeclareJobCancel(CLI::App& app) {
  const auto reason = std::make_shared<std::string>("cancelled by `glovebox job cancel`");
  app.add_option("--reason", *reason, "Why, for those who look at the job later")
      ->type_name("TEXT");
  app.footer(
      "Returns at once; `glovebox job wait` waits for the end. A job that has ended stays as it "
      "is.\n\n"
      "Example:\n  glovebox job cancel $job --reason 'wrong input'\n");
  return DeclareWithJob(app,
                        [reason](const Connection& connection, const std::string& name,
                                 const Invocation& invocation) -> Result<int, Error> {
                          v1::CancelJobRequest request;
                          request.set_name(name);
                          request.set_reason(*reason);
                          const auto job = Call(connection.jobs(),
                                                &v1::JobService::StubInterface::CancelJob, request);
                          if (!job) return std::unexpected(job.error());
                          if (invocation.format == OutputFormat::kJson) {
                            fmt::print("{}", ToJson(*job, JsonLayout::kIndented));
                          }
                          return 0;
                        });
}

}  // namespace glovebox::client
