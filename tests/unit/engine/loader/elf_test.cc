#include "engine/loader/elf.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/memory/address_space.h"
#include "tests/tools/elf_builder.h"

namespace glovebox::engine {
namespace {

using tests::ElfBuilder;

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

ElfBuilder With(void (*change)(ElfBuilder&)) {
  ElfBuilder builder;
  change(builder);
  return builder;
}

void AddSegment(ElfBuilder& builder, std::uint64_t address, std::uint64_t memory_bytes) {
  Elf64_Phdr segment = builder.segments.front();
  segment.p_vaddr = address;
  segment.p_offset = 0x1000;
  segment.p_filesz = 0x1000;
  segment.p_memsz = memory_bytes;
  builder.segments.push_back(segment);
  builder.header.e_phnum = static_cast<std::uint16_t>(builder.segments.size());
}

TEST(ElfTest, SoundProgramIsTakenWithItsSegments) {
  const auto image = Parse(ElfBuilder().Build());
  ASSERT_TRUE(image.has_value()) << image.error().detail;
  EXPECT_EQ(image->entry, ElfBuilder::kCode);
  EXPECT_EQ(image->header_table, ElfBuilder::kBase + 64);
  ASSERT_EQ(image->segments.size(), 1u);
  EXPECT_EQ(image->segments[0].protection, kProtRead | kProtWrite | kProtExec);
  EXPECT_FALSE(image->position_independent);
}

TEST(ElfTest, StaticPieIsTaken) {
  const auto image = Parse(With([](ElfBuilder& b) {
                             b.header.e_type = ET_DYN;
                             b.segments[0].p_vaddr = 0;
                             b.header.e_entry = 0x1000;
                           }).Build());
  ASSERT_TRUE(image.has_value()) << image.error().detail;
  EXPECT_TRUE(image->position_independent);
}

TEST(ElfTest, EveryTruncationIsRefusedWithEnoexec) {
  const std::string file = ElfBuilder().Build();
  for (std::size_t size = 0; size < file.size(); size += size < 130 ? 1 : 97) {
    const auto image = Parse(file.substr(0, size));
    ASSERT_FALSE(image.has_value()) << size;
    EXPECT_EQ(image.error().error, kENOEXEC) << size;
  }
}

TEST(ElfTest, ForeignFilesAreRefusedWithTheReason) {
  ExpectRefused(With([](ElfBuilder& b) { b.header.e_ident[0] = 'X'; }).Build(), kENOEXEC,
                "neither an ELF");
  ExpectRefused(With([](ElfBuilder& b) { b.header.e_ident[EI_CLASS] = ELFCLASS32; }).Build(),
                kENOEXEC, "x32");
  ExpectRefused(With([](ElfBuilder& b) { b.header.e_ident[EI_CLASS] = 9; }).Build(), kENOEXEC,
                "class 9");
  ExpectRefused(With([](ElfBuilder& b) { b.header.e_ident[EI_DATA] = ELFDATA2MSB; }).Build(),
                kENOEXEC, "little-endian");
  ExpectRefused(With([](ElfBuilder& b) { b.header.e_machine = EM_AARCH64; }).Build(), kENOEXEC,
                "machine 183");
  ExpectRefused(With([](ElfBuilder& b) { b.header.e_type = ET_REL; }).Build(), kENOEXEC, "type 1");
}

// The interpreter's name stands where the data begins.
std::string WithInterpreter(std::string_view name, std::uint64_t bytes, std::uint64_t offset) {
  ElfBuilder builder;
  Elf64_Phdr row{};
  row.p_type = PT_INTERP;
  row.p_offset = offset;
  row.p_filesz = bytes;
  builder.segments.insert(builder.segments.begin(), row);
  builder.header.e_phnum = 2;
  return builder.WithData(name).Build();
}

TEST(ElfTest, InterpreterIsRead) {
  const std::string_view name("/lib/ld.so\0", 11);
  const auto image = Parse(WithInterpreter(name, name.size(), 0x2000));
  ASSERT_TRUE(image) << image.error().detail;
  EXPECT_EQ(image->interpreter, "/lib/ld.so");
  EXPECT_TRUE(Parse(ElfBuilder().Build())->interpreter.empty());
}

TEST(ElfTest, InterpretersWithoutAProperNameAreRefused) {
  ExpectRefused(WithInterpreter("/lib/ld.so", 10, 0x2000), kENOEXEC, "does not end in a NUL");
  ExpectRefused(WithInterpreter("", 8, 0x2000), kENOEXEC, "is empty");
  ExpectRefused(WithInterpreter("x", 1, 0x2000), kENOEXEC, "too short");
  ExpectRefused(WithInterpreter("x", 5000, 0x2000), kENOEXEC, "too long");
  ExpectRefused(WithInterpreter("x", 16, ~0ull - 7), kENOEXEC, "does not end in a NUL");
}

TEST(ElfTest, SillyHeaderTablesAreRefused) {
  ExpectRefused(With([](ElfBuilder& b) { b.header.e_phentsize = 32; }).Build(), kENOEXEC,
                "program headers of 32");
  ExpectRefused(With([](ElfBuilder& b) { b.header.e_phnum = 0; }).Build(), kENOEXEC,
                "no program headers");
  ExpectRefused(With([](ElfBuilder& b) { b.header.e_phnum = 0xffff; }).Build(), kENOEXEC,
                "65535 program headers");
  ExpectRefused(With([](ElfBuilder& b) { b.header.e_phoff = ~0ull; }).Build(), kENOEXEC,
                "beyond the end");
  ExpectRefused(With([](ElfBuilder& b) { b.segments[0].p_type = PT_NOTE; }).Build(), kENOEXEC,
                "no segment");
}

TEST(ElfTest, HugeSegmentIsRefusedWithEnomem) {
  ExpectRefused(With([](ElfBuilder& b) { b.segments[0].p_memsz = ~0ull; }).Build(), kENOMEM,
                "beyond the address space");
  ExpectRefused(With([](ElfBuilder& b) { b.segments[0].p_memsz = kWindow; }).Build(), kENOMEM,
                "beyond the address");
  ExpectRefused(With([](ElfBuilder& b) { b.segments[0].p_vaddr = ~0xfffull; }).Build(), kENOMEM,
                "beyond the address");
}

TEST(ElfTest, SegmentBeyondTheFileIsRefused) {
  ExpectRefused(With([](ElfBuilder& b) { b.segments[0].p_offset = 0x10000; }).Build(), kENOEXEC,
                "beyond the file");
  ExpectRefused(With([](ElfBuilder& b) { b.segments[0].p_offset = ~0xfffull; }).Build(), kENOEXEC,
                "beyond the file");
  ExpectRefused(
      With([](ElfBuilder& b) { b.segments[0].p_filesz = b.segments[0].p_memsz = 0x3001; }).Build(),
      kENOEXEC, "beyond the file");
}

TEST(ElfTest, MoreBytesInTheFileThanInMemoryAreRefused) {
  ExpectRefused(With([](ElfBuilder& b) { b.segments[0].p_memsz = 0x2fff; }).Build(), kEINVAL,
                "more bytes in the file");
}

TEST(ElfTest, OverlappingAndDescendingSegmentsAreRefused) {
  ExpectRefused(
      With([](ElfBuilder& b) { AddSegment(b, ElfBuilder::kBase + 0x2000, 0x1000); }).Build(),
      kENOEXEC, "overlaps");
  ExpectRefused(
      With([](ElfBuilder& b) { AddSegment(b, ElfBuilder::kBase - 0x10000, 0x1000); }).Build(),
      kENOEXEC, "ascend");
  EXPECT_TRUE(Parse(
      With([](ElfBuilder& b) { AddSegment(b, ElfBuilder::kBase + 0x3000, 0x9000); }).Build()));
}

TEST(ElfTest, AddressAndOffsetThatDifferWithinThePageAreRefused) {
  ExpectRefused(With([](ElfBuilder& b) { b.segments[0].p_vaddr += 8; }).Build(), kEINVAL,
                "differ within the page");
}

TEST(ElfTest, AlignmentThatIsNoPowerOfTwoIsIgnoredAndAHugeOneRefused) {
  const auto odd = Parse(With([](ElfBuilder& b) { b.segments[0].p_align = 12345; }).Build());
  ASSERT_TRUE(odd.has_value());
  EXPECT_EQ(odd->alignment, kPageSize);
  ExpectRefused(With([](ElfBuilder& b) { b.segments[0].p_align = 1ull << 63; }).Build(), kENOMEM,
                "alignment");
}

TEST(ElfTest, EntryOutsideAllSegmentsIsRefused) {
  ExpectRefused(With([](ElfBuilder& b) { b.header.e_entry = 0; }).Build(), kEINVAL, "entry point");
  ExpectRefused(With([](ElfBuilder& b) { b.header.e_entry = ~0ull; }).Build(), kEINVAL,
                "entry point");
}

TEST(ElfTest, LowAddressIsRefusedWithEperm) {
  ExpectRefused(With([](ElfBuilder& b) { b.segments[0].p_vaddr = 0; }).Build(), kEPERM,
                "nothing may be mapped");
}

}  // namespace
}  // namespace glovebox::engine
