// execve(2): a path becomes the program of a task.
#pragma once

#include <string>
#include <vector>

#include "engine/linux/task.h"
#include "engine/loader/load_error.h"

namespace glovebox::engine {

struct ExecRequest {
  PathRef file;          // resolved, not null
  std::string filename;  // as the caller named it: AT_EXECFN
  std::vector<std::string> argv;
  std::vector<std::string> env;
};

// Replaces the task's program. Everything that can be wrong with the file is found before anything
// is given up; an error with `memory_limit` (or after the old program is gone) ends the box by its
// memory limit.
LoadResult<void> Execute(Task& task, ExecRequest request);

// Finds `program` as execvp(3) does: a path, or a bare name in the PATH of `env`.
LoadResult<PathRef> FindProgram(Task& task, const std::string& program,
                                const std::vector<std::string>& env, std::string* filename);

}  // namespace glovebox::engine
