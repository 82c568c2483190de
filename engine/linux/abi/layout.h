// In which form a system call's structures lie in guest memory. Handlers know one form of each
// structure (common.h, x86_64.h); what differs per ABI is data here, looked at where guest memory
// is read and written (guest_memory.h) and where arguments are taken from registers (arguments.h).
#pragma once

#include <cstdint>
#include <type_traits>

namespace glovebox::engine::abi {

// Whose conventions a program or a call follows: numbers, registers, structures.
enum class AbiId : std::uint8_t { kX86_64, kI386 };

// i386 has two generations of calls: those of Linux' first years have times, offsets and sizes of
// 32 bits and ids of 16, their successors (stat64, fcntl64, chown32, clock_gettime64 ...) wider
// ones.
enum class Layout : std::uint8_t { kX86_64, kI386, kI386Wide };

constexpr bool IsI386(Layout layout) { return layout != Layout::kX86_64; }
// Of pointers, `long` and size_t.
constexpr std::uint8_t WordBytes(Layout layout) { return IsI386(layout) ? 4 : 8; }

// The forms of a T in the memory of i386 programs: its own, unless i386.h says otherwise. A form
// that is not T has Decode(form, T&) and Encode(T, form&); Encode is false where a value does not
// fit: EOVERFLOW.
template <typename T>
struct I386Form {
  using Narrow = T;
  using Wide = T;
};

// Calls `visit` with a null pointer of the type as which a T is stored in `layout`.
template <typename T, typename Visit>
constexpr auto VisitForm(Layout layout, Visit visit) {
  switch (layout) {
    case Layout::kI386:
      return visit(static_cast<typename I386Form<T>::Narrow*>(nullptr));
    case Layout::kI386Wide:
      return visit(static_cast<typename I386Form<T>::Wide*>(nullptr));
    case Layout::kX86_64:
      break;
  }
  return visit(static_cast<T*>(nullptr));
}

template <typename T>
constexpr std::uint64_t StoredBytes(Layout layout) {
  return VisitForm<std::remove_const_t<T>>(
      layout, []<typename Form>(Form*) { return std::uint64_t{sizeof(Form)}; });
}

}  // namespace glovebox::engine::abi
