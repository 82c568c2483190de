// The options that say what a job is: those of `run` and of `job submit`.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/invocation.h"
#include "client/tree/tree_builder.h"
#include "engine/base/result.h"
#include "glovebox/v1/job.pb.h"
#include "glovebox/v1/root_service.pb.h"

namespace glovebox::client {

struct JobOptions {
  std::vector<std::string> files;        // SRC:DST
  std::vector<std::string> directories;  // SRC:DST
  std::vector<std::string> environment;  // KEY=VALUE
  std::vector<std::string> limits;       // NAME=VALUE[,NAME=VALUE]...
  std::vector<std::string> world;        // KEY=VALUE
  std::vector<std::string> labels;       // KEY=VALUE
  std::string root;                      // name of a root file system; empty: none
  std::string working_directory;
  std::string stdin_file;
  std::string trace;  // "syscalls" or nothing
  std::string clock = "virtual";
  std::uint64_t seed = 0;
  std::string user;      // UID[:GID]; empty: root
  std::string schedule;  // a value of the world's row "scheduling"; empty: its default
  bool keep_mtime = false;
};

void DeclareJobOptions(CLI::App& app, JobOptions& options);

// A job before its files are on the server.
struct JobPlan {
  v1::JobSpec spec;  // root is set by the upload
  Tree tree;
  std::optional<BlobSource> stdin_blob;
};

// The root file system that a job starts in, and how to read what the server has of it.
struct BaseRoot {
  v1::Root root;
  BlobReader reader;
};

// Reads and hashes the files; they lie on top of `base` where there is one, and what the options do
// not say its configuration does. Errors: kInvalidArgument and the like with the option at fault;
// CANNOT_RUN where CMD is on this machine and is a directory, or unreadable.
Result<JobPlan, Error> PlanJob(const JobOptions& options, const std::vector<std::string>& command,
                               const std::optional<BaseRoot>& base = std::nullopt);

// The help text's table of limits, made from engine/limits/limit_table.h.
std::string LimitHelp();

}  // namespace glovebox::client
