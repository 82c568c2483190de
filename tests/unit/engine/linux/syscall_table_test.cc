#include "engine/linux/syscalls/table.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/linux/syscalls/flag_names.h"

namespace glovebox::engine {
namespace {

TEST(SyscallTableTest, EveryRowIsFoundByItsNumberAndEachNameStandsOnce) {
  const auto check = [](abi::AbiId abi, std::int16_t SyscallRow::* number) {
    std::set<std::string_view> names;
    for (const SyscallRow& row : Syscalls()) {
      if (row.*number < 0) continue;
      EXPECT_EQ(FindSyscall(abi, static_cast<std::uint64_t>(row.*number)), &row) << row.name;
      EXPECT_TRUE(names.insert(row.name).second) << row.name;
    }
    return names.size();
  };
  EXPECT_EQ(check(abi::AbiId::kX86_64, &SyscallRow::x86_64), 362u);  // 0 to 334 and 424 to 450
  EXPECT_EQ(check(abi::AbiId::kI386, &SyscallRow::i386), 440u);
}

TEST(SyscallTableTest, NumbersThatLinuxDoesNotHaveAreNotFound) {
  const auto none = [](abi::AbiId abi, std::initializer_list<std::uint64_t> numbers) {
    for (const std::uint64_t number : numbers) {
      EXPECT_EQ(FindSyscall(abi, number), nullptr) << number;
    }
  };
  none(abi::AbiId::kX86_64, {335ull, 423ull, 451ull, 511ull, 512ull, 0x40000000ull, ~0ull});
  none(abi::AbiId::kI386, {222ull, 223ull, 251ull, 285ull, 387ull, 415ull, 451ull, 512ull, ~0ull});
}

TEST(SyscallTableTest, NumbersOfEachAbiStandOnce) {
  std::set<int> i386, generic;
  for (const SyscallRow& row : Syscalls()) {
    if (row.i386 >= 0) {
      EXPECT_TRUE(i386.insert(row.i386).second) << row.name;
    }
    if (row.generic >= 0) {
      EXPECT_TRUE(generic.insert(row.generic).second) << row.name;
    }
  }
}

TEST(SyscallTableTest, NumbersAreThoseOfTheAbis) {
  const auto numbers = [](std::string_view name) {
    for (const SyscallRow& row : Syscalls()) {
      if (row.name == name) return std::array<int, 3>{row.x86_64, row.i386, row.generic};
    }
    return std::array<int, 3>{-2, -2, -2};
  };
  EXPECT_EQ(numbers("openat"), (std::array{257, 295, 56}));
  EXPECT_EQ(numbers("personality"), (std::array{135, 136, 92}));
  EXPECT_EQ(numbers("bpf"), (std::array{321, 357, 280}));
  EXPECT_EQ(numbers("open"), (std::array{2, 5, -1}));
}

TEST(SyscallTableTest, FlagsPrintByNameAndWhatIsUnknownAsANumber) {
  EXPECT_EQ(PrintValue(OpenFlags{0}), "O_RDONLY");
  EXPECT_EQ(PrintValue(OpenFlags{02 | 0100 | 02000000}), "O_RDWR|O_CREAT|O_CLOEXEC");
  EXPECT_EQ(PrintValue(OpenFlags{020200001}), "O_WRONLY|O_TMPFILE");
  EXPECT_EQ(PrintValue(ProtectionFlags{0}), "PROT_NONE");
  EXPECT_EQ(PrintValue(ProtectionFlags{3 | 0x80}), "PROT_READ|PROT_WRITE|0x80");
  EXPECT_EQ(PrintValue(MapFlags{0x22}), "MAP_PRIVATE|MAP_ANONYMOUS");
  EXPECT_EQ(PrintValue(Whence{2}), "SEEK_END");
  EXPECT_EQ(PrintValue(Whence{9}), "9");
  EXPECT_EQ(PrintValue(DirFd{-100}), "AT_FDCWD");
}

}  // namespace
}  // namespace glovebox::engine
