// The table as a seccomp program. Written here rather than taken from libseccomp: twenty rows with
// two kinds of tests are a page of code, each worker can have its own process id in its filter, and
// no library stands between table and kernel.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "server/worker/lockdown/seccomp_table.h"

namespace glovebox::worker {

std::vector<sock_filter> BuildSeccompFilter(std::span<const SeccompRow> table,
                                            std::uint32_t own_pid);

// Puts the program over the calling process for good. Needs no_new_privs or CAP_SYS_ADMIN.
// Returns 0 or an errno of seccomp(2).
int LoadSeccompFilter(std::span<sock_filter> program);

}  // namespace glovebox::worker
