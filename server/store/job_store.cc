#include "server/store/job_store.h"

#include <sqlite3.h>

#include <future>
#include <utility>

#include "server/store/schema.h"

namespace glovebox::server {
namespace {

// Pages of the write-ahead log after which it is copied into the database: when idle, and in any
// case.
constexpr int kWalPagesIdle = 1'000;
constexpr int kWalPagesAlways = 16'000;

int RememberWalPages(void* pages, sqlite3*, const char*, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

Result<std::unique_ptr<JobStore>, Error> JobStore::Open(const std::filesystem::path& path) {
  auto writer = Database::Open(path, Database::Mode::kReadWriteCreate);
  if (!writer) return std::unexpected(writer.error());
  for (const char* pragma : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
                             "PRAGMA wal_autocheckpoint = 0", "PRAGMA cache_size = -8192"}) {
    if (auto set = writer->Execute(pragma); !set) return std::unexpected(set.error());
  }
  if (auto migrated = MigrateSchema(*writer); !migrated) return std::unexpected(migrated.error());
  auto reader = Database::Open(path, Database::Mode::kReadOnly);
  if (!reader) return std::unexpected(reader.error());
  return std::unique_ptr<JobStore>(new JobStore(std::move(*writer), std::move(*reader)));
}

JobStore::JobStore(Database writer, Database reader)
    : writer_(std::move(writer)),
      statements_(writer_),
      reader_(std::make_unique<JobReader>(std::move(reader))) {
  sqlite3_wal_hook(writer_.raw(), RememberWalPages, &wal_pages_);
  thread_ = std::thread([this] { WriterLoop(); });
}

JobStore::~JobStore() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void JobStore::Submit(Write write, Durability durability, Done done) {
  absl::MutexLock lock(&mu_);
  queue_.push_back({std::move(write), durability, std::move(done)});
}

Result<void, Error> JobStore::Commit(Write write, Durability durability) {
  std::promise<Result<void, Error>> promise;
  Submit(std::move(write), durability,
         [&promise](Result<void, Error> result) { promise.set_value(std::move(result)); });
  return promise.get_future().get();
}

void JobStore::WriterLoop() {
  std::vector<Unit> group;
  while (true) {
    bool idle = false;
    {
      absl::MutexLock lock(&mu_);
      const auto wanted = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
        return stopping_ || !queue_.empty();
      };
      mu_.Await(absl::Condition(&wanted));
      if (queue_.empty()) return;
      group.swap(queue_);
    }
    CommitGroup(group);
    group.clear();
    {
      absl::MutexLock lock(&mu_);
      idle = queue_.empty();
    }
    CheckpointIfLong(idle);
  }
}

// A group that holds only moves between states of a live job needs no fsync: after a power cut such
// a job is found in an earlier state, from which it runs again just the same. They must outlive a
// kill of the daemon (the count of attempts is what keeps a job from taking the daemon down for
// ever), and for that it is enough that the kernel has the bytes. SQLite's NORMAL does exactly this
// in WAL mode, and the next FULL commit's fsync covers what was written before it: they lie in the
// same file (https://sqlite.org/pragma.html#pragma_synchronous).
void JobStore::CommitGroup(std::vector<Unit>& group) {
  bool power = false;
  for (const Unit& unit : group) power |= unit.durability == Durability::kPower;

  std::vector<Result<void, Error>> results;
  results.reserve(group.size());
  auto whole = writer_.Execute(power ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
  if (whole) whole = writer_.Execute("BEGIN IMMEDIATE");
  if (whole) {
    for (const Unit& unit : group) results.push_back(RunUnit(unit));
    whole = writer_.Execute("COMMIT");
    // After a failed commit the transaction may or may not be open still; either is fine, so is
    // this one's failure.
    if (!whole && !sqlite3_get_autocommit(writer_.raw())) {
      static_cast<void>(writer_.Execute("ROLLBACK"));
    }
  }
  for (std::size_t i = 0; i < group.size(); ++i) {
    group[i].done(whole ? std::move(results[i]) : std::unexpected(whole.error()));
  }
}

Result<void, Error> JobStore::RunUnit(const Unit& unit) {
  if (auto begun = writer_.Execute("SAVEPOINT unit"); !begun) return begun;
  Transaction transaction(statements_);
  auto written = unit.write(transaction);
  if (!written) static_cast<void>(writer_.Execute("ROLLBACK TO unit"));
  auto released = writer_.Execute("RELEASE unit");
  return written ? released : written;
}

// SQLite's own checkpoints would run inside a commit that somebody waits for; ours wait for a quiet
// moment while they can.
void JobStore::CheckpointIfLong(bool idle) {
  if (wal_pages_ < (idle ? kWalPagesIdle : kWalPagesAlways)) return;
  // A checkpoint that fails or is cut short by a reader is made up for by the next one.
  sqlite3_wal_checkpoint_v2(writer_.raw(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  wal_pages_ = 0;
}

}  // namespace glovebox::server
