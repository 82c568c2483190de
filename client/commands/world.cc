// glovebox world: the table of what guests find, from engine/linux/world.h. Asks no server.
#include "engine/linux/world.h"

#include <fmt/core.h>
#include <google/protobuf/struct.pb.h>

#include "client/commands/command.h"
#include "client/render/json.h"
#include "client/render/table.h"

namespace glovebox::client {
namespace {

constexpr std::size_t kReasonWidth = 76;

std::string WorldJson() {
  google::protobuf::Struct world;
  auto& rows = *(*world.mutable_fields())["world"].mutable_list_value();
  for (const engine::WorldRow& row : engine::kWorld) {
    auto& fields = *rows.add_values()->mutable_struct_value()->mutable_fields();
    fields["name"].set_string_value(std::string(row.name));
    fields["value"].set_string_value(std::string(row.value));
    fields["overridable"].set_bool_value(row.overridable());
    fields["reason"].set_string_value(std::string(row.reason));
  }
  return ToJson(world, JsonLayout::kIndented);
}

std::string WorldText() {
  std::string text;
  for (const engine::WorldRow& row : engine::kWorld) {
    text += fmt::format("{} = {}{}\n", row.name, row.value, row.overridable() ? "  (--world)" : "");
    text += Wrapped(row.reason, kReasonWidth, "    ");
  }
  return text;
}

}  // namespace

Action DeclareWorld(CLI::App& app) {
  app.footer(
      "What a guest can observe and no program of its own decided. Rows with (--world) can be set "
      "for\n"
      "a job by `glovebox run --world NAME=VALUE`.\n\n"
      "Examples:\n"
      "  glovebox world\n"
      "  glovebox run --world hostname=build-7 -- /bin/busybox hostname\n");
  return [](const Invocation& invocation) -> Result<int, Error> {
    fmt::print("{}", invocation.format == OutputFormat::kJson ? WorldJson() : WorldText());
    return 0;
  };
}

}  // namespace glovebox::client
