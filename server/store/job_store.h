// The job store: one SQLite database in WAL mode, one writer thread that commits in groups, one
// connection for readers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "engine/base/result.h"
#include "server/store/job_tables.h"

namespace glovebox::server {

// What a commit must outlive before its callback is called.
enum class Durability {
  kCrash,  // a kill of the daemon: the bytes are with the kernel
  kPower,  // a power cut: fsynced
};

class JobStore {
 public:
  using Write = std::function<Result<void, Error>(Transaction&)>;
  using Done = std::function<void(Result<void, Error>)>;

  static Result<std::unique_ptr<JobStore>, Error> Open(const std::filesystem::path& database);
  // Commits what was submitted, then ends.
  ~JobStore();

  // Takes a unit of work; returns at once. Units are committed in the order in which they were
  // submitted, and `done` is called in that order on the writer's thread, each unit whole or not at
  // all. Units that wait together share one transaction and at most one fsync; one that fails does
  // not disturb the others. Threads: any; calls back only from the writer's thread, so it may be
  // called with a lock held.
  void Submit(Write write, Durability durability, Done done);
  // The same, and waits for it. Not from the writer's thread.
  Result<void, Error> Commit(Write write, Durability durability);

  JobReader& reader() { return *reader_; }

 private:
  struct Unit {
    Write write;
    Durability durability;
    Done done;
  };

  JobStore(Database writer, Database reader);
  void WriterLoop();
  void CommitGroup(std::vector<Unit>& group);
  Result<void, Error> RunUnit(const Unit& unit);
  void CheckpointIfLong(bool idle);

  Database writer_;            // used by the writer's thread only
  StatementCache statements_;  // of writer_
  int wal_pages_ = 0;          // writer's thread only
  std::unique_ptr<JobReader> reader_;

  absl::Mutex mu_;
  std::vector<Unit> queue_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

}  // namespace glovebox::server
