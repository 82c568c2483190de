// One connection of a debugger: bytes in, bytes out, an event machine without threads or sockets.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "gdbstub/debuggee.h"

namespace glovebox::gdbstub {

// Where the stub's bytes go. Takes all of them: who owns the connection neither calls Receive nor
// lets the guest run while it cannot get rid of what it has. Each packet received makes at most one
// reply of at most kMaxReplyBytes, so a peer that floods and does not read holds up itself alone.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void Send(std::span<const std::byte> bytes) = 0;
};

inline constexpr std::size_t kPacketSize = std::size_t{1} << 17;       // as qSupported tells it
inline constexpr std::size_t kMaxReplyBytes = 2 * kPacketSize + 64;    // with framing
inline constexpr std::size_t kMaxCommandBytes = std::size_t{1} << 18;  // of a packet received

// The debuggee stands still when a session is made, and is not Listen()ed to by anybody else.
// `debuggee` and `sink` outlive the session.
// Threads: as debuggee.h says; Receive between two slices.
class Session {
 public:
  Session(Debuggee& debuggee, Sink& sink);
  // Takes out the breakpoints, watchpoints and catches that gdb left behind and closes its files.
  // Whether the guest runs on is the owner's business.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Bytes from the debugger, cut anywhere. Runs everything that they ask for.
  void Receive(std::span<const std::byte> bytes);

  // True: the debugger has taken its leave ("k", a detach of everything outside the extended mode),
  // or has sent what no debugger sends; the connection is to be closed. Further bytes are ignored.
  bool closed() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace glovebox::gdbstub
