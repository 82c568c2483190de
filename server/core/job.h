// Jobs as the core knows them: what was asked for, and what is to be seen of it. Plain values.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/digest.h"
#include "server/core/box_launcher.h"
#include "server/core/job_state.h"

namespace glovebox::server {

// As accepted. See glovebox.v1.JobSpec for what each field means.
struct JobSpec {
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::string program;
  std::string working_directory;
  Digest root;
  std::optional<Digest> stdin_blob;
  bool stdin_stream = false;
  bool stdin_live = false;
  std::optional<TerminalSize> terminal;
  bool real_clock = false;
  std::uint64_t seed = 0;
  std::map<std::string, std::uint64_t> limits;
  bool trace_syscalls = false;
  std::map<std::string, std::string> world;
  std::map<std::string, std::string> labels;

  // Its stdin comes by WriteInput.
  bool input_is_written() const { return stdin_stream || stdin_live; }

  friend bool operator==(const JobSpec&, const JobSpec&) = default;
};

struct JobFailure {
  std::string reason;
  std::string message;
};

// What came of a job so far.
struct JobOutcome {
  std::optional<BoxEnd> end;  // the box' own report
  std::uint64_t journal_records = 0;
  std::optional<JobFailure> failure;  // in FAILED
  std::vector<SandboxLayer> sandbox;  // of the last worker, once it runs
  bool altered = false;               // a debugger has changed something of its course
  bool waits_for_debugger = false;    // stands at its first instruction until one has come
};

// A job as a client may see it: everything in it is committed, but for the counters at the end.
struct JobView {
  std::string id;  // 26 characters, see job_id.h
  std::shared_ptr<const JobSpec> spec;
  JobState state = JobState::kQueued;
  std::uint32_t attempts = 0;
  std::int64_t create_ns = 0;  // nanoseconds since 1970, host's clock; 0: not yet
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::uint32_t epoch = 0;
  std::uint32_t cancel_if_unwatched_s = 0;
  std::shared_ptr<const JobOutcome> outcome;
  std::uint64_t output_bytes = 0;
  std::uint64_t trace_events = 0;
  std::uint64_t input_bytes = 0;
};

struct JobEvent {
  std::uint64_t sequence = 0;  // from 1, without gaps
  std::int64_t time_ns = 0;
  JobState state = JobState::kQueued;
  std::uint32_t attempt = 0;
  std::string message;
};

}  // namespace glovebox::server
