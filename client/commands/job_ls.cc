// glovebox job ls: jobs, newest first.
#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <memory>

#include "client/commands/command.h"
#include "client/commands/number.h"
#include "client/render/job.h"
#include "client/render/json.h"
#include "client/rpc/connection.h"
#include "client/rpc/job_name.h"

namespace glovebox::client {
namespace {

struct LsOptions {
  std::vector<std::string> states;
  std::size_t count = 50;
  bool all = false;
  bool ids_only = false;
};

Result<std::vector<v1::JobState>, Error> ParseStates(const std::vector<std::string>& texts) {
  std::vector<v1::JobState> states;
  for (const std::string& text : texts) {
    std::string name = text;
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    v1::JobState state;
    if (!v1::JobState_Parse(name, &state) || state == v1::JOB_STATE_UNSPECIFIED) {
      return Fail(ErrorCode::kInvalidArgument, "BAD_OPTION",
                  fmt::format("--state '{}': there are queued, preparing, running, stopped, "
                              "finalizing, succeeded, failed, cancelled",
                              text));
    }
    states.push_back(state);
  }
  return states;
}

Result<int, Error> List(const LsOptions& options, const Invocation& invocation) {
  const auto states = ParseStates(options.states);
  if (!states) return std::unexpected(states.error());
  const auto connection = Connection::Open(invocation);
  if (!connection) return std::unexpected(connection.error());
  std::vector<v1::Job> jobs;
  bool more = false;
  const auto listed = ForEachJob(connection->jobs(), *states, [&](const v1::Job& job) {
    more = !options.all && jobs.size() >= options.count;
    if (!more) jobs.push_back(job);
    return !more;
  });
  if (!listed) return std::unexpected(listed.error());
  if (invocation.format == OutputFormat::kJson) {
    v1::ListJobsResponse response;
    for (v1::Job& job : jobs) *response.add_jobs() = std::move(job);
    fmt::print("{}", ToJson(response, JsonLayout::kIndented));
  } else if (options.ids_only) {
    for (const v1::Job& job : jobs) fmt::print("{}\n", JobId(job.name()));
  } else {
    fmt::print("{}", JobList(jobs));
    if (more) fmt::print("... older ones: --all, or --count N\n");
  }
  return 0;
}

}  // namespace

Action DeclareJobLs(CLI::App& app) {
  const auto options = std::make_shared<LsOptions>();
  app.add_option("--state", options->states, "Only jobs in this state (repeatable)")
      ->type_name("STATE")
      ->allow_extra_args(false)
      ->take_all();
  app.add_option("--count,-n", options->count, "At most so many (default 50)")
      ->type_name("N")
      ->check(IsCount());
  app.add_flag("--all,-a", options->all, "All of them");
  app.add_flag("--ids", options->ids_only, "Ids only, a line each");
  app.footer(
      "Examples:\n"
      "  glovebox job ls --state running\n"
      "  glovebox job ls --all --ids --state succeeded | xargs -n 1 glovebox job rm\n");
  return [options](const Invocation& invocation) { return List(*options, invocation); };
}

}  // namespace glovebox::client
