// What the store keeps of jobs, as plain rows. `outcome` and `spec` are opaque here: server/core
// encodes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/digest.h"

namespace glovebox::server {

inline constexpr const char* kDefaultTenant = "default";

// What changes in a job's life. States are the numbers of core/job_state.h.
struct JobRow {
  std::string id;
  std::string tenant = kDefaultTenant;
  int state = 0;
  std::uint32_t attempts = 0;
  std::int64_t create_ns = 0;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::uint32_t epoch = 0;
  std::uint32_t unwatched_s = 0;  // cancel_if_unwatched_s
  bool cancel_asked = false;
  std::string outcome;
};

struct EventRow {
  std::uint64_t sequence = 0;
  std::int64_t time_ns = 0;
  int state = 0;
  std::uint32_t attempt = 0;
  std::string message;
};

struct JournalRow {
  std::uint64_t icount = 0;
  int signal = 0;
  bool while_waiting = false;  // it came while the box waited for stdin
  std::uint64_t step = 0;
  std::string input = {};  // bytes of a live stdin
  bool input_end = false;
  std::uint32_t rows = 0;  // not 0: another size of the terminal
  std::uint32_t columns = 0;
  std::uint64_t time_ns = 0;  // of a real clock, of the guest
  std::string change = {};    // of a debugger, opaque here
};

enum class LogKind : int { kOutput = 1, kTrace = 2 };

struct LogRow {
  LogKind kind = LogKind::kOutput;
  std::uint64_t units = 0;            // bytes of output, or trace events
  std::optional<std::string> frames;  // absent: the log has a file of its own
};

struct InputRow {
  std::uint64_t size = 0;
  bool ended = false;
};

struct RequestRow {
  std::string job;
  std::string body;  // digest of the canonical request
};

// A root file system that has a name.
struct RootRow {
  std::string tenant = kDefaultTenant;
  std::string name;
  Digest tree;
  std::int64_t create_ns = 0;
  std::uint64_t blobs = 0;
  std::uint64_t size_bytes = 0;
  std::string config;
};

struct BlobRef {
  Digest digest;
  std::string job;
};

}  // namespace glovebox::server
