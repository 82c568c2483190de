#include "gdbstub/handlers/process.h"

#include <fmt/format.h>

#include <algorithm>

#include "gdbstub/hex.h"
#include "gdbstub/signals.h"

namespace glovebox::gdbstub {
namespace {

constexpr std::size_t kMaxArguments = 4096;
constexpr std::size_t kMaxVariables = 4096;

Reply KillOne(Conversation& c, std::uint32_t pid) {
  const auto killed = c.debuggee.Kill(pid);
  if (!killed) return Reply::Refused(killed.error());
  c.ForgetProcess(pid);
  return Reply::Ok();
}

// Outside the extended mode a conversation is about one run.
void CloseIfOver(Conversation& c) {
  if (c.debuggee.Processes().empty() && !c.extended) c.closed = true;
}

}  // namespace

Reply OnKillAll(Conversation& c, const Arguments&) {
  for (const ProcessInfo& process : c.debuggee.Processes()) {
    static_cast<void>(KillOne(c, process.pid));
  }
  c.running = c.launching = false;
  if (!c.extended) c.closed = true;
  // lldb waits for the end that it asked for; gdb waits for nothing.
  return c.thread_suffix ? Reply::Text(fmt::format("X{:02x}", kLinuxSigkill)) : Reply::None();
}

Reply OnKill(Conversation& c, const Arguments& arguments) {
  const Reply reply = KillOne(c, static_cast<std::uint32_t>(arguments.number(0)));
  if (c.debuggee.Processes().empty()) c.running = c.launching = false;
  return reply;
}

Reply OnDetach(Conversation& c, const Arguments& arguments) {
  bool found = false;
  for (const ProcessInfo& process : c.debuggee.Processes()) {
    if (arguments.number_count() > 0 && process.pid != arguments.number(0)) continue;
    const auto detached = c.debuggee.Detach(process.pid, 0);
    if (!detached) return Reply::Refused(detached.error());
    c.ForgetProcess(process.pid);
    found = true;
  }
  if (!found) return Reply::Error(engine::kESRCH);
  CloseIfOver(c);
  return Reply::Ok();
}

Reply OnAttached(Conversation& c, const Arguments& arguments) {
  const auto process = arguments.number_count() > 0
                           ? c.Process(static_cast<std::int64_t>(arguments.number(0)))
                           : c.CurrentProcess();
  if (!process) return Reply::Refused(process.error());
  return Reply::Text(c.launched.contains(process->pid) ? "0" : "1");
}

// "FILE;ARG;ARG", each in hexadecimal digits. An empty file: that of the last vRun that began (a
// second inferior of gdb's has no exec-file yet), before any the job's own.
Reply OnRun(Conversation& c, const Arguments& arguments) {
  LaunchRequest request = c.launch.request;
  std::vector<std::string> words;
  std::string_view rest = arguments.text(0);
  while (true) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    auto word = ParseHexText(rest.substr(0, end));
    if (!word || word->find('\0') != std::string::npos) return Reply::Error(engine::kEINVAL);
    if (words.size() == kMaxArguments) return Reply::Error(engine::kE2BIG);
    words.push_back(std::move(*word));
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  request.program = words[0].empty() ? c.launch.begun : words[0];
  request.arguments.assign(words.begin() + 1, words.end());
  request.environment_set.assign(c.launch.set.begin(), c.launch.set.end());
  request.environment_unset.assign(c.launch.unset.begin(), c.launch.unset.end());
  const auto launched = c.debuggee.process_control()->Launch(request);
  if (!launched) return Reply::Refused(launched.error());
  c.launch.request = std::move(request);
  c.running = c.launching = true;
  return Reply::Later();
}

Reply OnAttach(Conversation& c, const Arguments& arguments) {
  const auto attached =
      c.debuggee.process_control()->Attach(static_cast<std::uint32_t>(arguments.number(0)));
  if (!attached) return Reply::Refused(attached.error());
  if (c.non_stop) return Reply::Ok();
  c.running = true;
  return Reply::Later();
}

Reply OnDisableRandomization(Conversation& c, const Arguments& arguments) {
  c.launch.request.randomize_addresses = arguments.number(0) == 0;
  return Reply::Ok();
}

// Words come one by one, and there is no shell that would do anything about them; gdb asks for one
// by default, and would not run anything if it were refused.
Reply OnStartupWithShell(Conversation&, const Arguments&) { return Reply::Ok(); }

Reply OnEnvironmentSet(Conversation& c, const Arguments& arguments) {
  const std::string& text = arguments.text(0);
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos || text.find('\0') != std::string::npos) {
    return Reply::Error(engine::kEINVAL);
  }
  if (c.launch.set.size() >= kMaxVariables) return Reply::Error(engine::kE2BIG);
  const std::string name = text.substr(0, equals);
  c.launch.set[name] = text.substr(equals + 1);
  c.launch.unset.erase(name);
  return Reply::Ok();
}

Reply OnEnvironmentUnset(Conversation& c, const Arguments& arguments) {
  const std::string& name = arguments.text(0);
  if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos) {
    return Reply::Error(engine::kEINVAL);
  }
  if (c.launch.unset.size() >= kMaxVariables) return Reply::Error(engine::kE2BIG);
  c.launch.set.erase(name);
  c.launch.unset.insert(name);
  return Reply::Ok();
}

Reply OnEnvironmentReset(Conversation& c, const Arguments&) {
  c.launch.set.clear();
  c.launch.unset.clear();
  return Reply::Ok();
}

Reply OnSetWorkingDirectory(Conversation& c, const Arguments& arguments) {
  std::string directory = arguments.text_count() > 0 ? arguments.text(0) : std::string();
  if (directory.find('\0') != std::string::npos) return Reply::Error(engine::kEINVAL);
  c.launch.request.working_directory = std::move(directory);
  return Reply::Ok();
}

}  // namespace glovebox::gdbstub
