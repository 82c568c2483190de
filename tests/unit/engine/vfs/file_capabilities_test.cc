#include "engine/vfs/file_capabilities.h"

#include <cstring>

#include "tests/unit/engine/vfs/vfs_fixture.h"

namespace glovebox::engine {
namespace {

// struct vfs_ns_cap_data, of `bytes` bytes.
std::string Stored(std::uint32_t magic, std::uint32_t permitted, std::uint32_t root,
                   std::size_t bytes) {
  const std::uint32_t words[6] = {magic, permitted, 0x10, 0x1, 0, root};
  std::string value(bytes, '\0');
  std::memcpy(value.data(), words, std::min(bytes, sizeof(words)));
  return value;
}

constexpr std::uint32_t kRevision2 = 0x02000000, kRevision3 = 0x03000000;

TEST(FileCapabilitiesTest, OnlyTheTwoStructuresAreKept) {
  EXPECT_TRUE(KeptFileCapabilities(Stored(kRevision2, 1, 0, 20)));
  EXPECT_FALSE(KeptFileCapabilities(Stored(kRevision2, 1, 0, 24)));
  EXPECT_FALSE(KeptFileCapabilities(Stored(kRevision3, 1, 0, 20)));
  EXPECT_FALSE(KeptFileCapabilities(Stored(0x01000000, 1, 0, 12)));
  EXPECT_FALSE(KeptFileCapabilities(""));
}

TEST(FileCapabilitiesTest, ThoseOfTheBoxsRootAreToldWithoutIt) {
  EXPECT_EQ(KeptFileCapabilities(Stored(kRevision3 | 1, 5, 0, 24)),
            Stored(kRevision2 | 1, 5, 0, 20));
  const auto of_another = Stored(kRevision3 | 1, 5, 1000, 24);
  EXPECT_EQ(KeptFileCapabilities(of_another), of_another);
}

using FileCapabilitiesOfFileTest = VfsTest;

TEST_F(FileCapabilitiesOfFileTest, AreReadFromTheAttribute) {
  const auto file = MakeFile("/tmp/f");
  const std::string name(kFileCapabilitiesName);
  EXPECT_FALSE(FileCapabilitiesOf(*file));
  file->attributes[name] = Stored(kRevision2 | 1, 0x400, 0, 20);
  const auto found = FileCapabilitiesOf(*file);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->permitted, 0x1'0000'0400u);
  EXPECT_EQ(found->inheritable, 0x10u);
  EXPECT_TRUE(found->effective);
  file->attributes[name] = Stored(kRevision3, 0x400, 1000, 24);
  EXPECT_FALSE(FileCapabilitiesOf(*file)) << "of another user name space's root";
  // What a root file system may come with.
  file->attributes[name] = "nonsense";
  EXPECT_FALSE(FileCapabilitiesOf(*file));
}

TEST_F(FileCapabilitiesOfFileTest, AreLostByWritingWhoeverWrites) {
  const auto file = MakeFile("/tmp/f");
  file->permissions = 04755;
  file->attributes[std::string(kFileCapabilitiesName)] = Stored(kRevision2, 1, 0, 20);
  file->attributes["user.kept"] = "x";
  DropPrivilegesOnWrite(*file, Credentials::Of(0, 0));
  EXPECT_FALSE(FileCapabilitiesOf(*file));
  EXPECT_EQ(file->permissions, 04755u) << "root may";
  DropPrivilegesOnWrite(*file, Credentials::Of(1, 1));
  EXPECT_EQ(file->permissions, 0755u);
  EXPECT_TRUE(file->attributes.contains("user.kept"));
}

}  // namespace
}  // namespace glovebox::engine
