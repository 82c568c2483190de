#include "server/worker/job_runner.h"

#include <time.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/channel/clean_text.h"
#include "server/worker/box_doors.h"
#include "server/worker/channel_tree.h"

namespace glovebox::worker {
namespace {

using engine::BoxReport;
using engine::RunState;
using engine::Termination;

std::uint64_t ProcessorTimeNs() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

Result<engine::BoxSpec, Error> SpecOf(const wire::RunJob& job) {
  engine::BoxSpec spec;
  spec.argv.assign(job.argv().begin(), job.argv().end());
  spec.env.assign(job.env().begin(), job.env().end());
  spec.program = job.program();
  spec.working_directory = job.working_directory();
  if (job.root().sha256().size() != spec.root.sha256.size()) {
    return Fail(ErrorCode::kInvalidArgument, "ROOT_INVALID",
                "the root's digest is not 32 bytes long");
  }
  std::copy(job.root().sha256().begin(), job.root().sha256().end(), spec.root.sha256.begin());
  spec.root.size_bytes = job.root().size_bytes();
  spec.seed = job.seed();
  for (const engine::LimitRow& row : engine::kLimits) {
    const auto value = job.limits().find(std::string(row.name));
    if (value == job.limits().end()) {
      return Fail(ErrorCode::kInvalidArgument, "LIMIT_MISSING",
                  "no value for the limit " + std::string(row.name));
    }
    spec.limits.Set(row.id, value->second);
  }
  spec.trace_syscalls = job.trace_syscalls();
  for (const auto& [name, value] : job.world()) spec.world_overrides.emplace_back(name, value);
  return spec;
}

struct KindRow {
  Termination::Kind kind;
  wire::Ended::Kind wire;
};
constexpr KindRow kKinds[] = {
    {Termination::Kind::kExited, wire::Ended::EXITED},
    {Termination::Kind::kSignaled, wire::Ended::SIGNALED},
    {Termination::Kind::kLimit, wire::Ended::LIMIT},
    {Termination::Kind::kDeadlock, wire::Ended::DEADLOCK},
    {Termination::Kind::kNotStarted, wire::Ended::NOT_STARTED},
};

void SetTermination(const Termination& termination, wire::Ended* ended) {
  for (const KindRow& row : kKinds) {
    if (row.kind == termination.kind) ended->set_kind(row.wire);
  }
  ended->set_code(termination.code);
  ended->set_core_available(termination.core_dumped);
  if (termination.kind == Termination::Kind::kLimit) {
    ended->set_limit(std::string(engine::Row(termination.limit).name));
    ended->set_limit_value(termination.limit_value);
  }
  ended->set_detail(channel::CleanText(termination.detail, channel::kMaxDetailBytes));
}

void SetFigures(const BoxReport& report, wire::Ended* ended) {
  ended->set_icount(report.icount);
  ended->set_virtual_time_ns(report.virtual_time);
  ended->set_peak_memory_bytes(report.peak_memory_bytes);
  ended->set_output_bytes(report.output_bytes);
  ended->set_syscalls(report.syscall_count);
  ended->set_trace_hash(report.trace_hash);
  for (const auto& [name, count] : report.absent_syscalls) {
    if (static_cast<std::size_t>(ended->absent_syscalls_size()) == channel::kMaxAbsentSyscalls)
      break;
    (*ended->mutable_absent_syscalls())[channel::CleanText(name, channel::kMaxNameBytes)] = count;
  }
  if (report.unimplemented_instruction) {
    const engine::InstructionReport& instruction = *report.unimplemented_instruction;
    ended->set_unimplemented_mnemonic(
        channel::CleanText(instruction.mnemonic, channel::kMaxNameBytes));
    ended->set_unimplemented_code(
        instruction.bytes.data(),
        std::min<std::size_t>(instruction.length_bytes, instruction.bytes.size()));
    ended->set_unimplemented_address(instruction.address);
  }
}

constexpr unsigned kPatientSlices = 100'000;

// One box from its first slice to its end.
class Run {
 public:
  Run(Channel& channel, const wire::RunJob& job)
      : channel_(channel),
        doors_(channel, job.has_stdin()),
        tree_(channel),
        wall_limit_ms_(job.limits().contains("wall") ? job.limits().at("wall") : 0),
        replay_(job.journal().begin(), job.journal().end()) {
    UpdateHold();
  }

  // Fills `ended`, unless the channel closed.
  void ToTheEnd(const engine::BoxSpec& spec, const BoxMaker& make_box, wire::Ended* ended) {
    auto made = make_box(spec, tree_, doors_);
    if (!made) return SetFailure(made.error(), ended);
    box_ = std::move(*made);
    while (!channel_.closed()) {
      const auto state = box_->Run(replay_.empty() ? engine::kNoLimit : replay_.front().icount());
      if (!state) return SetFailure(state.error(), ended);
      if (*state == RunState::kEnded) return SetEnd(ended);
      doors_.EndSlice(*box_);
      const bool replayed = Replay(*state);
      if (diverged_) return SetFailure(*diverged_, ended);
      bool wait = *state == RunState::kWaitsForInput && !replayed;
      do {
        if (wait && doors_.InputIsReady()) wait = false;
        if (wait) doors_.Drain();
        channel_.Flush();
        channel_.Receive(wait);
        while (auto control = channel_.TakeControl()) {
          if (control->has_cancel()) return SetCancelled(control->cancel(), ended);
          live_.push_back(control->signal().number());
        }
        if (InjectLive(*state)) wait = false;
      } while (wait && !channel_.closed());
    }
  }

  void SetFailure(const Error& error, wire::Ended* ended) {
    ended->set_kind(wire::Ended::FAILED);
    ended->set_failure_reason(channel::CleanText(error.reason, channel::kMaxNameBytes));
    ended->set_detail(channel::CleanText(error.message, channel::kMaxDetailBytes));
    if (box_) SetFigures(box_->Report(), ended);
    doors_.Drain();
  }

 private:
  void SetEnd(wire::Ended* ended) {
    const BoxReport report = box_->Report();
    SetFigures(report, ended);
    if (!report.termination) {
      return SetFailure(
          Error{ErrorCode::kInternal, "NO_TERMINATION", "the box ended without saying how", ""},
          ended);
    }
    SetTermination(*report.termination, ended);
    doors_.Drain();
  }

  void SetCancelled(const wire::Cancel& cancel, wire::Ended* ended) {
    SetFigures(box_->Report(), ended);
    ended->set_kind(cancel.wall_limit() ? wire::Ended::LIMIT : wire::Ended::CANCELLED);
    if (cancel.wall_limit()) {
      ended->set_limit(std::string(engine::Row(engine::LimitId::kWallTime).name));
      ended->set_limit_value(wall_limit_ms_);
    }
    ended->set_detail(channel::CleanText(cancel.why(), channel::kMaxDetailBytes));
    doors_.Drain();
  }

  // Inputs of an earlier attempt take effect where they did then. True when one did now, or a read
  // was let through.
  bool Replay(RunState state) {
    bool acted = false;
    while (!replay_.empty()) {
      const wire::JournalRecord& next = replay_.front();
      const engine::Icount icount = box_->Report().icount;
      const bool here =
          icount == next.icount() && next.while_waiting() == (state == RunState::kWaitsForInput);
      if (here) {
        doors_.Drain();
        if (const auto injected = box_->InjectSignal(next.signal()); !injected)
          diverged_ = injected.error();
        replay_.pop_front();
        UpdateHold();
        acted = true;
        continue;
      }
      // A system call may take many slices at one icount, but not for ever.
      const bool moved = icount != std::exchange(last_icount_, icount);
      slices_without_move_ = moved || state != RunState::kRunning ? 0 : slices_without_move_ + 1;
      if (icount > next.icount() || slices_without_move_ > kPatientSlices) {
        diverged_ = Error{ErrorCode::kInternal, "REPLAY_DIVERGED",
                          "the journal has an input at icount " + std::to_string(next.icount()) +
                              " that cannot take effect at icount " + std::to_string(icount),
                          ""};
        return true;
      }
      if (state == RunState::kWaitsForInput && next.while_waiting()) {
        // Not the read that was interrupted then: it gets its bytes.
        doors_.LetOneReadThrough();
        return doors_.InputIsReady() || acted;
      }
      return acted;
    }
    return acted;
  }

  void UpdateHold() { doors_.HoldReads(!replay_.empty() && replay_.front().while_waiting()); }

  // Signals that came meanwhile. Behind those of the journal.
  bool InjectLive(RunState state) {
    if (!replay_.empty() || live_.empty()) return false;
    doors_.Drain();
    for (const int number : live_) {
      const auto icount = box_->InjectSignal(number);
      if (!icount)
        continue;  // no such signal: the daemon checked its client's request, so nothing is owed
                   // here
      wire::FromWorker message;
      wire::JournalRecord& record = *message.mutable_journal();
      record.set_icount(*icount);
      record.set_signal(number);
      record.set_while_waiting(state == RunState::kWaitsForInput);
      channel_.Queue(message);
    }
    live_.clear();
    return true;
  }

  Channel& channel_;
  BoxDoors doors_;
  ChannelTree tree_;
  std::uint64_t wall_limit_ms_;
  std::deque<wire::JournalRecord> replay_;
  engine::Icount last_icount_ = engine::kNoLimit;  // while replaying
  unsigned slices_without_move_ = 0;
  std::vector<int> live_;
  std::unique_ptr<engine::Box> box_;
  std::optional<Error> diverged_;
};

}  // namespace

void RunJob(Channel& channel, const wire::RunJob& job, const BoxMaker& make_box) {
  const std::uint64_t start_ns = ProcessorTimeNs();
  // Given back before the end is told when the host has no memory left.
  auto reserve = std::make_unique_for_overwrite<std::byte[]>(std::size_t{1} << 20);
  wire::FromWorker message;
  Run run(channel, job);
  try {
    const auto spec = SpecOf(job);
    if (spec) {
      run.ToTheEnd(*spec, make_box, message.mutable_ended());
    } else {
      run.SetFailure(spec.error(), message.mutable_ended());
    }
  } catch (const std::bad_alloc&) {
    reserve.reset();
    message.mutable_ended()->Clear();
    message.mutable_ended()->set_kind(wire::Ended::FAILED);
    message.mutable_ended()->set_failure_reason("OUT_OF_HOST_MEMORY");
    message.mutable_ended()->set_detail("the worker could get no more memory from the host");
  } catch (const std::exception& error) {
    message.mutable_ended()->Clear();
    message.mutable_ended()->set_kind(wire::Ended::FAILED);
    message.mutable_ended()->set_failure_reason("WORKER_EXCEPTION");
    message.mutable_ended()->set_detail(channel::CleanText(error.what(), channel::kMaxDetailBytes));
  }
  if (channel.closed()) return;
  message.mutable_ended()->set_host_cpu_time_ns(ProcessorTimeNs() - start_ns);
  channel.Queue(message);
  channel.Flush();
}

}  // namespace glovebox::worker
