#include "engine/loader/stack.h"

#include <gtest/gtest.h>

#include "engine/loader/script.h"

namespace glovebox::engine {
namespace {

class StackTest : public testing::Test {
 protected:
  MemoryMeter meter{64_MiB};
  std::unique_ptr<AddressSpace> space =
      *AddressSpace::Make({.window_bytes = 4_GiB, .max_mappings = 100}, meter);
  AddressLayout layout = DrawLayout(0, 4_GiB, SeededRandom(1, 2));

  std::uint64_t Word(GuestAddr at) {
    std::uint64_t word = 0;
    EXPECT_EQ(space->CopyIn(std::as_writable_bytes(std::span(&word, 1)), at), 8u);
    return word;
  }
  std::string String(GuestAddr at) {
    std::string text;
    for (char c = 1; c != 0; ++at) {
      EXPECT_EQ(space->CopyIn(std::as_writable_bytes(std::span(&c, 1)), at), 1u);
      if (c != 0) text += c;
    }
    return text;
  }
};

TEST_F(StackTest, HoldsWhatTheAbiSaysInItsOrder) {
  StackContents contents{{"prog", "-x"}, {"A=1", "B=2", "C=3"}, "/bin/prog", "x86_64", {}, {}};
  contents.random[0] = std::byte{0x5a};
  contents.auxv = {{kAuxPageSize, 4096}, {kAuxRandom, 0}, {kAuxExecFilename, 0}, {kAuxPlatform, 0}};
  const auto built = BuildStack(*space, layout, false, contents);
  ASSERT_TRUE(built.has_value()) << built.error().detail;
  GuestAddr at = built->stack_pointer;
  EXPECT_EQ(at % 16, 0u);
  EXPECT_EQ(Word(at), 2u);
  EXPECT_EQ(String(Word(at + 8)), "prog");
  EXPECT_EQ(String(Word(at + 16)), "-x");
  EXPECT_EQ(Word(at + 24), 0u);
  EXPECT_EQ(String(Word(at + 32)), "A=1");
  EXPECT_EQ(String(Word(at + 48)), "C=3");
  EXPECT_EQ(Word(at + 56), 0u);
  at += 64;
  EXPECT_EQ(Word(at), kAuxPageSize);
  EXPECT_EQ(Word(at + 8), 4096u);
  EXPECT_EQ(Word(at + 16), kAuxRandom);
  EXPECT_EQ(Word(Word(at + 24)) & 0xff, 0x5au);
  EXPECT_EQ(String(Word(at + 40)), "/bin/prog");
  EXPECT_EQ(String(Word(at + 56)), "x86_64");
  EXPECT_EQ(Word(at + 64), kAuxNull);
  // The strings lie in the order of Linux: arguments, environment, file name, top.
  EXPECT_LT(built->argv_end, layout.stack_top);
  EXPECT_EQ(built->argv_end, built->env_start);
}

TEST_F(StackTest, WordsOfAnI386ProgramHaveFourBytes) {
  StackContents contents{{"prog", "-x"}, {"A=1"}, "/bin/prog", "i686", {}, {}};
  contents.word_bytes = 4;
  contents.auxv = {{kAuxPageSize, 4096}, {kAuxPlatform, 0}};
  const auto built = BuildStack(*space, layout, false, contents);
  ASSERT_TRUE(built.has_value()) << built.error().detail;
  const auto word = [&](GuestAddr at) { return Word(at) & 0xffffffff; };
  const GuestAddr at = built->stack_pointer;
  EXPECT_EQ(at % 16, 0u);
  EXPECT_EQ(word(at), 2u);
  EXPECT_EQ(String(word(at + 4)), "prog");
  EXPECT_EQ(word(at + 12), 0u);
  EXPECT_EQ(String(word(at + 16)), "A=1");
  EXPECT_EQ(word(at + 20), 0u);
  EXPECT_EQ(word(at + 24), kAuxPageSize);
  EXPECT_EQ(word(at + 28), 4096u);
  EXPECT_EQ(word(at + 32), kAuxPlatform);
  EXPECT_EQ(String(word(at + 36)), "i686");
  EXPECT_EQ(word(at + 40), kAuxNull);
  EXPECT_EQ(built->auxv.size(), 6 * 4u);  // as /proc/PID/auxv shows it
}

TEST_F(StackTest, StackPointerIsAlignedForAnyNumberOfArguments) {
  for (std::size_t count = 1; count < 6; ++count) {
    auto fresh = *AddressSpace::Make({.window_bytes = 4_GiB, .max_mappings = 100}, meter);
    const StackContents contents{
        std::vector<std::string>(count, "argument"), {}, "/x", "x86_64", {}, {}};
    EXPECT_EQ(BuildStack(*fresh, layout, false, contents)->stack_pointer % 16, 0u) << count;
  }
}

TEST_F(StackTest, TooManyOrTooLongArgumentsAreE2big) {
  EXPECT_TRUE(CheckArgumentSize({std::string(131'071, 'x')}, {}, "/x"));
  EXPECT_EQ(CheckArgumentSize({std::string(131'072, 'x')}, {}, "/x").error().error, kE2BIG);
  EXPECT_EQ(CheckArgumentSize({}, {std::string(131'072, 'x')}, "/x").error().error, kE2BIG);
  const std::vector<std::string> many(300'000, "");
  EXPECT_EQ(CheckArgumentSize(many, {}, "/x").error().error, kE2BIG);
  EXPECT_EQ(CheckArgumentSize(std::vector<std::string>(100, std::string(100'000, 'x')), {}, "/x")
                .error()
                .error,
            kE2BIG);
}

TEST_F(StackTest, LayoutFollowsFromTheSeedAlone) {
  const AddressLayout again = DrawLayout(0, 4_GiB, SeededRandom(1, 2));
  EXPECT_EQ(again.stack_top, layout.stack_top);
  EXPECT_EQ(again.image_base, layout.image_base);
  const AddressLayout other = DrawLayout(0, 4_GiB, SeededRandom(2, 2));
  EXPECT_NE(other.stack_top, layout.stack_top);
  EXPECT_NE(other.mmap_top, layout.mmap_top);
}

TEST_F(StackTest, LayoutKeepsItsOrderForEverySeedAndWindow) {
  for (const std::uint64_t window : {4_GiB, 256_GiB, std::uint64_t{32} << 40}) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      const AddressLayout drawn = DrawLayout(0, window, SeededRandom(seed, 0));
      EXPECT_LT(drawn.stack_top, window);
      EXPECT_LE(drawn.mmap_top, drawn.stack_top - kStackBytes);
      EXPECT_LT(drawn.image_base, drawn.mmap_top);
      EXPECT_EQ(
          drawn.stack_top % kPageSize + drawn.mmap_top % kPageSize + drawn.image_base % kPageSize,
          0u);
    }
  }
}

TEST(ScriptTest, LineGivesInterpreterAndOneArgument) {
  const auto line = ParseScript("#! /bin/sh -e  -x \nrest");
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->interpreter, "/bin/sh");
  EXPECT_EQ(line->argument, "-e  -x");
  EXPECT_EQ(ParseScript("#!/bin/sh\n")->argument, std::nullopt);
  EXPECT_EQ(ParseScript("#!/bin/sh")->interpreter, "/bin/sh");
}

TEST(ScriptTest, LineWithoutAWholeInterpreterIsEnoexec) {
  EXPECT_EQ(ParseScript("#!\n").error().error, kENOEXEC);
  EXPECT_EQ(ParseScript("#!   \t\n").error().error, kENOEXEC);
  EXPECT_EQ(ParseScript("#!" + std::string(254, 'x')).error().error, kENOEXEC);
  const std::string cut_argument = "#!/bin/sh " + std::string(246, 'x');
  EXPECT_EQ(ParseScript(cut_argument)->interpreter, "/bin/sh");
}

}  // namespace
}  // namespace glovebox::engine
