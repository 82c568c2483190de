// Joins the two streams of a job, output and trace events, into the order in which the guest made
// them.
//
// Both come in order, each from its own call, and either may be ahead. An event says how much
// output was written before it, so output up to there goes first. In the other direction there is
// no such number: output waits until an event of the same or a later icount is there (the write(2)
// that made it is one), or the trace has ended.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

#include "glovebox/v1/job_service.pb.h"

namespace glovebox::client {

class OutputMerger {
 public:
  // Both are called under a lock, one at a time. They return false when nothing more is wanted.
  struct Sinks {
    std::function<bool(v1::OutputChunk::Stream, std::string_view)> output;
    std::function<bool(const v1::TraceEvent&)> trace;
  };

  // `join_trace` false: no events will come, output goes through at once.
  OutputMerger(Sinks sinks, bool join_trace)
      : sinks_(std::move(sinks)), trace_ended_(!join_trace) {}

  // Each returns false once a sink has. Threads: any; one for output and one for the trace.
  // AddOutput waits while more than some MiB stand in the queue.
  bool AddOutput(const v1::OutputChunk& chunk);
  bool AddEvent(const v1::TraceEvent& event);
  void EndOutput();
  void EndTrace();

 private:
  struct Chunk {
    v1::OutputChunk::Stream stream;
    std::uint64_t offset_bytes;
    std::uint64_t icount;
    std::string data;
  };

  bool Emit();  // all that can go; holds mu_
  bool EmitOutputUpTo(std::uint64_t offset_bytes);

  Sinks sinks_;
  std::mutex mu_;
  std::condition_variable drained_;
  std::deque<Chunk> output_;  // guarded by mu_, as all below
  std::deque<v1::TraceEvent> events_;
  std::uint64_t queued_bytes_ = 0;
  std::uint64_t emitted_bytes_ = 0;  // of both streams together
  std::uint64_t newest_event_icount_ = 0;
  bool any_event_ = false;
  bool output_ended_ = false;
  bool trace_ended_;
  bool wanted_ = true;
};

}  // namespace glovebox::client
