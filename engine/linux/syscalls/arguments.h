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
// A position or a length in a file: loff_t. In registers of 32 bits it takes two, low half first,
// but in the first generation of calls one, sign-extended.
struct Offset {
  std::int64_t value;
};
// The position of preadv(2) and its kin, two registers on every ABI: 64-bit ones ignore the second.
struct SplitOffset {
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
// A signed `long` of the ABI.
struct GuestLong {
  std::int64_t value;
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
  GuestPtr<const abi::Iovec> first;
};
struct OutVectors {
  GuestPtr<const abi::Iovec> first;
};
// argv and envp: pointers to strings, up to a null one.
struct StringArray {
  GuestPtr<const abi::Word> first;
};
// A user's or a group's number; ~0 for "leave it".
struct Id {
  std::uint32_t value;
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
  const RawArguments& arguments;  // one each, as TakeArgument made them
  abi::Layout layout = abi::Layout::kX86_64;
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
std::string PrintVectors(const PrintContext& context, GuestPtr<const abi::Iovec> first,
                         std::uint64_t count, bool show);
std::string PrintStrings(const PrintContext& context, GuestPtr<const abi::Word> first);
std::string PrintSignal(int signal);

// The registers of a call, read from the front.
class RegisterReader {
 public:
  explicit RegisterReader(const RawArguments& registers) : registers_(registers) {}
  std::uint64_t Next() { return at_ < registers_.size() ? registers_[at_++] : 0; }

 private:
  const RawArguments& registers_;
  std::size_t at_ = 0;
};

// The value of an argument of type T: of one register, but for what needs more.
template <typename T>
std::uint64_t TakeArgument(RegisterReader& registers, abi::Layout) {
  return registers.Next();
}
template <>
inline std::uint64_t TakeArgument<Offset>(RegisterReader& registers, abi::Layout layout) {
  const std::uint64_t low = registers.Next();
  switch (layout) {
    case abi::Layout::kI386:
      return static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(low)));
    case abi::Layout::kI386Wide:
      return low | registers.Next() << 32;
    case abi::Layout::kX86_64:
      break;
  }
  return low;
}
template <>
inline std::uint64_t TakeArgument<GuestLong>(RegisterReader& registers, abi::Layout layout) {
  const std::uint64_t word = registers.Next();
  if (!abi::IsI386(layout)) return word;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(word)));
}
template <>
inline std::uint64_t TakeArgument<SplitOffset>(RegisterReader& registers, abi::Layout layout) {
  const std::uint64_t low = registers.Next();
  const std::uint64_t high = registers.Next();
  return abi::IsI386(layout) ? low | high << 32 : low;
}
template <>
inline std::uint64_t TakeArgument<Id>(RegisterReader& registers, abi::Layout layout) {
  const std::uint64_t id = registers.Next();
  return layout == abi::Layout::kI386 ? abi::i386::WidenId(static_cast<std::uint32_t>(id)) : id;
}

// How T comes from its value and goes to a trace. `kAfter`: shows what the call wrote, so it is
// printed at its end.
template <typename T>
struct Argument;

template <typename T>
concept PlainInteger = std::is_integral_v<T>;

template <PlainInteger T>
struct Argument<T> {
  static constexpr bool kAfter = false;
  static T From(std::uint64_t raw, abi::Layout) { return static_cast<T>(raw); }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return std::to_string(From(c.arguments[i], c.layout));
  }
};

template <typename T>
  requires requires(T t) { t.value; } && (!PlainInteger<T>)
struct Argument<T> {
  static constexpr bool kAfter = false;
  static T From(std::uint64_t raw, abi::Layout) { return T{static_cast<decltype(T::value)>(raw)}; }
  static std::string Print(const PrintContext& c, std::size_t i);
};

std::string PrintValue(Fd v);
std::string PrintValue(DirFd v);
std::string PrintValue(Size v);
std::string PrintValue(Offset v);
std::string PrintValue(SplitOffset v);
std::string PrintValue(Id v);
std::string PrintValue(Address v);
std::string PrintValue(FileMode v);
std::string PrintValue(Pid v);
std::string PrintValue(GuestLong v);
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
  return PrintValue(From(c.arguments[i], c.layout));
}

template <>
struct Argument<PathPtr> {
  static constexpr bool kAfter = false;
  static PathPtr From(std::uint64_t raw, abi::Layout) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return PrintPath(c, c.arguments[i]);
  }
};

template <>
struct Argument<InBuffer> {
  static constexpr bool kAfter = false;
  static InBuffer From(std::uint64_t raw, abi::Layout) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return PrintBytes(c, c.arguments[i], c.arguments[i + 1]);
  }
};

template <>
struct Argument<OutBuffer> {
  static constexpr bool kAfter = true;
  static OutBuffer From(std::uint64_t raw, abi::Layout) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    if (c.result < 0) return PrintHex(c.arguments[i]);
    return PrintBytes(c, c.arguments[i], static_cast<std::uint64_t>(c.result));
  }
};

template <>
struct Argument<OutText> {
  static constexpr bool kAfter = true;
  static OutText From(std::uint64_t raw, abi::Layout) { return {raw}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return c.result < 0 ? PrintHex(c.arguments[i]) : PrintPath(c, c.arguments[i]);
  }
};

template <>
struct Argument<InVectors> {
  static constexpr bool kAfter = false;
  static InVectors From(std::uint64_t raw, abi::Layout layout) { return {{raw, layout}}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return PrintVectors(c, {c.arguments[i], c.layout}, c.arguments[i + 1], true);
  }
};

template <>
struct Argument<OutVectors> {
  static constexpr bool kAfter = true;
  static OutVectors From(std::uint64_t raw, abi::Layout layout) { return {{raw, layout}}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return PrintVectors(c, {c.arguments[i], c.layout}, c.arguments[i + 1], c.result >= 0);
  }
};

template <>
struct Argument<StringArray> {
  static constexpr bool kAfter = false;
  static StringArray From(std::uint64_t raw, abi::Layout layout) { return {{raw, layout}}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    return PrintStrings(c, {c.arguments[i], c.layout});
  }
};

// Structures: `const T` is read by the call, T is written by it. Those without a Describe print
// their address.
template <typename T>
struct Argument<GuestPtr<T>> {
  static constexpr bool kAfter = !std::is_const_v<T>;
  static GuestPtr<T> From(std::uint64_t raw, abi::Layout layout) { return {raw, layout}; }
  static std::string Print(const PrintContext& c, std::size_t i) {
    const GuestAddr address = c.arguments[i];
    if (address == 0) return "NULL";
    if constexpr (requires(std::remove_const_t<T> value) { Describe(value); }) {
      if (!kAfter || c.result >= 0) {
        GuestMemory memory(c.memory);
        if (const auto value = memory.Read(From(address, c.layout))) return Describe(*value);
      }
    }
    return PrintHex(address);
  }
};

}  // namespace glovebox::engine
