#include "engine/linux/process_table.h"

#include <algorithm>

namespace glovebox::engine {
namespace {

// No task may be added to so many (process 1 does not count). The job's first is there whatever the
// limit: as RLIMIT_NPROC, it keeps others from being made.
bool IsFull(std::size_t tasks, const Kernel& kernel) {
  return tasks > std::max<std::uint64_t>(1, kernel.spec.limits[LimitId::kTasks]);
}

}  // namespace

ProcessTable::~ProcessTable() {
  for (const auto& [id, task] : tasks_) {
    task->call.reset();
    task->tracing.reset();
    task->fd_table.reset();
    task->fs_context.reset();
    task->program.reset();
    task->process.timers.RemoveAll();
  }
}

std::uint32_t ProcessTable::NextId() {
  if (tasks_.size() + 2 >= kMaxId) return 0;
  constexpr std::uint32_t kFirstReused = 300;  // as Linux: RESERVED_PIDS, kernel/pid.c
  while (true) {
    if (next_id_ >= kMaxId) next_id_ = kFirstReused;
    const std::uint32_t id = next_id_++;
    if (!tasks_.contains(id)) return id;
  }
}

std::shared_ptr<Task> ProcessTable::AddFirst(Kernel& kernel) {
  const auto init = AddProcess(kernel, nullptr);
  init->command = "glovebox";
  init->credentials = Credentials::Of(0, 0);
  init->fd_table.reset();
  init->fs_context.reset();
  // That of SIGCHLD leaves no zombies.
  Sigaction ignored{};
  ignored.handler = kHandlerIgnore;
  for (int signal = 1; signal <= kSignalCount; ++signal)
    init->signals.handlers().Set(signal, ignored);
  auto first = AddProcess(kernel, &init->process);
  first->process.group = first->process.pid;
  first->process.exit_signal = kSIGCHLD;
  return first;
}

std::shared_ptr<Task> ProcessTable::AddProcess(Kernel& kernel, Process* parent) {
  if (IsFull(tasks_.size(), kernel)) return nullptr;
  const std::uint32_t id = NextId();
  if (id == 0) return nullptr;
  auto process = std::make_shared<Process>(kernel, id, parent);
  auto task = std::make_shared<Task>(kernel, std::move(process), id);
  tasks_.emplace(id, task);
  return task;
}

std::shared_ptr<Task> ProcessTable::AddThread(const Task& like) {
  if (IsFull(tasks_.size(), like.kernel)) return nullptr;
  const std::uint32_t id = NextId();
  if (id == 0) return nullptr;
  auto task = std::make_shared<Task>(like.kernel, like.shared_process(), id);
  tasks_.emplace(id, task);
  return task;
}

Task* ProcessTable::FindTask(int tid) const {
  const auto found = tid > 0 ? tasks_.find(static_cast<std::uint32_t>(tid)) : tasks_.end();
  return found == tasks_.end() ? nullptr : found->second.get();
}

Process* ProcessTable::FindProcess(int pid) const {
  Task* const task = FindTask(pid);
  return task != nullptr && task->process.pid == task->tid ? &task->process : nullptr;
}

std::shared_ptr<Task> ProcessTable::Share(int tid) const {
  return FindTask(tid) != nullptr ? tasks_.at(static_cast<std::uint32_t>(tid)) : nullptr;
}

void ProcessTable::Rename(Task& task, std::uint32_t id) {
  auto node = tasks_.extract(task.tid);
  node.key() = task.tid = id;
  tasks_.insert(std::move(node));
}

void ProcessTable::Forget(Task& task) {
  const auto found = tasks_.find(task.tid);
  ended_.push_back(std::move(found->second));
  tasks_.erase(found);
}

}  // namespace glovebox::engine
