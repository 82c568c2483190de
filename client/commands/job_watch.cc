// glovebox job watch: a job's states as they change.
#include "client/commands/with_job.h"
#include "client/render/job.h"
#include "client/render/json.h"
#include "client/rpc/call.h"
#include "client/stream/byte_sink.h"

namespace glovebox::client {

Action DeclareJobWatch(CLI::App& app) {
  app.footer(
      "Prints what has happened so far and goes on until the job has ended. With -o json each "
      "event\n"
      "is a document on a line of its own.\n\n"
      "Example:\n  glovebox job watch $job\n");
  return DeclareWithJob(app,
                        [](const Connection& connection, const std::string& name,
                           const Invocation& invocation) -> Result<int, Error> {
                          v1::WatchJobRequest request;
                          request.set_name(name);
                          CallStopper stopper;
                          Result<WriteOutcome, Error> written = WriteOutcome::kDone;
                          const auto read = ReadStream(
                              connection.jobs(), &v1::JobService::StubInterface::WatchJob, request,
                              stopper, [&](const v1::JobEvent& event, v1::WatchJobRequest& next) {
                                next.set_after_sequence(event.sequence());
                                written = WriteAll(1, invocation.format == OutputFormat::kJson
                                                          ? ToJson(event, JsonLayout::kOneLine)
                                                          : EventLine(event));
                                return written && *written == WriteOutcome::kDone;
                              });
                          if (!read) return std::unexpected(read.error());
                          if (!written) return std::unexpected(written.error());
                          return 0;
                        });
}

}  // namespace glovebox::client
