// Tracepoints: what collects, when, and what becomes of it. Knows no packets (handlers/tracing.cc)
// and puts nothing into the guest: that does who owns it, with the action that is given here.
// Source: GDB manual, "Tracepoints" and "Tracepoint Packets".
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gdbstub/agent/program.h"
#include "gdbstub/debuggee.h"
#include "gdbstub/tracing/trace_buffer.h"

namespace glovebox::gdbstub::tracing {

inline constexpr std::size_t kMostTracepoints = 1024;
inline constexpr std::size_t kMostActions = 256;  // of a tracepoint
inline constexpr std::size_t kMostVariables = 1024;
inline constexpr std::size_t kMostTextBytes = std::size_t{4} << 20;  // of everything that gdb tells
inline constexpr std::uint64_t kMostSteps = 100'000;

// One thing to be collected.
struct Action {
  enum class Kind : std::uint8_t { kRegisters, kMemory, kExpression };
  Kind kind = Kind::kRegisters;
  // kMemory: `length` bytes at `offset`, or at that distance from a register.
  std::optional<RegisterNumber> base = {};
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  agent::Program program = {};
};

struct Tracepoint {
  std::uint32_t number = 0;
  GuestAddr address = 0;
  bool enabled = true;
  std::uint64_t steps = 0;   // while-stepping
  std::uint64_t passes = 0;  // tracing ends with this hit; 0: with none
  std::optional<agent::Program> condition;
  std::vector<Action> actions;
  std::vector<Action> step_actions;
  // As gdb told them, for one that joins later: "actions", "step actions", "source".
  std::vector<std::string> action_texts, step_texts, source_texts;
  std::string tail_text;  // of its definition: ":F5:X2,2227"
  std::uint64_t hits = 0;
  std::uint64_t used_bytes = 0;
};

// A trace state variable.
struct Variable {
  std::string name;  // empty: it has none yet
  std::int64_t initial = 0;
  std::int64_t value = 0;
  bool is_timestamp = false;  // microseconds of the guest's clock; nobody sets it
};

struct StopCause {
  enum class Kind : std::uint8_t { kNotRun, kStopped, kFull, kPasses, kError };
  Kind kind = Kind::kNotRun;
  std::uint32_t tracepoint = 0;
  std::string text;  // of an error, or a note of who has stopped it
};

// Threads: the guest's.
class Tracer {
 public:
  using Key = std::pair<std::uint32_t, GuestAddr>;  // number, address

  // `print`: where what tracepoints print goes.
  explicit Tracer(std::function<void(std::string_view)> print);
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // Forgets everything but the size of the buffer.
  void Reset();
  // Null: there is none.
  Tracepoint* Find(std::uint32_t number, GuestAddr address);
  const std::map<Key, Tracepoint>& tracepoints() const { return tracepoints_; }
  // Null: too many.
  Tracepoint* Add(std::uint32_t number, GuestAddr address);
  // Books so much of what gdb tells. False: it is too much.
  bool TakesText(std::size_t bytes);

  const std::map<std::uint32_t, Variable>& variables() const { return variables_; }
  bool SetVariable(std::uint32_t number, Variable variable);
  std::int64_t ValueOf(std::uint32_t number) const;

  void Start();
  // Once; what ended it first is what is told.
  void Stop(StopCause cause);
  bool running() const { return running_; }
  const StopCause& cause() const { return cause_; }
  TraceBuffer& buffer() { return buffer_; }
  const TraceBuffer& buffer() const { return buffer_; }

  // What is to be done at an address with tracepoints: of all of them. Serves as long as the
  // tracer.
  std::shared_ptr<HitAction> ActionAt(GuestAddr address);

 private:
  class AtAddress;
  class Collector;
  struct Stepping {
    Key tracepoint;
    std::uint64_t left = 0;
  };

  HitVerdict OnHit(GuestAddr address, HitView& view);
  bool OnStep(HitView& view);
  // A frame of what these actions collect. False: tracing has ended.
  bool Collect(Tracepoint& tracepoint, const std::vector<Action>& actions, HitView& view);
  void CollectOne(const Action& action, HitView& view, Collector& collector);
  void EndWithLastPass(const Tracepoint& tracepoint);
  void Fail(const Tracepoint& tracepoint, const std::string& why);

  const std::function<void(std::string_view)> print_;
  std::map<Key, Tracepoint> tracepoints_;
  std::map<std::uint32_t, Variable> variables_;
  std::map<ThreadRef, std::vector<Stepping>> stepping_;  // while-stepping
  TraceBuffer buffer_;
  bool running_ = false;
  StopCause cause_;
  std::size_t text_bytes_ = 0;
};

}  // namespace glovebox::gdbstub::tracing
