#include "engine/loader/elf.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/loader/layout.h"
#include "engine/memory/address_space.h"
#include "tests/tools/elf_builder.h"

namespace glovebox::engine {
namespace {

constexpr std::uint64_t kWindow = 256_GiB;

LoadResult<ElfImage> Parse(const std::string& file) {
  const FileReader read = [&file](std::uint64_t offset,
                                  std::span<std::byte> out) -> Result<std::size_t, Errno> {
    if (offset >= file.size()) return 0;
    const std::size_t count = std::min(out.size(), file.size() - static_cast<std::size_t>(offset));
    std::memcpy(out.data(), file.data() + offset, count);
    return count;
  };
  return ParseElf(read, file.size(), kWindow);
}

// The errno, and a part of the sentence that says why.
void ExpectRefused(const std::string& file, Errno error, std::string_view why) {
  const auto image = Parse(file);
  ASSERT_FALSE(image.has_value()) << why;
  EXPECT_EQ(image.error().error, error) << image.error().detail;
  EXPECT_NE(image.error().detail.find(why), std::string::npos) << image.error().detail;
}

// Everything is checked of both classes by one parser.
template <typename Class>
class ElfTest : public testing::Test {
 protected:
  using BuilderOf = tests::BasicElfBuilder<Class>;
  using Word = decltype(BuilderOf{}.header.e_entry);
  static constexpr Word kAllOnes = static_cast<Word>(~Word{0});
  // The end of the addresses that a program can have.
  static constexpr std::uint64_t kEnd = Class::kWordBytes == 4 ? kAddressEnd32 : kWindow;

  static BuilderOf With(void (*change)(BuilderOf&)) {
    BuilderOf builder;
    change(builder);
    return builder;
  }
  static void AddSegment(BuilderOf& builder, std::uint64_t address, std::uint64_t memory_bytes) {
    auto segment = builder.segments.front();
    segment.p_vaddr = static_cast<Word>(address);
    segment.p_offset = 0x1000;
    segment.p_filesz = 0x1000;
    segment.p_memsz = static_cast<Word>(memory_bytes);
    builder.segments.push_back(segment);
    builder.header.e_phnum = static_cast<std::uint16_t>(builder.segments.size());
  }
};
using Classes = testing::Types<tests::Elf64, tests::Elf32>;
TYPED_TEST_SUITE(ElfTest, Classes);

TYPED_TEST(ElfTest, SoundProgramIsTakenWithItsSegments) {
  using Builder = typename TestFixture::BuilderOf;
  const auto image = Parse(Builder().Build());
  ASSERT_TRUE(image.has_value()) << image.error().detail;
  EXPECT_EQ(image->entry, Builder::kCode);
  EXPECT_EQ(image->header_table, Builder::kBase + sizeof(Builder{}.header));
  EXPECT_EQ(image->word_bytes, TypeParam::kWordBytes);
  ASSERT_EQ(image->segments.size(), 1u);
  EXPECT_EQ(image->segments[0].protection, kProtRead | kProtWrite | kProtExec);
  EXPECT_FALSE(image->position_independent);
}

TYPED_TEST(ElfTest, StaticPieIsTaken) {
  using Builder = typename TestFixture::BuilderOf;
  const auto image = Parse(this->With([](Builder& b) {
                                 b.header.e_type = ET_DYN;
                                 b.segments[0].p_vaddr = 0;
                                 b.header.e_entry = 0x1000;
                               })
                               .Build());
  ASSERT_TRUE(image.has_value()) << image.error().detail;
  EXPECT_TRUE(image->position_independent);
}

TYPED_TEST(ElfTest, EveryTruncationIsRefusedWithEnoexec) {
  using Builder = typename TestFixture::BuilderOf;
  const std::string file = Builder().Build();
  for (std::size_t size = 0; size < file.size(); size += size < 130 ? 1 : 97) {
    const auto image = Parse(file.substr(0, size));
    ASSERT_FALSE(image.has_value()) << size;
    EXPECT_EQ(image.error().error, kENOEXEC) << size;
  }
}

TYPED_TEST(ElfTest, ForeignFilesAreRefusedWithTheReason) {
  using Builder = typename TestFixture::BuilderOf;
  ExpectRefused(this->With([](Builder& b) { b.header.e_ident[0] = 'X'; }).Build(), kENOEXEC,
                "neither an ELF");
  ExpectRefused(this->With([](Builder& b) { b.header.e_ident[EI_CLASS] = 9; }).Build(), kENOEXEC,
                "class 9");
  ExpectRefused(this->With([](Builder& b) { b.header.e_ident[EI_DATA] = ELFDATA2MSB; }).Build(),
                kENOEXEC, "little-endian");
  ExpectRefused(this->With([](Builder& b) { b.header.e_machine = EM_AARCH64; }).Build(), kENOEXEC,
                "machine 183");
  ExpectRefused(this->With([](Builder& b) { b.header.e_type = ET_REL; }).Build(), kENOEXEC,
                "type 1");
}

// The interpreter's name stands where the data begins.
std::string WithInterpreter(std::string_view name, std::uint64_t bytes, std::uint64_t offset) {
  tests::ElfBuilder builder;
  Elf64_Phdr row{};
  row.p_type = PT_INTERP;
  row.p_offset = offset;
  row.p_filesz = bytes;
  builder.segments.insert(builder.segments.begin(), row);
  builder.header.e_phnum = 2;
  return builder.WithData(name).Build();
}

TYPED_TEST(ElfTest, InterpreterIsRead) {
  using Builder = typename TestFixture::BuilderOf;
  const std::string_view name("/lib/ld.so\0", 11);
  const auto image = Parse(WithInterpreter(name, name.size(), 0x2000));
  ASSERT_TRUE(image) << image.error().detail;
  EXPECT_EQ(image->interpreter, "/lib/ld.so");
  EXPECT_TRUE(Parse(Builder().Build())->interpreter.empty());
}

TEST(ElfInterpreterTest, InterpretersWithoutAProperNameAreRefused) {
  ExpectRefused(WithInterpreter("/lib/ld.so", 10, 0x2000), kENOEXEC, "does not end in a NUL");
  ExpectRefused(WithInterpreter("", 8, 0x2000), kENOEXEC, "is empty");
  ExpectRefused(WithInterpreter("x", 1, 0x2000), kENOEXEC, "too short");
  ExpectRefused(WithInterpreter("x", 5000, 0x2000), kENOEXEC, "too long");
  ExpectRefused(WithInterpreter("x", 16, ~0ull - 7), kENOEXEC, "does not end in a NUL");
}

TYPED_TEST(ElfTest, SillyHeaderTablesAreRefused) {
  using Builder = typename TestFixture::BuilderOf;
  ExpectRefused(this->With([](Builder& b) { b.header.e_phentsize = 40; }).Build(), kENOEXEC,
                "program headers of 40");
  ExpectRefused(this->With([](Builder& b) { b.header.e_phnum = 0; }).Build(), kENOEXEC,
                "no program headers");
  ExpectRefused(this->With([](Builder& b) { b.header.e_phnum = 0xffff; }).Build(), kENOEXEC,
                "65535 program headers");
  ExpectRefused(this->With([](Builder& b) { b.header.e_phoff = TestFixture::kAllOnes; }).Build(),
                kENOEXEC, "beyond the end");
  ExpectRefused(this->With([](Builder& b) { b.segments[0].p_type = PT_NOTE; }).Build(), kENOEXEC,
                "no segment");
}

TYPED_TEST(ElfTest, HugeSegmentIsRefusedWithEnomem) {
  using Builder = typename TestFixture::BuilderOf;
  ExpectRefused(
      this->With([](Builder& b) { b.segments[0].p_memsz = TestFixture::kAllOnes; }).Build(),
      kENOMEM, "beyond the address space");
  ExpectRefused(this->With([](Builder& b) {
                      b.segments[0].p_memsz =
                          static_cast<typename TestFixture::Word>(TestFixture::kEnd);
                    })
                    .Build(),
                kENOMEM, "beyond the address");
  ExpectRefused(
      this->With([](Builder& b) { b.segments[0].p_vaddr = TestFixture::kAllOnes - 0xfff; }).Build(),
      kENOMEM, "beyond the address");
}

TYPED_TEST(ElfTest, SegmentBeyondTheFileIsRefused) {
  using Builder = typename TestFixture::BuilderOf;
  ExpectRefused(this->With([](Builder& b) { b.segments[0].p_offset = 0x10000; }).Build(), kENOEXEC,
                "beyond the file");
  ExpectRefused(
      this->With([](Builder& b) { b.segments[0].p_offset = TestFixture::kAllOnes - 0xfff; })
          .Build(),
      kENOEXEC, "beyond the file");
  ExpectRefused(
      this->With([](Builder& b) { b.segments[0].p_filesz = b.segments[0].p_memsz = 0x3001; })
          .Build(),
      kENOEXEC, "beyond the file");
}

TYPED_TEST(ElfTest, MoreBytesInTheFileThanInMemoryAreRefused) {
  using Builder = typename TestFixture::BuilderOf;
  ExpectRefused(this->With([](Builder& b) { b.segments[0].p_memsz = 0x2fff; }).Build(), kEINVAL,
                "more bytes in the file");
}

TYPED_TEST(ElfTest, OverlappingAndDescendingSegmentsAreRefused) {
  using Builder = typename TestFixture::BuilderOf;
  ExpectRefused(
      this->With([](Builder& b) { TestFixture::AddSegment(b, Builder::kBase + 0x2000, 0x1000); })
          .Build(),
      kENOEXEC, "overlaps");
  ExpectRefused(
      this->With([](Builder& b) { TestFixture::AddSegment(b, Builder::kBase - 0x10000, 0x1000); })
          .Build(),
      kENOEXEC, "ascend");
  EXPECT_TRUE(Parse(
      this->With([](Builder& b) { TestFixture::AddSegment(b, Builder::kBase + 0x3000, 0x9000); })
          .Build()));
}

TYPED_TEST(ElfTest, AddressAndOffsetThatDifferWithinThePageAreRefused) {
  using Builder = typename TestFixture::BuilderOf;
  ExpectRefused(this->With([](Builder& b) { b.segments[0].p_vaddr += 8; }).Build(), kEINVAL,
                "differ within the page");
}

TYPED_TEST(ElfTest, AlignmentThatIsNoPowerOfTwoIsIgnoredAndAHugeOneRefused) {
  using Builder = typename TestFixture::BuilderOf;
  const auto odd = Parse(this->With([](Builder& b) { b.segments[0].p_align = 12345; }).Build());
  ASSERT_TRUE(odd.has_value());
  EXPECT_EQ(odd->alignment, kPageSize);
  ExpectRefused(
      this->With([](Builder& b) { b.segments[0].p_align = TestFixture::kAllOnes / 2 + 1; }).Build(),
      kENOMEM, "alignment");
}

TYPED_TEST(ElfTest, EntryOutsideAllSegmentsIsRefused) {
  using Builder = typename TestFixture::BuilderOf;
  ExpectRefused(this->With([](Builder& b) { b.header.e_entry = 0; }).Build(), kEINVAL,
                "entry point");
  ExpectRefused(this->With([](Builder& b) { b.header.e_entry = TestFixture::kAllOnes; }).Build(),
                kEINVAL, "entry point");
}

TYPED_TEST(ElfTest, LowAddressIsRefusedWithEperm) {
  using Builder = typename TestFixture::BuilderOf;
  ExpectRefused(this->With([](Builder& b) { b.segments[0].p_vaddr = 0; }).Build(), kEPERM,
                "nothing may be mapped");
}

TEST(ElfClassTest, X32ProgramsAreRefused) {
  tests::BasicElfBuilder<tests::Elf32> builder;
  builder.header.e_machine = EM_X86_64;
  ExpectRefused(builder.Build(), kENOEXEC, "x32");
}

TEST(ElfClassTest, MachineOfTheOtherClassIsRefused) {
  tests::BasicElfBuilder<tests::Elf64> builder;
  builder.header.e_machine = EM_386;
  ExpectRefused(builder.Build(), kENOEXEC, "machine 3; x86-64 is number 62");
}

TEST(ElfClassTest, SegmentOfAnI386ProgramEndsBelowTheLastPages) {
  tests::BasicElfBuilder<tests::Elf32> builder;
  builder.segments[0].p_vaddr = static_cast<std::uint32_t>(kAddressEnd32 - 0x3000);
  builder.header.e_entry = builder.segments[0].p_vaddr;
  EXPECT_TRUE(Parse(builder.Build()).has_value());
  builder.segments[0].p_memsz += 1;
  ExpectRefused(builder.Build(), kENOMEM, "beyond the address space of 0xffffe000");
}

}  // namespace
}  // namespace glovebox::engine
