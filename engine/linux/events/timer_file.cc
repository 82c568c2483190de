#include "engine/linux/events/timer_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "engine/vfs/anonymous.h"

namespace glovebox::engine {

Result<std::shared_ptr<TimerFile>, Errno> TimerFile::Make(Kernel& kernel, int clock,
                                                          std::int64_t clock_offset, int flags) {
  auto inode = MakeAnonymous(kernel.services(), "anon_inode:[timerfd]");
  if (!inode) return std::unexpected(kENFILE);
  return std::make_shared<TimerFile>(PathRef{std::move(inode), nullptr, {}}, kernel, clock,
                                     clock_offset, flags);
}

TimerFile::TimerFile(PathRef path, Kernel& kernel, int clock, std::int64_t clock_offset, int flags)
    : OpenFile(std::move(path), flags),
      kernel_(kernel),
      clock_(clock),
      clock_offset_(clock_offset) {}

TimerFile::~TimerFile() { kernel_.alarms.Cancel(*this); }

std::uint64_t TimerFile::Ticks() const {
  if (!is_set_ || Now() < next_) return 0;
  return interval_ == 0 ? 1 : 1 + static_cast<std::uint64_t>((Now() - next_) / interval_);
}

void TimerFile::Arm() {
  kernel_.alarms.Cancel(*this);
  if (is_set_)
    kernel_.alarms.Set(*this, static_cast<Nanoseconds>(std::max<std::int64_t>(next_, 0)));
}

TimerFile::Setting TimerFile::Get() const {
  if (!is_set_) return {0, interval_};
  const std::uint64_t ticks = Ticks();
  if (ticks == 0) return {next_ - Now(), interval_};
  if (interval_ == 0) return {0, 0};
  return {next_ + static_cast<std::int64_t>(ticks) * interval_ - Now(), interval_};
}

void TimerFile::Set(std::int64_t first, std::int64_t interval, bool absolute, int flags) {
  constexpr std::int64_t kFar = std::numeric_limits<std::int64_t>::max() / 4;
  is_set_ = first != 0;
  interval_ = std::min(interval, kFar);
  set_flags_ = flags;
  next_ = absolute ? first - clock_offset_ : std::min(first, kFar) + Now();
  Arm();
}

IoResult TimerFile::Await(std::size_t wanted) {
  if (wanted < sizeof(std::uint64_t)) return std::unexpected(kEINVAL);
  if (Ticks() == 0) return std::unexpected(IoFailure(Wait::kEvent, EventChannel()));
  return sizeof(std::uint64_t);
}

IoResult TimerFile::Read(std::uint64_t, std::span<std::byte> out) {
  const std::uint64_t ticks = Ticks();
  std::memcpy(out.data(), &ticks, std::min(out.size(), sizeof ticks));
  return out.size();
}

void TimerFile::Consume(std::size_t bytes) {
  if (bytes != sizeof(std::uint64_t)) return;
  if (interval_ == 0) {
    is_set_ = false;
  } else {
    next_ += static_cast<std::int64_t>(Ticks()) * interval_;
  }
  Arm();
}

// Once until it is read: further expirations only count, and wake nobody (fs/timerfd.c starts its
// clock again in read).
void TimerFile::OnAlarm() { inode().services()->file_event(EventChannel(), kPollIn); }

Result<std::uint16_t, IoFailure> TimerFile::Poll() {
  return static_cast<std::uint16_t>(Ticks() > 0 ? kPollIn : 0);
}

std::string TimerFile::FdInfo() const {
  constexpr std::int64_t kBillion = 1'000'000'000;
  const Setting now = Get();
  return fmt::format(
      "clockid: {}\nticks: {}\nsettime flags: 0{:o}\nit_value: ({}, {})\nit_interval: ({}, {})\n",
      clock_, Ticks(), set_flags_, now.left / kBillion, now.left % kBillion,
      now.interval / kBillion, now.interval % kBillion);
}

}  // namespace glovebox::engine
