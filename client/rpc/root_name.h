// Names of root file systems: "debian" on the command line is "roots/debian" on the wire.
#pragma once

#include <string>
#include <string_view>

namespace glovebox::client {

inline constexpr std::string_view kRootPrefix = "roots/";

inline std::string RootResource(std::string_view text) {
  return text.starts_with(kRootPrefix) ? std::string(text) : std::string(kRootPrefix).append(text);
}

inline std::string_view RootName(std::string_view resource) {
  return resource.starts_with(kRootPrefix) ? resource.substr(kRootPrefix.size()) : resource;
}

}  // namespace glovebox::client
