// How structures of guest memory look in a trace: the fields that a reader wants, as strace(1)
// writes them.
#pragma once

#include <string>

#include "engine/linux/abi/common.h"
#include "engine/linux/abi/events.h"
#include "engine/linux/abi/x86_64.h"

namespace glovebox::engine {

std::string Describe(std::int32_t value);
std::string Describe(std::uint32_t value);
std::string Describe(std::int64_t value);
std::string Describe(std::uint64_t value);

namespace abi {
std::string Describe(const Timespec& value);
std::string Describe(const Timeval& value);
std::string Describe(const Itimerval& value);
std::string Describe(const Itimerspec& value);
std::string Describe(const Rlimit& value);
std::string Describe(const Utsname& value);
std::string Describe(const Statx& value);
std::string Describe(const Siginfo& value);
std::string Describe(const SignalStack& value);
std::string Describe(const EpollEvent& value);
std::string Describe(const Sigevent& value);
std::string Describe(const OpenHow& value);
namespace x86_64 {
std::string Describe(const Stat& value);
std::string Describe(const Sigaction& value);
}  // namespace x86_64
}  // namespace abi

}  // namespace glovebox::engine
