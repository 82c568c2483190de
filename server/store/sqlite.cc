#include "server/store/sqlite.h"

#include <sqlite3.h>

#include <utility>

#include <fmt/format.h>

namespace glovebox::server {
namespace {

Error SqliteError(sqlite3* database, std::string_view attempt) {
  const int code = database ? sqlite3_extended_errcode(database) : SQLITE_NOMEM;
  const bool full = (code & 0xff) == SQLITE_FULL;
  const bool damaged = (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
  const char* what = database ? sqlite3_errmsg(database) : "out of memory";
  return Error{full      ? ErrorCode::kResourceExhausted
               : damaged ? ErrorCode::kDataLoss
                         : ErrorCode::kInternal,
               full      ? "STORE_FULL"
               : damaged ? "STORE_DAMAGED"
                         : "STORE_IO",
               fmt::format("{}: {} (SQLite code {})", attempt, what, code),
               {}};
}

}  // namespace

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Result<bool, Error> Statement::Step() {
  sqlite3* const database = sqlite3_db_handle(statement_.get());
  if (!error_.empty()) return Fail(ErrorCode::kInternal, "STORE_IO", std::exchange(error_, {}));
  switch (sqlite3_step(statement_.get())) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return std::unexpected(SqliteError(database, sqlite3_sql(statement_.get())));
  }
}

Result<void, Error> Statement::Run() {
  const auto stepped = Step();
  Reset();
  if (!stepped) return std::unexpected(stepped.error());
  return {};
}

void Statement::Reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::int64_t Statement::Int(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes ? std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(size))
               : std::string_view();
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

// Bound bytes are copied: statements outlive the values that they are given.
void Statement::BindOne(int index, std::string_view text) {
  if (sqlite3_bind_text64(statement_.get(), index, text.data() ? text.data() : "", text.size(),
                          SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK) {
    error_ = "bind of a text failed";
  }
}

void Statement::BindOne(int index, BlobView blob) {
  const char* bytes = blob.bytes.data() ? blob.bytes.data() : "";
  if (sqlite3_bind_blob64(statement_.get(), index, bytes, blob.bytes.size(), SQLITE_TRANSIENT) !=
      SQLITE_OK) {
    error_ = "bind of a blob failed";
  }
}

void Statement::BindOne(int index, std::nullptr_t) {
  if (sqlite3_bind_null(statement_.get(), index) != SQLITE_OK) error_ = "bind of null failed";
}

void Statement::BindOne(int index, std::int64_t number) {
  if (sqlite3_bind_int64(statement_.get(), index, number) != SQLITE_OK) {
    error_ = "bind of a number failed";
  }
}

void Database::Closer::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

Result<Database, Error> Database::Open(const std::filesystem::path& path, Mode mode) {
  // NOMUTEX: each connection has one user at a time (see the header).
  const int flags =
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
      (mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database database;
  database.database_.reset(raw);
  if (code != SQLITE_OK) {
    return std::unexpected(SqliteError(raw, fmt::format("open of {}", path.string())));
  }
  // Only a checkpoint's short exclusive moments are ever waited for: there is one writer.
  sqlite3_busy_timeout(raw, 10'000);
  return database;
}

Result<void, Error> Database::Execute(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return std::unexpected(SqliteError(database_.get(), sql));
  }
  return {};
}

Result<Statement, Error> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK) {
    return std::unexpected(SqliteError(database_.get(), sql));
  }
  return Statement(raw);
}

std::int64_t Database::Changes() const { return sqlite3_changes64(database_.get()); }

}  // namespace glovebox::server
