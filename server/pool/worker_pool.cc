#include "server/pool/worker_pool.h"

#include <unistd.h>

#include <array>
#include <utility>

#include "server/pool/pool_core.h"

namespace glovebox::server {
namespace {

class PoolHandle : public BoxHandle {
 public:
  PoolHandle(std::weak_ptr<PoolCore> core, std::shared_ptr<Launch> launch)
      : core_(std::move(core)), launch_(std::move(launch)) {}
  ~PoolHandle() override { KillBecause("its handle was dropped"); }
  PoolHandle(const PoolHandle&) = delete;
  PoolHandle& operator=(const PoolHandle&) = delete;

  void Signal(int number) override {
    Post([number](PoolCore& core, const auto& launch) { core.Signal(*launch, number); });
  }
  void Cancel(const std::string& why, bool wall_limit) override {
    Post([why, wall_limit](PoolCore& core, const auto& launch) {
      core.Cancel(*launch, why, wall_limit);
    });
  }
  void SupplyInput(std::span<const std::byte> bytes, bool end) override {
    Post([copy = std::vector<std::byte>(bytes.begin(), bytes.end()), end](PoolCore&,
                                                                          const auto& launch) {
      if (launch->link) launch->link->SupplyInput(copy, end);
    });
  }
  void Type(std::span<const std::byte> bytes, bool end) override {
    PostLive([copy = std::vector<std::byte>(bytes.begin(), bytes.end()), end](WorkerLink& link) {
      link.Type(copy, end);
    });
  }
  void Resize(const TerminalSize& size) override {
    PostLive([size](WorkerLink& link) { link.Resize(size); });
  }
  void OpenDebugger() override {
    PostLive([](WorkerLink& link) { link.OpenDebugger(); });
  }
  void TellDebuggee(std::span<const std::byte> bytes, std::function<void()> sent) override {
    PostLive([copy = std::vector<std::byte>(bytes.begin(), bytes.end()),
              sent = std::move(sent)](WorkerLink& link) { link.TellDebuggee(copy, sent); });
  }
  void CloseDebugger() override {
    PostLive([](WorkerLink& link) { link.CloseDebugger(); });
  }
  void OpenCore(std::uint32_t pid) override {
    PostLive([pid](WorkerLink& link) { link.OpenCore(pid); });
  }
  void MoreCore() override {
    PostLive([](WorkerLink& link) { link.MoreCore(); });
  }
  void Kill() override { KillBecause("on request"); }
  int pid() const override { return launch_->pid; }

 private:
  template <typename Action>
  void PostLive(Action action) {
    Post([action = std::move(action)](PoolCore&, const auto& launch) {
      if (launch->link) return action(*launch->link);
      // Between two workers there is nobody to keep it, and lost it must not be.
      if (launch->hand_overs == 0) return;
      launch->Lose("the worker died before it looked at its job, and input came meanwhile");
    });
  }
  void KillBecause(const char* why) {
    Post([why](PoolCore& core, const auto& launch) { core.Kill(launch, why); });
  }

  template <typename Action>
  void Post(Action action) {
    const auto core = core_.lock();
    if (!core) return;
    core->Post([core = core.get(), launch = launch_, action = std::move(action)] {
      action(*core, launch);
    });
  }

  std::weak_ptr<PoolCore> core_;
  std::shared_ptr<Launch> launch_;
};

class WorkerPool : public BoxLauncher {
 public:
  explicit WorkerPool(std::shared_ptr<PoolCore> core) : core_(std::move(core)) {}
  ~WorkerPool() override { core_->Stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  std::unique_ptr<BoxHandle> Launch(RunRequest request,
                                    std::shared_ptr<BoxEvents> events) override {
    auto launch = std::make_shared<server::Launch>();
    launch->request = std::move(request);
    launch->events = std::move(events);
    core_->Submit(launch);
    return std::make_unique<PoolHandle>(core_, std::move(launch));
  }
  std::vector<std::string> Warnings() const override { return core_->Warnings(); }
  std::uint32_t epoch() const override { return core_->epoch(); }

 private:
  std::shared_ptr<PoolCore> core_;
};

}  // namespace

Result<std::unique_ptr<BoxLauncher>, Error> MakeWorkerPool(const WorkerPoolOptions& options) {
  auto core = std::make_shared<PoolCore>(options);
  if (auto started = core->Start(); !started) {
    core->Stop();
    return std::unexpected(started.error());
  }
  return std::make_unique<WorkerPool>(std::move(core));
}

std::string DefaultWorkerPath() {
  // proc(5), /proc/pid/exe.
  std::array<char, 4096> path;
  const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
  if (length <= 0) return "glovebox-worker";
  const std::string_view self(path.data(), static_cast<std::size_t>(length));
  return std::string(self.substr(0, self.rfind('/') + 1)) + "glovebox-worker";
}

}  // namespace glovebox::server
