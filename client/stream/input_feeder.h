// Streams our standard input into a job, as fast as the server takes it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <string>
#include <thread>

#include "client/rpc/call.h"
#include "engine/base/host_fd.h"
#include "engine/base/result.h"
#include "glovebox/v1/job_service.grpc.pb.h"

namespace glovebox::client {

// What the descriptor of our stdin is.
enum class InputKind : std::uint8_t {
  kNone,      // closed, or /dev/null: end of file at once
  kTerminal,  // somebody's keyboard: end of file at once, unless its bytes are asked for
  kStream,    // a pipe, a file, a socket: its bytes are the guest's
};
InputKind KindOfInput(int fd);

// The bytes that were read and may still be lost on the way: what an interrupted call has to send
// again.
class SentWindow {
 public:
  static constexpr std::size_t kCapacity = 16 << 20;

  void Append(std::string_view bytes);
  // The bytes from `offset_bytes` to the end; false where that is no longer there.
  bool From(std::uint64_t offset_bytes, std::string& bytes) const;
  std::uint64_t end_bytes() const { return begin_bytes_ + bytes_.size(); }

 private:
  std::uint64_t begin_bytes_ = 0;
  std::string bytes_;
};

class InputFeeder {
 public:
  // Reads from `fd` until its end or Stop.
  InputFeeder(v1::JobService::StubInterface& service, std::string job, int fd);
  ~InputFeeder();
  InputFeeder(const InputFeeder&) = delete;
  InputFeeder& operator=(const InputFeeder&) = delete;

  // The job has ended: whatever is still to send goes nowhere. Returns what went wrong, if
  // anything.
  Result<void, Error> Stop();

 private:
  enum class Step : std::uint8_t { kDone, kAgain };

  void Run();
  Result<Step, Error> OneCall();
  Result<std::uint64_t, Error> StoredSoFar();
  // Bytes of the next piece; empty at the end of the input or after Stop.
  Result<std::string, Error> ReadPiece();

  v1::JobService::StubInterface& service_;
  std::string job_;
  int fd_;
  HostFd wake_;  // eventfd: ends a wait for input
  CallStopper stopper_;
  SentWindow window_;
  bool at_end_ = false;
  bool resumed_ = false;
  Patience patience_;
  Result<void, Error> result_;
  std::thread thread_;
};

}  // namespace glovebox::client
