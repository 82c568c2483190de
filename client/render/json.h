// The JSON view of everything: the proto's own mapping, nothing of ours.
#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace glovebox::client {

enum class JsonLayout : std::uint8_t {
  kIndented,  // one document
  kOneLine,   // one of a stream of documents, a line each
};

// Ends with a line feed.
std::string ToJson(const google::protobuf::Message& message, JsonLayout layout);

}  // namespace glovebox::client
