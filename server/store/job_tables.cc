#include "server/store/job_tables.h"

#include <cstring>
#include <utility>

#include "engine/base/check.h"

namespace glovebox::server {
namespace {

std::string_view ShaOf(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.sha256.data()), digest.sha256.size()};
}

Digest DigestFrom(std::string_view sha, std::uint64_t size_bytes) {
  Digest digest;
  digest.size_bytes = size_bytes;
  if (sha.size() == digest.sha256.size()) std::memcpy(digest.sha256.data(), sha.data(), sha.size());
  return digest;
}

// The columns of jobs in this order, here and nowhere else.
#define GB_JOB_COLUMNS                                                                           \
  "id, tenant, state, attempts, create_ns, start_ns, end_ns, epoch, unwatched_s, cancel_asked, " \
  "outcome"

JobRow JobFrom(const Statement& row) {
  JobRow job;
  job.id = row.Text(0);
  job.tenant = row.Text(1);
  job.state = static_cast<int>(row.Int(2));
  job.attempts = static_cast<std::uint32_t>(row.Int(3));
  job.create_ns = row.Int(4);
  job.start_ns = row.Int(5);
  job.end_ns = row.Int(6);
  job.epoch = static_cast<std::uint32_t>(row.Int(7));
  job.unwatched_s = static_cast<std::uint32_t>(row.Int(8));
  job.cancel_asked = row.Int(9) != 0;
  job.outcome = row.Text(10);
  return job;
}

// Reads all rows of a query: `make` turns the current row into a value.
template <typename Value, typename Make, typename... Values>
Result<std::vector<Value>, Error> Rows(StatementCache& statements, const char* sql, Make make,
                                       const Values&... values) {
  auto statement = statements.Get(sql);
  if (!statement) return std::unexpected(statement.error());
  (*statement)->Bind(values...);
  std::vector<Value> rows;
  while (true) {
    const auto more = (*statement)->Step();
    if (!more) {
      (*statement)->Reset();
      return std::unexpected(more.error());
    }
    if (!*more) break;
    rows.push_back(make(**statement));
  }
  (*statement)->Reset();
  return rows;
}

// The first row of a query, if there is one.
template <typename Value, typename Make, typename... Values>
Result<std::optional<Value>, Error> First(StatementCache& statements, const char* sql, Make make,
                                          const Values&... values) {
  auto rows = Rows<Value>(statements, sql, make, values...);
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return std::optional<Value>();
  return std::optional<Value>(std::move(rows->front()));
}

// The columns of named_roots in this order, here and nowhere else.
#define GB_ROOT_COLUMNS "tenant, name, sha256, size, create_ns, blobs, bytes, config"

RootRow RootFrom(const Statement& row) {
  RootRow root;
  root.tenant = row.Text(0);
  root.name = row.Text(1);
  root.tree = DigestFrom(row.Text(2), row.Unsigned(3));
  root.create_ns = row.Int(4);
  root.blobs = row.Unsigned(5);
  root.size_bytes = row.Unsigned(6);
  root.config = row.Text(7);
  return root;
}

std::string TextOf(const Statement& row) { return std::string(row.Text(0)); }

}  // namespace

Result<Statement*, Error> StatementCache::Get(const char* sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    auto prepared = database_->Prepare(sql);
    if (!prepared) return std::unexpected(prepared.error());
    found = statements_.emplace(sql, std::move(*prepared)).first;
  }
  found->second.Reset();
  return &found->second;
}

template <typename... Values>
Result<void, Error> Transaction::Run(const char* sql, const Values&... values) {
  auto statement = statements_->Get(sql);
  if (!statement) return std::unexpected(statement.error());
  return (*statement)->Bind(values...).Run();
}

template <typename... Values>
Result<bool, Error> Transaction::Any(const char* sql, const Values&... values) {
  auto statement = statements_->Get(sql);
  if (!statement) return std::unexpected(statement.error());
  (*statement)->Bind(values...);
  const auto found = (*statement)->Step();
  (*statement)->Reset();
  return found;
}

Result<void, Error> Transaction::InsertJob(const JobRow& job, std::string_view spec) {
  auto inserted = Run("INSERT INTO jobs (" GB_JOB_COLUMNS
                      ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                      std::string_view(job.id), std::string_view(job.tenant), job.state,
                      job.attempts, job.create_ns, job.start_ns, job.end_ns, job.epoch,
                      job.unwatched_s, job.cancel_asked, BlobView{job.outcome});
  if (!inserted) return inserted;
  return Run("INSERT INTO specs (job, spec) VALUES (?1, ?2)", std::string_view(job.id),
             BlobView{spec});
}

Result<void, Error> Transaction::UpdateJob(const JobRow& job) {
  return Run(
      "UPDATE jobs SET state = ?2, attempts = ?3, start_ns = ?4, end_ns = ?5, epoch = ?6, "
      "unwatched_s = ?7, cancel_asked = ?8, outcome = ?9 WHERE id = ?1",
      std::string_view(job.id), job.state, job.attempts, job.start_ns, job.end_ns, job.epoch,
      job.unwatched_s, job.cancel_asked, BlobView{job.outcome});
}

Result<void, Error> Transaction::AddEvents(std::string_view job, std::span<const EventRow> events) {
  for (const EventRow& event : events) {
    auto added =
        Run("INSERT OR IGNORE INTO events (job, sequence, time_ns, state, attempt, message) "
            "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            job, event.sequence, event.time_ns, event.state, event.attempt,
            std::string_view(event.message));
    if (!added) return added;
  }
  return {};
}

Result<void, Error> Transaction::AddJournal(std::string_view job, std::uint64_t number,
                                            const JournalRow& record) {
  return Run(
      "INSERT OR IGNORE INTO journal (job, number, icount, signal, while_waiting, step, input, "
      "input_end, rows, columns, time_ns, change) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
      job, number, record.icount, record.signal, record.while_waiting, record.step,
      BlobView{record.input}, record.input_end, record.rows, record.columns, record.time_ns,
      BlobView{record.change});
}

Result<void, Error> Transaction::PutLog(std::string_view job, const LogRow& log) {
  constexpr const char* kSql =
      "INSERT OR REPLACE INTO logs (job, kind, units, frames) VALUES (?1, ?2, ?3, ?4)";
  const int kind = static_cast<int>(log.kind);
  return log.frames ? Run(kSql, job, kind, log.units, BlobView{*log.frames})
                    : Run(kSql, job, kind, log.units, nullptr);
}

Result<void, Error> Transaction::PutInput(std::string_view job, const InputRow& input) {
  return Run("INSERT OR REPLACE INTO inputs (job, size, ended) VALUES (?1, ?2, ?3)", job,
             input.size, input.ended);
}

Result<void, Error> Transaction::PutRequestId(std::string_view tenant, std::string_view request_id,
                                              const RequestRow& request) {
  return Run("INSERT INTO request_ids (tenant, request_id, job, body) VALUES (?1, ?2, ?3, ?4)",
             tenant, request_id, std::string_view(request.job), BlobView{request.body});
}

Result<void, Error> Transaction::PutBlobRef(std::string_view tenant, const BlobRef& ref) {
  return Run("INSERT OR IGNORE INTO blob_refs (tenant, sha256, size, job) VALUES (?1, ?2, ?3, ?4)",
             tenant, BlobView{ShaOf(ref.digest)}, ref.digest.size_bytes, std::string_view(ref.job));
}

Result<void, Error> Transaction::PutRoot(const Digest& root, std::span<const Digest> blobs) {
  auto put = Run("INSERT OR IGNORE INTO roots (sha256, size) VALUES (?1, ?2)",
                 BlobView{ShaOf(root)}, root.size_bytes);
  for (const Digest& blob : blobs) {
    if (!put) return put;
    put =
        Run("INSERT OR IGNORE INTO root_blobs (root, sha256, size) SELECT id, ?3, ?4 FROM roots "
            "WHERE sha256 = ?1 AND size = ?2",
            BlobView{ShaOf(root)}, root.size_bytes, BlobView{ShaOf(blob)}, blob.size_bytes);
  }
  return put;
}

Result<void, Error> Transaction::PutNamedRoot(const RootRow& root, bool replace) {
  const auto taken = Any("SELECT 1 FROM named_roots WHERE tenant = ?1 AND name = ?2",
                         std::string_view(root.tenant), std::string_view(root.name));
  if (!taken) return std::unexpected(taken.error());
  if (*taken && !replace) {
    return Fail(ErrorCode::kAlreadyExists, "ROOT_EXISTS",
                "there is a root \"" + root.name + "\" already", "root.name");
  }
  return Run("INSERT OR REPLACE INTO named_roots (" GB_ROOT_COLUMNS
             ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
             std::string_view(root.tenant), std::string_view(root.name), BlobView{ShaOf(root.tree)},
             root.tree.size_bytes, root.create_ns, root.blobs, root.size_bytes,
             BlobView{root.config});
}

Result<void, Error> Transaction::DeleteNamedRoot(std::string_view tenant, std::string_view name) {
  const auto known = Any("SELECT 1 FROM named_roots WHERE tenant = ?1 AND name = ?2", tenant, name);
  if (!known) return std::unexpected(known.error());
  if (!*known) {
    return Fail(ErrorCode::kNotFound, "ROOT_NOT_FOUND",
                "there is no root \"" + std::string(name) + "\"", "name");
  }
  return Run("DELETE FROM named_roots WHERE tenant = ?1 AND name = ?2", tenant, name);
}

Result<void, Error> Transaction::PutMeta(std::string_view key, std::string_view value) {
  return Run("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", key, BlobView{value});
}

Result<void, Error> Transaction::DeleteJob(std::string_view job) {
  constexpr const char* kDeletes[] = {
      "DELETE FROM jobs WHERE id = ?1",         "DELETE FROM specs WHERE job = ?1",
      "DELETE FROM events WHERE job = ?1",      "DELETE FROM journal WHERE job = ?1",
      "DELETE FROM logs WHERE job = ?1",        "DELETE FROM inputs WHERE job = ?1",
      "DELETE FROM request_ids WHERE job = ?1", "DELETE FROM blob_refs WHERE job = ?1",
  };
  for (const char* sql : kDeletes) {
    if (auto deleted = Run(sql, job); !deleted) return deleted;
  }
  return {};
}

JobReader::JobReader(Database database) : database_(std::move(database)), statements_(database_) {}

Result<std::optional<JobRow>, Error> JobReader::FindJob(std::string_view id) {
  absl::MutexLock lock(&mu_);
  return First<JobRow>(statements_, "SELECT " GB_JOB_COLUMNS " FROM jobs WHERE id = ?1", JobFrom,
                       id);
}

Result<std::optional<std::string>, Error> JobReader::FindSpec(std::string_view id) {
  absl::MutexLock lock(&mu_);
  return First<std::string>(statements_, "SELECT spec FROM specs WHERE job = ?1", TextOf, id);
}

Result<std::vector<JobRow>, Error> JobReader::ListJobs(const JobQuery& query) {
  // The states as bits: bit n of the mask is state n. Ids sort by time; '~' sorts behind each of
  // them.
  std::int64_t mask = query.states.empty() ? -1 : 0;
  for (const int state : query.states) mask |= std::int64_t{1} << state;
  absl::MutexLock lock(&mu_);
  return Rows<JobRow>(statements_,
                      "SELECT " GB_JOB_COLUMNS
                      " FROM jobs WHERE tenant = ?1 AND id < ?2 AND (?3 >> state) & 1 "
                      "ORDER BY id DESC LIMIT ?4",
                      JobFrom, std::string_view(query.tenant),
                      std::string_view(query.before_id.empty() ? "~" : query.before_id), mask,
                      query.limit);
}

Result<std::vector<EventRow>, Error> JobReader::Events(std::string_view id,
                                                       std::uint64_t after_sequence) {
  absl::MutexLock lock(&mu_);
  return Rows<EventRow>(
      statements_,
      "SELECT sequence, time_ns, state, attempt, message FROM events "
      "WHERE job = ?1 AND sequence > ?2 ORDER BY sequence",
      [](const Statement& row) {
        return EventRow{row.Unsigned(0), row.Int(1), static_cast<int>(row.Int(2)),
                        static_cast<std::uint32_t>(row.Int(3)), std::string(row.Text(4))};
      },
      id, after_sequence);
}

Result<std::vector<JournalRow>, Error> JobReader::Journal(std::string_view id) {
  absl::MutexLock lock(&mu_);
  return Rows<JournalRow>(
      statements_,
      "SELECT icount, signal, while_waiting, step, input, input_end, rows, columns, time_ns, "
      "change "
      "FROM journal "
      "WHERE job = ?1 ORDER BY number",
      [](const Statement& row) {
        return JournalRow{row.Unsigned(0),
                          static_cast<int>(row.Int(1)),
                          row.Int(2) != 0,
                          row.Unsigned(3),
                          std::string(row.Text(4)),
                          row.Int(5) != 0,
                          static_cast<std::uint32_t>(row.Int(6)),
                          static_cast<std::uint32_t>(row.Int(7)),
                          row.Unsigned(8),
                          std::string(row.Text(9))};
      },
      id);
}

Result<std::optional<LogRow>, Error> JobReader::FindLog(std::string_view id, LogKind kind) {
  absl::MutexLock lock(&mu_);
  return First<LogRow>(
      statements_, "SELECT units, frames FROM logs WHERE job = ?1 AND kind = ?2",
      [kind](const Statement& row) {
        LogRow log{kind, row.Unsigned(0), std::nullopt};
        if (!row.IsNull(1)) log.frames = row.Text(1);
        return log;
      },
      id, static_cast<int>(kind));
}

Result<std::uint64_t, Error> JobReader::LogUnits(std::string_view id, LogKind kind) {
  absl::MutexLock lock(&mu_);
  const auto units = First<std::uint64_t>(
      statements_, "SELECT units FROM logs WHERE job = ?1 AND kind = ?2",
      [](const Statement& row) { return row.Unsigned(0); }, id, static_cast<int>(kind));
  if (!units) return std::unexpected(units.error());
  return units->value_or(0);
}

Result<std::optional<InputRow>, Error> JobReader::FindInput(std::string_view id) {
  absl::MutexLock lock(&mu_);
  return First<InputRow>(
      statements_, "SELECT size, ended FROM inputs WHERE job = ?1",
      [](const Statement& row) { return InputRow{row.Unsigned(0), row.Int(1) != 0}; }, id);
}

Result<std::optional<RequestRow>, Error> JobReader::FindRequestId(std::string_view tenant,
                                                                  std::string_view request_id) {
  absl::MutexLock lock(&mu_);
  return First<RequestRow>(
      statements_, "SELECT job, body FROM request_ids WHERE tenant = ?1 AND request_id = ?2",
      [](const Statement& row) {
        return RequestRow{std::string(row.Text(0)), std::string(row.Text(1))};
      },
      tenant, request_id);
}

Result<std::optional<std::vector<Digest>>, Error> JobReader::FindRoot(const Digest& root) {
  absl::MutexLock lock(&mu_);
  auto blobs = Rows<Digest>(
      statements_,
      "SELECT b.sha256, b.size FROM roots r JOIN root_blobs b ON b.root = r.id "
      "WHERE r.sha256 = ?1 AND r.size = ?2 ORDER BY b.sha256, b.size",
      [](const Statement& row) { return DigestFrom(row.Text(0), row.Unsigned(1)); },
      BlobView{ShaOf(root)}, root.size_bytes);
  if (!blobs) return std::unexpected(blobs.error());
  // A closure is never empty: the root itself belongs to it.
  if (blobs->empty()) return std::optional<std::vector<Digest>>();
  return std::optional(std::move(*blobs));
}

Result<std::optional<RootRow>, Error> JobReader::FindNamedRoot(std::string_view tenant,
                                                               std::string_view name) {
  absl::MutexLock lock(&mu_);
  return First<RootRow>(
      statements_, "SELECT " GB_ROOT_COLUMNS " FROM named_roots WHERE tenant = ?1 AND name = ?2",
      RootFrom, tenant, name);
}

Result<std::vector<RootRow>, Error> JobReader::ListNamedRoots(std::string_view tenant,
                                                              std::string_view after,
                                                              std::size_t limit) {
  absl::MutexLock lock(&mu_);
  return Rows<RootRow>(statements_,
                       "SELECT " GB_ROOT_COLUMNS
                       " FROM named_roots WHERE tenant = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
                       RootFrom, tenant, after, limit);
}

Result<std::optional<std::string>, Error> JobReader::FindMeta(std::string_view key) {
  absl::MutexLock lock(&mu_);
  return First<std::string>(statements_, "SELECT value FROM meta WHERE key = ?1", TextOf, key);
}

}  // namespace glovebox::server
