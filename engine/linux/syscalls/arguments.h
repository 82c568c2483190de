// The types of system calls' arguments. A type knows how it is taken from a register and how it
// prints itself in a trace, so a call's signature is all that there is to say about it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/linux/guest_memory.h"
#include "engine/linux/trace.h"

namespace glovebox::engine {

struct Fd {
  int value;
};
// The first argument of the *at calls: a descriptor or AT_FDCWD.
struct DirFd {
  int value;
};
struct Size {
  std::uint64_t value;
};
struct Offset {
  std::int64_t value;
};
struct Address {
  GuestAddr value;
};
struct FileMode {
  std::uint32_t value;
};
struct Pid {
  int value;
};
struct Signal {
  int value;
};
struct Hex {
  std::uint64_t value;
};

using PathPtr = GuestPtr<const char>;

// A buffer that the call reads or fills; its length is the argument behind it. The guest sees bytes
// as text.
struct InBuffer {
  GuestAddr address;
};
struct OutBuffer {
  GuestAddr address;
};
// A buffer that gets a string with its NUL.
struct OutText {
  GuestAddr address;
};
// readv, writev: the count of the vectors is the argument behind it.
struct InVectors {
  GuestAddr address;
};
struct OutVectors {
  GuestAddr address;
};
// argv and envp.
struct StringArray {
  GuestAddr address;
};

// A name for the bits `value` under `mask`.
struct BitName {
  std::uint64_t mask;
  std::uint64_t value;
  std::string_view name;
};

// A set of named bits; what the table does not know prints as a number.
template <const auto& kNames>
struct Flags {
  std::uint64_t value;
  bool Has(std::uint64_t bits) const { return (value & bits) == bits; }
  bool HasOther(std::uint64_t known) const { return (value & ~known) != 0; }
};

// One of several named values.
template <const auto& kNames>
struct Choice {
  int value;
};

struct PrintContext {
  AddressSpace& memory;
  const RawArguments& arguments;
  bool finished = false;  // the call is over: `result` is valid, what it wrote is there
  std::int64_t result = 0;
};

// What a value of T looks like in a trace: a structure of the ABI, overloaded in describe.h.
std::string PrintBits(std::uint64_t value, const BitName* names, std::size_t count);
std::string PrintChoice(std::int64_t value, const BitName* names, std::size_t count);
std::string PrintHex(std::uint64_t value);
// Quoted, with escapes; cut after 128 characters.
std::string PrintText(std::string_view text);
std::string PrintPath(const PrintContext& context, GuestAddr address);
// At most 32 bytes, then "...".
std::string PrintBytes(const PrintContext& context, GuestAddr address, std::uint64_t size);
std::string PrintVectors(const PrintContext& context, GuestAddr address, std::uint64_t count,
                         bool show);
std::string PrintStrings(const PrintContext& context, GuestAddr address);
std::string PrintSignal(int signal);

// How T comes from a register and goes to a trace. `kAfter`: shows what the call wrote, so it is
// printed at its end.
template <typename T>
struct Argument;

template <typename T>
concept PlainInteger = std::is_integral_v<T>;

template <PlainInteger T>
struct Argument<T> {
  static constexpr bool kAfter = false;
  static T From(std::uint64_t raw) { return static_cast<T>(raw); }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return std::to_string(From(c.arguments[i]));
  }
};

template <typename T>
  requires requires(T t) { t.value; } && (!PlainInteger<T>)
struct Argument<T> {
  static constexpr bool kAfter = false;
  static T From(std::uint64_t raw) { return T{static_cast<decltype(T::value)>(raw)}; }
  static std::string Print(const PrintContext& c, std::size_t i);
};

std::string PrintValue(Fd v);
std::string PrintValue(DirFd v);
std::string PrintValue(Size v);
std::string PrintValue(Offset v);
std::string PrintValue(Address v);
std::string PrintValue(FileMode v);
std::string PrintValue(Pid v);
std::string PrintValue(Signal v);
std::string PrintValue(Hex v);
template <const auto& kNames>
std::string PrintValue(Flags<kNames> v) {
  return PrintBits(v.value, std::data(kNames), std::size(kNames));
}
template <const auto& kNames>
std::string PrintValue(Choice<kNames> v) {
  return PrintChoice(v.value, std::data(kNames), std::size(kNames));
}

template <typename T>
  requires requires(T t) { t.value; } && (!PlainInteger<T>)
std::string Argument<T>::Print(const PrintContext& c, std::size_t i) {
  return PrintValue(From(c.arguments[i]));
}

template <>
struct Argument<PathPtr> {
  static constexpr bool kAfter = false;
  static PathPtr From(std::uint64_t raw) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return PrintPath(c, c.arguments[i]);
  }
};

template <>
struct Argument<InBuffer> {
  static constexpr bool kAfter = false;
  static InBuffer From(std::uint64_t raw) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return PrintBytes(c, c.arguments[i], c.arguments[i + 1]);
  }
};

template <>
struct Argument<OutBuffer> {
  static constexpr bool kAfter = true;
  static OutBuffer From(std::uint64_t raw) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    if (c.result < 0) return PrintHex(c.arguments[i]);
    return PrintBytes(c, c.arguments[i], static_cast<std::uint64_t>(c.result));
  }
};

template <>
struct Argument<OutText> {
  static constexpr bool kAfter = true;
  static OutText From(std::uint64_t raw) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return c.result < 0 ? PrintHex(c.arguments[i]) : PrintPath(c, c.arguments[i]);
  }
};

template <>
struct Argument<InVectors> {
  static constexpr bool kAfter = false;
  static InVectors From(std::uint64_t raw) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return PrintVectors(c, c.arguments[i], c.arguments[i + 1], true);
  }
};

template <>
struct Argument<OutVectors> {
  static constexpr bool kAfter = true;
  static OutVectors From(std::uint64_t raw) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return PrintVectors(c, c.arguments[i], c.arguments[i + 1], c.result >= 0);
  }
};

template <>
struct Argument<StringArray> {
  static constexpr bool kAfter = false;
  static StringArray From(std::uint64_t raw) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return PrintStrings(c, c.arguments[i]);
  }
};

// Structures: `const T` is read by the call, T is written by it. Those without a Describe print
// their address.
template <typename T>
struct Argument<GuestPtr<T>> {
  static constexpr bool kAfter = !std::is_const_v<T>;
  static GuestPtr<T> From(std::uint64_t raw) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    const GuestAddr address = c.arguments[i];
    if (address == 0) return "NULL";
    if constexpr (requires(std::remove_const_t<T> value) { Describe(value); }) {
      std::remove_const_t<T> value;
      const auto bytes = std::as_writable_bytes(std::span(&value, 1));
      if ((!kAfter || c.result >= 0) && c.memory.CopyIn(bytes, address) == bytes.size())
        return Describe(value);
    }
    return PrintHex(address);
  }
};

}  // namespace glovebox::engine
