#include "server/core/page_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstddef>

#include "engine/base/check.h"
#include "server/core/job_id.h"

namespace glovebox::server {
namespace {

constexpr std::size_t kSealDigits = 32;  // 128 bits of the HMAC, in hexadecimal

std::string Seal(std::string_view key, std::string_view filter, std::string_view last_id) {
  std::string text("glovebox page token 1\n");
  text.append(last_id).append("\n").append(filter);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  GB_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(),
                &size) != nullptr);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string seal;
  for (std::size_t i = 0; i < kSealDigits / 2; ++i) {
    seal.push_back(kHex[mac[i] >> 4]);
    seal.push_back(kHex[mac[i] & 15]);
  }
  return seal;
}

}  // namespace

std::string SealPageToken(std::string_view key, std::string_view filter, std::string_view last_id) {
  return std::string(last_id) + Seal(key, filter, last_id);
}

std::optional<std::string> OpenPageToken(std::string_view key, std::string_view filter,
                                         std::string_view token) {
  if (token.size() != kJobIdLength + kSealDigits) return std::nullopt;
  const std::string_view id = token.substr(0, kJobIdLength);
  const std::string seal = Seal(key, filter, id);
  if (!IsJobId(id) || CRYPTO_memcmp(seal.data(), token.data() + kJobIdLength, kSealDigits) != 0) {
    return std::nullopt;
  }
  return std::string(id);
}

}  // namespace glovebox::server
