// The list of libraries, out of a memory that is made by hand: sound, half made, and malicious.
#include "gdbstub/link_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/gdb/fake_debuggee.h"

namespace glovebox::gdbstub {
namespace {

class Image : public tests::FakeDebuggee {
 public:
  using FakeDebuggee::Read;
  Image() { std::ranges::fill(memory, std::byte{0}); }
  Answer<std::vector<std::byte>> Read(std::uint32_t) override {
    const std::uint64_t words[] = {3, 0x1000, 4, 56, 5, headers, 0, 0};
    const auto bytes = std::as_bytes(std::span(words));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  }
  void Word(GuestAddr at, std::uint64_t value) {
    std::memcpy(memory.data() + (at - kBegin), &value, sizeof value);
  }
  void Text(GuestAddr at, std::string_view text) {
    std::memcpy(memory.data() + (at - kBegin), text.data(), text.size());
  }
  void Map(GuestAddr at, std::uint64_t base, GuestAddr name, GuestAddr next, GuestAddr previous) {
    Word(at, base);
    Word(at + 8, name);
    Word(at + 16, base + 0x100);
    Word(at + 24, next);
    Word(at + 32, previous);
  }
  // Program headers at 0x1000 (PT_PHDR, PT_DYNAMIC), the dynamic section at 0x1200, r_debug at
  // 0x1300, the program's map at 0x1400, two libraries.
  void MakeAll() {
    Word(0x1000, 6);
    Word(0x1010, 0);  // so the bias is 0x1000
    Word(0x1038, 2);
    Word(0x1048, 0x200);
    Word(0x1200, 21);
    Word(0x1208, 0x1300);
    Word(0x1300, 1);
    Word(0x1308, 0x1400);
    Map(0x1400, 0x1000, 0x1f00, 0x1500, 0);
    Map(0x1500, 0x7000, 0x1f10, 0x1600, 0x1400);
    Map(0x1600, 0x9000, 0x1f20, 0, 0x1500);
    Text(0x1f10, "/lib/a&b.so");
    Text(0x1f20, "/lib/libc.so.6");
  }
  std::uint64_t headers = 2;
};

class NoConsole : public Console {
 public:
  void Say(std::string_view) override {}
  void SayBeforeReply(std::string_view) override {}
};

std::string List(Image& image, GuestAddr start = 0, GuestAddr previous = 0) {
  NoConsole console;
  Conversation conversation(image, console);
  return LibraryListXml(conversation, *conversation.Process(1), start, previous).value_or("error");
}

TEST(LinkMapTest, LibrariesAreListedBehindTheProgram) {
  Image image;
  image.MakeAll();
  EXPECT_EQ(List(image),
            "<library-list-svr4 version=\"1.0\" main-lm=\"0x1400\">"
            "<library name=\"/lib/a&amp;b.so\" lm=\"0x1500\" l_addr=\"0x7000\" l_ld=\"0x7100\" "
            "lmid=\"0x1300\"/>"
            "<library name=\"/lib/libc.so.6\" lm=\"0x1600\" l_addr=\"0x9000\" l_ld=\"0x9100\" "
            "lmid=\"0x1300\"/></library-list-svr4>");
}

TEST(LinkMapTest, AStartInTheMiddleGivesTheRest) {
  Image image;
  image.MakeAll();
  const std::string list = List(image, 0x1600, 0x1500);
  EXPECT_THAT(list, testing::HasSubstr("libc.so.6"));
  EXPECT_THAT(list, testing::Not(testing::HasSubstr("a&amp;b")));
}

TEST(LinkMapTest, AProgramWithoutALoaderHasNoList) {
  Image image;
  EXPECT_EQ(List(image), "error");
}

TEST(LinkMapTest, NothingIsListedBeforeTheLoaderHasBegun) {
  Image image;
  image.MakeAll();
  image.Word(0x1208, 0);
  EXPECT_EQ(List(image), "<library-list-svr4 version=\"1.0\"></library-list-svr4>");
}

TEST(LinkMapTest, ARingEndsWhereItDoesNotFit) {
  Image image;
  image.MakeAll();
  image.Map(0x1600, 0x9000, 0x1f20, 0x1400, 0x1500);
  EXPECT_THAT(List(image), testing::HasSubstr("libc"));
}

TEST(LinkMapTest, PointersToNowhereEndTheList) {
  Image image;
  image.MakeAll();
  image.Map(0x1500, 0x7000, 0xffffffffffffff00, 0xffffffffffffffff, 0x1400);
  EXPECT_EQ(List(image),
            "<library-list-svr4 version=\"1.0\" main-lm=\"0x1400\"></library-list-svr4>");
  image.headers = UINT64_MAX;
  List(image);
}

}  // namespace
}  // namespace glovebox::gdbstub
