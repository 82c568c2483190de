#include "gdbstub/framing.h"

#include <gtest/gtest.h>

#include <random>

#include "gdbstub/hex.h"
#include "tests/gdb/peer.h"

namespace glovebox::gdbstub {
namespace {

using tests::Expand;

TEST(FramingTest, TheSumOfAFrameIsThatOfItsBytes) {
  EXPECT_EQ(Frame("OK"), "$OK#9a");
  EXPECT_EQ(Frame(""), "$#00");
  EXPECT_EQ(Frame("Stop:T05", '%').substr(0, 9), "%Stop:T05");
}

TEST(FramingTest, RunsAreShortened) {
  EXPECT_EQ(Frame("0000"), "$0* #7a");                  // the manual's own example
  EXPECT_EQ(Frame("000").substr(0, 4), "$000");         // not worth it
  EXPECT_EQ(Frame(std::string(8, '0')), "$0*\"00#dc");  // six more would print as '#'
}

TEST(FramingTest, WhatIsShortenedExpandsToItself) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    while (text.size() < 400) text.append(random() % 120, static_cast<char>('a' + random() % 3));
    const std::string frame = Frame(text);
    const std::string payload = frame.substr(1, frame.size() - 4);
    EXPECT_EQ(Expand(payload), text);
    EXPECT_EQ(payload.find_first_of("#$+-"), std::string::npos);
    EXPECT_LE(payload.size(), text.size());
  }
}

TEST(FramingTest, WhatIsEscapedComesBack) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  std::string escaped;
  EXPECT_EQ(AppendEscaped(escaped, all, 1000), all.size());
  EXPECT_EQ(escaped.find_first_of("#$*"), std::string::npos);
  EXPECT_EQ(Unescape(escaped), all);
  EXPECT_EQ(Unescape("a}"), "a");
}

// Long texts are taken by blocks; what is rare in them may lie at each place of one.
TEST(FramingTest, LongTextsAreTheirBytes) {
  std::mt19937 random(2);
  for (std::size_t at = 0; at < 300; ++at) {
    std::string text(300 + random() % 300, '\0');
    for (char& c : text) c = static_cast<char>('A' + random() % 26);
    text[at] = "#$}*"[at % 4];
    std::string escaped;
    ASSERT_EQ(AppendEscaped(escaped, text, 1000), text.size());
    EXPECT_EQ(escaped.size(), text.size() + 1);
    EXPECT_EQ(Unescape(escaped), text);
    std::string cut;
    EXPECT_EQ(AppendEscaped(cut, text, at + 1), at);  // no room for the escape
    text.replace(at, 5, 5, 'a');
    const std::string frame = Frame(text);
    EXPECT_EQ(Expand(frame.substr(1, frame.size() - 4)), text);
    EXPECT_LT(frame.size(), text.size() + 4);
    Deframer deframer(1000);
    const std::size_t middle = random() % frame.size();
    std::span<const std::byte> bytes = AsBytes(frame).first(middle);
    EXPECT_EQ(deframer.Next(bytes), FrameKind::kNone);
    bytes = AsBytes(frame).subspan(middle);
    EXPECT_EQ(deframer.Next(bytes), FrameKind::kPacket);
    EXPECT_EQ(deframer.payload(), frame.substr(1, frame.size() - 4));
  }
}

TEST(FramingTest, DigitsOfEachByte) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  const std::string digits = HexOf(all);
  ASSERT_EQ(digits.size(), 512U);
  EXPECT_EQ(digits.substr(0x9e * 2, 8), "9e9fa0a1");
  EXPECT_EQ(ParseHexText(digits), all);
}

TEST(FramingTest, EscapingStopsWhereThereIsNoRoom) {
  std::string out;
  EXPECT_EQ(AppendEscaped(out, "a}b", 2), 1U);
  EXPECT_EQ(out, "a");
}

TEST(FramingTest, FramesAreCutOutOfAStream) {
  Deframer deframer(16);
  std::span<const std::byte> bytes = AsBytes("+-\x03$a#61x$b#00$cccccccccccccccccc#ff$d");
  EXPECT_EQ(deframer.Next(bytes), FrameKind::kAck);
  EXPECT_EQ(deframer.Next(bytes), FrameKind::kNak);
  EXPECT_EQ(deframer.Next(bytes), FrameKind::kInterrupt);
  EXPECT_EQ(deframer.Next(bytes), FrameKind::kPacket);
  EXPECT_EQ(deframer.payload(), "a");
  EXPECT_EQ(deframer.Next(bytes), FrameKind::kBadChecksum);
  EXPECT_EQ(deframer.Next(bytes), FrameKind::kBadChecksum);  // too long, and damaged besides
  EXPECT_EQ(deframer.Next(bytes), FrameKind::kNone);
  bytes = AsBytes("e\x03#cc");
  EXPECT_EQ(deframer.Next(bytes), FrameKind::kPacket);  // within a packet 0x03 is data
  EXPECT_EQ(deframer.payload(), "de\x03");
}

TEST(HexTest, NumbersHaveBounds) {
  EXPECT_EQ(ParseHex("ffffffffffffffff"), UINT64_MAX);
  EXPECT_EQ(ParseHex("0000000000000000000001"), 1U);
  EXPECT_EQ(ParseHex("10000000000000000"), std::nullopt);
  EXPECT_EQ(ParseHex(""), std::nullopt);
  EXPECT_EQ(ParseHex("0x1"), std::nullopt);
  EXPECT_EQ(HexOf(std::uint64_t{0}), "0");
  EXPECT_EQ(HexOf(std::uint64_t{0x1f0}), "1f0");
  EXPECT_EQ(ParseHexText("6"), std::nullopt);
  EXPECT_EQ(ParseHexText("6869"), "hi");
}

}  // namespace
}  // namespace glovebox::gdbstub
