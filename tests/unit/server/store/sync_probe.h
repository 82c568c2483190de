// Sees every fsync(2) and fdatasync(2) of the test program, SQLite's too, and can make them fail:
// sync_probe.cc defines both functions, and a program's own definition comes before the C library's
// for all shared libraries that it loads.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace glovebox::server {

// Syncs since the last reset.
std::size_t SyncCount();
void ResetSyncCount();

inline constexpr int kPretend = -1;

// Called before each sync with the path. An errno makes it fail, 0 lets it happen, kPretend makes
// it succeed without the disk (a test about something else need not wait for it). Empty: all
// happen.
void SetSyncHook(std::function<int(const std::string& path)> hook);

}  // namespace glovebox::server
