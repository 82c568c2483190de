// The core of the daemon: takes jobs in, runs them in boxes, keeps what comes of them, and shows
// it.
//
// Threads. One mutex, mu_, guards all jobs and their moves. Nothing is called out while it is held:
// what is to be called (launcher, bells, callers' callbacks) is put into an AfterUnlock and runs
// when the lock has been let go. JobStore::Submit is the one exception, on purpose: it only queues,
// never calls back from within, and submitting under the lock is what keeps a job's commits in the
// order of its moves. Frame logs and input files have locks of their own, taken last. Output does
// not touch mu_: a box writes to its log and rings the job's bell.
//
// Visible = committed. A move is made in memory, submitted to the store, and shown to clients by
// the commit's callback; so nobody has ever seen a state, an event or a result that a kill of the
// daemon takes back.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "engine/base/result.h"
#include "server/core/box_launcher.h"
#include "server/core/debugger.h"
#include "server/core/job.h"
#include "server/core/job_feed.h"
#include "server/core/job_id.h"
#include "server/core/task_pool.h"
#include "server/core/timer_queue.h"
#include "server/core/tree_closure.h"
#include "server/store/blob_store.h"
#include "server/store/input_file.h"
#include "server/store/job_store.h"
#include "server/store/store_directory.h"

namespace glovebox::server {

inline constexpr std::uint32_t kMaxAttempts = 3;

struct JobManagerOptions {
  unsigned concurrent_boxes = 1;
  std::size_t max_replays = 4;  // of jobs that have ended, beside the boxes
  std::size_t max_queued = 10'000;
  // Streamed stdin is taken this far ahead of the guest, bytes.
  std::uint64_t input_window = 1 << 20;
  std::uint64_t max_input_bytes = std::uint64_t{16} << 30;
  std::uint64_t max_trace_bytes = std::uint64_t{8} << 30;
  std::chrono::milliseconds commit_retry{1'000};
};

struct CreateRequest {
  JobSpec spec;
  std::string request_id;  // empty: none
  std::uint32_t cancel_if_unwatched_s = 0;
  bool wait_for_debugger = false;
};

struct ListRequest {
  std::size_t page_size = 100;
  std::string page_token;
  std::vector<JobState> states;  // empty: all
};

struct ListPage {
  std::vector<JobView> jobs;
  std::string next_page_token;
};

struct ManagerInfo {
  std::uint32_t epoch = 0;  // of the last worker that came up; 0 before
  unsigned concurrent_boxes = 0;
  std::uint64_t queued = 0;
  std::uint64_t running = 0;
  std::vector<std::string> warnings;
};

class JobWatch;

// Threads: any, for all functions. Errors: NOT_FOUND JOB_NOT_FOUND for an id of no job, besides
// those named.
class JobManager {
 public:
  struct Parts {
    const StoreDirectory* directory;
    JobStore* store;
    BlobStore* blobs;
    DirectoryParser parser;
  };
  using JobDone = std::function<void(Result<JobView, Error>)>;
  using Done = std::function<void(Result<void, Error>)>;

  // Finds out what an earlier daemon left, queues it, and begins to run it. The parts outlive the
  // manager.
  static Result<std::unique_ptr<JobManager>, Error> Start(Parts parts,
                                                          std::unique_ptr<BoxLauncher> launcher,
                                                          const JobManagerOptions& options);
  // Boxes that still run are killed; their jobs run again at the next start. No call may be under
  // way.
  ~JobManager();

  // `done` is called once, when the job is on disk. Errors: INVALID_ARGUMENT, FAILED_PRECONDITION
  // BLOB_MISSING, ALREADY_EXISTS REQUEST_ID_REUSED, RESOURCE_EXHAUSTED QUEUE_FULL, UNAVAILABLE
  // DRAINING.
  void Create(CreateRequest request, JobDone done);
  Result<JobView, Error> Get(const std::string& id);
  // INVALID_ARGUMENT PAGE_TOKEN.
  Result<ListPage, Error> List(const ListRequest& request);
  void Cancel(const std::string& id, const std::string& reason, JobDone done);
  // FAILED_PRECONDITION JOB_NOT_ENDED.
  void Delete(const std::string& id, Done done);
  // INVALID_ARGUMENT SIGNAL_NUMBER, FAILED_PRECONDITION JOB_NOT_RUNNING.
  Result<void, Error> Signal(const std::string& id, int number);
  // INVALID_ARGUMENT TERMINAL_SIZE, FAILED_PRECONDITION NO_TERMINAL, JOB_NOT_RUNNING.
  Result<void, Error> Resize(const std::string& id, const TerminalSize& size);
  Result<std::vector<JobEvent>, Error> Events(const std::string& id, std::uint64_t after_sequence);

  // As long as the watch lives, the job counts as watched, and `changed` is called whenever there
  // may be more to see (from any thread, no lock held; also once more after the watch is gone).
  // Must not outlive the manager.
  Result<std::unique_ptr<JobWatch>, Error> Watch(const std::string& id,
                                                 std::function<void()> changed);

  struct InputTaken {
    std::uint64_t stored = 0;
    bool job_ended = false;
    bool full = false;  // nothing was taken; the bell rings when there is room
  };
  // Errors: FAILED_PRECONDITION NO_STREAMED_STDIN; as InputFile::Write; RESOURCE_EXHAUSTED
  // INPUT_TOO_LARGE.
  Result<InputTaken, Error> WriteInput(const std::string& id, std::uint64_t offset,
                                       std::span<const std::byte> bytes, bool end);
  // Makes the input taken so far durable and says how much it is.
  void SyncInput(const std::string& id, std::function<void(Result<std::uint64_t, Error>)> done);

  // Joins a debugger to the job's box, now or as soon as there is one. As long as the session
  // lives, the job has this debugger. A job that has ended runs again for it, in a box that lasts
  // as long as the session. Errors: FAILED_PRECONDITION DEBUGGER_BUSY, JOB_NOT_ENDED,
  // JOB_NOT_RUNNING (it ends just now), NOTHING_TO_REPLAY, EPOCH_UNAVAILABLE; RESOURCE_EXHAUSTED
  // REPLAYS_BUSY. What shows itself later comes by OnFailed. The session must not outlive the
  // manager.
  Result<std::unique_ptr<DebugSession>, Error> Debug(const std::string& id,
                                                     std::shared_ptr<DebuggerEvents> debugger,
                                                     const DebugOptions& options = {});

  ManagerInfo Info();
  // No job is queued, runs, or becomes durable.
  bool Idle();

  // From now on no job is taken in or started.
  void StopAdmission();
  // Waits for running jobs to end, at most so long. Returns: whether all have.
  bool AwaitQuiet(std::chrono::milliseconds timeout);
  // Gives running jobs back to the queue for the next start; the attempt does not count.
  void HandBack();

 private:
  struct LiveJob;
  class BoxSession;
  class AfterUnlock;
  struct Pending;
  struct Replay;
  class ReplaySession;

  JobManager(Parts parts, std::unique_ptr<BoxLauncher> launcher, const JobManagerOptions& options);

  // Runs on the pool; the manager's end waits for it.
  void Post(std::function<void()> task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // admission.cc
  void Admit(const CreateRequest& request, const std::string& body, const JobDone& done);
  Result<std::shared_ptr<const std::vector<Digest>>, Error> Closure(const Digest& root,
                                                                    bool& is_new);
  Result<std::shared_ptr<const std::vector<Digest>>, Error> CheckBlobs(const JobSpec& spec,
                                                                       bool& is_new);
  void TakeIn(const CreateRequest& request, const std::string& body,
              std::shared_ptr<const std::vector<Digest>> closure, bool closure_is_new,
              const JobDone& done);
  Result<std::optional<JobView>, Error> FindRequest(const std::string& request_id,
                                                    const std::string& body);
  void ResolveRequest(const std::string& request_id, const Result<JobView, Error>& result);

  // job_moves.cc
  void Move(LiveJob& job, JobMove move, std::string message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddEvent(LiveJob& job, std::string message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Persist(LiveJob& job, Durability durability, JobStore::Write more, Done then)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Committed(const std::string& id, const JobView& view, std::uint64_t sequence,
                 const Result<void, Error>& result, const Done& then);
  void PersistStart(LiveJob& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PersistEnd(LiveJob& job, JobDone done) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Again(const std::string& id, void (JobManager::*step)(LiveJob&));
  void PersistEndAgain(LiveJob& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    PersistEnd(job, nullptr);
  }
  void Retire(const std::string& id);
  void EndQueued(LiveJob& job, JobMove move, std::string message, JobDone done)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // box_life.cc
  void StartQueued() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Launch(const std::string& id);
  Result<RunRequest, Error> PrepareRun(const std::string& id, std::shared_ptr<BoxEvents>& events);
  void FillRun(const std::string& id, const JobSpec& spec,
               std::shared_ptr<const std::vector<Digest>> closure, RunRequest& run) const;
  void OnLocked(const std::string& id, std::vector<SandboxLayer> layers, std::uint32_t epoch);
  void OnJournal(const std::string& id, const JournalRecord& record);
  void OnInputWanted(const std::string& id, std::uint64_t offset, std::uint32_t size);
  void OnWallLimit(const std::string& id);
  // What the job needs cannot be read or stored: its box is killed, and the job ends as FAILED.
  void OnStoreFailed(const std::string& id, const Error& error);
  // `end`: the box' report, or nothing where its worker is lost; `lost` then says what is known.
  void OnBoxGone(const std::string& id, std::optional<BoxEnd> end, const std::string& lost);
  void JudgeEnd(LiveJob& job, const std::string& lost) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Finalize(const std::string& id);
  void SupplyInput(const std::string& id);

  // live_input.cc
  LiveJob* FindInterruptible(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static bool IsReady(const LiveJob& job);
  Result<void, Error> NotRunning(const std::string& id, const char* what);
  void SendEarly(LiveJob& job, AfterUnlock& after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsLive(const std::string& id);
  void SupplyLive(const std::string& id);

  // debugging.cc
  void JoinDebugger(LiveJob& job, AfterUnlock& after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LeaveDebugger(const std::string& id, const DebuggerEvents* debugger);
  void OnDebug(const std::string& id, const DebugNews& news);
  void OnStanding(LiveJob& job, bool stands) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnGoesOn(const std::string& id);
  // The job's box is gone, and with it what a debugger had of it.
  void EndDebugging(LiveJob& job, AfterUnlock& after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ArmWallLimit(LiveJob& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // replays.cc
  Result<std::unique_ptr<DebugSession>, Error> DebugEnded(const std::string& id,
                                                          std::shared_ptr<DebuggerEvents> debugger,
                                                          const DebugOptions& options);
  Result<RunRequest, Error> PrepareReplay(const std::shared_ptr<Replay>& replay);
  void LaunchReplay(std::uint64_t number);
  void JoinReplay(Replay& replay, AfterUnlock& after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<Replay> TakeReplay(std::uint64_t number);
  void EndReplay(std::uint64_t number, const Error* error);
  void SupplyReplay(std::uint64_t number);

  // queries.cc
  LiveJob* Find(std::string_view id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // As a client may see it; empty while it is on its way to disk.
  std::optional<JobView> ShownView(std::string_view id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Result<JobView, Error> ViewOf(const JobRow& row);
  Result<JobView, Error> FindStored(const std::string& id);
  Result<std::shared_ptr<JobFeed>, Error> StoredFeed(const JobView& view);
  void Unwatch(const std::string& id);
  void ArmUnwatched(LiveJob& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnUnwatched(const std::string& id);

  // recovery.cc
  Result<void, Error> Recover();
  Result<void, Error> Readmit(const JobRow& row);

  const Parts parts_;
  const JobManagerOptions options_;
  std::unique_ptr<BoxLauncher> launcher_;
  std::string page_key_;

  absl::Mutex mu_;
  std::map<std::string, std::unique_ptr<LiveJob>, std::less<>> jobs_ ABSL_GUARDED_BY(mu_);
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mu_);
  std::size_t arriving_ ABSL_GUARDED_BY(mu_) = 0;  // on their way to disk, not in the queue yet
  std::size_t boxes_ ABSL_GUARDED_BY(mu_) = 0;     // jobs that hold a place of concurrent_boxes
  std::size_t finalizing_ ABSL_GUARDED_BY(mu_) = 0;
  std::size_t launching_ ABSL_GUARDED_BY(mu_) = 0;  // calls of the launcher that have not come back
  std::size_t under_way_ ABSL_GUARDED_BY(mu_) = 0;  // commits and tasks that have not come back
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::uint32_t epoch_ ABSL_GUARDED_BY(mu_) = 0;
  std::unique_ptr<JobIdMaker> ids_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Pending> requests_
      ABSL_GUARDED_BY(mu_);  // request ids on their way to disk
  std::map<Digest, std::weak_ptr<const std::vector<Digest>>> closures_ ABSL_GUARDED_BY(mu_);
  // Closures of which all blobs were seen, and BlobStore::losses() at that time.
  std::map<Digest, std::uint64_t> complete_ ABSL_GUARDED_BY(mu_);
  std::map<std::uint64_t, std::shared_ptr<Replay>> replays_ ABSL_GUARDED_BY(mu_);
  std::uint64_t last_replay_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, std::weak_ptr<JobFeed>> feeds_
      ABSL_GUARDED_BY(mu_);  // of ended jobs that are read

  TimerQueue timers_;
  TaskPool pool_;
};

// Somebody's look at one job. See JobManager::Watch.
class JobWatch {
 public:
  JobWatch(std::string id, std::shared_ptr<JobFeed> feed, std::function<void()> leave)
      : id_(std::move(id)), feed_(std::move(feed)), leave_(std::move(leave)) {}
  ~JobWatch() { leave_(); }
  JobWatch(const JobWatch&) = delete;
  JobWatch& operator=(const JobWatch&) = delete;

  const std::string& id() const { return id_; }
  const JobFeed& feed() const { return *feed_; }

 private:
  const std::string id_;
  const std::shared_ptr<JobFeed> feed_;
  const std::function<void()> leave_;
};

}  // namespace glovebox::server
