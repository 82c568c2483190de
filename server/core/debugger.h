// A debugger at a job's box, as the core sees it: bytes whose meaning it does not know.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace glovebox::server {

// What the debugger hears. In order, from any thread, no lock held.
class DebuggerEvents {
 public:
  virtual ~DebuggerEvents() = default;
  // The box knows of it; before that nothing may be sent.
  virtual void OnJoined() = 0;
  virtual void OnBytes(std::span<const std::byte> bytes) = 0;
  // Once, last: the box has ended, or the debugger took its leave over the protocol.
  virtual void OnClosed() = 0;
};

// A debugger's stay. See JobManager::Debug. Threads: any.
class DebugSession {
 public:
  using Teller = std::function<void(std::span<const std::byte>, std::function<void()>)>;
  DebugSession(Teller tell, std::function<void()> leave)
      : tell_(std::move(tell)), leave_(std::move(leave)) {}
  ~DebugSession() { leave_(); }
  DebugSession(const DebugSession&) = delete;
  DebugSession& operator=(const DebugSession&) = delete;

  // At most 64 KiB. `sent` is called once there is room for more; not at all where the box is gone,
  // of which OnClosed tells.
  void Tell(std::span<const std::byte> bytes, std::function<void()> sent) const {
    tell_(bytes, std::move(sent));
  }

 private:
  const Teller tell_;
  const std::function<void()> leave_;
};

}  // namespace glovebox::server
