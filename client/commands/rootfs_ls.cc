// glovebox rootfs ls: root file systems, by name.
#include <fmt/core.h>

#include "client/commands/command.h"
#include "client/render/job.h"
#include "client/render/json.h"
#include "client/render/table.h"
#include "client/render/units.h"
#include "client/rpc/call.h"
#include "client/rpc/connection.h"
#include "client/rpc/root_name.h"

namespace glovebox::client {
namespace {

constexpr std::uint32_t kPageSize = 1'000;

Result<v1::ListRootsResponse, Error> ListAll(v1::RootService::StubInterface& service) {
  v1::ListRootsResponse all;
  v1::ListRootsRequest request;
  request.set_page_size(kPageSize);
  do {
    const auto page = Call(service, &v1::RootService::StubInterface::ListRoots, request);
    if (!page) return std::unexpected(page.error());
    all.mutable_roots()->MergeFrom(page->roots());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return all;
}

Result<int, Error> List(const Invocation& invocation) {
  const auto connection = Connection::Open(invocation);
  if (!connection) return std::unexpected(connection.error());
  const auto all = ListAll(connection->roots());
  if (!all) return std::unexpected(all.error());
  if (invocation.format == OutputFormat::kJson) {
    fmt::print("{}", ToJson(*all, JsonLayout::kIndented));
    return 0;
  }
  std::vector<std::vector<std::string>> rows{{"NAME", "SIZE", "BLOBS", "CREATED", "TREE"}};
  for (const v1::Root& root : all->roots()) {
    rows.push_back({std::string(RootName(root.name())), BytesText(root.size_bytes()),
                    CountText(root.blobs()), TimeText(root.create_time()),
                    root.tree().sha256().substr(0, 12)});
  }
  fmt::print("{}", Columns(rows));
  return 0;
}

}  // namespace

Action DeclareRootfsLs(CLI::App&) { return List; }

}  // namespace glovebox::client
