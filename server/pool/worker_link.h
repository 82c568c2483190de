// One worker process as the daemon sees it: its channel, its lifeline, its pidfd.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/channel/bounds.h"
#include "server/channel/frame.h"
#include "server/pool/conversation.h"
#include "server/pool/launch.h"
#include "server/pool/zygote_client.h"

namespace glovebox::server {

// Threads: the pool's. Events are called in the middle of reading, so a slow one holds the worker
// back.
class WorkerLink : public std::enable_shared_from_this<WorkerLink> {
 public:
  // What the pool wants to hear. Not called after Detach.
  struct Observer {
    std::function<void(const std::shared_ptr<WorkerLink>&)> on_ready;  // locked up, waits for a job
    // The process is gone and was waited for. `what` says how, also where no launch is concerned.
    std::function<void(const std::shared_ptr<WorkerLink>&, const std::string& what)> on_gone;
    // Before on_gone: the launch that the worker had been given. It died by itself before it asked
    // for the first blob, so that nothing of the guest was looked at; whoever hears this answers
    // the launch.
    std::function<void(std::shared_ptr<Launch>, const std::string& what)> on_untouched;
  };

  WorkerLink(asio::io_context& io, FreshWorker worker, std::chrono::milliseconds cancel_grace,
             Observer observer);
  // Kills the process if it still lives, and waits for it.
  ~WorkerLink();
  WorkerLink(const WorkerLink&) = delete;
  WorkerLink& operator=(const WorkerLink&) = delete;

  void Start();
  // No observer and no event is called any more; what is under way is dropped.
  void Detach();

  int pid() const { return pid_; }
  const std::vector<SandboxLayer>& layers() const { return layers_; }

  // Once, when ready.
  void Run(std::shared_ptr<Launch> launch);
  void Signal(int number);
  void Cancel(const std::string& why, bool wall_limit);
  void SupplyInput(std::span<const std::byte> bytes, bool end);
  void Type(std::span<const std::byte> bytes, bool end);
  void Resize(const TerminalSize& size);
  void OpenDebugger();
  void TellDebuggee(std::span<const std::byte> bytes, std::function<void()> sent);
  void CloseDebugger();
  void OpenCore(std::uint32_t pid);
  void MoreCore();
  // `why` goes into OnLost.
  void Kill(const std::string& why);

 private:
  struct Outgoing {
    std::string bytes;
    std::size_t sent = 0;
    HostFd descriptor;
    bool answers_blob = false;
    std::function<void()> then;  // the worker's socket has taken it
  };

  void WaitReadable();
  void OnReadable();
  void TakeFrames();
  void Handle(const wire::FromWorker& message);
  void AnswerBlob(const wire::BlobWanted& wanted);
  void Send(const wire::ToWorker& message, HostFd descriptor = {}, bool answers_blob = false,
            std::function<void()> then = {});
  void Pump();
  void StopReading();
  void WaitProcess();
  void Reap();
  void FinishIfDone();
  std::string LastWords();
  void KillAfter(asio::steady_timer* timer, std::chrono::milliseconds time, std::string why);

  asio::posix::stream_descriptor channel_;
  asio::posix::stream_descriptor process_;
  HostFd stderr_;
  asio::steady_timer startup_timer_;
  asio::steady_timer cancel_timer_;
  asio::steady_timer eof_timer_;
  int pid_;
  std::chrono::milliseconds cancel_grace_;
  Observer observer_;

  Conversation conversation_;
  channel::FrameReader incoming_{channel::kMaxFromWorkerBytes};
  std::deque<Outgoing> outgoing_;
  bool pumping_ = false;  // waits for room in the socket
  std::vector<SandboxLayer> layers_;
  std::shared_ptr<Launch> launch_;

  bool untouched_ = true;  // the launch: nothing came from the worker, nothing else was sent to it
  bool cancelled_ = false;
  bool reading_ = true;                // false: nothing of what it says is heard any more
  std::string killed_why_;             // empty: not by us
  std::optional<std::string> status_;  // how it ended, once waited for
  bool finished_ = false;
};

}  // namespace glovebox::server
