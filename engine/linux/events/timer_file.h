// timerfd_create(2): a timer whose expirations are read.
#pragma once

#include <cstdint>
#include <memory>

#include "engine/linux/kernel.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine {

class TimerFile final : public OpenFile, Alarm {
 public:
  // `clock`: the number that the guest gave, for /proc. `clock_offset`: that clock minus
  // Kernel::Now().
  static Result<std::shared_ptr<TimerFile>, Errno> Make(Kernel& kernel, int clock,
                                                        std::int64_t clock_offset, int flags);
  TimerFile(PathRef path, Kernel& kernel, int clock, std::int64_t clock_offset, int flags);
  ~TimerFile() override;

  struct Setting {
    std::int64_t left = 0;  // until the next expiration; 0: it is not set
    std::int64_t interval = 0;
  };
  Setting Get() const;
  // `first` 0 takes it back; a moment of its clock where `absolute`. What was read of earlier
  // expirations is forgotten.
  void Set(std::int64_t first, std::int64_t interval, bool absolute, int flags);

  IoResult Await(std::size_t wanted) override;
  IoResult Read(std::uint64_t offset, std::span<std::byte> out) override;
  void Consume(std::size_t bytes) override;
  Result<std::uint16_t, IoFailure> Poll() override;
  const void* EventChannel() const override { return static_cast<const OpenFile*>(this); }
  std::string FdInfo() const override;

 private:
  std::int64_t Now() const { return static_cast<std::int64_t>(kernel_.Now()); }
  // Expirations since the last read.
  std::uint64_t Ticks() const;
  void Arm();
  void OnAlarm() override;

  Kernel& kernel_;
  const int clock_;
  const std::int64_t clock_offset_;
  bool is_set_ = false;
  std::int64_t next_ = 0;  // Kernel::Now() of the first expiration that was not read; may lie
                           // before the box began
  std::int64_t interval_ = 0;
  int set_flags_ = 0;
};

}  // namespace glovebox::engine
