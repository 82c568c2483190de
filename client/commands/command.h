// A verb of the command line: one row of the table, one file beside this one.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "client/invocation.h"
#include "engine/base/result.h"

namespace glovebox::client {

// What a verb does once its options are parsed. Returns our exit status.
using Action = std::function<Result<int, Error>(const Invocation&)>;

struct CommandRow {
  std::string_view group;  // "job" in `glovebox job ls`, or empty
  std::string_view name;
  std::string_view summary;  // one line, in the list of verbs
  // Declares options and adds to the help text.
  Action (*declare)(CLI::App& app);
  bool takes_command = false;  // CMD ARGS... follow the options, into Invocation::command
  int error_status =
      1;  // our exit status when it returns an error, and (where not 1) for wrong options
  std::string_view command = "[--] CMD [ARGS...]";  // in the usage, with takes_command
};

struct GroupRow {
  std::string_view name;
  std::string_view summary;
};

std::span<const CommandRow> Commands();
std::span<const GroupRow> Groups();

Action DeclareRun(CLI::App& app);
Action DeclareJobSubmit(CLI::App& app);
Action DeclareJobLs(CLI::App& app);
Action DeclareJobShow(CLI::App& app);
Action DeclareJobWait(CLI::App& app);
Action DeclareJobWatch(CLI::App& app);
Action DeclareJobCancel(CLI::App& app);
Action DeclareJobRm(CLI::App& app);
Action DeclareGdb(CLI::App& app);
Action DeclareGdbPipe(CLI::App& app);
Action DeclareCore(CLI::App& app);
Action DeclareLogs(CLI::App& app);
Action DeclareTrace(CLI::App& app);
Action DeclareRootfsImport(CLI::App& app);
Action DeclareRootfsLs(CLI::App& app);
Action DeclareRootfsRm(CLI::App& app);
Action DeclareWorld(CLI::App& app);
Action DeclareHealth(CLI::App& app);
Action DeclareVersion(CLI::App& app);

}  // namespace glovebox::client
