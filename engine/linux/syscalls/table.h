// Every system call that Linux 6.1 has on x86-64, one row each, for all ABIs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/linux/syscall_result.h"
#include "engine/linux/syscalls/arguments.h"
#include "engine/linux/syscalls/describe.h"

namespace glovebox::engine {

class Task;

enum class Support : std::uint8_t {
  kFull,
  kPartial,  // `note` says what is not served
  kRefused,  // answers the errno that Linux gives where the feature is not allowed; `note` says why
  kAbsent,   // answers ENOSYS and is counted
};

// What a row does, made from a handler's signature by Bind.
struct SyscallEntry {
  SyscallResult (*call)(Task& task, const RawArguments& arguments) = nullptr;
  // Prints the arguments that belong to before (or behind) the call into their places.
  void (*print)(const PrintContext& context, std::vector<std::string>& out) = nullptr;
  std::uint8_t argument_count = 0;
  bool returns_address = false;
};

struct SyscallRow {
  std::string_view name;
  std::int16_t x86_64;  // -1: the ABI does not have it
  std::int16_t i386;
  std::int16_t generic;  // AArch64 and RISC-V
  SyscallEntry entry;
  Support support;
  std::string_view note;
};

template <typename Signature>
struct Binder;

template <typename Returned, typename... Arguments>
struct Binder<Returned (*)(Task&, Arguments...)> {
  template <auto kHandler>
  static consteval SyscallEntry Make() {
    return {[](Task& task, const RawArguments& raw) {
              return Call<kHandler>(task, raw, std::index_sequence_for<Arguments...>{});
            },
            [](const PrintContext& context, std::vector<std::string>& out) {
              out.resize(sizeof...(Arguments));
              Print(context, out, std::index_sequence_for<Arguments...>{});
            },
            sizeof...(Arguments), std::is_same_v<Returned, AddressResult>};
  }

 private:
  template <auto kHandler, std::size_t... kIndex>
  static SyscallResult Call(Task& task, const RawArguments& raw, std::index_sequence<kIndex...>) {
    return kHandler(task, Argument<Arguments>::From(raw[kIndex])...);
  }
  template <std::size_t... kIndex>
  static void Print(const PrintContext& context, std::vector<std::string>& out,
                    std::index_sequence<kIndex...>) {
    (PrintOne<Arguments>(context, out[kIndex], kIndex), ...);
  }
  template <typename T>
  static void PrintOne(const PrintContext& context, std::string& out, std::size_t index) {
    if (Argument<T>::kAfter == context.finished) out = Argument<T>::Print(context, index);
  }
};

// A handler of typed arguments as a row's entry: it sees no register, and no GuestPtr is
// dereferenced by accident.
template <auto kHandler>
consteval SyscallEntry Bind() {
  return Binder<decltype(kHandler)>::template Make<kHandler>();
}

// A row that always answers one errno.
template <Errno kError>
SyscallResult Refuse(Task&) {
  return kError;
}

std::span<const SyscallRow> Syscalls();
// Null: no call of x86-64 has this number.
const SyscallRow* FindSyscallX86_64(std::uint64_t number);

}  // namespace glovebox::engine
