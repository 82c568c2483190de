// How gdb is started for a job.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace glovebox::client {

struct GdbTarget {
  std::string server;
  std::string job;
  // The box does not answer at once: a queued job, or a replay that runs to where it stands.
  bool waits = false;
  std::optional<std::uint64_t> at_icount = {};  // of a replay
};

// gdb's words: it joins the job through `glovebox gdb-pipe`, reads files out of the box, and leaves
// its breakpoints in while the guest stands (they cost nothing there, and packets here). `more`
// goes to gdb as it is.
std::vector<std::string> GdbCommand(const std::string& gdb, const std::string& glovebox,
                                    const GdbTarget& target, std::span<const std::string> more);

// For a shell.
std::string Quoted(std::string_view word);
std::string ShellLine(std::span<const std::string> words);

// The path of this very program.
std::string OwnPath();

}  // namespace glovebox::client
