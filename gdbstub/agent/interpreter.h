// Runs verified agent expressions against a thread that has reached a breakpoint.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gdbstub/agent/program.h"
#include "gdbstub/debuggee.h"

namespace glovebox::gdbstub::agent {

// What expressions may touch besides the guest. Every default is "nothing happens".
class Environment {
 public:
  virtual ~Environment() = default;
  // Trace state variables.
  virtual std::uint64_t Variable(std::uint16_t number) { return 0; }
  virtual void SetVariable(std::uint16_t number, std::uint64_t value) {}
  // Guest memory to be recorded, as far as it is readable.
  virtual void Collect(HitView& view, GuestAddr address, std::uint64_t length_bytes) {}
  // The variable itself, to be recorded.
  virtual void CollectVariable(std::uint16_t number) {}
  virtual void Print(std::string_view text) {}
};

enum class EvalError : std::uint8_t { kNone, kMemory, kDivideByZero };

class Machine {
 public:
  Machine(HitView& view, Environment& environment) : view_(view), environment_(environment) {}

  // Runs to `end`. The result is on top(), 0 where the stack is empty.
  EvalError Run(const Program& program);
  std::uint64_t top() const { return depth_ == 0 ? 0 : stack_[depth_ - 1]; }

  // For the semantics of program.cc.
  void Push(std::uint64_t value) { stack_[depth_++] = value; }
  std::uint64_t Pop() { return stack_[--depth_]; }
  std::uint64_t& Peek(std::size_t below_top) { return stack_[depth_ - 1 - below_top]; }
  bool Fail(EvalError error) {
    error_ = error;
    return false;
  }
  void Jump() { next_ = target_; }
  void End() { ended_ = true; }
  HitView& view() { return view_; }
  Environment& environment() { return environment_; }
  const Program& program() const { return *program_; }

 private:
  HitView& view_;
  Environment& environment_;
  const Program* program_ = nullptr;
  std::size_t depth_ = 0;
  std::size_t next_ = 0;
  std::uint32_t target_ = 0;
  bool ended_ = false;
  EvalError error_ = EvalError::kNone;
  std::array<std::uint64_t, kMaxStack> stack_;
};

// printf(3) of the guest's values as gdb's dprintf has them: integers, characters, pointers,
// strings of at most 200 bytes from guest memory. What is no conversion of these stays as it is.
std::string FormatText(std::string_view format, std::span<const std::uint64_t> arguments,
                       HitView& view);

}  // namespace glovebox::gdbstub::agent
