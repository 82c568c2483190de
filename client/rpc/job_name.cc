#include "client/rpc/job_name.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "client/rpc/call.h"

namespace glovebox::client {
namespace {

constexpr std::size_t kIdLength = 26;  // job.proto, Job.name
constexpr std::size_t kNamed = 5;      // candidates that an error names
constexpr std::uint32_t kPageSize = 1'000;

bool IsIdCharacter(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); }

}  // namespace

std::string_view JobId(std::string_view name) {
  return name.starts_with(kJobPrefix) ? name.substr(kJobPrefix.size()) : name;
}

Result<void, Error> ForEachJob(v1::JobService::StubInterface& service,
                               const std::vector<v1::JobState>& states,
                               const std::function<bool(const v1::Job&)>& on_job) {
  v1::ListJobsRequest request;
  request.set_page_size(kPageSize);
  for (const v1::JobState state : states) request.add_states(state);
  do {
    const auto page = Call(service, &v1::JobService::StubInterface::ListJobs, request);
    if (!page) return std::unexpected(page.error());
    for (const v1::Job& job : page->jobs()) {
      if (!on_job(job)) return {};
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return {};
}

Result<std::string, Error> ResolveJobName(v1::JobService::StubInterface& service,
                                          std::string_view text) {
  std::string id(JobId(text));
  std::ranges::transform(id, id.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  if (id.empty() || id.size() > kIdLength || !std::ranges::all_of(id, IsIdCharacter)) {
    return Fail(ErrorCode::kInvalidArgument, "BAD_JOB_NAME",
                fmt::format("'{}' is no job id: up to {} digits and letters, as `glovebox job ls` "
                            "prints them",
                            text, kIdLength));
  }
  if (id.size() == kIdLength) return std::string(kJobPrefix) + id;

  std::vector<std::string> found;
  const auto listed = ForEachJob(service, {}, [&](const v1::Job& job) {
    if (JobId(job.name()).starts_with(id)) found.push_back(job.name());
    return found.size() <= kNamed;
  });
  if (!listed) return std::unexpected(listed.error());
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return Fail(ErrorCode::kNotFound, "JOB_NOT_FOUND",
                fmt::format("no job id begins with '{}'", text));
  }
  const bool all = found.size() <= kNamed;
  if (!all) found.resize(kNamed);
  return Fail(ErrorCode::kInvalidArgument, "AMBIGUOUS_JOB",
              fmt::format("several job ids begin with '{}': {}{}", text, fmt::join(found, ", "),
                          all ? "" : ", ..."));
}

}  // namespace glovebox::client
