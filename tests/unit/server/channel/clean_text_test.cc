#include "server/channel/clean_text.h"

#include <gtest/gtest.h>

#include <string>

namespace glovebox::channel {
namespace {

struct CleanRow {
  std::string text;
  std::string clean;
};

TEST(CleanTextTest, ReplacesWhatIsNotUtf8OrControlsATerminal) {
  const CleanRow rows[] = {
      {"plain text, tab\tand line\n", "plain text, tab\tand line\n"},
      {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
       "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
      {std::string("a\0b\x1b[2J\x7f", 8), "a?b?[2J?"},
      {"\xc2\x9b", "??"},            // CSI of C1
      {"\xff\xfe", "??"},            // never in UTF-8
      {"\xc0\xaf", "??"},            // overlong '/'
      {"\xed\xa0\x80", "???"},       // surrogate
      {"\xf4\x90\x80\x80", "????"},  // beyond U+10FFFF
      {"\xe2\x82", "??"},            // cut short
      {"\r", "?"},
  };
  for (const CleanRow& row : rows) {
    const std::string clean = CleanText(row.text, 100);
    EXPECT_EQ(clean, row.clean);
    EXPECT_TRUE(IsCleanText(clean));
    EXPECT_EQ(IsCleanText(row.text), row.text == row.clean);
  }
}

TEST(CleanTextTest, CutsAtACharacterAndSaysSo) {
  EXPECT_EQ(CleanText("0123456789", 10), "0123456789");
  EXPECT_EQ(CleanText("0123456789a", 10), "0123456...");
  EXPECT_EQ(CleanText("012345\xe2\x82\xac"
                      "9a",
                      10),
            "012345...");
  EXPECT_EQ(CleanText("abc", 2), "..");
  EXPECT_EQ(CleanText("abc", 0), "");
}

}  // namespace
}  // namespace glovebox::channel
