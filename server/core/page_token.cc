#include "server/core/page_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cstddef>
#include <random>
#include <utility>

#include "engine/base/check.h"
#include "server/store/job_store.h"

namespace glovebox::server {
namespace {

constexpr std::size_t kPageKeyBytes = 32;
constexpr const char* kPageKey = "page_token_key";
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

Result<std::string, Error> LoadPageKey(JobStore& store) {
  auto key = store.reader().FindMeta(kPageKey);
  if (!key) return std::unexpected(key.error());
  if (*key) return std::move(**key);
  std::random_device random;
  std::string made;
  for (std::size_t i = 0; i < kPageKeyBytes; ++i) made.push_back(static_cast<char>(random()));
  const auto put =
      store.Commit([made](Transaction& transaction) { return transaction.PutMeta(kPageKey, made); },
                   Durability::kPower);
  if (!put) return std::unexpected(put.error());
  return made;
}

std::string SealPageToken(std::string_view key, std::string_view filter, std::string_view last_id) {
  return std::string(last_id) + Seal(key, filter, last_id);
}

std::optional<std::string> OpenPageToken(std::string_view key, std::string_view filter,
                                         std::string_view token) {
  if (token.size() <= kSealDigits) return std::nullopt;
  const std::string_view last = token.substr(0, token.size() - kSealDigits);
  const std::string seal = Seal(key, filter, last);
  if (CRYPTO_memcmp(seal.data(), token.data() + last.size(), kSealDigits) != 0) return std::nullopt;
  return std::string(last);
}

}  // namespace glovebox::server
