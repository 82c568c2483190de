// What transcripts cannot say: bytes cut anywhere, damage on the way, floods, ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gdbstub/session.h"
#include "tests/gdb/fake_debuggee.h"
#include "tests/gdb/peer.h"

namespace glovebox::gdbstub::tests {
namespace {

class SessionTest : public testing::Test {
 protected:
  FakeDebuggee debuggee_;
  Peer peer_{debuggee_};
};

TEST_F(SessionTest, BytesMayBeCutAnywhere) {
  for (const char c : std::string("$qC#b4$m1000,2#8c")) peer_.SendRaw({&c, 1});
  EXPECT_EQ(peer_.TakeReply(), "QC1");
  EXPECT_EQ(peer_.TakeReply(), "0001");
}

TEST_F(SessionTest, GoodPacketsAreAcknowledgedAndBadOnesAskedForAgain) {
  peer_.SendRaw("$qC#b4");
  EXPECT_EQ(peer_.TakeRaw(), "+$QC1#c5");
  peer_.SendRaw("$qC#b5");
  EXPECT_EQ(peer_.TakeRaw(), "-");
  peer_.SendRaw("$qC#zz");
  EXPECT_EQ(peer_.TakeRaw(), "-");
}

TEST_F(SessionTest, DamageWithoutAcknowledgementsIsAnError) {
  peer_.SendPacket("QStartNoAckMode");
  EXPECT_EQ(peer_.TakeReply(), "OK");
  peer_.SendRaw("$qC#00");
  EXPECT_EQ(peer_.TakeReply(), "E4a");
}

TEST_F(SessionTest, AReplyThatGotLostIsSentAgainAFewTimes) {
  peer_.SendPacket("qC");
  peer_.TakeRaw();
  peer_.SendRaw("-");
  EXPECT_EQ(peer_.TakeRaw(), "$QC1#c5");
  for (int i = 0; i < 8; ++i) peer_.SendRaw("-");
  EXPECT_TRUE(peer_.session().closed());
  peer_.TakeRaw();
  peer_.SendRaw("-$qC#b4");
  EXPECT_EQ(peer_.TakeRaw(), "");
}

TEST_F(SessionTest, APacketThatBreaksOffIsForgottenWhenTheNextBegins) {
  peer_.SendRaw("$m1000,$qC#b4");
  EXPECT_EQ(peer_.TakeReply(), "QC1");
  EXPECT_FALSE(peer_.HasReply());
}

TEST_F(SessionTest, WhatStandsBetweenPacketsIsSkipped) {
  peer_.SendRaw("GET / HTTP/1.0\r\n\r\n+++%#$qC#b4\n");
  EXPECT_EQ(peer_.TakeReply(), "QC1");
}

TEST_F(SessionTest, OversizedPacketsAreRefusedAndTheConversationGoesOn) {
  peer_.SendPacket("M1000," + std::string(kMaxCommandBytes, '0'));
  EXPECT_EQ(peer_.TakeReply(), "E07");
  peer_.SendPacket("qC");
  EXPECT_EQ(peer_.TakeReply(), "QC1");
}

TEST_F(SessionTest, EveryPacketGetsOneReply) {
  for (const char* packet : {"g", "m1000,4", "Z0,1000,1", "qXfer:threads:read::0,1000", "?",
                             "vMustReplyEmpty", "m", "QNonStop:9", "qRcmd,68656c70"}) {
    peer_.SendPacket(packet);
    ASSERT_TRUE(peer_.HasReply()) << packet;
    peer_.TakeReply();
    EXPECT_FALSE(peer_.HasReply()) << packet;
  }
}

TEST_F(SessionTest, NoReplyIsLongerThanItMayBe) {
  debuggee_.file_bytes["/big"] = std::string(4 * kPacketSize, '}');  // each needs an escape
  peer_.SendPacket("vFile:open:2f626967,0,0");
  peer_.TakeReply();
  peer_.TakeRaw();
  peer_.SendPacket("vFile:pread:5,fffff,0");
  EXPECT_LE(peer_.TakeRaw().size(), kMaxReplyBytes);
  // 'F', the length, ';', and half as many bytes as the packet has room for.
  EXPECT_THAT(peer_.TakeReply().size(), testing::Le(kPacketSize / 2 + 8));
}

TEST_F(SessionTest, ManyThreadsAreToldInPieces) {
  for (std::uint32_t tid = 3; tid < 20000; ++tid) debuggee_.AddThread({1, tid}, "t");
  peer_.SendPacket("qSupported:multiprocess+");
  peer_.TakeReply();
  peer_.SendPacket("qfThreadInfo");
  std::size_t commas = 0;
  std::string reply = peer_.TakeReply();
  while (reply.starts_with('m')) {
    EXPECT_LE(reply.size(), kPacketSize);
    commas += static_cast<std::size_t>(std::ranges::count(reply, '.'));
    peer_.SendPacket("qsThreadInfo");
    reply = peer_.TakeReply();
  }
  EXPECT_EQ(reply, "l");
  EXPECT_EQ(commas, 19999U);
}

TEST_F(SessionTest, TheEndOfASessionTakesOutWhatGdbPutIn) {
  {
    Peer peer(debuggee_);
    peer.SendPacket("Z0,1000,1");
    peer.SendPacket("Z2,1000,4");
    peer.SendPacket("vFile:open:2f6574632f686f737473,0,0");
    peer.SendPacket("QCatchSyscalls:1");
    peer.SendPacket("QPassSignals:e");
    debuggee_.did.clear();
  }
  EXPECT_THAT(debuggee_.did,
              testing::UnorderedElementsAre("remove 1 software 1000", "unwatch 1 0 1000 4",
                                            "close 5", "catch 1 none", "pass "));
  EXPECT_EQ(debuggee_.listener, nullptr);
}

TEST_F(SessionTest, OutputOfCommandsComesBeforeTheStop) {
  // printf("n=%d\n", 7): 7, channel, function, then the format.
  peer_.SendPacket("Z0,1000,1;cmds:0,X11,220722002200340100066e3d25640a0027");
  EXPECT_EQ(peer_.TakeReply(), "OK");
  ASSERT_NE(debuggee_.action, nullptr);
  class View : public HitView {
   public:
    ThreadRef thread() const override { return {1, 1}; }
    std::uint64_t Register(RegisterNumber) override { return 0; }
    bool Read(GuestAddr, std::span<std::byte>) override { return false; }
  } view;
  peer_.SendPacket("c");
  EXPECT_FALSE(debuggee_.action->OnHit(view).stops);  // commands run instead of a stop
  EXPECT_EQ(peer_.TakeReply(), "O6e3d370a");
}

}  // namespace
}  // namespace glovebox::gdbstub::tests
