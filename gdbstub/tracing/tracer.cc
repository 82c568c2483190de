#include "gdbstub/tracing/tracer.h"

#include <algorithm>
#include <array>

#include "gdbstub/agent/interpreter.h"

namespace glovebox::gdbstub::tracing {

using agent::EvalError;
using agent::Machine;

// What expressions of one hit do.
class Tracer::Collector final : public agent::Environment {
 public:
  Collector(Tracer& tracer, HitView& view, Frame* frame)
      : tracer_(tracer), view_(view), frame_(frame) {}

  std::uint64_t Variable(std::uint16_t number) override {
    const auto found = tracer_.variables_.find(number);
    if (found == tracer_.variables_.end()) return 0;
    constexpr std::uint64_t kMicrosecond = 1000;
    return found->second.is_timestamp ? view_.Nanoseconds() / kMicrosecond
                                      : static_cast<std::uint64_t>(found->second.value);
  }
  void SetVariable(std::uint16_t number, std::uint64_t value) override {
    const auto found = tracer_.variables_.find(number);
    if (found != tracer_.variables_.end() && !found->second.is_timestamp)
      found->second.value = static_cast<std::int64_t>(value);
  }
  // As far as it is readable; what is not, gdb shows as unavailable.
  void Collect(HitView& view, GuestAddr address, std::uint64_t length) override {
    constexpr std::uint64_t kPageBytes = 4096;
    std::array<std::byte, kPageBytes> page;
    while (length > 0 && has_room()) {
      const std::uint64_t part = std::min(length, kPageBytes - address % kPageBytes);
      const auto bytes = std::span(page).first(static_cast<std::size_t>(part));
      if (view.Read(address, bytes) && frame_ != nullptr) frame_->AddMemory(address, bytes);
      // Holes are as long as a frame may be, too.
      looked_bytes_ += part;
      address += part;
      length -= part;
    }
  }
  void CollectVariable(std::uint16_t number) override {
    if (frame_ != nullptr && has_room()) frame_->AddVariable(number, Variable(number));
  }
  void Print(std::string_view text) override { tracer_.print_(text); }

  void CollectRegisters() {
    std::vector<std::byte> file(LayoutOf(view_.architecture()).size_bytes);
    if (frame_ != nullptr && has_room() && view_.ReadRegisters(file)) frame_->AddRegisters(file);
  }
  bool has_room() const {
    return looked_bytes_ <= kMostFrameBytes &&
           (frame_ == nullptr || frame_->size_bytes() <= kMostFrameBytes);
  }

 private:
  Tracer& tracer_;
  HitView& view_;
  Frame* const frame_;  // null: a condition, which collects nothing
  std::uint64_t looked_bytes_ = 0;
};

class Tracer::AtAddress final : public HitAction {
 public:
  AtAddress(Tracer& tracer, GuestAddr address) : tracer_(tracer), address_(address) {}
  HitVerdict OnHit(HitView& view) override { return tracer_.OnHit(address_, view); }
  bool OnStep(HitView& view) override { return tracer_.OnStep(view); }

 private:
  Tracer& tracer_;
  const GuestAddr address_;
};

// The one variable that gdb expects to be there: GDB manual, "Trace State Variables".
Tracer::Tracer(std::function<void(std::string_view)> print) : print_(std::move(print)) {
  constexpr std::uint32_t kTimestamp = 1;
  variables_[kTimestamp] = {.name = "trace_timestamp", .is_timestamp = true};
}

void Tracer::Reset() {
  tracepoints_.clear();
  stepping_.clear();
  buffer_.Clear();
  running_ = false;
  cause_ = {};
  text_bytes_ = 0;
  for (auto& [number, variable] : variables_) variable.value = variable.initial;
}

Tracepoint* Tracer::Find(std::uint32_t number, GuestAddr address) {
  const auto found = tracepoints_.find({number, address});
  return found == tracepoints_.end() ? nullptr : &found->second;
}

Tracepoint* Tracer::Add(std::uint32_t number, GuestAddr address) {
  if (tracepoints_.size() >= kMostTracepoints) return nullptr;
  Tracepoint& tracepoint = tracepoints_[{number, address}];
  tracepoint = {};
  tracepoint.number = number;
  tracepoint.address = address;
  return &tracepoint;
}

bool Tracer::TakesText(std::size_t bytes) {
  if (bytes > kMostTextBytes - text_bytes_) return false;
  text_bytes_ += bytes;
  return true;
}

bool Tracer::SetVariable(std::uint32_t number, Variable variable) {
  if (variables_.size() >= kMostVariables && !variables_.contains(number)) return false;
  variable.value = variable.initial;
  variables_[number] = std::move(variable);
  return true;
}

std::int64_t Tracer::ValueOf(std::uint32_t number) const {
  const auto found = variables_.find(number);
  return found == variables_.end() ? 0 : found->second.value;
}

void Tracer::Start() {
  buffer_.Clear();
  stepping_.clear();
  for (auto& [key, tracepoint] : tracepoints_) tracepoint.hits = tracepoint.used_bytes = 0;
  for (auto& [number, variable] : variables_) variable.value = variable.initial;
  cause_ = {};
  running_ = true;
}

void Tracer::Stop(StopCause cause) {
  if (!running_) return;
  running_ = false;
  stepping_.clear();
  cause_ = std::move(cause);
}

std::shared_ptr<HitAction> Tracer::ActionAt(GuestAddr address) {
  return std::make_shared<AtAddress>(*this, address);
}

void Tracer::Fail(const Tracepoint& tracepoint, const std::string& why) {
  Stop({StopCause::Kind::kError, tracepoint.number, why});
}

void Tracer::EndWithLastPass(const Tracepoint& tracepoint) {
  if (tracepoint.passes != 0 && tracepoint.hits >= tracepoint.passes)
    Stop({StopCause::Kind::kPasses, tracepoint.number, {}});
}

HitVerdict Tracer::OnHit(GuestAddr address, HitView& view) {
  HitVerdict verdict;
  for (auto& [key, tracepoint] : tracepoints_) {
    if (!running_) break;
    if (tracepoint.address != address || !tracepoint.enabled) continue;
    if (tracepoint.condition) {
      Collector nothing(*this, view, nullptr);
      Machine machine(view, nothing);
      if (machine.Run(*tracepoint.condition) != EvalError::kNone) {
        Fail(tracepoint, "its condition cannot be evaluated");
        break;
      }
      if (machine.top() == 0) continue;
    }
    ++tracepoint.hits;
    if (!Collect(tracepoint, tracepoint.actions, view)) break;
    if (tracepoint.steps == 0) {
      EndWithLastPass(tracepoint);
    } else {
      std::vector<Stepping>& under_way = stepping_[view.thread()];
      std::erase_if(under_way, [&](const Stepping& one) { return one.tracepoint == key; });
      under_way.push_back({key, tracepoint.steps});
      verdict.steps = std::max(verdict.steps, tracepoint.steps);
    }
  }
  return verdict;
}

bool Tracer::OnStep(HitView& view) {
  const auto found = stepping_.find(view.thread());
  if (found == stepping_.end()) return false;
  // Ends of tracing empty it.
  std::vector<Stepping> under_way = std::move(found->second);
  stepping_.erase(found);
  for (Stepping& one : under_way) {
    const auto tracepoint = tracepoints_.find(one.tracepoint);
    one.left -= 1;
    if (tracepoint == tracepoints_.end()) {
      one.left = 0;
    } else if (!Collect(tracepoint->second, tracepoint->second.step_actions, view)) {
      return false;
    }
  }
  for (const Stepping& one : under_way) {
    const auto tracepoint = tracepoints_.find(one.tracepoint);
    if (one.left == 0 && tracepoint != tracepoints_.end()) EndWithLastPass(tracepoint->second);
  }
  std::erase_if(under_way, [&](const Stepping& one) { return one.left == 0 || !running_; });
  if (under_way.empty()) return false;
  stepping_[view.thread()] = std::move(under_way);
  return true;
}

void Tracer::CollectOne(const Action& action, HitView& view, Collector& collector) {
  switch (action.kind) {
    case Action::Kind::kRegisters:
      return collector.CollectRegisters();
    case Action::Kind::kMemory:
      return collector.Collect(
          view, action.offset + (action.base ? view.Register(*action.base) : 0), action.length);
    case Action::Kind::kExpression:
      return;
  }
}

bool Tracer::Collect(Tracepoint& tracepoint, const std::vector<Action>& actions, HitView& view) {
  Frame frame(static_cast<std::uint16_t>(tracepoint.number), tracepoint.address);
  Collector collector(*this, view, &frame);
  Machine machine(view, collector);
  for (const Action& action : actions) {
    CollectOne(action, view, collector);
    if (action.kind == Action::Kind::kExpression &&
        machine.Run(action.program) != EvalError::kNone) {
      Fail(tracepoint, "an expression of its actions cannot be evaluated");
      break;
    }
    if (!collector.has_room()) {
      Fail(tracepoint, "it collects more than a frame holds");
      break;
    }
  }
  tracepoint.used_bytes += frame.size_bytes();
  if (!buffer_.Add(std::move(frame))) Stop({StopCause::Kind::kFull, 0, {}});
  return running_;
}

}  // namespace glovebox::gdbstub::tracing
