#include "server/channel/frame.h"

#include <fcntl.h>
#include <glovebox/worker/v1/worker.pb.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <vector>

namespace glovebox::channel {
namespace {

std::string FrameOf(const std::string& why) {
  worker::v1::ToWorker message;
  message.mutable_cancel()->set_why(why);
  std::string bytes;
  AppendFrame(message, &bytes);
  return bytes;
}

TEST(FrameReaderTest, FindsFramesHoweverTheirBytesArrive) {
  const std::string bytes = FrameOf("one") + FrameOf("") + FrameOf(std::string(1000, 'x'));
  for (std::size_t step = 1; step <= bytes.size(); step = step * 2 + 1) {
    FrameReader reader(4096);
    std::vector<std::string> found;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      reader.Append(std::span(bytes).subspan(at, std::min(step, bytes.size() - at)));
      for (auto frame = reader.Next(); frame && *frame; frame = reader.Next()) {
        worker::v1::ToWorker message;
        ASSERT_TRUE(message.ParseFromArray((*frame)->data(), static_cast<int>((*frame)->size())));
        found.push_back(message.cancel().why());
      }
    }
    ASSERT_EQ(found.size(), 3u) << "in steps of " << step;
    EXPECT_EQ(found[0], "one");
    EXPECT_EQ(found[2], std::string(1000, 'x'));
  }
}

TEST(FrameReaderTest, LengthAboveTheBoundIsRefusedBeforeItsBytesAreKept) {
  FrameReader reader(16);
  reader.Append(std::array{'\x11', '\0', '\0', '\0'});
  const auto frame = reader.Next();
  ASSERT_FALSE(frame.has_value());
  EXPECT_EQ(frame.error().reason, "FRAME_TOO_LARGE");
}

TEST(FrameReaderTest, FrameOfTheBoundItselfPasses) {
  FrameReader reader(4);
  reader.Append(std::array{'\x04', '\0', '\0', '\0', 'a', 'b', 'c', 'd'});
  const auto frame = reader.Next();
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(**frame, "abcd");
}

TEST(SocketTest, DescriptorArrivesWithTheFirstByteAndIsClosedOnExec) {
  auto pair = MakeSocketPair(SOCK_STREAM);
  ASSERT_TRUE(pair.has_value());
  const HostFd null(::open("/dev/null", O_RDONLY));
  constexpr std::array kText{'a', 'b'};
  ASSERT_EQ(SendSome(pair->ours.get(), kText, null.get(), true).bytes, 2u);
  std::array<char, 1> byte{};
  std::vector<HostFd> descriptors;
  ASSERT_EQ(ReceiveSome(pair->theirs.get(), byte, &descriptors, true).bytes, 1u);
  ASSERT_EQ(descriptors.size(), 1u);
  EXPECT_TRUE(::fcntl(descriptors[0].get(), F_GETFD) & FD_CLOEXEC);
}

TEST(SocketTest, UnwantedDescriptorIsNotTaken) {
  auto pair = MakeSocketPair(SOCK_STREAM);
  ASSERT_TRUE(pair.has_value());
  const HostFd null(::open("/dev/null", O_RDONLY));
  const int next_free = ::dup(null.get());
  ::close(next_free);
  constexpr std::array kText{'a'};
  ASSERT_EQ(SendSome(pair->ours.get(), kText, null.get(), true).state, IoState::kDone);
  std::array<char, 1> byte{};
  ASSERT_EQ(ReceiveSome(pair->theirs.get(), byte, nullptr, true).bytes, 1u);
  EXPECT_EQ(::fcntl(next_free, F_GETFD), -1);
}

TEST(SocketTest, ClosedPeerIsToldWithoutSigpipe) {
  auto pair = MakeSocketPair(SOCK_STREAM);
  ASSERT_TRUE(pair.has_value());
  pair->theirs.Reset();
  constexpr std::array kText{'a'};
  std::array<char, 1> byte{};
  EXPECT_EQ(SendSome(pair->ours.get(), kText, -1, true).state, IoState::kClosed);
  EXPECT_EQ(ReceiveSome(pair->ours.get(), byte, nullptr, true).state, IoState::kClosed);
}

}  // namespace
}  // namespace glovebox::channel
