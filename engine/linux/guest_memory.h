// Typed access to a guest's memory, as copy_from_user and copy_to_user.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>

#include "engine/base/errno.h"
#include "engine/base/result.h"
#include "engine/base/types.h"
#include "engine/linux/abi/i386_signal.h"
#include "engine/linux/abi/layout.h"
#include "engine/memory/address_space.h"

namespace glovebox::engine {

// An address that the guest says holds a T, in the form that `layout` has for it. Not
// dereferencable: GuestMemory copies.
template <typename T>
struct GuestPtr {
  GuestAddr address = 0;
  abi::Layout layout = abi::Layout::kX86_64;
  explicit operator bool() const { return address != 0; }
  // The element `index` of an array.
  GuestPtr operator+(std::uint64_t index) const {
    return {address + index * abi::StoredBytes<T>(layout), layout};
  }
};

class GuestMemory {
 public:
  explicit GuestMemory(AddressSpace& space) : space_(space) {}

  Result<void, Errno> ReadBytes(GuestAddr from, std::span<std::byte> out) {
    return space_.CopyIn(out, from) == out.size() ? Result<void, Errno>{} : Fault();
  }
  Result<void, Errno> WriteBytes(GuestAddr to, std::span<const std::byte> bytes) {
    return space_.CopyOut(to, bytes) == bytes.size() ? Result<void, Errno>{} : Fault();
  }
  // As much as can be accessed: for calls that stop half way.
  std::size_t ReadSome(GuestAddr from, std::span<std::byte> out) {
    const std::size_t done = space_.CopyIn(out, from);
    if (done != out.size()) static_cast<void>(Fault());
    return done;
  }
  std::size_t WriteSome(GuestAddr to, std::span<const std::byte> bytes) {
    const std::size_t done = space_.CopyOut(to, bytes);
    if (done != bytes.size()) static_cast<void>(Fault());
    return done;
  }

  template <typename T>
  Result<std::remove_const_t<T>, Errno> Read(GuestPtr<T> from) {
    using Value = std::remove_const_t<T>;
    static_assert(std::is_trivially_copyable_v<Value>);
    return abi::VisitForm<Value>(from.layout, [&]<typename Form>(Form*) -> Result<Value, Errno> {
      Form form;
      if (const auto ok = ReadBytes(from.address, std::as_writable_bytes(std::span(&form, 1)));
          !ok) {
        return std::unexpected(ok.error());
      }
      return FromForm<Value>(form);
    });
  }
  // Errors: EFAULT; EOVERFLOW where the pointer's layout cannot hold the value.
  template <typename T>
  Result<void, Errno> Write(GuestPtr<T> to, const std::type_identity_t<T>& value) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_const_v<T>);
    return abi::VisitForm<T>(to.layout, [&]<typename Form>(Form*) -> Result<void, Errno> {
      if constexpr (std::is_same_v<Form, T>) {
        return WriteBytes(to.address, std::as_bytes(std::span(&value, 1)));
      } else {
        Form form{};
        if (!Encode(value, form)) return std::unexpected(kEOVERFLOW);
        return WriteBytes(to.address, std::as_bytes(std::span(&form, 1)));
      }
    });
  }

  // What the bytes of a form say.
  template <typename T, typename Form>
  static T FromForm(const Form& form) {
    if constexpr (std::is_same_v<Form, T>) {
      return form;
    } else {
      T value{};
      Decode(form, value);
      return value;
    }
  }

  // Up to and without its NUL. Errors: EFAULT; `too_long` where no NUL is among the first
  // `max_bytes` bytes.
  Result<std::string, Errno> ReadString(GuestAddr from, std::size_t max_bytes, Errno too_long);

  // A copy ran into the box' memory limit: whoever runs the task ends the box, whatever the call
  // says.
  bool hit_memory_limit() const { return hit_memory_limit_; }

 private:
  Result<void, Errno> Fault() {
    if (space_.LastFault().kind == MemoryFaultKind::kMemoryLimit) hit_memory_limit_ = true;
    return std::unexpected(kEFAULT);
  }

  AddressSpace& space_;
  bool hit_memory_limit_ = false;
};

}  // namespace glovebox::engine
