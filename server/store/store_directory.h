// The directory of a store: who holds it, and what lies where.
//   lock              held with flock(2) by the daemon that serves the store; holds its pid
//   glovebox.db       jobs (job_store.h)
//   blobs/ uploads/   blobs, and uploads on the way (blob_store.h)
//   logs/             outputs and traces that outgrew the database: <job>.output, <job>.trace
//   (frame_log.h) inputs/           streamed stdin: <job> (input_file.h)
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/host_fd.h"
#include "engine/base/result.h"

namespace glovebox::server {

class StoreDirectory {
 public:
  // Makes the directory (mode 0700, its parents too) and takes its lock.
  // Errors: FAILED_PRECONDITION STORE_IN_USE (names the holder's pid), STORE_NOT_PRIVATE (others
  // can write to it).
  static Result<StoreDirectory, Error> Acquire(const std::filesystem::path& directory);

  std::filesystem::path database() const { return directory_ / "glovebox.db"; }
  const std::filesystem::path& root() const { return directory_; }
  std::filesystem::path output_log(std::string_view job) const;
  std::filesystem::path trace_log(std::string_view job) const;
  std::filesystem::path input(std::string_view job) const;

  // Removes the files of one job. What cannot be removed is left for the sweep of the next start.
  void RemoveLogs(std::string_view job) const;
  void RemoveInput(std::string_view job) const;

  // What a file in logs/ or inputs/ is kept for.
  enum class Kept { kNothing, kInputOnly, kAll };
  // Removes the files of jobs that are to lose them: logs of attempts that were broken off, all of
  // deleted jobs.
  Result<void, Error> Sweep(const std::function<Kept(std::string_view job)>& kept) const;

 private:
  std::filesystem::path directory_;
  HostFd lock_;
};

}  // namespace glovebox::server
