// The tables of the store, as the migrations that lead to them.
#pragma once

#include "engine/base/result.h"
#include "server/store/sqlite.h"

namespace glovebox::server {

// Brings a database to the newest schema, one migration a transaction; each is recorded in
// schema_migrations. Errors: FAILED_PRECONDITION STORE_TOO_NEW where a later Glovebox has written
// the store.
Result<void, Error> MigrateSchema(Database& database);

// The version that this build writes.
int SchemaVersion();

}  // namespace glovebox::server
