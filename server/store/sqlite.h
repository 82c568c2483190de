// A thin wrap of the sqlite3 C API: connections and statements that close themselves, values in and
// out, errors as values. Not thread-safe: a connection belongs to one thread, or to whoever holds
// the mutex beside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "engine/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace glovebox::server {

// Bytes that are bound as a BLOB instead of TEXT.
struct BlobView {
  std::string_view bytes;
};

// A prepared statement. Bind, then step; Reset before the next use (Run and Rows do it).
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* prepared) : statement_(prepared) {}
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  // Binds parameters ?1, ?2 ... in order.
  template <typename... Values>
  Statement& Bind(const Values&... values) {
    int index = 0;
    (BindOne(++index, values), ...);
    return *this;
  }

  // Steps to the next row. Returns: false after the last one.
  Result<bool, Error> Step();
  // For statements that return no rows.
  Result<void, Error> Run();
  void Reset();

  std::int64_t Int(int column) const;
  std::uint64_t Unsigned(int column) const { return static_cast<std::uint64_t>(Int(column)); }
  // Valid until the next step.
  std::string_view Text(int column) const;  // TEXT or BLOB
  bool IsNull(int column) const;

 private:
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };

  void BindOne(int index, std::string_view text);
  void BindOne(int index, BlobView blob);
  void BindOne(int index, std::nullptr_t);
  void BindOne(int index, std::int64_t number);
  template <typename Number>
    requires std::is_integral_v<Number>
  void BindOne(int index, Number number) {
    BindOne(index, static_cast<std::int64_t>(number));
  }

  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  std::string error_;  // of a bind
};

class Database {
 public:
  enum class Mode { kReadWriteCreate, kReadOnly };

  static Result<Database, Error> Open(const std::filesystem::path& path, Mode mode);

  // One or more statements without parameters and without rows.
  Result<void, Error> Execute(const char* sql);
  // A statement that is kept for later uses with this connection.
  Result<Statement, Error> Prepare(std::string_view sql);
  // Rows changed by the last statement.
  std::int64_t Changes() const;
  sqlite3* raw() const { return database_.get(); }

 private:
  struct Closer {
    void operator()(sqlite3* database) const;
  };
  std::unique_ptr<sqlite3, Closer> database_;
};

}  // namespace glovebox::server
