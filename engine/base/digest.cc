#include "engine/base/digest.h"

#include <openssl/evp.h>

#include <utility>

#include "engine/base/check.h"

namespace glovebox {
namespace {

EVP_MD_CTX* Context(void* p) { return static_cast<EVP_MD_CTX*>(p); }

constexpr std::string_view kHexDigits = "0123456789abcdef";

}  // namespace

std::string HexOf(const Digest& digest) {
  std::string hex;
  hex.reserve(64);
  for (const std::uint8_t byte : digest.sha256) {
    hex.push_back(kHexDigits[byte >> 4]);
    hex.push_back(kHexDigits[byte & 15]);
  }
  return hex;
}

std::optional<Digest> DigestFromHex(std::string_view hex, std::uint64_t size_bytes) {
  if (hex.size() != 64) return std::nullopt;
  Digest digest;
  digest.size_bytes = size_bytes;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const std::size_t digit = kHexDigits.find(hex[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    std::uint8_t& byte = digest.sha256[i / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | digit);
  }
  return digest;
}

Digest DigestOf(std::span<const std::byte> bytes) {
  Hasher hasher;
  hasher.Update(bytes);
  return hasher.Finish();
}

Hasher::Hasher() : context_(EVP_MD_CTX_new()) {
  GB_CHECK(context_ != nullptr);
  GB_CHECK(EVP_DigestInit_ex(Context(context_), EVP_sha256(), nullptr) == 1);
}

Hasher::~Hasher() { EVP_MD_CTX_free(Context(context_)); }

Hasher::Hasher(Hasher&& other) noexcept
    : context_(std::exchange(other.context_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

Hasher& Hasher::operator=(Hasher&& other) noexcept {
  std::swap(context_, other.context_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

void Hasher::Update(std::span<const std::byte> bytes) {
  GB_CHECK(EVP_DigestUpdate(Context(context_), bytes.data(), bytes.size()) == 1);
  size_bytes_ += bytes.size();
}

Digest Hasher::Finish() {
  Digest digest;
  digest.size_bytes = std::exchange(size_bytes_, 0);
  GB_CHECK(EVP_DigestFinal_ex(Context(context_), digest.sha256.data(), nullptr) == 1);
  GB_CHECK(EVP_DigestInit_ex(Context(context_), EVP_sha256(), nullptr) == 1);
  return digest;
}

}  // namespace glovebox
