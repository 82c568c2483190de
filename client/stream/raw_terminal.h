// Our own terminal while the guest has it: every key goes through as a byte, and whatever happens
// to us, the terminal gets its modes back.
#pragma once

#include <memory>

#include "engine/base/result.h"
#include "glovebox/v1/job.pb.h"

namespace glovebox::client {

// One at a time: which modes to go back to is known to the whole process, since also a handler of
// a fatal signal restores them.
class RawTerminal {
 public:
  // Errors: NOT_A_TERMINAL, or that the modes cannot be set.
  static Result<std::unique_ptr<RawTerminal>, Error> Enter(int fd);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  // After a stop: a shell may have set modes of its own meanwhile.
  static void Again();
  // Async-signal-safe; for ways out that run no destructors.
  static void Restore();
  static bool active();

 private:
  RawTerminal() = default;
};

// The size of the window on `fd`; 24 by 80 where it does not say.
v1::TerminalSize WindowSize(int fd);

}  // namespace glovebox::client
