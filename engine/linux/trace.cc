#include "engine/linux/trace.h"

// Compiled here, for the hosts that the engine is compiled for: the library's own code is for any
// x86-64.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace glovebox::engine {
namespace {

// What a record is, its first word.
enum RecordKind : std::uint64_t {
  kSyscallRecord = 1,
  kSignalRecord,
  kOutputRecord,
  kI386SyscallRecord
};

}  // namespace

// Records wait until there are some: hashing few bytes at a time costs several times as much.
struct TraceHash::State {
  static constexpr std::size_t kMostWords = 512;

  State() { XXH3_128bits_reset(&hash); }

  // Room for a record's words.
  std::uint64_t* Record(std::size_t count) {
    if (waiting_words + count > kMostWords) Flush();
    return &waiting[std::exchange(waiting_words, waiting_words + count)];
  }
  void Flush() {
    XXH3_128bits_update(&hash, waiting.data(), waiting_words * sizeof(std::uint64_t));
    waiting_words = 0;
  }

  XXH3_state_t hash;
  std::array<std::uint64_t, kMostWords> waiting{};
  std::size_t waiting_words = 0;
};

TraceHash::TraceHash() : state_(std::make_unique<State>()) {}
TraceHash::~TraceHash() = default;

void TraceHash::AddSyscall(Icount icount, std::uint32_t task, abi::AbiId abi, std::uint64_t number,
                           const RawArguments& arguments, std::int64_t result) {
  constexpr std::size_t kOthers = 5;
  std::uint64_t* record = state_->Record(kOthers + std::tuple_size_v<RawArguments>);
  *record++ = abi == abi::AbiId::kI386 ? kI386SyscallRecord : kSyscallRecord;
  *record++ = icount;
  *record++ = task;
  *record++ = number;
  record = std::ranges::copy(arguments, record).out;
  *record = static_cast<std::uint64_t>(result);
}

void TraceHash::AddSignal(Icount icount, std::uint32_t task, int signal, int code,
                          std::uint64_t detail) {
  const std::array<std::uint64_t, 6> record{kSignalRecord,
                                            icount,
                                            task,
                                            static_cast<std::uint64_t>(signal),
                                            static_cast<std::uint64_t>(code),
                                            detail};
  std::ranges::copy(record, state_->Record(record.size()));
}

void TraceHash::AddOutput(int stream, std::span<const std::byte> bytes) {
  const std::array<std::uint64_t, 3> record{kOutputRecord, static_cast<std::uint64_t>(stream),
                                            bytes.size()};
  std::ranges::copy(record, state_->Record(record.size()));
  state_->Flush();
  XXH3_128bits_update(&state_->hash, bytes.data(), bytes.size());
}

std::string TraceHash::Digits() const {
  State all = *state_;
  all.Flush();
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&all.hash));
  std::string text;
  for (const unsigned char byte : canonical.digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace glovebox::engine
