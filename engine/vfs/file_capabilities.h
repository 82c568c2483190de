// Capabilities that a program's file gives: the attribute security.capability, capabilities(7),
// "File capabilities".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/vfs/capabilities.h"
#include "engine/vfs/inode.h"

namespace glovebox::engine {

inline constexpr std::string_view kFileCapabilitiesName = "security.capability";

struct FileCapabilities {
  CapabilitySet permitted = 0;
  CapabilitySet inheritable = 0;
  bool effective = false;
};

// What setxattr(2) keeps for `value`; empty: no such structure. Kernels of user name spaces note
// whose root they mean: that of the box is told without.
std::optional<std::string> KeptFileCapabilities(std::string value);

// Those of a file, empty: it has none, or they are meant for another root.
std::optional<FileCapabilities> FileCapabilitiesOf(const Inode& inode);

}  // namespace glovebox::engine
