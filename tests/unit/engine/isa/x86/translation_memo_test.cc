// Decoded code that address spaces share: the same as decoded anew, wherever it lies.
#include "engine/cpu/translation_memo.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <vector>

#include "engine/base/host_fd.h"
#include "engine/base/random.h"
#include "engine/isa/x86/decoder.h"
#include "engine/memory/address_space.h"

namespace glovebox::engine::x86 {
namespace {

constexpr std::uint64_t kCodeBytes = 8 * kPageSize;

// A file of the root with code in it.
class CodeFile : public HostFile {
 public:
  explicit CodeFile(std::span<const std::byte> code) : fd_(::memfd_create("code", MFD_CLOEXEC)) {
    EXPECT_EQ(::write(fd_.get(), code.data(), code.size()), static_cast<ssize_t>(code.size()));
  }
  int Descriptor() override { return fd_.get(); }

 private:
  HostFd fd_;
};

// Code at an address of a space of its own.
class Place {
 public:
  Place(CpuMode mode, GuestAddr address, std::span<const std::byte> code)
      : mode_(mode), address_(address) {
    const std::uint64_t window = mode == CpuMode::kLong64 ? 128_GiB : 4_GiB;
    memory_ = AddressSpace::Make({.window_bytes = window, .max_mappings = 100}, meter_).value();
    MapRequest request;
    request.address = address;
    request.size_bytes = code.size();
    request.protection = kProtRead | kProtWrite | kProtExec;
    request.fixed = true;
    request.file =
        FileBacking{.host = std::make_shared<CodeFile>(code), .file_size_bytes = code.size()};
    EXPECT_TRUE(memory_->Map(request).has_value());
  }

  void Poke(std::uint64_t offset, std::byte byte) {
    EXPECT_EQ(memory_->Poke(address_ + offset, {&byte, 1}), 1u);
  }
  Translation Decode(std::uint64_t offset, TranslationMemo* memo) {
    Translation out;
    EXPECT_FALSE(Decoder(*memory_, mode_, memo)
                     .Translate(address_ + offset, kMaxBlockInstructions, false, {}, out));
    return out;
  }

 private:
  const CpuMode mode_;
  const GuestAddr address_;
  MemoryMeter meter_{1_MiB};
  std::unique_ptr<AddressSpace> memory_;
};

void ExpectSame(const Translation& a, const Translation& b) {
  ASSERT_EQ(a.uops.size(), b.uops.size());
  EXPECT_EQ(std::memcmp(a.uops.data(), b.uops.data(), a.uops.size() * sizeof(Uop)), 0);
  EXPECT_EQ(a.jumps, b.jumps);
  ASSERT_EQ(a.marks.size(), b.marks.size());
  for (std::size_t i = 0; i < a.marks.size(); ++i) {
    EXPECT_EQ(a.marks[i].uop, b.marks[i].uop);
    EXPECT_EQ(a.marks[i].rip_offset, b.marks[i].rip_offset);
  }
}

std::vector<std::byte> RandomCode(std::uint64_t seed) {
  std::vector<std::byte> code(kCodeBytes);
  SeededRandom random(seed, 0);
  random.Fill(code);
  // More of what names addresses: prefixes, branches, [rip + n], calls, x87.
  constexpr std::uint8_t kWanted[] = {0x66, 0x67, 0xe8, 0xe9, 0xeb, 0x74, 0x0f, 0x84, 0x8b, 0x05,
                                      0x48, 0x8d, 0xff, 0x15, 0x25, 0xd9, 0xdd, 0xf3, 0xa4, 0xe2};
  for (std::byte& byte : code) {
    if (random.Below(2) == 0) byte = std::byte{kWanted[random.Below(std::size(kWanted))]};
  }
  return code;
}

struct Case {
  CpuMode mode;
  std::vector<GuestAddr> addresses;
};

TEST(TranslationMemo, CodeIsServedAsItWouldBeDecodedWhereverItLies) {
  const Case cases[] = {
      {CpuMode::kLong64,
       {0x40'0000, 0x7'5555'5000, 0x40'0000, 0x12'3456'7000, 0x7'5555'4000, 0x7'5556'4000}},
      {CpuMode::kProtected32,
       {0x804'8000, 0xf7d0'0000, 0x804'8000, 0x5655'5000, 0x1'0000, 0x2'0000}}};
  for (const auto& [mode, addresses] : cases) {
    const std::vector<std::byte> code = RandomCode(static_cast<std::uint64_t>(mode) + 1);
    TranslationMemo memo;
    std::uint64_t blocks = 0;
    for (const GuestAddr address : addresses) {
      Place place(mode, address, code);
      for (std::uint64_t offset = 0; offset + 2048 < kCodeBytes; offset += 3) {
        ++blocks;
        ExpectSame(place.Decode(offset, &memo), place.Decode(offset, nullptr));
        if (HasFailure()) FAIL() << std::hex << "at " << address << " + " << offset;
      }
    }
    // Each but the first two times, where it may be moved.
    EXPECT_GT(memo.served(), blocks / 3);
    EXPECT_LT(memo.served(), blocks);
  }
}

TEST(TranslationMemo, OtherBytesAreDecodedAnew) {
  std::vector<std::byte> code(kCodeBytes, std::byte{0x90});
  TranslationMemo memo;
  Place place(CpuMode::kLong64, 0x40'0000, code);
  for (int i = 0; i < 3; ++i) place.Decode(0, &memo);
  EXPECT_EQ(memo.served(), 1u);
  // Behind what the memo is asked by: the last of 64 instructions.
  code[63] = std::byte{0xf4};
  Place other(CpuMode::kLong64, 0x40'0000, code);
  ExpectSame(other.Decode(0, &memo), other.Decode(0, nullptr));
  EXPECT_EQ(memo.served(), 1u);
}

TEST(TranslationMemo, CodeThatAProcessHasWrittenIsItsOwn) {
  const std::vector<std::byte> code(kCodeBytes, std::byte{0x90});
  TranslationMemo memo;
  Place place(CpuMode::kLong64, 0x40'0000, code);
  place.Poke(kPageSize - 1, std::byte{0x90});
  for (int i = 0; i < 4; ++i) place.Decode(0, &memo);
  EXPECT_EQ(memo.served(), 0u);
}

TEST(TranslationMemo, CodeThatCannotBeFetchedAsAWholeIsNotServed) {
  const std::vector<std::byte> code(kCodeBytes, std::byte{0x90});
  TranslationMemo memo;
  const std::uint64_t near_page_end = kPageSize - 20;
  Place whole(CpuMode::kLong64, 0x40'0000, code);
  for (int i = 0; i < 2; ++i) whole.Decode(near_page_end, &memo);
  Place half(CpuMode::kLong64, 0x40'0000, std::span(code).first(kPageSize));
  EXPECT_EQ(half.Decode(near_page_end, &memo).marks.size(), 20u + 1);
  EXPECT_EQ(memo.served(), 0u);
}

TEST(TranslationMemo, CodeOfAnotherPageOffsetIsOtherCode) {
  const std::vector<std::byte> code(kCodeBytes, std::byte{0x90});
  TranslationMemo memo;
  Place place(CpuMode::kLong64, 0x40'0000, code);
  for (int i = 0; i < 2; ++i) place.Decode(0, &memo);
  place.Decode(16, &memo);
  EXPECT_EQ(memo.served(), 0u);
  place.Decode(kPageSize, &memo);
  EXPECT_EQ(memo.served(), 1u);
}

TEST(TranslationMemo, FullOneBeginsAnewOnlyWhereItHasPaid) {
  TranslationMemo memo;
  Translation large;
  large.uops.resize(300'000);
  EXPECT_FALSE(memo.Wants(1));
  EXPECT_TRUE(memo.Wants(1));
  memo.Add(1, 0, {}, large, {}, kPageSize);
  memo.Wants(2);
  EXPECT_FALSE(memo.Wants(2));
  ASSERT_NE(memo.Find(1), nullptr);
  Translation out;
  memo.Serve(*memo.Find(1), 0, ~GuestAddr{0}, out);
  EXPECT_TRUE(memo.Wants(2));
  EXPECT_EQ(memo.Find(1), nullptr);
}

}  // namespace
}  // namespace glovebox::engine::x86
