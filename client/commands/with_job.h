// What the verbs about one job have in common: the argument JOB, the connection, the full name.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "client/commands/command.h"
#include "client/rpc/connection.h"
#include "client/rpc/job_name.h"

namespace glovebox::client {

using JobAction =
    std::function<Result<int, Error>(const Connection&, const std::string& job, const Invocation&)>;

inline Action DeclareWithJob(CLI::App& app, JobAction action) {
  const auto text = std::make_shared<std::string>();
  app.add_option("JOB", *text, "Job id, with or without \"jobs/\", or as much of it as is unique")
      ->required();
  return [text, action = std::move(action)](const Invocation& invocation) -> Result<int, Error> {
    const auto connection = Connection::Open(invocation);
    if (!connection) return std::unexpected(connection.error());
    const auto name = ResolveJobName(connection->jobs(), *text);
    if (!name) return std::unexpected(name.error());
    return action(*connection, *name, invocation);
  };
}

}  // namespace glovebox::client
