// Messages on a worker's channel: a 4-byte little-endian length and that many bytes; descriptors
// beside them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/host_fd.h"
#include "engine/base/result.h"

namespace google::protobuf {
class MessageLite;
}

namespace glovebox::channel {

inline constexpr std::size_t kFrameHeaderBytes = 4;

// Appends `message` as one frame. The message must be smaller than 4 GiB; the peer refuses what
// exceeds its bound.
void AppendFrame(const google::protobuf::MessageLite& message, std::string* out);

// Cuts a stream of bytes into frames. Never holds more than one frame of `max_bytes` and one read.
class FrameReader {
 public:
  explicit FrameReader(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void Append(std::span<const char> bytes);
  // The next complete frame's message, valid until the next call of a non-const member; empty: more
  // bytes are needed. Errors: kInvalidArgument for a length above the bound; the stream is then
  // useless.
  Result<std::optional<std::string_view>, Error> Next();

 private:
  std::size_t max_bytes_;
  std::string buffer_;
  std::size_t consumed_ = 0;
};

enum class IoState {
  kDone,    // `bytes` were moved
  kNotNow,  // would block
  kClosed,  // the peer is gone
  kFailed,  // errno
};

struct IoResult {
  IoState state = IoState::kDone;
  std::size_t bytes = 0;
};

// send(2) and recv(2) on a stream socket, with descriptors (SCM_RIGHTS, unix(7)). Never raise
// SIGPIPE, retry on EINTR. `block` waits where the socket would.
IoResult SendSome(int socket, std::span<const char> bytes, int descriptor, bool block);
// Received descriptors are close-on-exec and appended to `descriptors`; null: the kernel drops what
// the peer sends.
IoResult ReceiveSome(int socket, std::span<char> bytes, std::vector<HostFd>* descriptors,
                     bool block);

// One whole packet on a SOCK_SEQPACKET socket, which blocks. False: the peer is gone, errno says
// why.
bool SendPacket(int socket, std::span<const char> bytes, std::span<const int> descriptors);

// Two connected unix sockets, close-on-exec. Errors: kResourceExhausted.
struct SocketPair {
  HostFd ours;
  HostFd theirs;
};
Result<SocketPair, Error> MakeSocketPair(int type);

// Of the source of both ends: the project's version and a hash of the messages.
std::string_view BuildId();

}  // namespace glovebox::channel
