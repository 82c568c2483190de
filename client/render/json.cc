#include "client/render/json.h"

#include <google/protobuf/util/json_util.h>

#include "engine/base/check.h"

namespace glovebox::client {

std::string ToJson(const google::protobuf::Message& message, JsonLayout layout) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = layout == JsonLayout::kIndented;
  options.always_print_primitive_fields = true;  // a script need not know which zeroes are left out
  std::string json;
  // Fails for malformed Any, Timestamp and the like only; parsed messages of ours carry none that
  // we did not check.
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) json = "{}";
  if (json.empty() || json.back() != '\n') json += '\n';
  return json;
}

}  // namespace glovebox::client
