// Names of blobs: SHA-256 of their bytes, and their size.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace glovebox {

struct Digest {
  std::array<std::uint8_t, 32> sha256{};
  std::uint64_t size_bytes = 0;

  friend auto operator<=>(const Digest&, const Digest&) = default;
};

// 64 lower-case hexadecimal digits; the size is not part of it.
std::string HexOf(const Digest& digest);

// Empty unless `hex` is 64 lower-case hexadecimal digits.
std::optional<Digest> DigestFromHex(std::string_view hex, std::uint64_t size_bytes);

Digest DigestOf(std::span<const std::byte> bytes);

// SHA-256 of bytes that come in pieces. Not thread-safe.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void Update(std::span<const std::byte> bytes);
  // The digest of everything so far; afterwards the hasher is as new.
  Digest Finish();

 private:
  void* context_;  // EVP_MD_CTX
  std::uint64_t size_bytes_ = 0;
};

}  // namespace glovebox
