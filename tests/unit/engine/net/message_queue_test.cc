#include "engine/net/message_queue.h"

#include <string>

#include "tests/unit/engine/net/net_fixture.h"

namespace glovebox::engine::net {
namespace {

class MessageQueueTest : public NetTest {
 protected:
  static Message Of(std::string_view text) {
    Message message;
    const auto bytes = std::as_bytes(std::span(text));
    message.bytes.assign(bytes.begin(), bytes.end());
    return message;
  }
  std::string Front(std::size_t offset, std::size_t count) const {
    std::string text(count, '?');
    text.resize(queue.Copy(offset, std::as_writable_bytes(std::span(text))));
    return text;
  }

  MessageQueue queue{services};
};

TEST_F(MessageQueueTest, CopiesAcrossMessagesWithoutTaking) {
  ASSERT_TRUE(queue.Push(Of("abc")));
  ASSERT_TRUE(queue.Push(Of("defg")));
  EXPECT_EQ(Front(0, 100), "abcdefg");
  EXPECT_EQ(Front(2, 3), "cde");
  EXPECT_EQ(Front(7, 1), "");
  EXPECT_EQ(queue.bytes(), 7u);
}

TEST_F(MessageQueueTest, DropsPartsOfMessages) {
  ASSERT_TRUE(queue.Push(Of("abc")));
  ASSERT_TRUE(queue.Push(Of("defg")));
  queue.Drop(4);
  EXPECT_EQ(queue.count(), 1u);
  EXPECT_EQ(Front(0, 100), "efg");
  queue.Drop(3);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.cost(), 0u);
}

TEST_F(MessageQueueTest, WhatLiesInItIsChargedAndGivenBack) {
  const std::uint64_t before = services->disk.used_bytes();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(queue.Append(std::as_bytes(std::span(std::string_view("0123456789")))));
  }
  EXPECT_EQ(services->disk.used_bytes() - before, queue.cost());
  EXPECT_GE(queue.cost(), 10'000u);
  queue.Drop(queue.bytes());
  EXPECT_EQ(services->disk.used_bytes(), before);
}

TEST_F(MessageQueueTest, AMessageBeyondTheLimitStaysItsSenders) {
  Message large = Of(std::string(kDiskBytes, 'x'));
  EXPECT_FALSE(queue.Push(std::move(large)));
  EXPECT_EQ(large.bytes.size(), kDiskBytes);
  EXPECT_TRUE(queue.empty());
}

TEST_F(MessageQueueTest, CostGrowsWithTheBytes) {
  std::size_t last = 0;
  for (std::size_t bytes = 0; bytes < 20'000; ++bytes) {
    ASSERT_GE(Message::Cost(bytes), last) << bytes;
    ASSERT_GT(Message::Cost(bytes), bytes);
    last = Message::Cost(bytes);
  }
}

}  // namespace
}  // namespace glovebox::engine::net
