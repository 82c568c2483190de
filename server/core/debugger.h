// A debugger at a job's box, as the core sees it: bytes whose meaning it does not know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "engine/base/result.h"
#include "server/core/box_launcher.h"

namespace glovebox::server {

struct DebugOptions {
  // Of a job that has ended: stand where so many instructions have retired; empty: at its end.
  std::optional<std::uint64_t> at_icount;
  // In place of a debugger: a core of that process of the guest; 0: the job's first one.
  std::optional<std::uint32_t> core;
};

// What the debugger hears. In order, from any thread, no lock held.
class DebuggerEvents {
 public:
  virtual ~DebuggerEvents() = default;
  // The box knows of it; before that nothing may be sent. A replay stands where it is to.
  virtual void OnJoined() = 0;
  virtual void OnBytes(std::span<const std::byte> bytes) = 0;
  // For the person at it; also before OnJoined.
  virtual void OnNotice(std::string_view /*text*/) {}
  // The answer to DebugSession::MoreCore.
  virtual void OnCore(const CorePiece& /*piece*/) {}
  // Once, last: the box has ended, or the debugger took its leave over the protocol.
  virtual void OnClosed() = 0;
  // Once, last, instead: what it came for cannot be had. Notices before it may say more.
  virtual void OnFailed(const Error& error) = 0;
};

// A debugger's stay. See JobManager::Debug. Threads: any.
class DebugSession {
 public:
  using WithHandle = std::function<std::shared_ptr<BoxHandle>()>;
  // `handle`: of the box, while the debugger is joined to it; else null.
  DebugSession(WithHandle handle, std::function<void()> leave)
      : handle_(std::move(handle)), leave_(std::move(leave)) {}
  ~DebugSession() { leave_(); }
  DebugSession(const DebugSession&) = delete;
  DebugSession& operator=(const DebugSession&) = delete;

  // At most 64 KiB. `sent` is called once there is room for more; not at all where the box is gone,
  // of which OnClosed tells.
  void Tell(std::span<const std::byte> bytes, std::function<void()> sent) const {
    if (const auto handle = handle_()) handle->TellDebuggee(bytes, std::move(sent));
  }
  // Asks for the next piece of the core.
  void MoreCore() const {
    if (const auto handle = handle_()) handle->MoreCore();
  }

 private:
  const WithHandle handle_;
  const std::function<void()> leave_;
};

}  // namespace glovebox::server
