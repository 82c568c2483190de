#include "engine/linux/process_timers.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/linux/process_table.h"

namespace glovebox::engine {
namespace {

constexpr int kTimerSignals[kTimerCount] = {kSIGALRM, kSIGVTALRM, kSIGPROF};

// Nobody waits for longer; sums of two do not overflow.
constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max() / 4;

std::int64_t After(std::int64_t now, std::int64_t duration) {
  return now + std::min(duration, kFar);
}

AlarmClock ClockOf(Process& process, TimerId which) {
  if (which == kTimerReal) return {};
  // Of the process that holds the timer, which therefore does not share in it.
  return {0, CpuClock{std::shared_ptr<Process>(std::shared_ptr<Process>{}, &process), 0,
                      which == kTimerVirtual}};
}

// Periods from `next` up to and with `now`.
std::int64_t PeriodsUntil(std::int64_t next, std::int64_t now, std::int64_t interval) {
  return now < next ? 0 : (now - next) / interval + 1;
}

}  // namespace

std::int64_t CpuClock::Now() const {
  if (thread == 0)
    return static_cast<std::int64_t>(process->cpu_ns - (user_only ? process->system_ns : 0));
  const Task* const task = process->kernel.processes().FindTask(static_cast<int>(thread));
  return task == nullptr ? 0 : static_cast<std::int64_t>(task->cpu_ns);
}

std::int64_t AlarmClock::Now(const Kernel& kernel) const {
  return cpu ? cpu->Now() : static_cast<std::int64_t>(kernel.Now()) + offset;
}

// --- ClockAlarm ---

void ClockAlarm::Set(std::int64_t moment) {
  Cancel();
  moment_ = moment;
  if (!clock_.cpu) {
    kernel_.alarms.Set(*this,
                       static_cast<Nanoseconds>(std::max<std::int64_t>(moment - clock_.offset, 0)));
    return;
  }
  Process& process = *clock_.cpu->process;
  if (process.ended) return;  // its time has come to an end
  process.cpu_alarms.Add(*this);
  kernel_.timed_processes.try_emplace(process.pid, &process);
}

void ClockAlarm::Cancel() {
  if (!clock_.cpu) return kernel_.alarms.Cancel(*this);
  Process& process = *clock_.cpu->process;
  process.cpu_alarms.Remove(*this);
  if (process.cpu_alarms.empty()) kernel_.timed_processes.erase(process.pid);
}

// --- IntervalTimer ---

IntervalTimer::IntervalTimer(Process& process, TimerId which)
    : ClockAlarm(process.kernel, ClockOf(process, which)), process_(process), which_(which) {}

TimerSetting IntervalTimer::Get() const {
  if (!is_set_) return {0, interval_};
  // A timer that is set never reads as nothing: kernel/time/itimer.c, itimer_get_remtime.
  return {std::max<std::int64_t>(moment() - ClockNow(), 1000), interval_};
}

void IntervalTimer::Set(std::int64_t first, std::int64_t interval) {
  Cancel();
  is_set_ = first != 0;
  goes_on_when_taken_ = false;
  interval_ = std::min(interval, kFar);
  if (is_set_) ClockAlarm::Set(After(ClockNow(), first));
}

void IntervalTimer::Forward() {
  is_set_ = true;
  const std::int64_t now = ClockNow();
  ClockAlarm::Set(moment() + PeriodsUntil(moment(), now, interval_) * interval_);
}

void IntervalTimer::OnAlarm() {
  is_set_ = false;
  const bool repeats = interval_ != 0;
  goes_on_when_taken_ = repeats && which_ == kTimerReal;
  if (repeats && !goes_on_when_taken_) Forward();
  process_.Send(SenderInfo(kTimerSignals[which_], kSiKernel, 0, 0));
}

void IntervalTimer::OnSignalTaken() {
  if (std::exchange(goes_on_when_taken_, false)) Forward();
}

// --- CpuLimit: kernel/time/posix-cpu-timers.c, check_process_timers ---

namespace {

std::int64_t SecondsToNanoseconds(std::uint64_t seconds) {
  constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
  const auto most = static_cast<std::uint64_t>(kFar / kNanosecondsPerSecond);
  return static_cast<std::int64_t>(std::min(seconds, most)) * kNanosecondsPerSecond;
}

}  // namespace

CpuLimit::CpuLimit(Process& process)
    : ClockAlarm(process.kernel, ClockOf(process, kTimerProfile)), process_(process) {}

void CpuLimit::Arm() {
  Cancel();
  const abi::Rlimit& limit = process_.limits[kLimitCpu];
  if (limit.soft != kNoLimit) Set(SecondsToNanoseconds(limit.soft));
}

void CpuLimit::OnAlarm() {
  abi::Rlimit& limit = process_.limits[kLimitCpu];
  const bool is_hard = limit.hard != kNoLimit && ClockNow() >= SecondsToNanoseconds(limit.hard);
  if (!is_hard) {
    ++limit.soft;
    Arm();
  }
  process_.Send(SenderInfo(is_hard ? kSIGKILL : kSIGXCPU, kSiKernel, 0, 0));
}

// --- PosixTimer ---

PosixTimer::PosixTimer(Process& process, int id, AlarmClock clock, const Notice& notice)
    : ClockAlarm(process.kernel, std::move(clock)), process_(process), id_(id), notice_(notice) {}

TimerSetting PosixTimer::Get() const {
  if (!is_set_) return {0, interval_};
  const std::int64_t now = ClockNow();
  if (now < next_) return {next_ - now, interval_};
  if (interval_ != 0) {
    return {next_ + PeriodsUntil(next_, now, interval_) * interval_ - now, interval_};
  }
  // Gone off. Without a notice that is all there is to see; with one, it is about to be sent.
  return {notice_.kind == Notice::Kind::kNone ? 0 : 1, 0};
}

void PosixTimer::Set(std::int64_t first, std::int64_t interval, bool absolute) {
  Cancel();
  is_set_ = first != 0;
  goes_on_when_taken_ = is_parked_ = false;
  overrun_ = last_overrun_ = 0;
  interval_ = std::min(interval, kFar);
  if (!is_set_) return;
  next_ = absolute ? first : After(ClockNow(), first);
  if (notice_.kind != Notice::Kind::kNone) ClockAlarm::Set(next_);
}

std::int64_t PosixTimer::Forward() {
  const std::int64_t periods = PeriodsUntil(next_, ClockNow(), interval_);
  next_ += periods * interval_;
  ClockAlarm::Set(next_);
  return periods;
}

// False: the signal is ignored.
bool PosixTimer::Send() {
  if (is_queued_) {
    ++overrun_;
    return true;
  }
  abi::Siginfo info{};
  info.signal = notice_.signal;
  info.code = kSiTimer;
  info.timer = {id_, 0, notice_.value};
  Task* to = nullptr;
  if (notice_.kind == Notice::Kind::kThreadSignal) {
    to = kernel().processes().FindTask(static_cast<int>(notice_.thread));
    if (to == nullptr || &to->process != &process_) return true;  // the thread is gone
  }
  is_queued_ = process_.SendOfTimer(info, to);
  return is_queued_;
}

void PosixTimer::OnAlarm() {
  is_set_ = interval_ != 0;
  is_parked_ = !Send();
  goes_on_when_taken_ = is_set_ && is_queued_;
}

void PosixTimer::OnSignalTaken(abi::Siginfo& info) {
  is_queued_ = false;
  std::int64_t missed = overrun_;
  overrun_ = 0;
  if (std::exchange(goes_on_when_taken_, false)) missed += Forward() - 1;
  last_overrun_ = static_cast<int>(std::clamp<std::int64_t>(missed, 0, 0x7fffffff));
  info.timer.overrun = last_overrun_;
}

void PosixTimer::OnNoticed() {
  if (std::exchange(is_parked_, false) && is_set_) Forward();
}

// --- ProcessTimers ---

ProcessTimers::ProcessTimers(Process& process) : process_(process), cpu_limit_(process) {
  for (const TimerId which : {kTimerReal, kTimerVirtual, kTimerProfile})
    intervals_[which] = std::make_unique<IntervalTimer>(process, which);
}

PosixTimer* ProcessTimers::Find(int id) {
  const auto found = posix_.find(id);
  return found == posix_.end() ? nullptr : found->second.get();
}

int ProcessTimers::Add(AlarmClock clock, PosixTimer::Notice notice, bool value_is_number) {
  const int id = next_id_++;
  if (value_is_number) notice.value = static_cast<std::uint64_t>(id);
  posix_.emplace(id, std::make_unique<PosixTimer>(process_, id, std::move(clock), notice));
  return id;
}

void ProcessTimers::OnSignalTaken(abi::Siginfo& info) {
  if (info.signal == kSIGALRM) intervals_[kTimerReal]->OnSignalTaken();
  if (info.code != kSiTimer) return;
  PosixTimer* const timer = Find(info.timer.timer);
  if (timer != nullptr && timer->notice().signal == info.signal) timer->OnSignalTaken(info);
}

void ProcessTimers::OnHandlerSet(int signal) {
  for (const auto& [id, timer] : posix_) {
    if (timer->notice().signal == signal) timer->OnNoticed();
  }
}

// --- CpuAlarms ---

Nanoseconds CpuAlarms::Left(const Task& running) const {
  Nanoseconds left = kNever;
  for (const ClockAlarm* const alarm : alarms_) {
    const std::uint32_t thread = alarm->clock().cpu->thread;
    if (thread != 0 && thread != running.tid) continue;
    const std::int64_t rest = alarm->moment() - alarm->ClockNow();
    left = std::min(left, static_cast<Nanoseconds>(std::max<std::int64_t>(rest, 0)));
  }
  return left;
}

void CpuAlarms::Fire() {
  for (ClockAlarm* const alarm : std::vector(alarms_)) {
    // One that went off before may have taken this one away.
    if (std::ranges::find(alarms_, alarm) == alarms_.end()) continue;
    if (alarm->ClockNow() < alarm->moment()) continue;
    std::erase(alarms_, alarm);
    alarm->OnAlarm();
  }
}

}  // namespace glovebox::engine
