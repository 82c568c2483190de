// What a system call comes to.
#pragma once

#include <cstdint>

#include "engine/base/errno.h"
#include "engine/base/types.h"
#include "engine/linux/abi/i386.h"
#include "engine/vfs/inode.h"

namespace glovebox::engine {

inline constexpr Nanoseconds kNever = ~Nanoseconds{0};

// What a signal handler that interrupts a waiting call makes of it: signal(7), "Interruption of
// system calls".
enum class OnSignal : std::uint8_t {
  kRestartIfAsked,  // EINTR, or again where the handler has SA_RESTART
  kInterrupt,       // always EINTR
  kNothing,         // the call goes on, unless the task is to die
};

struct BlockOn {
  Nanoseconds deadline = kNever;  // when the call is to be tried again at the latest
  Wait wait = Wait::kEvent;
  OnSignal on_signal = OnSignal::kInterrupt;
  std::int64_t partial = 0;       // not 0: what the call returns when it is interrupted
  const void* channel = nullptr;  // whose events are waited for: Scheduler
};

class SyscallResult {
 public:
  enum class Kind : std::uint8_t {
    kValue,    // `value` goes to the guest; -errno for failures
    kAgain,    // a slice of long work is done: the call goes on, invisibly to the guest, when it is
               // tried again
    kBlocked,  // cannot go on before something happens: tried again then
    kNoReturn,  // the call set the registers itself, or the task is gone
  };

  SyscallResult(Errno error)
      : value_(-static_cast<std::int64_t>(error)) {}    // NOLINT: handlers return either
  SyscallResult(std::int64_t value) : value_(value) {}  // NOLINT
  static SyscallResult Again() { return SyscallResult(Kind::kAgain); }
  static SyscallResult NoReturn() { return SyscallResult(Kind::kNoReturn); }
  static SyscallResult Block(const BlockOn& on) {
    SyscallResult result(Kind::kBlocked);
    result.block_ = on;
    return result;
  }

  Kind kind() const { return kind_; }
  std::int64_t value() const { return value_; }
  const BlockOn& block() const { return block_; }

 private:
  explicit SyscallResult(Kind kind) : kind_(kind) {}

  Kind kind_ = Kind::kValue;
  std::int64_t value_ = 0;
  BlockOn block_;
};

// Of calls whose value is an address: a trace shows it in hexadecimal.
struct AddressResult {
  AddressResult(SyscallResult r) : result(r) {}      // NOLINT: as SyscallResult itself
  AddressResult(Errno error) : result(error) {}      // NOLINT
  AddressResult(std::int64_t v) : result(v) {}       // NOLINT
  operator SyscallResult() const { return result; }  // NOLINT
  SyscallResult result;
};

// Of calls whose value is a user's or a group's number: the first generation of i386 calls has 16
// bits for it.
struct IdResult {
  std::uint32_t id;
  SyscallResult In(abi::Layout layout) const {
    return static_cast<std::int64_t>(layout == abi::Layout::kI386 ? abi::i386::NarrowId(id) : id);
  }
};

// For calls that either succeed with 0 or fail.
inline SyscallResult FromResult(const Result<void, Errno>& result) {
  return result ? SyscallResult(0) : SyscallResult(result.error());
}

}  // namespace glovebox::engine
