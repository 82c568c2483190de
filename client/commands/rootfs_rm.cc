// glovebox rootfs rm: a root's name taken away.
#include <memory>

#include "client/commands/command.h"
#include "client/rpc/call.h"
#include "client/rpc/connection.h"
#include "client/rpc/root_name.h"

namespace glovebox::client {

Action DeclareRootfsRm(CLI::App& app) {
  const auto names = std::make_shared<std::vector<std::string>>();
  app.add_option("NAME", *names, "Names, as `glovebox rootfs ls` prints them")->required();
  app.footer(
      "Jobs that use the root keep it.\n\n"
      "Example:\n  glovebox rootfs rm debian\n");
  return [names](const Invocation& invocation) -> Result<int, Error> {
    const auto connection = Connection::Open(invocation);
    if (!connection) return std::unexpected(connection.error());
    for (const std::string& name : *names) {
      v1::DeleteRootRequest request;
      request.set_name(RootResource(name));
      const auto done =
          Call(connection->roots(), &v1::RootService::StubInterface::DeleteRoot, request);
      if (!done) return std::unexpected(done.error());
    }
    return 0;
  };
}

}  // namespace glovebox::client
