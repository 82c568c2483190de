// glovebox job rm: an ended job and its output deleted.
#include "client/commands/with_job.h"
#include "client/rpc/call.h"

namespace glovebox::client {

Action DeclareJobRm(CLI::App& app) {
  app.footer(
      "Only jobs that have ended can be deleted; cancel others first.\n\n"
      "Example:\n  glovebox job rm $job\n");
  return DeclareWithJob(app,
                        [](const Connection& connection, const std::string& name,
                           const Invocation&) -> Result<int, Error> {
                          v1::DeleteJobRequest request;
                          request.set_name(name);
                          const auto done =
                              Call(connection.jobs(), &v1::JobService::StubInterface::DeleteJob,
                                   request);
                          if (!done) return std::unexpected(done.error());
                          return 0;
                        });
}

}  // namespace glovebox::client
