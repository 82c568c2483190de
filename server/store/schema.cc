#include "server/store/schema.h"

#include <array>
#include <string>

#include <fmt/format.h>

namespace glovebox::server {
namespace {

struct Migration {
  int version;
  const char* what;
  const char* sql;
};

// A row is never changed once released: the next change is a new row.
// - A job's spec lies beside its row, because SQLite rewrites a whole row with each of the small
// changes of state.
// - Columns named *_ns count nanoseconds since 1970 by the host's clock; digests are 32 raw bytes
// and a size in bytes.
// - logs.frames is NULL where the log has a file of its own (server/store/frame_log.h).
constexpr std::array kMigrations{
    Migration{1, "jobs, their events, logs, inputs and blobs", R"sql(
      CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

      CREATE TABLE jobs (
        id TEXT PRIMARY KEY, tenant TEXT NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL,
        create_ns INTEGER NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
        epoch INTEGER NOT NULL, unwatched_s INTEGER NOT NULL, cancel_asked INTEGER NOT NULL,
        outcome BLOB NOT NULL) WITHOUT ROWID;
      CREATE INDEX jobs_by_state ON jobs (tenant, state, id);
      CREATE TABLE specs (job TEXT PRIMARY KEY, spec BLOB NOT NULL);
      CREATE TABLE events (
        job TEXT NOT NULL, sequence INTEGER NOT NULL, time_ns INTEGER NOT NULL, state INTEGER NOT NULL,
        attempt INTEGER NOT NULL, message TEXT NOT NULL, PRIMARY KEY (job, sequence)) WITHOUT ROWID;
      CREATE TABLE journal (
        job TEXT NOT NULL, number INTEGER NOT NULL, icount INTEGER NOT NULL, signal INTEGER NOT NULL,
        while_waiting INTEGER NOT NULL, PRIMARY KEY (job, number)) WITHOUT ROWID;
      CREATE TABLE logs (
        job TEXT NOT NULL, kind INTEGER NOT NULL, units INTEGER NOT NULL, frames BLOB,
        PRIMARY KEY (job, kind));
      CREATE TABLE inputs (
        job TEXT PRIMARY KEY, size INTEGER NOT NULL, ended INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE request_ids (
        tenant TEXT NOT NULL, request_id TEXT NOT NULL, job TEXT NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (tenant, request_id)) WITHOUT ROWID;
      CREATE INDEX request_ids_by_job ON request_ids (job);

      CREATE TABLE blob_refs (
        tenant TEXT NOT NULL, sha256 BLOB NOT NULL, size INTEGER NOT NULL, job TEXT NOT NULL,
        PRIMARY KEY (tenant, sha256, job)) WITHOUT ROWID;
      CREATE INDEX blob_refs_by_job ON blob_refs (job);
      CREATE TABLE roots (
        id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL, size INTEGER NOT NULL, UNIQUE (sha256, size));
      CREATE TABLE root_blobs (
        root INTEGER NOT NULL, sha256 BLOB NOT NULL, size INTEGER NOT NULL,
        PRIMARY KEY (root, sha256, size)) WITHOUT ROWID;
    )sql"},
    // `config` is opaque here, as a job's spec is.
    Migration{2, "root file systems by name", R"sql(
      CREATE TABLE named_roots (
        tenant TEXT NOT NULL, name TEXT NOT NULL, sha256 BLOB NOT NULL, size INTEGER NOT NULL,
        create_ns INTEGER NOT NULL, blobs INTEGER NOT NULL, bytes INTEGER NOT NULL, config BLOB NOT NULL,
        PRIMARY KEY (tenant, name)) WITHOUT ROWID;
    )sql"},
    Migration{3, "live input in journals", R"sql(
      ALTER TABLE journal ADD COLUMN step INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE journal ADD COLUMN input BLOB NOT NULL DEFAULT x'';
      ALTER TABLE journal ADD COLUMN input_end INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE journal ADD COLUMN rows INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE journal ADD COLUMN columns INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE journal ADD COLUMN time_ns INTEGER NOT NULL DEFAULT 0;
    )sql"},
    Migration{4, "what debuggers change in journals", R"sql(
      ALTER TABLE journal ADD COLUMN change BLOB NOT NULL DEFAULT x'';
    )sql"},
};

constexpr bool VersionsCountUp() {
  for (std::size_t i = 0; i < kMigrations.size(); ++i) {
    if (kMigrations[i].version != static_cast<int>(i) + 1) return false;
  }
  return true;
}
static_assert(VersionsCountUp());

Result<int, Error> StoredVersion(Database& database) {
  auto newest = database.Prepare("SELECT coalesce(max(version), 0) FROM schema_migrations");
  if (!newest) return std::unexpected(newest.error());
  if (const auto row = newest->Step(); !row) return std::unexpected(row.error());
  return static_cast<int>(newest->Int(0));
}

Result<void, Error> Apply(Database& database, const Migration& migration) {
  if (auto begun = database.Execute("BEGIN IMMEDIATE"); !begun) return begun;
  auto applied = database.Execute(migration.sql);
  if (applied) {
    auto record = database.Prepare("INSERT INTO schema_migrations (version, what) VALUES (?1, ?2)");
    applied = record ? record->Bind(migration.version, std::string_view(migration.what)).Run()
                     : std::unexpected(record.error());
  }
  if (applied) applied = database.Execute("COMMIT");
  // A failed transaction is already the answer; a rollback that fails too adds nothing to it.
  if (!applied) static_cast<void>(database.Execute("ROLLBACK"));
  return applied;
}

}  // namespace

int SchemaVersion() { return kMigrations.back().version; }

Result<void, Error> MigrateSchema(Database& database) {
  auto made = database.Execute(
      "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, what TEXT NOT "
      "NULL)");
  if (!made) return made;
  const auto stored = StoredVersion(database);
  if (!stored) return std::unexpected(stored.error());
  if (*stored > SchemaVersion()) {
    return Fail(ErrorCode::kFailedPrecondition, "STORE_TOO_NEW",
                fmt::format("the store has schema {}, this gloveboxd knows up to {}", *stored,
                            SchemaVersion()));
  }
  for (const Migration& migration : kMigrations) {
    if (migration.version <= *stored) continue;
    if (auto applied = Apply(database, migration); !applied) return applied;
  }
  return {};
}

}  // namespace glovebox::server
