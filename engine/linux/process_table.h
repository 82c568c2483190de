// All processes and threads of a box, by number.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "engine/linux/guest_process.h"
#include "engine/linux/task.h"

namespace glovebox::engine {

// Process 1 is the box itself: it is there to be seen, takes in orphans and reaps them, takes no
// signals and has no program. Process 2 is the job's: its end is that of the box.
inline constexpr std::uint32_t kInitPid = 1;   // WorldId::kParentPid
inline constexpr std::uint32_t kFirstPid = 2;  // WorldId::kPid

inline bool IsFirst(const Process& process) { return process.pid == kFirstPid; }

// Threads: the box's.
class ProcessTable {
 public:
  static constexpr std::uint32_t kMaxId = 32768;  // /proc/sys/kernel/pid_max

  ProcessTable() = default;
  // Directories of /proc hold tasks, and tasks hold directories: lets go of what tasks hold.
  ~ProcessTable();
  ProcessTable(const ProcessTable&) = delete;
  ProcessTable& operator=(const ProcessTable&) = delete;

  // Process 1 and, its child, the job's first, in a group of its own; not scheduled yet.
  std::shared_ptr<Task> AddFirst(Kernel& kernel);
  // A process with its first thread, which is not scheduled yet. Null: no number is free, or as
  // many tasks are there as the box may have, process 1 not counted.
  std::shared_ptr<Task> AddProcess(Kernel& kernel, Process* parent);
  // A further thread of `like`'s process; as AddProcess.
  std::shared_ptr<Task> AddThread(const Task& like);

  // Null: no such task. A leader that has ended is there until its process is gone.
  Task* FindTask(int tid) const;
  // By the number of its leader; zombies too.
  Process* FindProcess(int pid) const;
  std::shared_ptr<Task> Share(int tid) const;
  // By number. (Ended tasks that somebody still holds are not among them.)
  const std::map<std::uint32_t, std::shared_ptr<Task>>& tasks() const { return tasks_; }
  std::size_t task_count() const { return tasks_.size(); }

  // Takes the task's number from it. The task itself lives until Bury, since its call may be on the
  // stack.
  void Forget(Task& task);
  // Gives the task another number, which must be free or its own.
  void Rename(Task& task, std::uint32_t id);
  void Bury() { ended_.clear(); }

 private:
  std::uint32_t NextId();

  std::map<std::uint32_t, std::shared_ptr<Task>> tasks_;
  std::vector<std::shared_ptr<Task>> ended_;
  std::uint32_t next_id_ = kInitPid;
};

}  // namespace glovebox::engine
