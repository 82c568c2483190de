#include "client/tree/guest_path.h"

#include <gmock/gmock.h>

namespace glovebox::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string ReasonOf(std::string_view path) {
  const auto names = SplitGuestPath(path);
  return names ? "none" : names.error().reason + ": " + names.error().message;
}

TEST(SplitGuestPath, TakesSlashesAndDotsForNothing) {
  EXPECT_THAT(*SplitGuestPath("//data/./x//a.txt/"), ElementsAre("data", "x", "a.txt"));
  EXPECT_THAT(*SplitGuestPath("/"), IsEmpty());
}

TEST(SplitGuestPath, TakesARelativePathFromTheDirectory) {
  EXPECT_THAT(*SplitGuestPath("a.txt", "/site/here"), ElementsAre("site", "here", "a.txt"));
}

TEST(SplitGuestPath, RefusesDotDotWherever) {
  for (const char* path : {"..", "/..", "/a/../b", "a/.."}) {
    EXPECT_THAT(ReasonOf(path), HasSubstr("BAD_PATH")) << path;
    EXPECT_THAT(ReasonOf(path), HasSubstr("'..'")) << path;
  }
  EXPECT_THAT(*SplitGuestPath("/a/..b/c.."), ElementsAre("a", "..b", "c.."));
}

TEST(SplitGuestPath, RefusesWhatNoGuestFileCanBeCalled) {
  EXPECT_THAT(ReasonOf(""), HasSubstr("is empty"));
  EXPECT_THAT(ReasonOf(std::string_view("/a\0b", 4)), HasSubstr("NUL"));
  EXPECT_THAT(ReasonOf("/" + std::string(256, 'x')), HasSubstr("255"));
  EXPECT_TRUE(SplitGuestPath("/" + std::string(255, 'x')).has_value());
  std::string deep;
  while (deep.size() < 4096) deep += "/xxxxxxx";
  EXPECT_THAT(ReasonOf(deep), HasSubstr("4095"));
}

TEST(ResolveLexically, IsWhatAShellsCdDoes) {
  EXPECT_EQ(ResolveLexically("./prog", "/"), "/prog");
  EXPECT_EQ(ResolveLexically("../bin/./x", "/usr/lib"), "/usr/bin/x");
  EXPECT_EQ(ResolveLexically("../../../x", "/usr"), "/x");
  EXPECT_EQ(ResolveLexically("/bin//busybox", "/tmp"), "/bin/busybox");
  EXPECT_EQ(ResolveLexically("", "/"), "/");
}

TEST(IsUtf8, FollowsTable3Dash7OfUnicode) {
  for (const std::string_view good :
       {"", "plain", "\xc2\x80", "\xe2\x82\xac", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const std::string_view bad :
       {"\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "ok\xff", "\xe2\x82"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

}  // namespace
}  // namespace glovebox::client
