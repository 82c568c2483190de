// What we say to the user beside the output that was asked for: always on stderr, always with our
// name in front.
#pragma once

#include <string_view>

#include "client/invocation.h"
#include "engine/base/result.h"

namespace glovebox::client {

void Notice(const Invocation& invocation, std::string_view text);  // not with --quiet
void Warn(std::string_view text);
void PrintError(const Error& error);

}  // namespace glovebox::client
