#include "server/worker/lockdown/lockdown.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>

#include "server/worker/lockdown/landlock.h"
#include "server/worker/lockdown/namespaces.h"
#include "server/worker/lockdown/seccomp_filter.h"

namespace glovebox::worker {
namespace {

Layer CloseDescriptors() {
  if (::close_range(kFirstFreeFd, ~0u, 0) != 0)
    return NotInForce("descriptors", "close_range", errno);
  return {"descriptors", true, "none above the channel"};
}

// Gives up root where the daemon has it, and all capabilities, also those of a user namespace.
Layer DropPrivileges() {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return NotInForce("privileges", "prctl(PR_CAP_AMBIENT)", errno);
  }
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    // EPERM: without CAP_SETPCAP there is nothing to bring back from the bounding set either.
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EPERM) {
      return NotInForce("privileges", "prctl(PR_CAPBSET_DROP)", errno);
    }
  }
  if (::geteuid() == 0 && !BecomeNobody()) return NotInForce("privileges", "change of user", errno);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capset, &header, none) != 0) return NotInForce("privileges", "capset", errno);
  return {"privileges", true, "uid " + std::to_string(::geteuid()) + ", no capabilities"};
}

// Stderr is a socket whose other end only the daemon holds. When that closes, for whatever reason,
// the kernel kills the worker (fcntl(2), F_SETSIG), also one that hangs or was taken over: fcntl is
// not in the filter, nor is close of this descriptor. After the change of user, because the owner's
// ids are those of this moment.
Layer ArmLifeline() {
  if (::fcntl(kStderrFd, F_SETOWN, ::getpid()) != 0 || ::fcntl(kStderrFd, F_SETSIG, SIGKILL) != 0 ||
      ::fcntl(kStderrFd, F_SETFL, O_ASYNC | O_NONBLOCK) != 0) {
    return NotInForce("lifeline", "fcntl", errno);
  }
  return {"lifeline", true, "SIGKILL when the daemon ends"};
}

struct RlimitRow {
  __rlimit_resource resource;
  const char* name;
  rlim_t value;
};
// No limit of address space: windows are reservations of hundreds of GiB. Guest memory has its own
// exact limit. Descriptors are those of blobs, of which the engine keeps some dozens open.
constexpr RlimitRow kRlimits[] = {
    {RLIMIT_CORE, "core", 0},         {RLIMIT_FSIZE, "fsize", 0},
    {RLIMIT_LOCKS, "locks", 0},       {RLIMIT_MEMLOCK, "memlock", 0},
    {RLIMIT_MSGQUEUE, "msgqueue", 0}, {RLIMIT_NOFILE, "nofile", 256},
    {RLIMIT_NPROC, "nproc", 0},
};

Layer LowerRlimits() {
  std::string detail;
  for (const RlimitRow& row : kRlimits) {
    rlimit limit{};
    if (::getrlimit(row.resource, &limit) != 0) return NotInForce("rlimits", "getrlimit", errno);
    // Where the host allows less already, that stays.
    const rlim_t value = limit.rlim_max < row.value ? limit.rlim_max : row.value;
    limit = {value, value};
    if (::setrlimit(row.resource, &limit) != 0) return NotInForce("rlimits", row.name, errno);
    detail += (detail.empty() ? "" : " ") + std::string(row.name) + "=" + std::to_string(value);
  }
  return {"rlimits", true, detail};
}

Layer ForbidDumps() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return NotInForce("not_dumpable", "prctl", errno);
  return {"not_dumpable", true, "no core, no tracer of the same user"};
}

Layer ForbidNewPrivileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return NotInForce("no_new_privs", "prctl", errno);
  return {"no_new_privs", true, ""};
}

Layer FilterSystemCalls() {
  const std::vector<SeccompRow> table = SeccompTable();
  std::vector<sock_filter> program =
      BuildSeccompFilter(table, static_cast<std::uint32_t>(::getpid()));
  Layer layer{"seccomp", true, std::to_string(table.size()) + " system calls allowed"};
  const int error_number = LoadSeccompFilter(program);
  return error_number == 0 ? layer : NotInForce("seccomp", "seccomp", error_number);
}

// In this order: each step needs what a later one takes away.
constexpr Layer (*kSteps[])() = {
    CloseDescriptors, DropPrivileges,      ArmLifeline,      LowerRlimits,
    ForbidDumps,      ForbidNewPrivileges, ForbidByLandlock, FilterSystemCalls,
};

}  // namespace

std::vector<Layer> LockDown() {
  std::vector<Layer> layers;
  for (const auto step : kSteps) layers.push_back(step());
  return layers;
}

}  // namespace glovebox::worker
