// The trace hash: what it is made of, and that waiting records are part of it.
#include "engine/linux/trace.h"

#include <gtest/gtest.h>

#include <array>
#include <span>

namespace glovebox::engine {
namespace {

constexpr int kRecords = 5000;  // more than wait to be hashed at a time

void AddCall(TraceHash& hash, int i) {
  const auto n = static_cast<std::uint64_t>(i);
  hash.AddSyscall(n, 1, abi::AbiId::kX86_64, n % 300, {1, 2, 3, 4, 5, n}, -i);
}

// All kinds of records; output of every length below 777.
void AddRecords(TraceHash& hash, int first, int end) {
  std::array<std::byte, 777> bytes;
  bytes.fill(std::byte{7});
  for (int i = first; i < end; ++i) {
    AddCall(hash, i);
    if (i % 97 == 0) hash.AddOutput(1, std::span(bytes).first(static_cast<std::size_t>(i % 777)));
    if (i % 31 == 0) hash.AddSignal(static_cast<Icount>(i), 1, 11, 2, 3);
  }
}

TEST(TraceHash, RecordsHashToWhatTheyAlwaysDid) {
  TraceHash hash;
  AddRecords(hash, 0, kRecords);
  hash.AddOutput(2, {});
  EXPECT_EQ(hash.Digits(), "a32fe41c21329df7d48a3d234e451f7c");
}

TEST(TraceHash, AskingInBetweenChangesNothing) {
  TraceHash asked;
  TraceHash left_alone;
  for (int i = 0; i < kRecords; i += 10) {
    AddRecords(asked, i, i + 10);
    AddRecords(left_alone, i, i + 10);
    asked.Digits();
  }
  EXPECT_EQ(asked.Digits(), left_alone.Digits());
}

TEST(TraceHash, TheLastRecordCountsAtOnce) {
  TraceHash hash;
  AddRecords(hash, 0, 10);
  const std::string before = hash.Digits();
  AddCall(hash, 10);
  EXPECT_NE(hash.Digits(), before);
}

}  // namespace
}  // namespace glovebox::engine
