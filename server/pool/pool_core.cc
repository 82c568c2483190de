#include "server/pool/pool_core.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>

namespace glovebox::server {
namespace {

using std::chrono::milliseconds;

// After so many workers in a row that did not come up, launches are told instead of kept waiting.
constexpr unsigned kFailuresBeforeTelling = 3;
// Of one launch to workers that die before they look at it.
constexpr unsigned kMostHandOvers = 3;

milliseconds BackOff(unsigned failures) { return milliseconds(50) * (1 << std::min(failures, 7u)); }

}  // namespace

PoolCore::PoolCore(WorkerPoolOptions options) : options_(std::move(options)) {}

Result<void, Error> PoolCore::Start() {
  std::promise<Result<void, Error>> first;
  on_first_ = [&first](Result<void, Error> result) { first.set_value(std::move(result)); };
  thread_ = std::thread([this] { io_.run(); });
  // On the pool's thread, because the zygote dies with the thread that starts it.
  Post([this] { Replenish(); });
  return first.get_future().get();
}

void PoolCore::Stop() {
  Post([this] {
    stopping_ = true;
    retry_timer_.cancel();
    for (const auto& launch : waiting_) launch->events = nullptr;
    waiting_.clear();
    for (const auto* group : {&starting_, &busy_}) {
      for (const Link& link : *group) link->Detach();
    }
    for (const Link& link : idle_) link->Detach();
    // The last owners: each kills and waits for its process.
    starting_.clear();
    busy_.clear();
    idle_.clear();
    zygote_.reset();
    work_.reset();
  });
  if (thread_.joinable()) thread_.join();
}

void PoolCore::Report(const std::string& line) const {
  if (options_.log) options_.log(line);
}

void PoolCore::Submit(std::shared_ptr<Launch> launch) {
  Post([this, launch = std::move(launch)] {
    if (stopping_) return;
    waiting_.push_back(launch);
    Match();
    Replenish();
  });
}

void PoolCore::Replenish() {
  const std::size_t wanted = std::max(options_.warm, 1u) + waiting_.size();
  while (!stopping_ && !retry_armed_ && starting_.size() + idle_.size() < wanted) {
    if (const auto forked = ForkOne(); !forked) {
      if (forked.error().code == ErrorCode::kUnavailable) zygote_.reset();
      if (on_first_) {
        // Nobody waits for a job yet: the caller of MakeWorkerPool is told.
        return std::exchange(on_first_, nullptr)(std::unexpected(forked.error()));
      }
      OnStartFailure(forked.error().message);
    }
  }
}

Result<void, Error> PoolCore::ForkOne() {
  if (!zygote_) {
    auto started = ZygoteClient::Start(options_.worker_path);
    if (!started) return std::unexpected(started.error());
    zygote_ = std::move(*started);
    epoch_ = zygote_->epoch();
    Report("zygote " + std::to_string(zygote_->pid()) + " started");
  }
  auto worker = zygote_->Fork();
  if (!worker) return std::unexpected(worker.error());
  const auto link = std::make_shared<WorkerLink>(
      io_, std::move(*worker), options_.cancel_grace,
      WorkerLink::Observer{
          .on_ready = [this](const Link& ready) { OnReady(ready); },
          .on_gone = [this](const Link& gone, const std::string& what) { OnGone(gone, what); },
          .on_untouched = [this](const std::shared_ptr<Launch>& launch,
                                 const std::string& what) { OnUntouched(launch, what); }});
  starting_.insert(link);
  link->Start();
  return {};
}

void PoolCore::OnReady(const Link& link) {
  starting_.erase(link);
  idle_.push_back(link);
  failures_in_a_row_ = 0;
  std::vector<std::string> warnings;
  for (const SandboxLayer& layer : link->layers()) {
    if (!layer.in_force)
      warnings.push_back("sandbox layer " + layer.name + " is not in force: " + layer.detail);
  }
  {
    const std::lock_guard lock(mu_);
    warnings_ = std::move(warnings);
  }
  if (on_first_) std::exchange(on_first_, nullptr)({});
  Match();
}

void PoolCore::OnGone(const Link& link, const std::string& what) {
  const bool came_up = starting_.erase(link) == 0;
  const bool was_busy = busy_.erase(link) != 0;
  std::erase(idle_, link);
  if (!came_up) {
    if (on_first_) {
      return std::exchange(on_first_, nullptr)(
          Fail(ErrorCode::kUnavailable, "NO_WORKER", "the first worker did not come up: " + what));
    }
    OnStartFailure(what);
  } else if (!was_busy) {
    Report("idle " + what);
  }
  Replenish();
}

void PoolCore::OnUntouched(const std::shared_ptr<Launch>& launch, const std::string& what) {
  if (launch->hand_overs >= kMostHandOvers) return launch->Lose(what);
  Report(what + " before it looked at its job, which another one gets");
  launch->pid = 0;
  waiting_.push_front(launch);
  Match();
}

void PoolCore::OnStartFailure(const std::string& what) {
  Report("no worker could be started: " + what);
  if (++failures_in_a_row_ >= kFailuresBeforeTelling) {
    for (const auto& launch : std::exchange(waiting_, {}))
      launch->Lose("no worker could be started: " + what);
  }
  retry_armed_ = true;
  retry_timer_.expires_after(BackOff(failures_in_a_row_));
  retry_timer_.async_wait([this](asio::error_code error) {
    retry_armed_ = false;
    if (!error) Replenish();
  });
}

std::string PoolCore::MissingLayers(const WorkerLink& link) const {
  std::string missing;
  for (const std::string& required : options_.required_layers) {
    const bool there = std::ranges::any_of(link.layers(), [&](const SandboxLayer& layer) {
      return layer.name == required && layer.in_force;
    });
    if (!there) missing += (missing.empty() ? "" : ", ") + required;
  }
  return missing;
}

void PoolCore::Match() {
  while (!waiting_.empty() && !idle_.empty()) {
    const auto launch = waiting_.front();
    waiting_.pop_front();
    if (!launch->events) continue;  // killed meanwhile
    const Link link = idle_.front();
    if (launch->hand_overs++ != 0 && launch->epoch != epoch_) {
      launch->Lose("the epoch of the workers changed while the job was handed over");
      continue;
    }
    launch->epoch = epoch_;
    launch->events->OnLocked(link->layers(), epoch_);
    if (const std::string missing = MissingLayers(*link); !missing.empty()) {
      BoxEnd end;
      end.kind = BoxEnd::Kind::kFailed;
      end.failure_reason = "SANDBOX_INCOMPLETE";
      end.detail = "layers of the sandbox that are required and that this host lacks: " + missing;
      launch->End(end);
      continue;  // the worker has seen nothing of the job
    }
    idle_.pop_front();
    busy_.insert(link);
    link->Run(launch);
    for (const int number : std::exchange(launch->early_signals, {})) link->Signal(number);
    if (const auto cancel = std::exchange(launch->early_cancel, {}))
      link->Cancel(cancel->why, cancel->wall_limit);
  }
}

void PoolCore::Signal(Launch& launch, int number) {
  constexpr std::size_t kMostEarlySignals = 64;
  if (launch.link) return launch.link->Signal(number);
  if (launch.events && launch.early_signals.size() < kMostEarlySignals)
    launch.early_signals.push_back(number);
}

void PoolCore::Cancel(Launch& launch, const std::string& why, bool wall_limit) {
  if (launch.link) return launch.link->Cancel(why, wall_limit);
  if (launch.events) launch.early_cancel = Launch::Cancel{why, wall_limit};
}

void PoolCore::Kill(const std::shared_ptr<Launch>& launch, const std::string& why) {
  if (launch->link) return launch->link->Kill(why);
  launch->Lose(why);
  std::erase(waiting_, launch);
}

std::vector<std::string> PoolCore::Warnings() const {
  const std::lock_guard lock(mu_);
  return warnings_;
}

}  // namespace glovebox::server
