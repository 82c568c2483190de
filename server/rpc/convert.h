// Between the wire's messages and the core's values.
#pragma once

#include <string>

#include "engine/base/digest.h"
#include "engine/base/result.h"
#include "glovebox/v1/job.pb.h"
#include "glovebox/v1/job_service.pb.h"
#include "glovebox/v1/root_service.pb.h"
#include "glovebox/v1/tree.pb.h"
#include "server/core/job.h"
#include "server/core/job_manager.h"
#include "server/core/root_names.h"
#include "server/core/tree_closure.h"

namespace glovebox::server {

// INVALID_ARGUMENT DIGEST_FORM with this field.
Result<Digest, Error> ParseDigest(const v1::Digest& digest, const std::string& field);
v1::Digest MessageOf(const Digest& digest);

// "jobs/ID" to ID. INVALID_ARGUMENT JOB_NAME.
Result<std::string, Error> JobIdOf(const std::string& name);

// "roots/NAME" to NAME. INVALID_ARGUMENT ROOT_NAME with this field.
Result<std::string, Error> RootNameOf(const std::string& name, const std::string& field);
// Name, tree and configuration; what is output only is not looked at.
Result<NamedRoot, Error> RootOf(const v1::Root& root);
v1::Root MessageOf(const NamedRoot& root);

Result<CreateRequest, Error> RequestOf(const v1::CreateJobRequest& request);
Result<ListRequest, Error> RequestOf(const v1::ListJobsRequest& request);

v1::Job MessageOf(const JobView& view);
v1::JobEvent MessageOf(const JobEvent& event);
v1::TraceEvent MessageOf(const TraceRecord& record, std::uint64_t sequence);

// A DirectoryParser for glovebox.v1.Directory.
Result<DirectoryListing, Error> ParseDirectory(std::string_view bytes);

}  // namespace glovebox::server
