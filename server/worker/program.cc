#include "server/worker/program.h"

#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/epoch.h"
#include "engine/process.h"
#include "server/channel/bounds.h"
#include "server/channel/clean_text.h"
#include "server/channel/frame.h"
#include "server/worker/channel.h"
#include "server/worker/lockdown/lockdown.h"
#include "server/worker/lockdown/seccomp_table.h"
#include "server/worker/zygote.h"

namespace glovebox::worker {
namespace {

void SayLocked(Channel& channel, const std::vector<Layer>& layers) {
  wire::FromWorker message;
  for (const Layer& layer : layers) {
    wire::Locked::Layer& out = *message.mutable_locked()->add_layers();
    out.set_name(layer.name);
    out.set_in_force(layer.in_force);
    out.set_detail(channel::CleanText(layer.detail, channel::kMaxDetailBytes));
  }
  channel.Queue(message);
  channel.Flush();
}

// Locks up before anything is read, then waits for the job.
void WorkerMain(std::vector<Layer> layers, const BoxMaker& make_box) {
  for (Layer& layer : LockDown()) layers.push_back(std::move(layer));
  Channel channel(kChannelFd);
  SayLocked(channel, layers);
  while (!channel.closed()) {
    if (const auto message = channel.TakeRun()) {
      RunJob(channel, message->run(), make_box);
      return;
    }
    channel.Receive(/*wait=*/true);
  }
}

}  // namespace

int RunProgram(int argc, char** argv, const BoxMaker& make_box) {
  const std::string_view mode = argc == 2 ? argv[1] : "";
  if (mode == "--print-seccomp") {
    std::fputs(SeccompAuditPage().c_str(), stdout);
    return 0;
  }
  if (mode == "--version") {
    std::printf("glovebox-worker %s, epoch %u\n", std::string(channel::BuildId()).c_str(),
                engine::kEpoch);
    return 0;
  }
  if (mode != "--zygote") {
    std::fputs(
        "usage: glovebox-worker --zygote | --print-seccomp | --version\n"
        "gloveboxd starts it; there is nothing to run by hand.\n",
        stderr);
    return 2;
  }
  ZygoteOutcome outcome = RunZygote(channel::kZygoteControlFd);
  if (outcome.is_worker && outcome.exit_status == 0)
    WorkerMain(std::move(outcome.layers), make_box);
  // At once: destructors and exit handlers have nothing to save here, and a locked worker may not
  // do all that they try.
  std::fflush(nullptr);
  ::_exit(outcome.exit_status);
}

}  // namespace glovebox::worker
