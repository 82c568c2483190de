#include "server/worker/replay_plan.h"

#include <fmt/format.h>

#include <cstring>

#include "engine/limits/limit_table.h"

namespace glovebox::worker {
namespace {

using engine::DebugEvent;

// Numbers of signal(7).
constexpr int kKill = 9, kBadCall = 31;

std::string SignalName(int number) {
  const char* const name = ::sigabbrev_np(number);
  return name == nullptr ? fmt::format("signal {}", number) : fmt::format("SIG{}", name);
}

bool IsLimit(const wire::Ended& end, engine::LimitId limit) {
  return end.kind() == wire::Ended::LIMIT && end.limit() == engine::Row(limit).name;
}

}  // namespace

ReplayPlan::ReplayPlan(const wire::Replay& replay)
    : end_(replay.end()),
      at_(replay.has_icount() ? std::optional(replay.icount()) : std::nullopt),
      at_end_(!at_ || (knows_end() && *at_ >= end_.icount())) {
  if (at_end_) {
    PlanEnd();
  } else {
    stand_ = *at_;
  }
}

bool ReplayPlan::was_stopped() const {
  return end_.kind() == wire::Ended::CANCELLED || IsLimit(end_, engine::LimitId::kWallTime);
}

// The box' last step is the one that ended it. Where that step is the first thing behind the last
// instruction, the box stands before that one; of results that do not know their step, it is taken
// to have been the next, which it is for each exit and each fault.
void ReplayPlan::PlanEnd() {
  const std::uint64_t icount = end_.icount();
  const std::uint64_t step = end_.has_step() ? end_.step() : 1;
  if (was_stopped()) {
    stand_ = {icount, end_.step()};
    return;
  }
  const bool by_instructions = IsLimit(end_, engine::LimitId::kInstructions);
  // The instruction that needed the page has not retired.
  const bool by_memory = IsLimit(end_, engine::LimitId::kMemory);
  if ((step == 0 && !by_memory) || by_instructions) {
    stand_ = icount - (icount != 0 ? 1 : 0);
  } else {
    stand_ = {icount, step == 0 ? 0 : step - 1};
  }
  // Nobody can stop before SIGKILL, nor where seccomp(2) ends a process.
  const bool is_delivered = end_.kind() == wire::Ended::SIGNALED && end_.code() != kKill &&
                            !(end_.code() == kBadCall && step == 0);
  awaits_event_ = is_delivered || end_.kind() == wire::Ended::DEADLOCK;
}

bool ReplayPlan::IsAwaited(const DebugEvent& event) const {
  if (end_.kind() == wire::Ended::DEADLOCK) return event.kind == DebugEvent::Kind::kDeadlock;
  return event.kind == DebugEvent::Kind::kSignal && event.fatal && event.signal == end_.code();
}

std::string ReplayPlan::WhatEndedIt() const {
  switch (end_.kind()) {
    case wire::Ended::EXITED:
      return fmt::format("before its exit with status {} takes effect", end_.code());
    case wire::Ended::SIGNALED:
      return fmt::format("before {} ends it", SignalName(end_.code()));
    case wire::Ended::LIMIT:
      return was_stopped() ? std::string("where its wall limit ended it")
                           : fmt::format("before it meets its limit '{}'", end_.limit());
    case wire::Ended::DEADLOCK:
      return "in the deadlock that ended it";
    case wire::Ended::CANCELLED:
      return "where it was cancelled";
    default:
      return "";
  }
}

std::string ReplayPlan::Describe(const engine::BoxReport& report) const {
  std::string text =
      fmt::format("a replay of a job that has ended: it stands at icount {}", report.icount);
  if (!at_end_) {
    if (knows_end()) text += fmt::format(" of {}", end_.icount());
    if (report.icount != *at_)
      text += fmt::format(", and not at {}: IT DIFFERS from the job", *at_);
    return text;
  }
  text += ", " + WhatEndedIt();
  if (at_ && *at_ > end_.icount())
    text += fmt::format("; {} is beyond its end at icount {}", *at_, end_.icount());
  // A write that meets the limit of output, or of disk, still puts out a part.
  const bool tells_output = end_.kind() != wire::Ended::LIMIT || was_stopped();
  if (report.icount > end_.icount() || end_.icount() - report.icount > 1 ||
      (report.icount != end_.icount() && awaits_event_)) {
    text += fmt::format("; the job ended at icount {}: THE REPLAY DIFFERS from it", end_.icount());
  } else if (tells_output && report.output_bytes != end_.output_bytes()) {
    text += fmt::format("; it has put out {} bytes, the job {}: THE REPLAY DIFFERS from it",
                        report.output_bytes, end_.output_bytes());
  }
  return text;
}

std::string ReplayPlan::Compare(const engine::BoxReport& report) const {
  if (!knows_end() || was_stopped()) return "";
  if (report.icount == end_.icount() && report.trace_hash == end_.trace_hash() &&
      report.output_bytes == end_.output_bytes()) {
    return fmt::format("the replay has ended as the job did: icount {}, trace hash {}",
                       report.icount, report.trace_hash);
  }
  return fmt::format(
      "THE REPLAY DIFFERS from the job: it ended at icount {} with trace hash {} and {} bytes of "
      "output, the job at {} with {} and {}",
      report.icount, report.trace_hash, report.output_bytes, end_.icount(), end_.trace_hash(),
      end_.output_bytes());
}

std::string ReplayPlan::DescribeEarlyEnd(const engine::BoxReport& report) const {
  if (!at_end_) {
    return fmt::format("the replay ended at icount {}, before it came to {}", report.icount, *at_);
  }
  return fmt::format("the replay ended at icount {} and could not stand where the job ended, at {}",
                     report.icount, end_.icount());
}

}  // namespace glovebox::worker
