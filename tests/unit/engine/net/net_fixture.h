// A network without tasks: sockets by their classes, and a caller that knows no paths.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "engine/net/network.h"
#include "tests/tools/memory_tree.h"

namespace glovebox::engine::net {

class PathlessCaller : public Caller {
 public:
  PathlessCaller() : Caller({7, 1000, 1000}, CapabilitySet{0}) {}
  Result<std::shared_ptr<SocketInode>, Errno> MakeNode(const std::string&) override {
    return std::unexpected(kENOENT);
  }
  Result<std::shared_ptr<SocketInode>, Errno> FindNode(const std::string&) override {
    return std::unexpected(kENOENT);
  }
};

class NetTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kDiskBytes = 256_MiB;
  using Pair = std::pair<std::shared_ptr<Socket>, std::shared_ptr<Socket>>;

  std::shared_ptr<Socket> Make(int family, int type) {
    auto made = network.Make(family, type, 0);
    EXPECT_TRUE(made.has_value());
    return *made;
  }
  Pair MakePair(int type = kStream) {
    auto made = network.MakePair(caller.ids, kFamilyUnix, type, 0);
    EXPECT_TRUE(made.has_value());
    return *made;
  }
  // Sends a byte with `files`.
  static IoResult SendFiles(Socket& through, std::vector<std::shared_ptr<OpenFile>> files) {
    constexpr std::byte kByte{1};
    Outgoing out;
    out.bytes = std::span(&kByte, 1);
    out.files = std::move(files);
    return through.SendMessage(out);
  }
  static IoResult Send(Socket& through, std::string_view text, RawAddressView to = {}) {
    Outgoing out;
    out.bytes = std::as_bytes(std::span(text));
    out.to = to;
    return through.SendMessage(out);
  }
  static std::string Receive(Socket& from) {
    const auto next = from.Next({.bytes = 1000});
    if (!next) return next.error().wait != Wait::kNone ? "(waits)" : "(fails)";
    std::string text(next->bytes, '?');
    from.Copy(0, std::as_writable_bytes(std::span(text)));
    from.Take(next->bytes);
    return text;
  }
  static RawAddress Loopback(std::uint16_t port) {
    return EncodeEndpoint({IpAddress::LoopbackOf(kFamilyInet), port, 0, 0}, kFamilyInet);
  }
  static std::uint16_t PortOf(const Socket& socket) {
    return ParseEndpoint(socket.Name(), kFamilyInet)->port;
  }

  tests::MemoryTree tree;
  std::shared_ptr<VfsServices> services =
      std::make_shared<VfsServices>(VfsServices{BlobCache(tree),
                                                DiskMeter(kDiskBytes),
                                                [] { return std::int64_t{0}; },
                                                [](std::span<std::byte>) {},
                                                {}});
  Network network{services};
  PathlessCaller caller;
};

}  // namespace glovebox::engine::net
