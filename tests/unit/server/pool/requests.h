// Requests to run a box, with every limit at its default and no blob.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/limits/limit_table.h"
#include "server/core/box_launcher.h"

namespace glovebox::server {

inline std::map<std::string, std::uint64_t> DefaultLimits() {
  std::map<std::string, std::uint64_t> limits;
  for (const engine::LimitRow& row : engine::kLimits)
    limits[std::string(row.name)] = row.default_value;
  return limits;
}

inline RunRequest RequestFor(std::string program, std::vector<std::string> argv = {}) {
  RunRequest request;
  request.job_name = "jobs/TEST";
  request.program = std::move(program);
  request.argv = std::move(argv);
  request.limits = DefaultLimits();
  request.open_blob = [](const Digest&) -> Result<HostFd, Error> {
    return Fail(ErrorCode::kNotFound, "BLOB_FOREIGN", "not of this job");
  };
  return request;
}

}  // namespace glovebox::server
