// The trace hash: a running hash over each system call and signal of a box, always on; two runs
// that agree in it did the same things at the same instructions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "engine/base/types.h"
#include "engine/linux/abi/layout.h"

namespace glovebox::engine {

using RawArguments = std::array<std::uint64_t, 6>;

// XXH3-128 over records of fixed layout, little-endian words. Not cryptographic: it finds
// differences, it does not stop a forger. Rejected: SHA-256, whose cost shows in programs that make
// many calls.
class TraceHash {
 public:
  TraceHash();
  ~TraceHash();
  TraceHash(const TraceHash&) = delete;
  TraceHash& operator=(const TraceHash&) = delete;

  // `arguments`: those that the call has; the others as 0, since registers of no meaning would make
  // compilers differ. `abi` says whose number it is.
  void AddSyscall(Icount icount, std::uint32_t task, abi::AbiId abi, std::uint64_t number,
                  const RawArguments& arguments, std::int64_t result);
  void AddSignal(Icount icount, std::uint32_t task, int signal, int code, std::uint64_t detail);
  // Bytes that left the box.
  void AddOutput(int stream, std::span<const std::byte> bytes);

  std::string Digits() const;  // 32 lower-case hexadecimal digits of everything so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace glovebox::engine
