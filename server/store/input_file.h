// The bytes of a job's streamed stdin: an append-only file, kept with the job, because a re-run
// reads them again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include <absl/synchronization/mutex.h>

#include "engine/base/host_fd.h"
#include "engine/base/result.h"

namespace glovebox::server {

// Threads: any.
class InputFile {
 public:
  // Nothing is created before the first byte comes. `size` and `ended` are what is known to be
  // durable from before; a longer file is cut to `size`, because its tail may not be what was
  // written. Errors: DATA_LOSS INPUT_DAMAGED where less is left of it.
  static Result<std::shared_ptr<InputFile>, Error> Open(std::filesystem::path path,
                                                        std::uint64_t size, bool ended);

  // Appends bytes that start at `offset`. What lies before the end of what is stored must be the
  // same bytes again. Errors: INVALID_ARGUMENT OFFSET_MISMATCH (a gap, or other bytes),
  // FAILED_PRECONDITION INPUT_ENDED.
  Result<void, Error> Write(std::uint64_t offset, std::span<const std::byte> bytes, bool end);

  // Bytes at `offset`, at most `size_bytes`; empty at the end of what is stored.
  Result<std::string, Error> Read(std::uint64_t offset, std::size_t size_bytes) const;

  Result<void, Error> Sync();

  struct State {
    std::uint64_t size = 0;
    bool ended = false;
  };
  State state() const;

 private:
  using File = std::shared_ptr<const HostFd>;

  explicit InputFile(std::filesystem::path path) : path_(std::move(path)) {}
  Result<void, Error> CheckKnown(std::uint64_t offset, std::span<const std::byte> bytes) const;
  Result<void, Error> Append(const State& before, std::span<const std::byte> bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mu_);

  const std::filesystem::path path_;
  absl::Mutex write_mu_;  // held by a writer all along; taken before mu_
  // Held for moments only, never while a disk is waited for.
  mutable absl::Mutex mu_ ABSL_ACQUIRED_AFTER(write_mu_);
  File file_ ABSL_GUARDED_BY(mu_);
  State state_ ABSL_GUARDED_BY(mu_);
  bool broken_ ABSL_GUARDED_BY(mu_) = false;  // a failed write could not be undone
};

}  // namespace glovebox::server
