#include "server/worker/job_runner.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <exception>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "server/channel/clean_text.h"
#include "server/worker/box_doors.h"
#include "server/worker/change_player.h"
#include "server/worker/change_records.h"
#include "server/worker/channel_tree.h"
#include "server/worker/debug_link.h"
#include "server/worker/replay_plan.h"

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

engine::TerminalSize SizeOf(const wire::TerminalSize& size) {
  const auto side = [](std::uint32_t n) {
    return static_cast<std::uint16_t>(std::min(n, channel::kMaxTerminalSide));
  };
  return {side(size.rows()), side(size.columns())};
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
  spec.live_input = job.live_input();
  spec.real_clock = job.real_clock();
  if (job.has_terminal()) spec.terminal = SizeOf(job.terminal());
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
// Of a live stdin at one time: their echo is far less than a chunk of output.
constexpr std::size_t kMaxTypedBytes = 4096;

// One box from its first slice to its end.
class Run {
 public:
  Run(Channel& channel, const wire::RunJob& job)
      : channel_(channel),
        job_(job),
        doors_(channel, job.has_stdin(), !job.has_replay()),
        tree_(channel),
        wall_limit_ms_(job.limits().contains("wall") ? job.limits().at("wall") : 0),
        is_live_(job.live_input()),
        waits_for_debugger_(job.waits_for_debugger()),
        has_clock_(job.real_clock()),
        replay_(job.journal().begin(), job.journal().end()),
        changes_(ChangeBytes(job), [this](std::string change) { Record(std::move(change)); }) {
    if (job.has_replay()) plan_.emplace(job.replay());
    UpdateHold();
  }

  // Fills `ended`, unless the channel closed.
  void ToTheEnd(const engine::BoxSpec& spec, const BoxMaker& make_box, wire::Ended* ended) {
    auto made = make_box(spec, tree_, doors_);
    if (!made) return SetFailure(made.error(), ended);
    box_ = std::move(*made);
    debug_.emplace(channel_, *box_,
                   DebugLink::Options{.limits = spec.limits,
                                      .waits = waits_for_debugger_,
                                      .changes = plan_ ? nullptr : &changes_,
                                      .replay = plan_ ? &job_.replay() : nullptr});
    SetClock();
    PlanChange();
    if (diverged_) return SetFailure(*diverged_, ended);
    while (!channel_.closed()) {
      const auto state = box_->Run(Until());
      if (!state) return SetFailure(state.error(), ended);
      debug_->AfterRun(*state);
      if (player_ && player_->busy()) {
        PlayChange(*state);
        if (diverged_) return SetFailure(*diverged_, ended);
        if (!TakeControls(ended, /*wait=*/false)) return;
        continue;
      }
      if (*state == RunState::kEnded) {
        if (!Lingers()) return SetEnd(ended);
        if (!TakeControls(ended, /*wait=*/true)) return;
        continue;
      }
      doors_.EndSlice(*box_);
      if (*state == RunState::kStopped) {
        const bool looks_on = plan_ && !debug_->stands();
        // A debugger that may start programs again holds the box' end up.
        if (plan_ && !looks_on && debug_->debuggee().debugger().Processes().empty()) Compare();
        if (looks_on ? !TakeControls(ended, /*wait=*/false) : !StandStill(ended)) return;
        continue;
      }
      const bool replayed = Replay(*state);
      if (IsWhereItStands()) {
        Stand();
        continue;
      }
      if (plan_ && !stands_ && replay_.empty() && !replayed && *state != RunState::kRunning &&
          !IsFrozen(*state))
        WaitsTooEarly();
      PlanChange();
      if (diverged_) return SetFailure(*diverged_, ended);
      if (player_ && player_->busy()) continue;
      const bool waits = *state != RunState::kRunning;
      bool wait = waits && !replayed;
      // Of what came earlier there may be room for more now; nothing else would say so.
      if (InjectLive(waits)) wait = false;
      do {
        if (wait && IsFrozen(*state) && doors_.InputIsReady()) wait = false;
        if (wait) doors_.Drain();
        channel_.Flush();
        channel_.Receive(wait, MillisecondsToWake(*state));
        while (auto control = channel_.TakeControl()) {
          if (control->has_cancel()) return SetCancelled(control->cancel(), ended);
          if (control->has_debug()) wait = false;  // it may want the box to stand still
          TakeLive(*control);
        }
        if (InjectLive(waits) || InjectClock(*state)) wait = false;
        if (too_many_times_) return SetFailure(*too_many_times_, ended);
      } while (wait && !channel_.closed());
    }
  }

  // Until the debugger lets something go, or has left. What is typed, and signals, wait with the
  // box. False: the job is over.
  bool StandStill(wire::Ended* ended) {
    const std::uint64_t since = has_clock_ ? HostNs() : 0;
    doors_.Drain();
    const bool goes_on = TakeControls(ended, /*wait=*/true);
    if (has_clock_) clock_zero_ns_ += HostNs() - since;
    return goes_on;
  }

  // What the daemon has sent unasked. False: the job is over.
  bool TakeControls(wire::Ended* ended, bool wait) {
    channel_.Flush();
    channel_.Receive(wait);
    while (auto control = channel_.TakeControl()) {
      if (control->has_cancel()) {
        SetCancelled(control->cancel(), ended);
        return false;
      }
      TakeLive(*control);
    }
    return true;
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
    ended->set_step(box_->At().step);
    if (plan_ && !debug_->stands()) {
      return SetFailure(
          Error{ErrorCode::kInternal, "REPLAY_DIVERGED", plan_->DescribeEarlyEnd(report), ""},
          ended);
    }
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
    ended->set_step(box_->At().step);
    ended->set_kind(cancel.wall_limit() ? wire::Ended::LIMIT : wire::Ended::CANCELLED);
    if (cancel.wall_limit()) {
      ended->set_limit(std::string(engine::Row(engine::LimitId::kWallTime).name));
      ended->set_limit_value(wall_limit_ms_);
    }
    ended->set_detail(channel::CleanText(cancel.why(), channel::kMaxDetailBytes));
    doors_.Drain();
  }

  static engine::Moment MomentOf(const wire::JournalRecord& record) {
    return {record.icount(), record.step()};
  }

  // Where the next input of the journal takes effect. Where the box waited then, it has to get into
  // that wait.
  engine::Moment NextStop() const {
    if (replay_.empty()) return engine::kNoLimit;
    const wire::JournalRecord& next = replay_.front();
    return {next.icount(), next.step() + (next.while_waiting() ? 1 : 0)};
  }

  engine::Moment Until() const {
    if (player_ && player_->busy()) return player_->until();
    const engine::Moment next = NextStop();
    if (!plan_ || stands_) return next;
    if (plan_->at_end()) return replay_.empty() ? plan_->stand() : next;
    return std::min(next, plan_->stand());
  }

  // --- of a job that has ended ---

  bool IsWhereItStands() const {
    return plan_ && !stands_ && box_->At() >= plan_->stand() &&
           (!plan_->at_end() || replay_.empty());
  }

  void Stand() {
    stands_ = true;
    debug_->Defer(false);
    // Its debugger may do something else; and what it does would be in the way of these.
    const auto later =
        std::erase_if(replay_, [](const auto& record) { return record.has_change(); });
    if (later != 0) {
      debug_->Notice(fmt::format(
          "{} changes that a debugger made behind this icount are not made when the replay goes on",
          later));
    }
    debug_->StandFor(*plan_);
  }

  // The box of a replay has ended, and its debugger is still there: it says when it leaves.
  bool Lingers() {
    if (!plan_ || !debug_->has_session()) return false;
    Compare();
    return true;
  }

  void Compare() {
    if (!std::exchange(compared_, true) && !debug_->is_altered_replay())
      debug_->Notice(plan_->Compare(box_->Report()));
  }

  void WaitsTooEarly() {
    diverged_ = Error{ErrorCode::kInternal, "REPLAY_DIVERGED",
                      fmt::format("the replay waits at icount {}, where the job went on: {}",
                                  box_->At().icount, plan_->DescribeEarlyEnd(box_->Report())),
                      ""};
  }

  // --- what debuggers change ---

  static std::size_t ChangeBytes(const wire::RunJob& job) {
    std::size_t bytes = 0;
    for (const wire::JournalRecord& record : job.journal()) bytes += record.change().size();
    return bytes;
  }

  void Record(std::string change) {
    doors_.Drain();
    const engine::Moment now = box_->At();
    wire::FromWorker message;
    message.mutable_journal()->set_icount(now.icount);
    message.mutable_journal()->set_step(now.step);
    message.mutable_journal()->set_change(std::move(change));
    channel_.Queue(message);
  }

  // Where the next record is a change, the box has to get to its place.
  void PlanChange() {
    const bool is_next = !replay_.empty() && replay_.front().has_change() &&
                         (!plan_ || plan_->at_end() || MomentOf(replay_.front()) < plan_->stand());
    changes_.Pause(is_next);
    debug_->Defer(is_next);
    if (!is_next || (player_ && player_->busy())) return;
    const auto recorded = DecodeChange(replay_.front().change());
    if (!recorded) return Diverge(replay_.front());
    if (!player_) player_.emplace(*box_, debug_->debuggee());
    player_->Plan(MomentOf(replay_.front()), recorded->place);
  }

  void PlayChange(RunState state) {
    const ChangePlayer::Found found = player_->AfterRun(state);
    if (found == ChangePlayer::Found::kNotYet) return;
    if (found == ChangePlayer::Found::kMissed) return Diverge(replay_.front());
    while (!replay_.empty() && replay_.front().has_change()) {
      const auto recorded = DecodeChange(replay_.front().change());
      if (!recorded) return Diverge(replay_.front());
      if (!player_->IsHere(MomentOf(replay_.front()), recorded->place)) break;
      // A replay stands before what ended its job.
      const bool is_end =
          plan_ && replay_.size() == 1 && recorded->change.kind == engine::DebugChange::Kind::kKill;
      if (!is_end && !player_->Make(*recorded)) return Diverge(replay_.front());
      replay_.pop_front();
    }
    player_->Leave();
    if (replay_.empty()) SetClock();
    UpdateHold();
    if (IsWhereItStands()) return Stand();
    PlanChange();
  }

  // Lets an input take effect, and then the time at which it came. Bytes may be taken in part; the
  // answer is how many were. Nothing has happened where none of some was taken.
  Result<std::size_t, Error> Inject(const wire::JournalRecord& record) {
    const auto taken = InjectKind(record);
    if (!taken || record.time_ns() == 0 || TookNothing(record, *taken)) return taken;
    if (const auto moved = box_->InjectTime(record.time_ns()); !moved)
      return std::unexpected(moved.error());
    return taken;
  }

  static bool TookNothing(const wire::JournalRecord& record, std::size_t taken) {
    return record.has_input() && taken == 0 && !record.input().data().empty();
  }

  Result<std::size_t, Error> InjectKind(const wire::JournalRecord& record) {
    switch (record.kind_case()) {
      case wire::JournalRecord::kInput: {
        const std::string& data = record.input().data();
        return box_->InjectInput(std::as_bytes(std::span(data)), record.input().end());
      }
      case wire::JournalRecord::kResize: {
        const auto resized = box_->InjectResize(SizeOf(record.resize()));
        if (!resized) return std::unexpected(resized.error());
        return 0;
      }
      case wire::JournalRecord::kSignal: {
        const auto injected = box_->InjectSignal(record.signal());
        if (!injected) return std::unexpected(injected.error());
        return 0;
      }
      case wire::JournalRecord::kChange:
      case wire::JournalRecord::kClock:
      case wire::JournalRecord::KIND_NOT_SET:
        break;
    }
    return 0;
  }

  void Diverge(const wire::JournalRecord& next) {
    const engine::Moment now = box_->At();
    diverged_ = Error{
        ErrorCode::kInternal, "REPLAY_DIVERGED",
        fmt::format("the journal has an input at icount {} (step {}) that cannot take effect at "
                    "icount {} (step {})",
                    next.icount(), next.step(), now.icount, now.step),
        ""};
  }

  // Inputs of an earlier attempt take effect where they did then. True when one did now, or a read
  // was let through.
  bool Replay(RunState state) {
    bool acted = false;
    while (!replay_.empty()) {
      const wire::JournalRecord& next = replay_.front();
      if (next.has_change()) return acted;
      const engine::Moment now = box_->At();
      const bool waits = state != RunState::kRunning;
      if (now == MomentOf(next) && next.while_waiting() == waits) {
        doors_.Drain();
        const auto taken = Inject(next);
        if (!taken) diverged_ = taken.error();
        if (taken && *taken != next.input().data().size()) Diverge(next);
        if (next.has_clock()) ++clock_records_;
        replay_.pop_front();
        if (replay_.empty()) SetClock();
        UpdateHold();
        acted = true;
        continue;
      }
      if (acted) return true;  // the box goes on from here first
      // A system call may take many slices at one moment, but not for ever.
      const bool moved = last_moment_ != now;
      last_moment_ = now;
      slices_without_move_ = moved || state != RunState::kRunning ? 0 : slices_without_move_ + 1;
      if (now > MomentOf(next) || slices_without_move_ > kPatientSlices ||
          (waits && !IsFrozen(state))) {
        Diverge(next);
        return true;
      }
      if (waits && next.while_waiting()) {
        // Not the read that was interrupted then: it gets its bytes.
        doors_.LetOneReadThrough();
        return doors_.InputIsReady();
      }
      return false;
    }
    return acted;
  }

  void UpdateHold() { doors_.HoldReads(!replay_.empty() && replay_.front().while_waiting()); }

  void TakeLive(const wire::ToWorker& message) {
    if (message.has_debug()) return debug_->Take(message.debug());
    if (message.has_live()) {
      typed_ += message.live().data();
      end_typed_ = end_typed_ || message.live().end();
      return;
    }
    wire::JournalRecord& event = events_.emplace_back();
    if (message.has_resize()) {
      *event.mutable_resize() = message.resize();
    } else {
      event.set_signal(message.signal().number());
    }
  }

  // Inputs that came meanwhile take effect, behind those of the journal. True where one did.
  bool InjectLive(bool waits) {
    if (!replay_.empty()) return false;
    bool acted = false;
    for (wire::JournalRecord& event : events_) acted |= InjectOne(event, waits);
    events_.clear();
    if ((typed_.empty() && !end_typed_) || !box_->TakesInput()) return acted;
    wire::JournalRecord event;
    const std::string piece = typed_.substr(0, kMaxTypedBytes);
    event.mutable_input()->set_data(piece);
    event.mutable_input()->set_end(end_typed_ && piece.size() == typed_.size());
    return InjectOne(event, waits) || acted;
  }

  // A read of stdin that is not live holds the whole box.
  bool IsFrozen(RunState state) const { return state == RunState::kWaitsForInput && !is_live_; }

  // --- the clock of the host, for a box that is to have a real one ---

  static std::uint64_t HostNs() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
  }
  // From here on the box' time goes on with the host's.
  void SetClock() {
    if (has_clock_) clock_zero_ns_ = HostNs() - box_->Report().virtual_time;
  }
  std::uint64_t ElapsedNs() const { return HostNs() - clock_zero_ns_; }

  int MillisecondsToWake(RunState state) const {
    constexpr std::uint64_t kMillisecond = 1'000'000;
    constexpr std::uint64_t kLongest = 3'600'000;
    if (state != RunState::kWaitsForClock) return -1;
    const std::uint64_t wake = box_->WakeTime();
    const std::uint64_t now = ElapsedNs();
    const std::uint64_t left = wake > now ? (wake - now + kMillisecond - 1) / kMillisecond : 0;
    return static_cast<int>(std::min(left, kLongest));
  }

  // The wait of a sleeper is over.
  bool InjectClock(RunState state) {
    if (state != RunState::kWaitsForClock || !replay_.empty()) return false;
    if (ElapsedNs() < box_->WakeTime()) return false;
    if (++clock_records_ > channel::kMaxClockRecords) {
      too_many_times_ = Error{ErrorCode::kResourceExhausted, "JOURNAL_TOO_LARGE",
                              "with a real clock the guest went to sleep too often: the journal "
                              "holds when each of " +
                                  std::to_string(channel::kMaxClockRecords) + " sleeps ended",
                              ""};
      return true;
    }
    wire::JournalRecord record;
    record.set_clock(true);
    return InjectOne(record, true);
  }

  // The record goes out before anything that follows from it: what the box puts out meanwhile is
  // gathered, and far less than a chunk.
  bool InjectOne(wire::JournalRecord& record, bool waits) {
    doors_.Drain();
    if (has_clock_) record.set_time_ns(ElapsedNs());
    const engine::Moment now = box_->At();
    const auto taken = Inject(record);
    if (!taken)
      return false;  // no such signal, no such door: the daemon checked what its client
                     // asked for, so nothing is owed here
    if (record.has_input()) {
      if (TookNothing(record, *taken)) return false;
      const bool all = *taken == record.input().data().size();
      typed_.erase(0, *taken);
      record.mutable_input()->mutable_data()->resize(*taken);
      record.mutable_input()->set_end(all && record.input().end());
      if (record.input().end()) end_typed_ = false;
    }
    record.set_icount(now.icount);
    record.set_step(now.step);
    record.set_while_waiting(waits);
    wire::FromWorker message;
    *message.mutable_journal() = record;
    if (!plan_) channel_.Queue(message);
    return true;
  }

  Channel& channel_;
  const wire::RunJob& job_;
  BoxDoors doors_;
  ChannelTree tree_;
  std::uint64_t wall_limit_ms_;
  const bool is_live_;
  const bool waits_for_debugger_;
  const bool has_clock_;
  std::deque<wire::JournalRecord> replay_;
  ChangeJournal changes_;
  std::optional<ReplayPlan> plan_;
  bool stands_ = false;  // where the plan says, or it has gone on from there
  bool compared_ = false;
  std::optional<engine::Moment> last_moment_;  // while replaying
  unsigned slices_without_move_ = 0;
  // Came live and has not taken effect yet.
  std::vector<wire::JournalRecord> events_;
  std::string typed_;
  bool end_typed_ = false;
  std::uint64_t clock_zero_ns_ = 0;  // of the host's clock, when the box' time was 0
  std::uint64_t clock_records_ = 0;
  std::optional<Error> too_many_times_;
  std::unique_ptr<engine::Box> box_;
  std::optional<DebugLink> debug_;
  std::optional<ChangePlayer> player_;
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
