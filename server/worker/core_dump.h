// An ELF core of a process that stands still, made piece by piece: nothing but its headers and
// notes is ever in our memory as a whole. The box does not notice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/debug.h"

namespace glovebox::worker {

class CoreDump {
 public:
  // `pid` 0: of the first process that is debugged. `first`: the thread that debuggers select; of
  // another process: its leader. The debugger outlives the dump, and the process stands still as
  // long.
  CoreDump(engine::BoxDebugger& debugger, std::uint32_t pid, engine::ThreadId first);

  // There is no such process any more.
  bool empty() const { return head_.empty(); }

  struct Piece {
    std::uint64_t offset_bytes = 0;
    std::string data;  // at most as much as was asked for; perhaps nothing yet
    bool end = false;
  };
  // In the order of offsets. What no piece holds is zero.
  Piece Next(std::size_t most_bytes);

 private:
  // A stretch of memory, and where it stands in the file.
  struct Segment {
    engine::GuestAddr start = 0;
    engine::GuestAddr end = 0;
    std::uint32_t flags = 0;
    bool in_file = false;
    bool only_written = false;  // what was never written is zero and need not be read
    std::uint64_t offset_bytes = 0;
  };

  void AddMapping(const engine::Mapping& mapping);
  void Lay(std::size_t notes_bytes);
  std::string Headers(const std::string& notes) const;
  bool IsWritten(engine::GuestAddr start, engine::GuestAddr end) const;
  // What is not zero of the next pages, at most `most_bytes`; moves on.
  std::optional<Piece> NextOf(const Segment& segment, std::size_t most_bytes);

  engine::BoxDebugger& debugger_;
  std::uint32_t pid_;
  bool is_32bit_ = false;
  std::vector<Segment> segments_;
  std::string head_;
  std::size_t head_sent_ = 0;
  std::size_t segment_ = 0;
  std::uint64_t done_bytes_ = 0;  // of that segment
  std::uint64_t file_bytes_ = 0;
};

}  // namespace glovebox::worker
