// What debuggers change, as the journal holds it: worker.v1.DebugChange in the bytes of a record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/debug.h"
#include "glovebox/worker/v1/worker.pb.h"
#include "server/worker/debuggee.h"

namespace glovebox::worker {

namespace wire = glovebox::worker::v1;

struct RecordedChange {
  engine::DebugChange change;
  ChangePlace place;
};

// One record, or several where the bytes of memory are many.
std::vector<std::string> EncodeChange(const RecordedChange& recorded);
// Empty: a record that no worker wrote.
std::optional<RecordedChange> DecodeChange(const std::string& bytes);

// Writes the journal.
class ChangeJournal final : public ChangeSink {
 public:
  using Write = std::function<void(std::string record)>;
  // `kept_bytes`: of the records of earlier attempts.
  ChangeJournal(std::size_t kept_bytes, Write write)
      : bytes_(kept_bytes), write_(std::move(write)) {}

  bool Takes(std::size_t bytes) override;
  void Take(const engine::DebugChange& change, const ChangePlace& place) override;
  // What is made again meanwhile is there already.
  void Pause(bool paused) { paused_ = paused; }

 private:
  std::size_t bytes_;
  const Write write_;
  bool paused_ = false;
  bool has_other_ = false;     // one that is not made again
  bool has_schedule_ = false;  // one record stands for all that follow
};

}  // namespace glovebox::worker
