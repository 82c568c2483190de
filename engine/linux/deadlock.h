// What to say of a box in which everybody waits and nobody can end that.
#pragma once

#include <string>

namespace glovebox::engine {

class Kernel;

// Each task and what it waits for: "task 3 (worker) waits in epoll_wait(5<anon_inode:[eventpoll]>,
// ...)".
std::string DescribeDeadlock(Kernel& kernel);

}  // namespace glovebox::engine
