#include "client/commands/submit.h"

#include <fmt/core.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "client/rpc/call.h"
#include "client/rpc/root_name.h"
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

// tree_closure.h of the server takes listings up to this size.
constexpr std::uint64_t kMaxListing = 32 << 20;

// The root file system that the options name; nothing where they name none.
Result<std::optional<BaseRoot>, Error> FindBaseRoot(const Connection& connection,
                                                    const JobOptions& options) {
  if (options.root.empty()) return std::nullopt;
  v1::GetRootRequest request;
  request.set_name(RootResource(options.root));
  auto root = Call(connection.roots(), &v1::RootService::StubInterface::GetRoot, request);
  if (!root) return std::unexpected(root.error());
  v1::BlobService::StubInterface& blobs = connection.blobs();
  return BaseRoot{*std::move(root),
                  [&blobs](const Digest& digest) { return ReadBlob(blobs, digest, kMaxListing); }};
}

}  // namespace

Result<PlannedJob, Error> PlanWithServer(const JobOptions& options, const Invocation& invocation) {
  if (options.root.empty()) {
    auto plan = PlanJob(options, invocation.command);
    if (!plan) return std::unexpected(plan.error());
    auto connection = Connection::Open(invocation);
    if (!connection) return std::unexpected(connection.error());
    return PlannedJob{*std::move(plan), *std::move(connection)};
  }
  auto connection = Connection::Open(invocation);
  if (!connection) return std::unexpected(connection.error());
  const auto base = FindBaseRoot(*connection, options);
  if (!base) return std::unexpected(base.error());
  auto plan = PlanJob(options, invocation.command, *base);
  if (!plan) return std::unexpected(plan.error());
  return PlannedJob{*std::move(plan), *std::move(connection)};
}

Result<v1::Job, Error> SubmitJob(const Connection& connection, const Invocation& invocation,
                                 JobPlan& plan, std::uint32_t cancel_if_unwatched_s,
                                 bool wait_for_debugger) {
  if (plan.stdin_blob) plan.tree.blobs.push_back(*plan.stdin_blob);
  ProgressBar progress(::isatty(STDERR_FILENO) != 0 && !invocation.quiet);
  const auto uploaded = Upload(connection.blobs(), plan.tree.blobs, progress);
  if (!uploaded) return std::unexpected(uploaded.error());

  v1::CreateJobRequest request;
  *request.mutable_spec() = plan.spec;
  request.set_request_id(NewRequestId());
  request.set_cancel_if_unwatched_s(cancel_if_unwatched_s);
  request.set_wait_for_debugger(wait_for_debugger);
  return Call(connection.jobs(), &v1::JobService::StubInterface::CreateJob, request);
}

}  // namespace glovebox::client
