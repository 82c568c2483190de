// Names of jobs: 26 characters of Crockford base 32, sortable by time
// (https://github.com/ulid/spec: 48 bits of milliseconds, 80 random bits).
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace glovebox::server {

inline constexpr std::size_t kJobIdLength = 26;
inline constexpr std::string_view kJobNamePrefix = "jobs/";

bool IsJobId(std::string_view text);

// Makes ids that rise strictly, also within a millisecond and when the clock steps back. Not
// thread-safe.
class JobIdMaker {
 public:
  // Ids rise from `newest` on, the newest one in the store, or "".
  explicit JobIdMaker(std::string_view newest);
  std::string Next(std::int64_t now_ms);

 private:
  std::string last_;
  std::random_device random_;
};

}  // namespace glovebox::server
