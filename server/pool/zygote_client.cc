#include "server/pool/zygote_client.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "glovebox/worker/v1/worker.pb.h"
#include "server/channel/bounds.h"
#include "server/channel/frame.h"

namespace glovebox::server {
namespace {

namespace wire = glovebox::worker::v1;

// A fork takes well under a millisecond; a zygote that says nothing for this long never will.
constexpr int kPatienceMs = 10'000;

std::unexpected<Error> Unavailable(const std::string& what) {
  return Fail(ErrorCode::kUnavailable, "NO_WORKER", "zygote: " + what);
}

// posix_spawn(3) with what the zygote inherits: an empty environment, the control socket, our
// stderr, no blocked signal.
class SpawnPlan {
 public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // Returns 0 or an errno.
  int Spawn(const std::string& path, int control, pid_t* pid) {
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    // A session of its own: ^C at the terminal of an embedded daemon is no business of boxes.
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_adddup2(&actions_, control, channel::kZygoteControlFd);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions_, channel::kZygoteControlFd + 1);
    std::string program = path;
    std::string mode = "--zygote";
    char* const argv[] = {program.data(), mode.data(), nullptr};
    char* const environment[] = {nullptr};
    return posix_spawn(pid, path.c_str(), &actions_, &attributes_, argv, environment);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

Result<std::unique_ptr<ZygoteClient>, Error> ZygoteClient::Start(const std::string& worker_path) {
  if (::access(worker_path.c_str(), X_OK) != 0) {
    return Fail(ErrorCode::kNotFound, "NO_WORKER_PROGRAM",
                worker_path + ": " + ::strerrordesc_np(errno));
  }
  auto sockets = channel::MakeSocketPair(SOCK_SEQPACKET);
  if (!sockets) return std::unexpected(sockets.error());
  pid_t pid = 0;
  if (const int error = SpawnPlan().Spawn(worker_path, sockets->theirs.get(), &pid); error != 0) {
    return Unavailable(worker_path + ": " + ::strerrordesc_np(error));
  }
  sockets->theirs.Reset();
  std::unique_ptr<ZygoteClient> zygote(new ZygoteClient(std::move(sockets->ours), pid));
  const auto packet = zygote->ReceivePacket();
  if (!packet) return std::unexpected(packet.error());
  wire::ZygoteHello hello;
  if (!hello.ParseFromString(*packet)) return Unavailable("its first packet is not a ZygoteHello");
  if (hello.build_id() != channel::BuildId()) {
    return Fail(ErrorCode::kFailedPrecondition, "WORKER_OF_ANOTHER_BUILD",
                worker_path + " is of build " + hello.build_id() + ", this daemon of " +
                    std::string(channel::BuildId()));
  }
  zygote->epoch_ = hello.epoch();
  return zygote;
}

ZygoteClient::~ZygoteClient() {
  control_.Reset();
  ::kill(pid_, SIGKILL);  // it has nothing to finish; not waited for before this, so the pid is
                          // still its own
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<std::string, Error> ZygoteClient::ReceivePacket() {
  pollfd readable{control_.get(), POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&readable, 1, kPatienceMs);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return Unavailable("it does not answer");
  std::array<char, 4096> bytes;
  const channel::IoResult got =
      channel::ReceiveSome(control_.get(), bytes, nullptr, /*block=*/false);
  if (got.state != channel::IoState::kDone) return Unavailable("it died");
  return std::string(bytes.data(), got.bytes);
}

Result<FreshWorker, Error> ZygoteClient::Fork() {
  auto channel_pair = channel::MakeSocketPair(SOCK_STREAM);
  auto stderr_pair = channel::MakeSocketPair(SOCK_STREAM);
  if (!channel_pair) return std::unexpected(channel_pair.error());
  if (!stderr_pair) return std::unexpected(stderr_pair.error());
  const std::array descriptors{channel_pair->theirs.get(), stderr_pair->theirs.get()};
  constexpr char kRequest[] = {'w'};
  if (!channel::SendPacket(control_.get(), kRequest, descriptors)) return Unavailable("it died");
  const auto packet = ReceivePacket();
  if (!packet) return std::unexpected(packet.error());
  wire::SpawnReply reply;
  if (!reply.ParseFromString(*packet)) return Unavailable("its answer is not a SpawnReply");
  if (reply.pid() <= 0)
    return Fail(ErrorCode::kResourceExhausted, "NO_WORKER", "zygote: " + reply.error());
  FreshWorker worker{.channel = std::move(channel_pair->ours),
                     .stderr_ = std::move(stderr_pair->ours),
                     .process = HostFd(static_cast<int>(::syscall(SYS_pidfd_open, reply.pid(), 0))),
                     .pid = reply.pid()};
  if (!worker.process) {
    // Its channel and lifeline close with `worker`; waiting for it here keeps no zombie.
    const int error = errno;
    ::kill(reply.pid(), SIGKILL);
    ::waitpid(reply.pid(), nullptr, 0);
    return Fail(ErrorCode::kResourceExhausted, "NO_WORKER",
                std::string("pidfd_open: ") + ::strerrordesc_np(error));
  }
  return worker;
}

}  // namespace glovebox::server
