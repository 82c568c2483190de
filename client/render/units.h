// Numbers with units: as people write them on a command line, and as we print them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "engine/limits/limit_table.h"

namespace glovebox::client {

// "64M" for a limit in bytes (K M G T: powers of 1,024, "B" or "iB" may follow), "5M" for
// instructions and counts (k K M G T: powers of 1,000), "30s" for wall time (ms s m h; without a
// unit it is refused), "none" where the limit's ceiling is "no limit". Errors: kInvalidArgument
// BAD_LIMIT, with the limit's name.
Result<std::uint64_t, Error> ParseLimitValue(const engine::LimitRow& row, std::string_view text);

std::string_view UnitName(engine::LimitUnit unit);      // as Termination.LimitHit.unit has it
std::string_view UnitExamples(engine::LimitUnit unit);  // "65536, 64M, 1G"

std::string BytesText(std::uint64_t bytes);           // "1.5 MiB", "17 bytes"
std::string CountText(std::uint64_t count);           // "1,234,567"
std::string DurationText(std::uint64_t nanoseconds);  // "1.234 ms"
std::string LimitText(std::string_view unit,
                      std::uint64_t value);  // "64.0 MiB", "5,000,000 instructions"

}  // namespace glovebox::client
