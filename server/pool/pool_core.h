// The pool's state and its one thread; worker_pool.cc puts the BoxLauncher interface over it.
#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "server/pool/launch.h"
#include "server/pool/worker_link.h"
#include "server/pool/worker_pool.h"
#include "server/pool/zygote_client.h"

namespace glovebox::server {

class PoolCore : public std::enable_shared_from_this<PoolCore> {
 public:
  explicit PoolCore(WorkerPoolOptions options);

  // Starts the thread, the zygote and the first worker; returns when that one is ready, or why it
  // is not.
  Result<void, Error> Start();
  // Ends all workers, waits for them, and joins the thread. Not on the pool's own thread.
  void Stop();

  // Threads: any.
  void Submit(std::shared_ptr<Launch> launch);
  // `action` runs on the pool's thread, unless the pool stops first.
  template <typename Action>
  void Post(Action action) {
    asio::post(io_, std::move(action));
  }
  std::vector<std::string> Warnings() const;
  std::uint32_t epoch() const { return epoch_; }

  // On the pool's thread.
  void Signal(Launch& launch, int number);
  void Cancel(Launch& launch, const std::string& why, bool wall_limit);
  void Kill(const std::shared_ptr<Launch>& launch, const std::string& why);

 private:
  using Link = std::shared_ptr<WorkerLink>;

  // Forks workers until enough are ready or under way.
  void Replenish();
  Result<void, Error> ForkOne();
  void OnReady(const Link& link);
  void OnGone(const Link& link, const std::string& what);
  // Gives the launch to another worker, a few times.
  void OnUntouched(const std::shared_ptr<Launch>& launch, const std::string& what);
  void OnStartFailure(const std::string& what);
  // Gives a waiting launch to an idle worker, as long as there are both.
  void Match();
  // Empty: none.
  std::string MissingLayers(const WorkerLink& link) const;
  void Report(const std::string& line) const;

  const WorkerPoolOptions options_;
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  std::thread thread_;
  std::atomic<std::uint32_t> epoch_ = 0;  // set before Start returns, and by each new zygote

  // On the pool's thread.
  std::unique_ptr<ZygoteClient> zygote_;
  std::unordered_set<Link> starting_;
  std::deque<Link> idle_;
  std::unordered_set<Link> busy_;  // with a job, or on their way out
  std::deque<std::shared_ptr<Launch>> waiting_;
  unsigned failures_in_a_row_ = 0;
  asio::steady_timer retry_timer_{io_};
  bool retry_armed_ = false;
  bool stopping_ = false;
  std::function<void(Result<void, Error>)> on_first_;  // null once called

  mutable std::mutex mu_;
  std::vector<std::string> warnings_;  // guarded by mu_
};

}  // namespace glovebox::server
