#include "client/commands/submit.h"

#include <fmt/core.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "client/rpc/call.h"
#include "client/upload/progress_bar.h"
#include "client/upload/uploader.h"

namespace glovebox::client {
namespace {

// Unique among all clients, so that a call that is made again finds the job of the first time.
std::string NewRequestId() {
  std::array<std::uint64_t, 2> random{};
  static_cast<void>(!::getrandom(random.data(), sizeof(random), 0));
  return fmt::format("cli-{}-{:016x}{:016x}", ::getpid(), random[0], random[1]);
}

}  // namespace

Result<v1::Job, Error> SubmitJob(const Connection& connection, const Invocation& invocation,
                                 JobPlan& plan, std::uint32_t cancel_if_unwatched_s) {
  if (plan.stdin_blob) plan.tree.blobs.push_back(*plan.stdin_blob);
  ProgressBar progress(::isatty(STDERR_FILENO) != 0 && !invocation.quiet);
  const auto uploaded = Upload(connection.blobs(), plan.tree.blobs, progress);
  if (!uploaded) return std::unexpected(uploaded.error());

  v1::CreateJobRequest request;
  *request.mutable_spec() = plan.spec;
  request.set_request_id(NewRequestId());
  request.set_cancel_if_unwatched_s(cancel_if_unwatched_s);
  return Call(connection.jobs(), &v1::JobService::StubInterface::CreateJob, request);
}

}  // namespace glovebox::client
