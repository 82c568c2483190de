#include "engine/linux/deadlock.h"

#include <vector>

#include "engine/linux/process_table.h"
#include "engine/linux/syscalls/table.h"
#include "engine/vfs/resolve.h"

namespace glovebox::engine {
namespace {

constexpr std::size_t kMaxTasks = 64;  // told one by one

// What a descriptor leads to: "<pipe:[7]>", "</tmp/lock>".
std::string DescribeFile(const Task& task, int fd) {
  const auto file = task.fd_table ? task.fds().Get(fd) : nullptr;
  if (!file) return {};
  const PathRef& path = file->path();
  const std::string nameless = path.inode->NamelessText();
  return "<" + (nameless.empty() ? DisplayPath(task.kernel.files().root(), path) : nameless) + ">";
}

// The call as strace(1) shows one that has not come back: what it writes is left out.
std::string DescribeCall(Task& task, const CallInFlight& call) {
  if (call.row == nullptr || call.row->entry.print == nullptr || !task.program) return "a call";
  std::vector<std::string> printed;
  call.row->entry.print({task.space(), call.arguments, call.layout, false, 0}, printed);
  if (call.row->entry.starts_with_fd && !printed.empty())
    printed.front() += DescribeFile(task, static_cast<int>(call.arguments.front()));
  std::string text = std::string(call.row->name) + "(";
  for (std::size_t i = 0; i < printed.size(); ++i)
    text += (i == 0 ? "" : ", ") + (printed[i].empty() ? "..." : printed[i]);
  return text + ")";
}

std::string DescribeTask(Task& task) {
  const std::string name = "task " + std::to_string(task.tid) + " (" + task.command + ")";
  if (ptrace::InStop(task)) {
    const Task* const tracer = task.tracing->tracer;
    return name + " is stopped for its tracer, task " + std::to_string(tracer->tid);
  }
  if (task.process.stop_signal != 0)
    return name + " was stopped by " + SignalName(task.process.stop_signal);
  return name + " waits in " + (task.call ? DescribeCall(task, *task.call) : "?");
}

}  // namespace

std::string DescribeDeadlock(Kernel& kernel) {
  std::string text;
  std::size_t told = 0;
  for (const auto& [id, task] : kernel.processes().tasks()) {
    if (task->scheduling.state == Scheduling::State::kEnded) continue;
    if (++told <= kMaxTasks) text += (text.empty() ? "" : "; ") + DescribeTask(*task);
  }
  if (told > kMaxTasks) text += "; and " + std::to_string(told - kMaxTasks) + " tasks more";
  return text + "; no timer, signal or other task can end that";
}

}  // namespace glovebox::engine
