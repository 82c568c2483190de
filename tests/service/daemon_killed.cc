// A gloveboxd that the kill tests can stop at a named point: the product's daemon over boxes in
// memory. It is killed from outside where it waits, or kills itself where there is nothing to wait
// at.
//   daemon_killed SOCKET STORE POINT
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "server/daemon.h"
#include "tests/service/daemon_killed.h"
#include "tests/unit/server/core/fake_launcher.h"
#include "tests/unit/server/store/sync_probe.h"

namespace glovebox::server {
namespace {

[[noreturn]] void WaitForKill() {
  while (true) ::pause();
}

[[noreturn]] void KillSelf() {
  ::kill(::getpid(), SIGKILL);
  WaitForKill();
}

// SQLite has written a commit whole when it syncs it: a daemon that is killed there has told
// nobody, and finds it again.
int AtSync(KillPoint point, const std::string& path, std::atomic<bool>& box_ended) {
  const bool log = path.ends_with("-wal");
  const bool output = path.ends_with(".output");
  if (point == KillPoint::kOutputNotSynced && output) WaitForKill();
  if (point == KillPoint::kAccepting && log) KillSelf();
  if (point == KillPoint::kCommitting && log && box_ended) KillSelf();
  return 0;
}

void Serve(FakeBoxes& boxes, KillPoint point, std::atomic<bool>& box_ended) {
  while (true) {
    const auto box = boxes.Next();
    const std::string output = KilledOutput(box->request().argv.back());
    if (point == KillPoint::kPreparing) WaitForKill();
    box->Lock();
    box->Say(output.substr(0, output.size() / 2));
    if (point == KillPoint::kRunning) WaitForKill();
    box->Say(output.substr(output.size() / 2));
    box_ended = true;
    box->Exit(7);
  }
}

int Main(char** argv) {
  const auto point = static_cast<KillPoint>(std::stoi(argv[3]));
  DaemonOptions options;
  options.socket = argv[1];
  options.store = argv[2];
  options.jobs.concurrent_boxes = 1;
  static FakeBoxes boxes;
  static std::atomic<bool> box_ended = false;
  auto daemon = Daemon::Start(
      options, []() -> Result<std::unique_ptr<BoxLauncher>, Error> { return boxes.Launcher(); });
  if (!daemon) return 1;
  SetSyncHook([point](const std::string& path) { return AtSync(point, path, box_ended); });
  Serve(boxes, point, box_ended);
  return 0;
}

}  // namespace
}  // namespace glovebox::server

int main(int, char** argv) { return glovebox::server::Main(argv); }
