// The worker's end of its channel: everything that it says and hears passes here.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/host_fd.h"
#include "glovebox/worker/v1/worker.pb.h"
#include "server/channel/bounds.h"
#include "server/channel/frame.h"

namespace glovebox::worker {

namespace wire = glovebox::worker::v1;

// Messages keep the order in which they are queued. Once the daemon is gone, or spoke nonsense,
// closed() is true and everything else does nothing: the worker then ends, because nobody wants its
// result. Not thread-safe; the worker has one thread.
class Channel {
 public:
  // `fd` is a stream socket and stays the caller's.
  explicit Channel(int fd) : fd_(fd) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  bool closed() const { return closed_; }

  // Sent by the next Flush, or at once where much has gathered.
  void Queue(const wire::FromWorker& message);
  // Returns when the kernel has taken everything.
  void Flush();

  // Takes in what has arrived. With `wait`, returns only once there is something, or after
  // `timeout_ms` (negative: never).
  void Receive(bool wait, int timeout_ms = -1);

  // The first message of a kind; what the daemon sends unasked (Signal, Cancel, LiveInput,
  // TerminalSize) and its answers are taken separately.
  std::optional<wire::ToWorker> TakeRun();
  std::optional<wire::ToWorker> TakeControl();
  std::optional<wire::InputReply> TakeInputReply();
  struct BlobReply {
    wire::BlobReply message;
    HostFd descriptor;  // of a found blob
  };
  std::optional<BlobReply> TakeBlobReply();

 private:
  void Sort(wire::ToWorker message);
  void Close(const char* why);

  int fd_;
  bool closed_ = false;
  std::string outgoing_;
  channel::FrameReader incoming_{channel::kMaxToWorkerBytes};
  std::vector<HostFd> descriptors_;  // arrived, and not yet announced by a message
  std::optional<wire::ToWorker> run_;
  std::deque<wire::ToWorker> controls_;
  std::deque<wire::InputReply> input_replies_;
  std::deque<BlobReply> blob_replies_;
};

}  // namespace glovebox::worker
