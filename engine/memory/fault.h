// What a guest's access can run into. Values that become signals (engine/linux) or debugger stops.
#pragma once

#include <cstdint>

#include "engine/base/types.h"

namespace glovebox::engine {

enum class Access : std::uint8_t { kRead, kWrite, kExecute };

// Why an access to guest memory did not happen.
enum class MemoryFaultKind : std::uint8_t {
  kUnmapped,     // no mapping there: SIGSEGV, SEGV_MAPERR
  kProtection,   // mapped, but not for this access: SIGSEGV, SEGV_ACCERR
  kBeyondFile,   // a page of a file mapping wholly past the file's end: SIGBUS, BUS_ADRERR
  kMemoryLimit,  // the page would have been charged beyond the box's memory limit
};

struct MemoryFault {
  MemoryFaultKind kind = MemoryFaultKind::kUnmapped;
  Access access = Access::kRead;
  GuestAddr address = 0;  // first byte that could not be accessed
};

}  // namespace glovebox::engine
