// glovebox logs: the output of a job, byte for byte.
#include <memory>

#include "client/commands/number.h"
#include "client/commands/with_job.h"
#include "client/render/json.h"
#include "client/rpc/call.h"
#include "client/stream/byte_sink.h"

namespace glovebox::client {
namespace {

struct LogsOptions {
  bool follow = false;
  std::uint64_t offset = 0;
};

}  // namespace

Action DeclareLogs(CLI::App& app) {
  const auto options = std::make_shared<LogsOptions>();
  app.add_flag("--follow,-f", options->follow, "Go on until the job has ended");
  app.add_option("--offset", options->offset, "Begin at this byte of stdout and stderr together")
      ->type_name("BYTES")
      ->check(IsCount());
  app.footer(
      "The guest's stdout goes to stdout and its stderr to stderr, byte for byte, in its order.\n"
      "With -o json each chunk is a document on a line of its own (data in base64, with "
      "icount).\n\n"
      "Examples:\n"
      "  glovebox logs $job\n"
      "  glovebox logs -f $job 2>/dev/null\n");
  return DeclareWithJob(
      app,
      [options](const Connection& connection, const std::string& name,
                const Invocation& invocation) -> Result<int, Error> {
        v1::ReadOutputRequest request;
        request.set_name(name);
        request.set_follow(options->follow);
        request.set_offset_bytes(options->offset);
        CallStopper stopper;
        Result<WriteOutcome, Error> written = WriteOutcome::kDone;
        const auto read =
            ReadStream(connection.jobs(), &v1::JobService::StubInterface::ReadOutput, request,
                       stopper, [&](const v1::OutputChunk& chunk, v1::ReadOutputRequest& next) {
                         next.set_offset_bytes(chunk.offset_bytes() + chunk.data().size());
                         written = invocation.format == OutputFormat::kJson
                                       ? WriteAll(1, ToJson(chunk, JsonLayout::kOneLine))
                                       : WriteAll(chunk.stream() == v1::OutputChunk::STDERR ? 2 : 1,
                                                  chunk.data());
                         return written && *written == WriteOutcome::kDone;
                       });
        if (!read) return std::unexpected(read.error());
        if (!written) return std::unexpected(written.error());
        return 0;
      });
}

}  // namespace glovebox::client
