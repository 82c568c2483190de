// glovebox trace: the system calls and signals of a job, as strace(1) writes them.
#include <memory>

#include "client/commands/with_job.h"
#include "client/render/job.h"
#include "client/render/json.h"
#include "client/rpc/call.h"
#include "client/stream/byte_sink.h"

namespace glovebox::client {

Action DeclareTrace(CLI::App& app) {
  const auto follow = std::make_shared<bool>(false);
  app.add_flag("--follow,-f", *follow, "Go on until the job has ended");
  app.footer(
      "A line is: [instructions retired] name(arguments) = result. The job has to be run with\n"
      "--trace syscalls. With -o json each event is a document on a line of its own.\n\n"
      "Examples:\n"
      "  glovebox trace $job\n"
      "  glovebox trace -f $job | grep openat\n");
  return DeclareWithJob(
      app,
      [follow](const Connection& connection, const std::string& name,
               const Invocation& invocation) -> Result<int, Error> {
        v1::StreamTraceRequest request;
        request.set_name(name);
        request.set_follow(*follow);
        CallStopper stopper;
        Result<WriteOutcome, Error> written = WriteOutcome::kDone;
        const auto read =
            ReadStream(connection.jobs(), &v1::JobService::StubInterface::StreamTrace, request,
                       stopper, [&](const v1::TraceEvent& event, v1::StreamTraceRequest& next) {
                         next.set_after_sequence(event.sequence());
                         written = WriteAll(1, invocation.format == OutputFormat::kJson
                                                   ? ToJson(event, JsonLayout::kOneLine)
                                                   : TraceLine(event));
                         return written && *written == WriteOutcome::kDone;
                       });
        if (!read) return std::unexpected(read.error());
        if (!written) return std::unexpected(written.error());
        return 0;
      });
}

}  // namespace glovebox::client
