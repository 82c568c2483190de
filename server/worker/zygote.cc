#include "server/worker/zygote.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "engine/base/host_fd.h"
#include "engine/epoch.h"
#include "glovebox/worker/v1/worker.pb.h"
#include "server/channel/frame.h"
#include "server/worker/lockdown/namespaces.h"
#include "server/worker/lockdown/seccomp_table.h"

namespace glovebox::worker {
namespace {

namespace wire = glovebox::worker::v1;

// What libraries do on first use is done here, once for all workers: the unwinder's look at the
// loaded objects, the allocator's first arena, protobuf's defaults.
void WarmUp() {
  try {
    throw std::bad_alloc();
  } catch (const std::bad_alloc&) {
    wire::ToWorker message;
    message.mutable_run()->add_argv("warm");
    wire::ToWorker copy;
    copy.ParseFromString(message.SerializeAsString());
  }
}

bool Say(int control_fd, const google::protobuf::MessageLite& message) {
  return channel::SendPacket(control_fd, message.SerializeAsString(), {});
}

// In the fresh worker.
bool TakePlace(std::vector<HostFd> descriptors) {
  // Both may sit on numbers that are to be theirs; they are moved out of the way first.
  for (HostFd& fd : descriptors) {
    fd = HostFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirstFreeFd + 2));
    if (!fd) return false;
  }
  return ::dup2(descriptors[0].get(), kChannelFd) >= 0 &&
         ::dup2(descriptors[1].get(), kStderrFd) >= 0;
}

// A host that runs out of memory ends boxes before it ends the daemon. proc(5),
// /proc/pid/oom_score_adj.
void VolunteerForOomKiller() {
  const HostFd file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  constexpr std::string_view kScore = "500";
  // A host without /proc has no such score; nothing depends on it.
  if (file) [[maybe_unused]]
    const ssize_t n = ::write(file.get(), kScore.data(), kScore.size());
}

}  // namespace

ZygoteOutcome RunZygote(int control_fd) {
  ZygoteOutcome outcome{.is_worker = false, .exit_status = 0, .layers = EnterNamespaces()};
  // After the namespaces: a change of user clears it. The socket's end says the same, unless this
  // process hangs.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  VolunteerForOomKiller();
  WarmUp();

  wire::ZygoteHello hello;
  hello.set_build_id(std::string(channel::BuildId()));
  hello.set_epoch(engine::kEpoch);
  if (!Say(control_fd, hello)) return outcome;

  for (;;) {
    std::array<char, 16> request;
    std::vector<HostFd> descriptors;
    const channel::IoResult got =
        channel::ReceiveSome(control_fd, request, &descriptors, /*block=*/true);
    if (got.state != channel::IoState::kDone) return outcome;
    wire::SpawnReply reply;
    if (descriptors.size() == 2) {
      const long pid = ::syscall(SYS_clone, CLONE_PARENT, nullptr, nullptr, nullptr, nullptr);
      if (pid == 0) {
        ::close(control_fd);
        outcome.is_worker = true;
        outcome.exit_status = TakePlace(std::move(descriptors)) ? 0 : 1;
        return outcome;
      }
      if (pid < 0) reply.set_error(std::string("clone: ") + ::strerrordesc_np(errno));
      reply.set_pid(pid > 0 ? static_cast<std::int32_t>(pid) : 0);
    } else {
      reply.set_error("a spawn request carries two descriptors");
    }
    descriptors.clear();
    if (!Say(control_fd, reply)) return outcome;
  }
}

}  // namespace glovebox::worker
