#include "engine/net/network.h"

#include "tests/unit/engine/net/net_fixture.h"

namespace glovebox::engine::net {
namespace {

using NetworkTest = NetTest;

TEST_F(NetworkTest, SocketsThatOnlyHoldEachOtherAreCollected) {
  const std::uint64_t before = services->disk.used_bytes();
  for (int i = 0; i < 10; ++i) {
    const Pair pair = MakePair();
    ASSERT_TRUE(SendFiles(*pair.first, {pair.first, pair.second}).has_value());
    ASSERT_TRUE(SendFiles(*pair.second, {pair.first, pair.second}).has_value());
  }
  EXPECT_EQ(network.sockets().size(), 20u);
  network.Collect(true);
  EXPECT_TRUE(network.sockets().empty());
  EXPECT_EQ(services->disk.used_bytes(), before);
}

TEST_F(NetworkTest, SocketsThatSomebodyCanStillReceiveAreKept) {
  const Pair outer = MakePair();
  std::weak_ptr<Socket> inner_end;
  {
    const Pair inner = MakePair();
    inner_end = inner.first;
    ASSERT_TRUE(SendFiles(*inner.first, {inner.first}).has_value());  // lies in its peer
    ASSERT_TRUE(SendFiles(*outer.first, {inner.first, inner.second}).has_value());
  }
  network.Collect(true);
  EXPECT_FALSE(inner_end.expired());
  EXPECT_EQ(network.sockets().size(), 4u);
  EXPECT_EQ(Receive(*outer.second), "\1");
  // Received by nobody who keeps them, they are gone but for what lies in their own queues.
  network.NoteSocketInFlight();
  network.Collect(true);
  EXPECT_TRUE(inner_end.expired());
}

TEST_F(NetworkTest, ALongChainOfSocketsInFlightGoesWithoutRecursion) {
  constexpr int kDepth = 20'000;
  Pair pair = MakePair();
  for (int i = 0; i < kDepth; ++i) {
    Pair outer = MakePair();
    ASSERT_TRUE(SendFiles(*outer.first, {pair.first, pair.second}).has_value());
    pair = outer;
  }
  EXPECT_EQ(network.sockets().size(), 2u * (kDepth + 1));
  pair = {};
  EXPECT_TRUE(network.sockets().empty());
}

TEST_F(NetworkTest, CollectingComesByItselfWhenManyAreInFlight) {
  for (int i = 0; i < 1000; ++i) {
    const Pair pair = MakePair();
    ASSERT_TRUE(SendFiles(*pair.first, {pair.second}).has_value());
  }
  EXPECT_LT(network.sockets().size(), 500u);
}

TEST_F(NetworkTest, EphemeralPortsAreHandedOutInTurn) {
  const auto first = Make(kFamilyInet, kStream);
  const auto second = Make(kFamilyInet6, kStream);
  ASSERT_TRUE(first->Bind(caller, Loopback(0)).has_value());
  ASSERT_TRUE(second->Bind(caller, EncodeEndpoint({IpAddress::AnyOf(kFamilyInet6)}, kFamilyInet6))
                  .has_value());
  EXPECT_EQ(PortOf(*first), PortTable::kFirstEphemeral);
  EXPECT_EQ(ParseEndpoint(second->Name(), kFamilyInet6)->port, PortTable::kFirstEphemeral + 1);
}

TEST_F(NetworkTest, PortsBelow1024WantPrivilege) {
  EXPECT_EQ(Make(kFamilyInet, kStream)->Bind(caller, Loopback(80)).error().error, kEACCES);
}

TEST_F(NetworkTest, ConnectingWaitsForRoomInTheBacklog) {
  const auto server = Make(kFamilyInet, kStream);
  ASSERT_TRUE(server->Listen(caller, 0).has_value());
  const RawAddress address = Loopback(PortOf(*server));
  const auto first = Make(kFamilyInet, kStream);
  const auto second = Make(kFamilyInet, kStream);
  EXPECT_TRUE(first->Connect(caller, address, false).has_value());
  EXPECT_EQ(second->Connect(caller, address, false).error().wait, Wait::kEvent);
  ASSERT_TRUE(server->Accept().has_value());
  EXPECT_TRUE(second->Connect(caller, address, false).has_value());
  EXPECT_TRUE(Send(*second, "hello").has_value());
  EXPECT_EQ(Receive(**server->Accept()), "hello");
}

TEST_F(NetworkTest, WhoWaitsForAListenerThatGoesIsRefused) {
  auto server = Make(kFamilyInet, kStream);
  ASSERT_TRUE(server->Listen(caller, 0).has_value());
  const RawAddress address = Loopback(PortOf(*server));
  const auto first = Make(kFamilyInet, kStream);
  const auto second = Make(kFamilyInet, kStream);
  ASSERT_TRUE(first->Connect(caller, address, false).has_value());
  ASSERT_FALSE(second->Connect(caller, address, false).has_value());
  server.reset();
  EXPECT_EQ(second->Connect(caller, address, false).error().error, kECONNREFUSED);
  EXPECT_EQ(first->TakeError(), kECONNRESET);
}

TEST_F(NetworkTest, NothingOutsideIsReached) {
  const RawAddress outside = EncodeEndpoint({IpAddress::V4(0x08080808), 53, 0, 0}, kFamilyInet);
  EXPECT_EQ(Make(kFamilyInet, kStream)->Connect(caller, outside, false).error().error,
            kENETUNREACH);
  EXPECT_EQ(Send(*Make(kFamilyInet, kDatagram), "x", outside).error().error, kENETUNREACH);
}

TEST_F(NetworkTest, FamiliesAndTypesThatAreNotServedAreRefused) {
  EXPECT_EQ(network.Make(kFamilyPacket, kRaw, 0).error(), kEPERM);
  EXPECT_EQ(network.Make(kFamilyInet, kRaw, 6).error(), kEPERM);
  EXPECT_EQ(network.Make(40, kStream, 0).error(), kEAFNOSUPPORT);
  EXPECT_EQ(network.Make(kFamilyUnix, 99, 0).error(), kEINVAL);
}

TEST_F(NetworkTest, MalformedNetlinkRequestsEndNothing) {
  const auto socket = Make(kFamilyNetlink, kRaw);
  // Every length that a header can claim, in front of nothing.
  for (std::uint32_t length = 0; length < 64; ++length) {
    std::array<std::uint32_t, 5> request{length, 18 | 0x301 << 16, 1, 0, 0};
    Outgoing out;
    out.bytes = std::as_bytes(std::span(request));
    EXPECT_TRUE(socket->SendMessage(out).has_value());
    while (Receive(*socket) != "(waits)") continue;
  }
}

TEST_F(NetworkTest, SocketsAreChargedWithTheirNodes) {
  const std::uint64_t before = services->disk.used_bytes();
  std::vector<std::shared_ptr<Socket>> sockets;
  for (int i = 0; i < 10; ++i) sockets.push_back(Make(kFamilyInet, kStream));
  EXPECT_GE(services->disk.used_bytes() - before, 10 * VfsServices::kInodeBytes);
  sockets.clear();
  EXPECT_EQ(services->disk.used_bytes(), before);
}

}  // namespace
}  // namespace glovebox::engine::net
