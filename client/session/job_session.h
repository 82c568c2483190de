// A job that we hold: its output to our descriptors, our input and signals to it, until it has
// ended.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client/invocation.h"
#include "client/rpc/connection.h"
#include "engine/base/result.h"
#include "glovebox/v1/job_service.grpc.pb.h"

namespace glovebox::client {

// What our own signals do. SIGINT goes to the guest, the second cancels the job, the third ends us;
// SIGTERM and SIGHUP cancel, then end us. Before there is a job any of them ends us. Threads: any.
class Interruption {
 public:
  explicit Interruption(const Invocation& invocation) : invocation_(invocation) {}
  ~Interruption() { LetGo(); }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  void OnSignal(int number);

  // From here on signals are the job's, until LetGo. That waits for the calls that are under way:
  // afterwards the service may go.
  void Hold(v1::JobService::StubInterface& service, std::string job);
  void LetGo();

  // Tells the job's terminal its size. Only the newest one counts.
  void Resize(const v1::TerminalSize& size);

  // Asks for the job's end without waiting for it.
  void Cancel(const std::string& reason);

  // The signal for whose sake we asked for the job's end; 0: none.
  int cancelled_by() const;

 private:
  void Send(int number);
  void SendSizes();
  void CancelLocked(const std::string& reason);

  const Invocation& invocation_;
  mutable std::mutex mu_;
  v1::JobService::StubInterface* service_ = nullptr;  // guarded by mu_, as all below
  std::string job_;
  int interrupts_ = 0;
  int cancelled_by_ = 0;
  bool cancelling_ = false;
  std::optional<v1::TerminalSize> size_;  // not told yet
  bool resizing_ = false;                 // a call tells it
  std::vector<std::thread> calls_;
};

struct SessionOptions {
  bool show_output = true;
  bool trace = false;
  int trace_fd = 2;         // 2: joined with the output in the guest's order
  bool feed_input = false;  // from descriptor 0
};

struct SessionEnd {
  v1::Job job;
  bool reader_gone = false;  // our stdout or stderr was closed by its reader: the job was cancelled
};

// Returns when the job has ended.
Result<SessionEnd, Error> HoldJob(const Connection& connection, const std::string& job,
                                  const SessionOptions& options, Interruption& interruption);

// Waits for the job's end. `timeout_ms` 0: for ever; otherwise the job as it is then.
Result<v1::Job, Error> WaitForEnd(v1::JobService::StubInterface& service, const std::string& job,
                                  std::uint64_t timeout_ms);

bool HasEnded(const v1::Job& job);

}  // namespace glovebox::client
