#include "tests/unit/server/store/sync_probe.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <utility>

namespace glovebox::server {
namespace {

std::mutex mutex;
std::size_t count = 0;
std::function<int(const std::string&)> hook;

int Probe(int fd, long number) {
  std::array<char, 4096> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  std::function<int(const std::string&)> call;
  {
    const std::lock_guard lock(mutex);
    ++count;
    call = hook;
  }
  const int error =
      call ? call(std::string(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0)) : 0;
  if (error == kPretend) return 0;
  if (error != 0) {
    errno = error;
    return -1;
  }
  return static_cast<int>(::syscall(number, fd));
}

}  // namespace

std::size_t SyncCount() {
  const std::lock_guard lock(mutex);
  return count;
}

void ResetSyncCount() {
  const std::lock_guard lock(mutex);
  count = 0;
}

void SetSyncHook(std::function<int(const std::string& path)> new_hook) {
  const std::lock_guard lock(mutex);
  hook = std::move(new_hook);
}

int ProbeFsync(int fd) { return Probe(fd, SYS_fsync); }
int ProbeFdatasync(int fd) { return Probe(fd, SYS_fdatasync); }

}  // namespace glovebox::server

extern "C" int fsync(int fd) { return glovebox::server::ProbeFsync(fd); }
extern "C" int fdatasync(int fd) { return glovebox::server::ProbeFdatasync(fd); }
