// A debugger that runs the box' program again: what ends for it, what is held, what is made.
#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/linux/debugger.h"
#include "engine/linux/exit.h"
#include "engine/linux/process_table.h"

namespace glovebox::engine {

using Kind = DebugEvent::Kind;

namespace {

constexpr ExitStatus kKilled{.code = 0, .signal = kSIGKILL};

// Between two slices: calls that are under way are nobody's any more.
void EndNow(Process& process) {
  for (Task* const thread : process.threads) thread->call.reset();
  EndProcess(process, kKilled);
}

}  // namespace

void Debugger::EndKilled() {
  for (const std::uint32_t pid : std::set(killed_)) {
    Process* const process = kernel_.processes().FindProcess(static_cast<int>(pid));
    if (process != nullptr && !process->ended && !kernel_.ended()) EndNow(*process);
  }
  killed_.clear();
}

void Debugger::EndEverything() {
  ProcessTable& table = kernel_.processes();
  std::vector<std::uint32_t> pids;
  for (const auto& [id, task] : table.tasks()) {
    task->debug.reset();
    if (task->process.pid == id && id != kInitPid) pids.push_back(id);
  }
  processes_.clear();
  events_.clear();
  for (const std::uint32_t pid : pids) {
    // Its parent's end may have taken it away.
    Process* const process = table.FindProcess(static_cast<int>(pid));
    if (process != nullptr && !process->ended) EndNow(*process);
  }
  for (Process* const child : std::vector(table.FindProcess(kInitPid)->children)) {
    if (IsWaitable(*child)) Reap(*child);
  }
}

Result<void, Errno> Debugger::Launch(const DebugLaunch& launch) {
  EndKilled();
  if (kernel_.ended()) return std::unexpected(kESRCH);
  const bool again = held_.has_value();
  if (again) EndEverything();
  const auto task = launcher_.Make(launch, again);
  if (!task) return std::unexpected(task.error());
  DebugChange change{.kind = DebugChange::Kind::kLaunch};
  change.launch = std::make_shared<DebugLaunch>(launch);
  Changed(std::move(change));
  deadlock_told_ = false;
  if (again) {
    first_pid_ = (*task)->process.pid;
    before_ = std::exchange(held_, std::nullopt);
  }
  const auto attached = Attach((*task)->process.pid);
  // It is the answer, whatever else has happened and was not told yet.
  if (attached) std::ranges::rotate(events_, std::prev(events_.end()));
  return attached;
}

void Debugger::HoldEnd(bool on) {
  holds_ = on;
  if (!on && held_) kernel_.End(*std::exchange(held_, std::nullopt));
}

bool Debugger::EndsBox(const Process& process, const ExitStatus& status) {
  if (process.pid != first_pid_ || held_) return false;
  if (!holds_ || (!processes_.contains(first_pid_) && !killed_.contains(first_pid_))) return true;
  NoteBoxEnd(status);
  held_ = TerminationOf(status);
  for (Task* const thread : process.threads) thread->debug.reset();
  return false;
}

void Debugger::TellNotStarted(Task& task, Errno error, const std::string& why) {
  const ThreadId id = IdOf(task);
  processes_.erase(id.pid);
  std::erase_if(events_, [&](const DebugEvent& event) { return event.thread == id; });
  task.debug.reset();
  if (id.pid == first_pid_) held_ = before_;
  events_.push_front({.kind = Kind::kNotStarted, .thread = id, .code = error, .path = why});
  told_ = false;
}

}  // namespace glovebox::engine
