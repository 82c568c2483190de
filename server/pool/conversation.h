// What one worker may say, and when. Everything that a worker sends passes here before the daemon's
// core sees it: a worker that was taken over by its guest can say anything, so nothing is taken for
// granted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/digest.h"
#include "engine/base/result.h"
#include "glovebox/worker/v1/worker.pb.h"
#include "server/core/box_launcher.h"

namespace glovebox::server {

namespace wire = glovebox::worker::v1;

// The state of one worker's conversation. Pure: no sockets, no time.
// Errors are kInvalidArgument with words for the operator; the worker is then to be killed, and
// nothing more of it heard.
class Conversation {
 public:
  enum class State {
    kStarting,  // has not said Locked
    kIdle,      // waits for a job
    kRunning,
    kEnded,
  };
  State state() const { return state_; }

  // What the daemon said to the worker. `request` outlives the conversation.
  void OnRun(const RunRequest& request);
  // False: so many are under way that this one would not be noticed; it is not to be sent.
  bool OnSignal();
  void OnCancel(bool wall_limit);
  void OnBlobAnswered() { blob_wanted_ = false; }
  // False: nobody asked, it is more than was asked for, or it is neither bytes nor the end; it is
  // not to be sent.
  bool OnInputSupplied(std::size_t size_bytes, bool end);
  // False: the job has no live stdin, it has ended, or too much is under way; it is not to be sent.
  bool OnTyped(std::span<const std::byte> bytes, bool end);
  // False: the job has no terminal, or too many are under way.
  bool OnResize(const TerminalSize& size);
  // False: the job has ended, or it is more than one message holds.
  bool OnDebug(std::size_t size_bytes);
  // A core is asked for, and a piece of it. False: too many are under way.
  bool OnCore() { return OnDebug(0) && ++core_id_ != 0; }
  bool OnMoreCore();
  // The core whose pieces count: those of one that was given up may still come.
  std::uint32_t core_id() const { return core_id_; }

  // Checks `message` and moves on.
  Result<void, Error> OnMessage(const wire::FromWorker& message);

 private:
  Result<void, Error> CheckLocked(const wire::FromWorker& message);
  Result<void, Error> CheckBlob(const wire::FromWorker& message);
  Result<void, Error> CheckInput(const wire::FromWorker& message);
  Result<void, Error> CheckOutput(const wire::FromWorker& message);
  Result<void, Error> CheckTrace(const wire::FromWorker& message);
  Result<void, Error> CheckJournal(const wire::FromWorker& message);
  Result<void, Error> CheckJournalled(const wire::JournalRecord& record);
  Result<void, Error> CheckDebug(const wire::FromWorker& message);
  Result<void, Error> CheckEnded(const wire::FromWorker& message);
  Result<void, Error> CheckTermination(const wire::Ended& ended) const;
  // Raises the highest icount that was seen.
  bool Advance(std::uint64_t icount);
  std::uint64_t LimitOf(std::string_view name) const;

  struct Rule;
  static const Rule kRules[];

  State state_ = State::kStarting;
  const RunRequest* request_ = nullptr;
  std::uint64_t icount_ = 0;
  std::uint64_t output_bytes_ = 0;
  std::uint64_t signals_sent_ = 0;
  std::uint64_t signals_journalled_ = 0;
  // Live input that was sent and has not come back in the journal.
  std::string typed_;
  bool end_typed_ = false;
  bool end_journalled_ = false;
  std::deque<TerminalSize> resizes_;
  std::uint64_t time_ns_ = 0;  // of a real clock, as the journal has it
  std::uint64_t clock_records_ = 0;
  bool cancel_sent_ = false;
  bool wall_limit_sent_ = false;
  bool blob_wanted_ = false;
  bool debugged_ = false;  // a debugger has come, perhaps left, or is waited for
  static constexpr unsigned kMostCoresWanted = 64;
  unsigned cores_wanted_ = 0;
  std::uint32_t core_id_ = 0;             // of the last one that was asked for
  std::uint64_t changed_bytes_ = 0;       // by debuggers, in the journal
  std::uint32_t input_wanted_bytes_ = 0;  // 0: no wish for input is open
};

// Messages that passed, in the core's words.
Digest DigestOfWire(const wire::Digest& digest);
std::vector<SandboxLayer> LayersOf(const wire::Locked& locked);
// Refers to the message. Without pieces of other cores than `core_id`.
DebugNews DebugNewsOf(const wire::DebugOutput& output, std::uint32_t core_id);
std::vector<TraceRecord> TraceRecordsOf(const wire::Trace& trace);
JournalRecord JournalRecordOf(const wire::JournalRecord& record);
BoxEnd BoxEndOf(const wire::Ended& ended);

// And the core's in the wire's.
wire::ToWorker RunMessageOf(const RunRequest& request);

}  // namespace glovebox::server
