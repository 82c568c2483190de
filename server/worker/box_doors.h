// The doors of a box (engine::BoxHost) over the channel: output and trace on their way out, stdin
// on its way in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "engine/process.h"
#include "server/worker/channel.h"

namespace glovebox::worker {

// Output, trace events and journal records keep their order. Consecutive writes to one stream share
// a message as long as they lie within kChunkInstructions of its first: a rule over icounts, so
// that the chunks of a job's output, and the icount that each carries, do not depend on how fast
// the host was.
class BoxDoors : public engine::BoxHost {
 public:
  // `tells`: of output and trace events; a replay does not.
  BoxDoors(Channel& channel, bool has_stdin, bool tells = true)
      : channel_(channel), tells_(tells), has_stdin_(has_stdin) {}

  void OnOutput(engine::OutputStream stream, std::span<const std::byte> bytes,
                engine::Icount icount) override;
  void OnTrace(const engine::TraceEvent& event) override;
  Result<Input, Error> ReadStdin(std::uint64_t offset_bytes, std::size_t size_bytes) override;

  // Puts everything gathered so far into the channel, for what must not overtake it.
  void Drain();
  // At the end of a slice: sends what is complete. A chunk that later writes could still join waits
  // for them.
  void EndSlice(const engine::Box& box);

  // While the box waits for input: whether the bytes, or the end, are there now. Takes in what the
  // channel received.
  bool InputIsReady();

  // Replay: the next reads find nothing, until one is let through.
  void HoldReads(bool hold) { hold_reads_ = hold; }
  void LetOneReadThrough() { let_through_ = true; }

 private:
  static constexpr engine::Icount kChunkInstructions = 8192;
  // A longer read of stdin is short, always by the same rule.
  static constexpr std::size_t kMaxReadBytes = std::size_t{256} << 10;

  void CloseChunk();
  void CloseTrace();
  void AskForInput();
  bool HasWanted() const;

  Channel& channel_;

  wire::FromWorker chunk_;  // with data: the chunk that is being gathered
  engine::Icount chunk_start_ = 0;
  wire::FromWorker trace_;  // with events: those not yet queued
  std::size_t trace_bytes_ = 0;

  std::uint64_t output_bytes_ = 0;

  const bool tells_;
  bool has_stdin_;
  bool hold_reads_ = false;
  bool let_through_ = false;
  std::string input_;  // bytes of stdin from input_offset_ on
  std::uint64_t input_offset_ = 0;
  bool input_end_ = false;  // nothing follows `input_`
  bool asked_ = false;      // an InputWanted is not answered yet
  std::uint64_t asked_offset_ = 0;
  std::uint64_t wanted_offset_ = 0;
  std::size_t wanted_bytes_ = 0;
};

}  // namespace glovebox::worker
