// The statements on the tables of jobs: Transaction writes (inside the writer's transaction),
// JobReader reads.
#pragma once

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
#include "server/store/job_rows.h"
#include "server/store/sqlite.h"

namespace glovebox::server {

// Prepared statements of one connection, by their text.
class StatementCache {
 public:
  explicit StatementCache(Database& database) : database_(&database) {}
  // The statement, reset.
  Result<Statement*, Error> Get(const char* sql);

 private:
  Database* database_;
  std::map<const char*, Statement> statements_;  // keyed by the literal's address
};

// Writes of one unit of work. All functions: INTERNAL STORE_IO, RESOURCE_EXHAUSTED STORE_FULL.
class Transaction {
 public:
  explicit Transaction(StatementCache& statements) : statements_(&statements) {}

  Result<void, Error> InsertJob(const JobRow& job, std::string_view spec);
  // Everything of the row but id, tenant and create_ns. No such job: nothing happens (it was
  // deleted).
  Result<void, Error> UpdateJob(const JobRow& job);
  // An event that is already there stays as it is, so that a repeated commit is harmless.
  Result<void, Error> AddEvents(std::string_view job, std::span<const EventRow> events);
  Result<void, Error> AddJournal(std::string_view job, std::uint64_t number,
                                 const JournalRow& record);
  Result<void, Error> PutLog(std::string_view job, const LogRow& log);
  Result<void, Error> PutInput(std::string_view job, const InputRow& input);
  Result<void, Error> PutRequestId(std::string_view tenant, std::string_view request_id,
                                   const RequestRow& request);
  Result<void, Error> PutBlobRef(std::string_view tenant, const BlobRef& ref);
  Result<void, Error> PutRoot(const Digest& root, std::span<const Digest> blobs);
  // ALREADY_EXISTS ROOT_EXISTS where the name is taken, unless it is to be replaced.
  Result<void, Error> PutNamedRoot(const RootRow& root, bool replace);
  // NOT_FOUND ROOT_NOT_FOUND.
  Result<void, Error> DeleteNamedRoot(std::string_view tenant, std::string_view name);
  Result<void, Error> PutMeta(std::string_view key, std::string_view value);
  // The job with all that hangs on it.
  Result<void, Error> DeleteJob(std::string_view job);

 private:
  // Whether a query has a row.
  template <typename... Values>
  Result<bool, Error> Any(const char* sql, const Values&... values);
  template <typename... Values>
  Result<void, Error> Run(const char* sql, const Values&... values);

  StatementCache* statements_;
};

struct JobQuery {
  std::string tenant = kDefaultTenant;
  std::string before_id;    // only older jobs; empty: from the newest
  std::vector<int> states;  // empty: all
  std::size_t limit = 100;
};

// Reads what is committed. Threads: any; one at a time inside.
class JobReader {
 public:
  explicit JobReader(Database database);

  Result<std::optional<JobRow>, Error> FindJob(std::string_view id);
  Result<std::optional<std::string>, Error> FindSpec(std::string_view id);
  // Newest first.
  Result<std::vector<JobRow>, Error> ListJobs(const JobQuery& query);
  Result<std::vector<EventRow>, Error> Events(std::string_view id, std::uint64_t after_sequence);
  Result<std::vector<JournalRow>, Error> Journal(std::string_view id);
  Result<std::optional<LogRow>, Error> FindLog(std::string_view id, LogKind kind);
  // Only LogRow::units of a log; 0 where there is none.
  Result<std::uint64_t, Error> LogUnits(std::string_view id, LogKind kind);
  Result<std::optional<InputRow>, Error> FindInput(std::string_view id);
  Result<std::optional<RequestRow>, Error> FindRequestId(std::string_view tenant,
                                                         std::string_view request_id);
  // Sorted; empty where the root's closure was never computed.
  Result<std::optional<std::vector<Digest>>, Error> FindRoot(const Digest& root);
  Result<std::optional<RootRow>, Error> FindNamedRoot(std::string_view tenant,
                                                      std::string_view name);
  // By name, those behind `after`.
  Result<std::vector<RootRow>, Error> ListNamedRoots(std::string_view tenant,
                                                     std::string_view after, std::size_t limit);
  Result<std::optional<std::string>, Error> FindMeta(std::string_view key);

 private:
  absl::Mutex mu_;
  Database database_ ABSL_GUARDED_BY(mu_);
  StatementCache statements_ ABSL_GUARDED_BY(mu_);
};

}  // namespace glovebox::server
