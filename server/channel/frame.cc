#include "server/channel/frame.h"

#include <google/protobuf/message_lite.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace glovebox::channel {
namespace {

// More descriptors than any message of ours carries; what a peer sends beyond is dropped by the
// kernel.
constexpr std::size_t kMaxDescriptors = 4;

// Room for the control message, aligned as cmsg(3) asks.
struct ControlBuffer {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> bytes{};
};

void AttachDescriptors(std::span<const int> descriptors, ControlBuffer* control, msghdr* header) {
  if (descriptors.empty()) return;
  header->msg_control = control->bytes.data();
  header->msg_controllen = CMSG_SPACE(descriptors.size_bytes());
  cmsghdr* const message = CMSG_FIRSTHDR(header);
  message->cmsg_level = SOL_SOCKET;
  message->cmsg_type = SCM_RIGHTS;
  message->cmsg_len = CMSG_LEN(descriptors.size_bytes());
  std::memcpy(CMSG_DATA(message), descriptors.data(), descriptors.size_bytes());
}

void TakeDescriptors(msghdr* header, std::vector<HostFd>* descriptors) {
  for (cmsghdr* message = CMSG_FIRSTHDR(header); message != nullptr;
       message = CMSG_NXTHDR(header, message)) {
    if (message->cmsg_level != SOL_SOCKET || message->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (message->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(message) + i * sizeof(int), sizeof(int));
      descriptors->emplace_back(fd);
    }
  }
}

template <typename Call>
ssize_t RetryOnInterrupt(Call call) {
  for (;;) {
    const ssize_t n = call();
    if (n >= 0 || errno != EINTR) return n;
  }
}

IoState StateOfErrno() {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return IoState::kNotNow;
  return errno == EPIPE || errno == ECONNRESET ? IoState::kClosed : IoState::kFailed;
}

}  // namespace

void AppendFrame(const google::protobuf::MessageLite& message, std::string* out) {
  const std::size_t header = out->size();
  out->append(kFrameHeaderBytes, '\0');
  message.AppendToString(out);
  const auto length = static_cast<std::uint32_t>(out->size() - header - kFrameHeaderBytes);
  for (std::size_t i = 0; i < kFrameHeaderBytes; ++i)
    (*out)[header + i] = static_cast<char>(length >> (8 * i));
}

void FrameReader::Append(std::span<const char> bytes) {
  buffer_.erase(0, std::exchange(consumed_, 0));
  buffer_.append(bytes.data(), bytes.size());
}

Result<std::optional<std::string_view>, Error> FrameReader::Next() {
  const std::string_view rest = std::string_view(buffer_).substr(consumed_);
  if (rest.size() < kFrameHeaderBytes) return std::nullopt;
  std::size_t length = 0;
  for (std::size_t i = 0; i < kFrameHeaderBytes; ++i) {
    length |= static_cast<std::size_t>(static_cast<unsigned char>(rest[i])) << (8 * i);
  }
  if (length > max_bytes_) {
    return Fail(ErrorCode::kInvalidArgument, "FRAME_TOO_LARGE",
                "a frame of " + std::to_string(length) + " bytes exceeds the bound of " +
                    std::to_string(max_bytes_));
  }
  if (rest.size() - kFrameHeaderBytes < length) return std::nullopt;
  consumed_ += kFrameHeaderBytes + length;
  return rest.substr(kFrameHeaderBytes, length);
}

IoResult SendSome(int socket, std::span<const char> bytes, int descriptor, bool block) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  ControlBuffer control;
  if (descriptor >= 0) AttachDescriptors(std::span(&descriptor, 1), &control, &header);
  const int flags = MSG_NOSIGNAL | (block ? 0 : MSG_DONTWAIT);
  const ssize_t n = RetryOnInterrupt([&] { return ::sendmsg(socket, &header, flags); });
  if (n < 0) return {StateOfErrno(), 0};
  return {IoState::kDone, static_cast<std::size_t>(n)};
}

IoResult ReceiveSome(int socket, std::span<char> bytes, std::vector<HostFd>* descriptors,
                     bool block) {
  iovec part{bytes.data(), bytes.size()};
  ControlBuffer control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (descriptors != nullptr) {
    header.msg_control = control.bytes.data();
    header.msg_controllen = control.bytes.size();
  }
  const int flags = MSG_CMSG_CLOEXEC | (block ? 0 : MSG_DONTWAIT);
  const ssize_t n = RetryOnInterrupt([&] { return ::recvmsg(socket, &header, flags); });
  if (n < 0) return {StateOfErrno(), 0};
  if (descriptors != nullptr) TakeDescriptors(&header, descriptors);
  if (n == 0) return {IoState::kClosed, 0};
  return {IoState::kDone, static_cast<std::size_t>(n)};
}

bool SendPacket(int socket, std::span<const char> bytes, std::span<const int> descriptors) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  ControlBuffer control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  AttachDescriptors(descriptors, &control, &header);
  return RetryOnInterrupt([&] { return ::sendmsg(socket, &header, MSG_NOSIGNAL); }) >= 0;
}

Result<SocketPair, Error> MakeSocketPair(int type) {
  int fds[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) != 0) {
    return Fail(ErrorCode::kResourceExhausted, "NO_SOCKET",
                std::string("socketpair: ") + std::strerror(errno));
  }
  return SocketPair{HostFd(fds[0]), HostFd(fds[1])};
}

std::string_view BuildId() { return GLOVEBOX_BUILD_ID; }

}  // namespace glovebox::channel
