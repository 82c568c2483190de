// Is this a job that we can promise to run? Looks at the request alone; blobs are looked at in
// admission.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "engine/base/result.h"
#include "server/core/job.h"

namespace glovebox::server {

inline constexpr std::size_t kMaxArgumentBytes =
    2 << 20;                                        // argv and env, with their terminating NULs
inline constexpr std::size_t kMaxPathBytes = 4095;  // PATH_MAX less its NUL
inline constexpr std::size_t kMaxLabels = 64;
inline constexpr std::size_t kMaxLabelBytes = 256;
inline constexpr std::size_t kMaxWorldRows = 64;
inline constexpr std::size_t kMaxWorldBytes = 4096;
inline constexpr std::size_t kMaxRequestIdBytes = 128;

// Errors: INVALID_ARGUMENT with the field at fault ("spec.argv[3]").
Result<void, Error> CheckSpec(const JobSpec& spec);

// INVALID_ARGUMENT TERMINAL_SIZE, of `field`.
Result<void, Error> CheckTerminalSize(const TerminalSize& size, const std::string& field);

// Every row of the limit table: what the spec says, defaults for the others.
std::map<std::string, std::uint64_t> CompleteLimits(const JobSpec& spec);

}  // namespace glovebox::server
