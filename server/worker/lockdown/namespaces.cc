#include "server/worker/lockdown/namespaces.h"

#include <grp.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>

namespace glovebox::worker {
namespace {

struct NamespaceRow {
  const char* layer;
  int flags;
};
constexpr NamespaceRow kNamespaces[] = {
    {"network_namespace", CLONE_NEWNET},
    {"ipc_uts_namespaces", CLONE_NEWIPC | CLONE_NEWUTS},
};

constexpr uid_t kNobody = 65534;

// Inside a new user namespace without mappings nobody can change its user any more, so a root that
// lacks the privilege for other namespaces becomes nobody first.
bool EnterUserNamespace(int flags) {
  if (::geteuid() == 0 && !BecomeNobody()) return false;
  return ::unshare(CLONE_NEWUSER | flags) == 0;
}

}  // namespace

bool BecomeNobody() {
  return ::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
         ::setresuid(kNobody, kNobody, kNobody) == 0;
}

std::vector<Layer> EnterNamespaces() {
  // No mapping is written for the user namespace: inside, the process is nobody, and it makes no
  // files.
  bool in_user_namespace = false;
  std::vector<Layer> layers;
  for (const NamespaceRow& row : kNamespaces) {
    bool entered = ::unshare(row.flags) == 0;
    if (!entered && errno == EPERM && !in_user_namespace) {
      entered = EnterUserNamespace(row.flags);
      in_user_namespace = entered;
    }
    layers.push_back(
        entered ? Layer{row.layer, true, in_user_namespace ? "in a user namespace" : "by privilege"}
                : NotInForce(row.layer, "unshare", errno));
  }
  return layers;
}

}  // namespace glovebox::worker
