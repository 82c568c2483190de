// Page tokens: where the next page starts, sealed with a key of the store, so that a token from
// elsewhere, of another filter or made up is told apart from ours.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace glovebox::server {

class JobStore;

// The key of this store's tokens, made at its first start.
Result<std::string, Error> LoadPageKey(JobStore& store);

// `filter`: everything that the pages of one listing have in common. Returns: characters that are
// safe in a URL.
std::string SealPageToken(std::string_view key, std::string_view filter, std::string_view last_id);

// The id or name after which the page starts; empty unless the token was sealed with this key for
// this filter.
std::optional<std::string> OpenPageToken(std::string_view key, std::string_view filter,
                                         std::string_view token);

}  // namespace glovebox::server
