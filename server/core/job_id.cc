#include "server/core/job_id.h"

namespace glovebox::server {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kTimeDigits = 10;

// The next greater text of the same length.
void Increment(std::string& id) {
  for (std::size_t i = id.size(); i-- > 0;) {
    const std::size_t digit = kDigits.find(id[i]) + 1;
    if (digit < kDigits.size()) {
      id[i] = kDigits[digit];
      return;
    }
    id[i] = kDigits[0];
  }
}

}  // namespace

bool IsJobId(std::string_view text) {
  return text.size() == kJobIdLength && text.find_first_not_of(kDigits) == std::string_view::npos;
}

JobIdMaker::JobIdMaker(std::string_view newest) : last_(newest) {}

std::string JobIdMaker::Next(std::int64_t now_ms) {
  std::string id(kJobIdLength, kDigits[0]);
  auto time = static_cast<std::uint64_t>(now_ms);
  for (std::size_t i = kTimeDigits; i-- > 0; time >>= 5) id[i] = kDigits[time & 31];
  if (!last_.empty() && last_.compare(0, kTimeDigits, id, 0, kTimeDigits) >= 0) {
    id = last_;
    Increment(id);
  } else {
    std::uniform_int_distribution<std::size_t> digit(0, kDigits.size() - 1);
    for (std::size_t i = kTimeDigits; i < id.size(); ++i) id[i] = kDigits[digit(random_)];
  }
  last_ = id;
  return id;
}

}  // namespace glovebox::server
