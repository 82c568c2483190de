// A job's output, or its trace: an append-only row of frames, read by position while it is written
// and afterwards.
//
// Small logs stay in memory and are committed with the job's result, in the same transaction: no
// file, no fsync of their own. One that outgrows the memory limit spills to a file, to which
// everything is then appended as it comes; Sync() makes the file durable before the result's
// commit.
//
// Rejected: one file per job from the start (a third fsync, and a file, for each hello world); rows
// of chunks in the database (large outputs would be written twice, and stall every other job's
// commit).
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "engine/base/host_fd.h"
#include "engine/base/result.h"

namespace glovebox::server {

struct Frame {
  std::uint64_t position = 0;  // of its first unit
  std::uint32_t kind = 0;      // the writer's: output uses 1 stdout, 2 stderr
  std::uint64_t icount = 0;
  std::string payload;
};

class FrameLog {
 public:
  // What positions count: bytes of payload (output), or frames (trace).
  enum class Unit { kBytes, kFrames };

  static constexpr std::size_t kDefaultMemoryLimit = 256 << 10;
  static constexpr std::size_t kMaxPayload = 8 << 20;

  struct NewFrame {
    std::uint32_t kind = 0;
    std::uint64_t icount = 0;
    std::string_view payload;
  };

  // A log that will be written. A file that lies at `spill_path` from an earlier attempt is
  // replaced when this one spills.
  FrameLog(Unit unit, std::filesystem::path spill_path,
           std::size_t memory_limit = kDefaultMemoryLimit);

  // A whole log, for reading: DATA_LOSS OUTPUT_DAMAGED where it does not hold `units` in
  // well-formed frames.
  static Result<std::shared_ptr<FrameLog>, Error> FromMemory(Unit unit, std::string frames,
                                                             std::uint64_t units);
  static Result<std::shared_ptr<FrameLog>, Error> FromFile(Unit unit, std::filesystem::path path,
                                                           std::uint64_t units);

  // One writer at a time. Appends all, or nothing. After an error the log takes nothing more: what
  // a failed write left is not known.
  Result<void, Error> Append(std::span<const NewFrame> frames);

  // Hold keeps what is appended from now on from readers, until the matching Release; they nest in
  // order.
  void Hold();
  void Release();

  // Frames from the one that holds `position` on, about `max_bytes` of them, at least one; empty at
  // the visible end. The first frame of a byte log is cut so that it starts at `position`.
  Result<std::vector<Frame>, Error> Read(std::uint64_t position, std::size_t max_bytes) const;

  std::uint64_t visible_end() const;   // units that readers see
  std::uint64_t end() const;           // units in all
  std::uint64_t stored_bytes() const;  // payload and headers

  // What the result's commit keeps of this log: the frames, or nothing where they lie in a file.
  std::optional<std::string> FramesForCommit() const;
  // Makes a spilled log durable, its name too. Nothing to do for one in memory.
  Result<void, Error> Sync();
  bool spilled() const;

 private:
  // Where a frame lies.
  struct Mark {
    std::uint64_t position = 0;
    std::uint64_t offset = 0;
  };

  using File = std::shared_ptr<const HostFd>;

  Result<File, Error> Spill();
  Result<void, Error> Write(const File& file, std::string_view bytes);
  Result<void, Error> Index(std::uint64_t units);
  void NoteFrame(std::size_t payload_size) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::uint64_t UnitsOf(std::size_t payload_size) const;
  Result<std::string, Error> Bytes(std::uint64_t offset, std::size_t size) const;
  std::uint64_t VisibleEnd() const ABSL_SHARED_LOCKS_REQUIRED(mu_);

  const Unit unit_;
  const std::filesystem::path path_;
  const std::size_t memory_limit_;

  // Held for moments only, never while a disk is waited for: whoever asks how long the log is must
  // not wait for it.
  mutable absl::Mutex mu_;
  std::string memory_ ABSL_GUARDED_BY(mu_);  // all frames, while there is no file
  File file_ ABSL_GUARDED_BY(mu_);
  std::vector<Mark> marks_
      ABSL_GUARDED_BY(mu_);  // one every kMarkBytes, so that a read starts near its position
  Mark end_ ABSL_GUARDED_BY(mu_);
  std::deque<std::uint64_t> holds_ ABSL_GUARDED_BY(mu_);  // end at each Hold
  bool broken_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace glovebox::server
