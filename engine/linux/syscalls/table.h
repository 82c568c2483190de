// Every system call that Linux 6.1 has on x86-64 and on i386, one row each, for all ABIs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
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
struct BoundHandler {
  // The values of the handler's arguments, from the registers in the order of the ABI. Into place:
  // a copy would wait for the small stores right before it.
  void (*take)(const RawArguments& registers, abi::Layout layout, RawArguments& values) = nullptr;
  SyscallResult (*call)(Task& task, const RawArguments& arguments, abi::Layout layout) = nullptr;
  // Prints the arguments that belong to before (or behind) the call into their places.
  void (*print)(const PrintContext& context, std::vector<std::string>& out) = nullptr;
  abi::Layout i386_layout = abi::Layout::kI386;  // of its structures, when i386 code calls
  bool returns_address = false;
  bool starts_with_fd = false;  // its first argument is a descriptor

  constexpr abi::Layout LayoutOf(abi::AbiId abi) const {
    return abi == abi::AbiId::kI386 ? i386_layout : abi::Layout::kX86_64;
  }
};

struct SyscallRow {
  std::string_view name;
  std::int16_t x86_64;  // -1: the ABI does not have it
  std::int16_t i386;
  std::int16_t generic;  // AArch64 and RISC-V
  BoundHandler entry;
  Support support;
  std::string_view note;
};

template <typename Signature>
struct Binder;

template <typename Returned, typename... Arguments>
struct Binder<Returned (*)(Task&, Arguments...)> {
  template <auto kHandler>
  static consteval BoundHandler Make(abi::Layout i386_layout) {
    return {[](const RawArguments& registers, [[maybe_unused]] abi::Layout layout,
               [[maybe_unused]] RawArguments& values) {
              [[maybe_unused]] RegisterReader reader(registers);
              [[maybe_unused]] std::size_t i = 0;
              // A fold over commas: in this order.
              ((values[i++] = TakeArgument<Arguments>(reader, layout)), ...);
            },
            [](Task& task, const RawArguments& values, abi::Layout layout) -> SyscallResult {
              return Call<kHandler>(task, values, layout, std::index_sequence_for<Arguments...>{});
            },
            [](const PrintContext& context, std::vector<std::string>& out) {
              out.resize(sizeof...(Arguments));
              Print(context, out, std::index_sequence_for<Arguments...>{});
            },
            i386_layout,
            std::is_same_v<Returned, AddressResult>,
            kStartsWithFd};
  }

 private:
  static constexpr bool kStartsWithFd =
      std::is_same_v<std::tuple_element_t<0, std::tuple<Arguments..., int>>, Fd>;

  template <auto kHandler, std::size_t... kIndex>
  static SyscallResult Call(Task& task, const RawArguments& values, abi::Layout layout,
                            std::index_sequence<kIndex...>) {
    const Returned result = kHandler(task, Argument<Arguments>::From(values[kIndex], layout)...);
    if constexpr (std::is_same_v<Returned, IdResult>) {
      return result.In(layout);
    } else {
      return result;
    }
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
// dereferenced by accident. `i386_layout`: which generation of structures, offsets and ids the call
// has on i386, where that makes a difference.
template <auto kHandler>
consteval BoundHandler Bind(abi::Layout i386_layout = abi::Layout::kI386) {
  return Binder<decltype(kHandler)>::template Make<kHandler>(i386_layout);
}

// A row that always answers one errno.
template <Errno kError>
SyscallResult Refuse(Task&) {
  return kError;
}

std::span<const SyscallRow> Syscalls();
// Null: no call of the ABI has this number.
const SyscallRow* FindSyscall(abi::AbiId abi, std::uint64_t number);

}  // namespace glovebox::engine
