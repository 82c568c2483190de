#include "engine/net/address.h"

#include <gtest/gtest.h>

namespace glovebox::engine::net {
namespace {

TEST(AddressTest, EndpointsComeBackAsTheyWere) {
  for (const Family family : {kFamilyInet, kFamilyInet6}) {
    const Endpoint endpoint{IpAddress::LoopbackOf(family), 8080, 0,
                            family == kFamilyInet ? 0u : 3u};
    const RawAddress raw = EncodeEndpoint(endpoint, family);
    EXPECT_EQ(raw.size(), family == kFamilyInet ? 16u : 28u);
    const auto back = ParseEndpoint(raw, family);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->address, endpoint.address);
    EXPECT_EQ(back->port, 8080);
    EXPECT_EQ(back->scope_id, endpoint.scope_id);
  }
}

TEST(AddressTest, EveryShorterAddressIsRefused) {
  const RawAddress raw = EncodeEndpoint({}, kFamilyInet);
  for (std::size_t size = 0; size < raw.size(); ++size) {
    EXPECT_EQ(ParseEndpoint(std::span(raw).first(size), kFamilyInet).error(), kEINVAL) << size;
  }
  EXPECT_EQ(ParseEndpoint(raw, kFamilyInet6).error(), kEINVAL);
}

TEST(AddressTest, AnotherFamilyIsRefused) {
  RawAddress raw = EncodeEndpoint({}, kFamilyInet);
  raw[0] = std::byte{kFamilyUnix};
  EXPECT_EQ(ParseEndpoint(raw, kFamilyInet).error(), kEAFNOSUPPORT);
}

TEST(AddressTest, IPv4AddressesAreMappedOnes) {
  const IpAddress v4 = IpAddress::V4(0x7f010203);
  EXPECT_TRUE(v4.is_v4());
  EXPECT_EQ(v4.v4(), 0x7f010203u);
  EXPECT_TRUE(v4.IsLoopback());
  EXPECT_FALSE(IpAddress::LoopbackOf(kFamilyInet6).is_v4());
  EXPECT_TRUE(IpAddress::V4(0xe0000001).IsMulticast());
  EXPECT_TRUE(IpAddress::V4(0x7fffffff).IsBroadcast());
}

TEST(AddressTest, PathsEndAtTheirNulAndAbstractNamesDoNot) {
  const RawAddress path = EncodeUnixName("dir/name");
  EXPECT_EQ(ParseUnixName(path), "dir/name");
  const std::string abstract("\0a\0b", 4);
  EXPECT_EQ(ParseUnixName(EncodeUnixName(abstract)), abstract);
  EXPECT_EQ(EncodeUnixName("").size(), kFamilyBytes);
  EXPECT_EQ(ParseUnixName(RawAddress(1)).error(), kEINVAL);
  EXPECT_EQ(ParseUnixName(RawAddress(120)).error(), kEINVAL);
}

}  // namespace
}  // namespace glovebox::engine::net
