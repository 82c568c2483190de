#include "engine/net/network.h"

#include "engine/base/random.h"
#include "tests/unit/engine/net/net_fixture.h"

namespace glovebox::engine::net {
namespace {

using NetworkTest = NetTest;

TEST_F(NetworkTest, SocketsThatOnlyHoldEachOtherAreCollected) {
  const std::uint64_t before = services->disk.used_bytes();
  for (int i = 0; i < 3; ++i) {
    const Pair pair = MakePair();
    ASSERT_TRUE(SendFiles(*pair.first, {pair.first, pair.second}).has_value());
    ASSERT_TRUE(SendFiles(*pair.second, {pair.first, pair.second}).has_value());
  }
  EXPECT_EQ(network.sockets().size(), 6u);
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

TEST_F(NetworkTest, EveryKindOfMessageHasABound) {
  constexpr std::size_t kMost = 16_MiB;
  EXPECT_LT(Make(kFamilyUnix, kDatagram)->max_message_bytes(), kMost);
  EXPECT_LT(Make(kFamilyUnix, kSequentialPacket)->max_message_bytes(), kMost);
  EXPECT_LT(Make(kFamilyInet, kDatagram)->max_message_bytes(), kMost);
  EXPECT_LT(Make(kFamilyInet6, kDatagram)->max_message_bytes(), kMost);
  EXPECT_LT(Make(kFamilyNetlink, kRaw)->max_message_bytes(), kMost);
}

TEST_F(NetworkTest, SocketsAreChargedWithTheirNodes) {
  const std::uint64_t before = services->disk.used_bytes();
  std::vector<std::shared_ptr<Socket>> sockets;
  for (int i = 0; i < 10; ++i) sockets.push_back(Make(kFamilyInet, kStream));
  EXPECT_GE(services->disk.used_bytes() - before, 10 * VfsServices::kInodeBytes);
  sockets.clear();
  EXPECT_EQ(services->disk.used_bytes(), before);
}

// Whatever is done with sockets in whatever order: every operation has an answer, and once the last
// one is closed nothing is left of them.
TEST_F(NetworkTest, RandomOperationsLeaveNothingBehind) {
  const std::uint64_t before = services->disk.used_bytes();
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SeededRandom random(seed, 0);
    const auto pick = [&](std::uint64_t below) { return random.Next() % below; };
    std::vector<std::shared_ptr<Socket>> all;
    const auto any = [&]() -> std::shared_ptr<Socket>& { return all[pick(all.size())]; };
    constexpr int kFamilies[] = {kFamilyUnix, kFamilyInet, kFamilyInet6, kFamilyNetlink};
    constexpr int kTypes[] = {kStream, kDatagram, kSequentialPacket, kRaw};
    for (int step = 0; step < 3000; ++step) {
      if (all.size() < 4) {
        if (auto made = network.Make(kFamilies[pick(4)], kTypes[pick(4)], 0)) all.push_back(*made);
        continue;
      }
      const std::shared_ptr<Socket> socket = any();
      RawAddress address = any()->Name();
      if (pick(8) == 0) address = EncodeUnixName(std::string("\0name", 5));
      if (pick(16) == 0) address = RawAddress(pick(32), std::byte(pick(20)));
      const bool dont_wait = pick(2) == 0;
      switch (pick(14)) {
        case 0:
          if (all.size() < 60) {
            if (auto made = network.Make(kFamilies[pick(4)], kTypes[pick(4)], 0))
              all.push_back(*made);
          }
          break;
        case 1:
          if (all.size() < 60) {
            const Pair pair = MakePair(kTypes[pick(3)]);
            all.push_back(pair.first);
            all.push_back(pair.second);
          }
          break;
        case 2:
          all.erase(all.begin() + static_cast<std::ptrdiff_t>(pick(all.size())));
          break;
        case 3:
          static_cast<void>(socket->Bind(caller, address));
          break;
        case 4:
          static_cast<void>(socket->Listen(caller, static_cast<int>(pick(3))));
          break;
        case 5:
        case 6:
          static_cast<void>(socket->Connect(caller, address, dont_wait));
          break;
        case 7:
          if (auto accepted = socket->Accept()) all.push_back(*accepted);
          break;
        case 8:
          static_cast<void>(socket->Shutdown(static_cast<ShutdownBit>(1 + pick(3))));
          break;
        case 9: {
          const std::string text(pick(100'000), 'x');
          static_cast<void>(Send(*socket, text, pick(2) == 0 ? RawAddressView() : address));
          break;
        }
        case 10:
          static_cast<void>(SendFiles(*socket, {any(), any()}));
          break;
        case 11:
        case 12:
          Receive(*socket);
          break;
        default: {
          const auto number = static_cast<int>(pick(70));
          const int value = static_cast<int>(pick(3)) * 5000;
          static_cast<void>(socket->SetOption(caller, kLevelSocket, number, BytesOf(value)));
          static_cast<void>(socket->GetOption(kLevelSocket, number));
          static_cast<void>(socket->Poll());
          static_cast<void>(socket->PeerName());
          static_cast<void>(socket->Available());
          break;
        }
      }
    }
    all.clear();
    network.NoteSocketInFlight();
    network.Collect(true);
    ASSERT_TRUE(network.sockets().empty()) << seed;
    ASSERT_EQ(services->disk.used_bytes(), before) << seed;
    ASSERT_TRUE(network.tcp().all().empty() && network.udp().all().empty()) << seed;
    ASSERT_TRUE(network.abstract_names().empty()) << seed;
  }
}

}  // namespace
}  // namespace glovebox::engine::net
