#include "engine/linux/trace.h"

#include <xxhash.h>

#include "engine/base/check.h"

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

void TraceHash::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

TraceHash::TraceHash() : state_(XXH3_createState()) {
  GB_CHECK(state_ != nullptr);
  XXH3_128bits_reset(state_.get());
}

TraceHash::~TraceHash() = default;

void TraceHash::AddSyscall(Icount icount, std::uint32_t task, abi::AbiId abi, std::uint64_t number,
                           const RawArguments& arguments, std::int64_t result) {
  const std::uint64_t kind = abi == abi::AbiId::kI386 ? kI386SyscallRecord : kSyscallRecord;
  const std::array<std::uint64_t, 11> record{kind,
                                             icount,
                                             task,
                                             number,
                                             arguments[0],
                                             arguments[1],
                                             arguments[2],
                                             arguments[3],
                                             arguments[4],
                                             arguments[5],
                                             static_cast<std::uint64_t>(result)};
  XXH3_128bits_update(state_.get(), record.data(), sizeof record);
}

void TraceHash::AddSignal(Icount icount, std::uint32_t task, int signal, int code,
                          std::uint64_t detail) {
  const std::array<std::uint64_t, 6> record{kSignalRecord,
                                            icount,
                                            task,
                                            static_cast<std::uint64_t>(signal),
                                            static_cast<std::uint64_t>(code),
                                            detail};
  XXH3_128bits_update(state_.get(), record.data(), sizeof record);
}

void TraceHash::AddOutput(int stream, std::span<const std::byte> bytes) {
  const std::array<std::uint64_t, 3> record{kOutputRecord, static_cast<std::uint64_t>(stream),
                                            bytes.size()};
  XXH3_128bits_update(state_.get(), record.data(), sizeof record);
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

std::string TraceHash::Digits() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
  std::string text;
  for (const unsigned char byte : canonical.digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

}  // namespace glovebox::engine
