// A box that takes no live input: what boxes of tests are that have a script of their own.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <span>

#include "engine/process.h"

namespace glovebox::engine {

class DeafBox : public Box {
 public:
  Moment At() const override { return Report().icount; }
  bool TakesInput() const override { return false; }
  Result<std::size_t, Error> InjectInput(std::span<const std::byte>, bool) override {
    return Fail(ErrorCode::kFailedPrecondition, "NOT_LIVE", "the box takes no input while it runs");
  }
  Result<void, Error> InjectTime(Nanoseconds) override {
    return Fail(ErrorCode::kFailedPrecondition, "NOT_LIVE", "the box has a clock of its own");
  }
  Nanoseconds WakeTime() const override { return ~Nanoseconds{0}; }
  Result<void, Error> InjectResize(const TerminalSize&) override {
    return Fail(ErrorCode::kFailedPrecondition, "NOT_LIVE", "the box has no terminal");
  }
  // No test lets a debugger come to it.
  BoxDebugger& AttachDebugger(DebugHost&) override { std::abort(); }
};

}  // namespace glovebox::engine
