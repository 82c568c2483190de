// What /proc tells of a process' memory and of its limits: proc(5).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/linux/task.h"

namespace glovebox::engine {

// Bytes that the program has mapped, and those of them that are in memory.
std::uint64_t MappedBytesOf(const Task& task);
std::uint64_t ResidentBytesOf(const Task& task);

// Texts of files of /proc/PID; the task has a program.
std::string MapsText(Task& task);
std::string SmapsText(Task& task);
std::string SmapsRollupText(Task& task);
std::string LimitsText(const Task& task);

// /proc/PID/mem: the memory itself, for who may trace the task.
std::shared_ptr<Inode> MakeMemoryFile(std::shared_ptr<VfsServices> services,
                                      std::shared_ptr<Task> task);

}  // namespace glovebox::engine
