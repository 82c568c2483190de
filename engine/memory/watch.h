// Bytes of guest memory that a debugger wants to hear of when they are touched.
#pragma once

#include <cstdint>

#include "engine/base/types.h"

namespace glovebox::engine {

enum class WatchKind : std::uint8_t { kWrite, kRead, kAccess };

struct Watch {
  WatchKind kind = WatchKind::kWrite;
  GuestAddr address = 0;
  std::uint64_t size_bytes = 0;
  // Where it was set, and whose it is, if that is another mapping of the same memory. 0: it is
  // this.
  std::uint32_t home_pid = 0;
  GuestAddr home_address = 0;
  friend bool operator==(const Watch&, const Watch&) = default;
};

// Flags of a page with a watchpoint, in place of kReadable and kPlain (page_flags.h): the access
// may be done, once it has been judged. Apart from those, since no handler looks at them.
enum HeldFlag : std::uint8_t {
  kHeldReadable = 1 << 5,
  kHeldPlain = 1 << 6,
};

// An access that a watchpoint was waiting for.
struct WatchHit {
  WatchKind kind = WatchKind::kWrite;
  GuestAddr address = 0;  // the first byte of the access that it covers, as its home has it
  // It writes, and the watchpoint wants to hear of what reads: it counts where the instruction
  // does both.
  bool if_it_reads = false;
  std::uint32_t home_pid = 0;  // as in Watch
};

}  // namespace glovebox::engine
