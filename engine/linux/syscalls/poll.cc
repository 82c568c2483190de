// Waiting for descriptors: poll(2), ppoll(2), select(2), pselect6(2).
#include <algorithm>
#include <array>
#include <vector>

#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/syscalls/waiting.h"
#include "engine/linux/task.h"

namespace glovebox::engine {
namespace {

// The events of one descriptor, or what has to be waited for (stdin, with time frozen).
Result<std::uint16_t, IoFailure> EventsOf(Task& task, int fd, std::uint16_t wanted) {
  const auto file = task.fds().Get(fd);
  if (!file || file->path_only()) return static_cast<std::uint16_t>(kPollInvalid);
  const auto events = file->Poll();
  if (!events) return events;
  std::uint16_t ready = *events;
  if ((ready & kPollIn) != 0) ready |= kPollReadNormal;
  if ((ready & kPollOut) != 0) ready |= kPollWriteNormal;
  return static_cast<std::uint16_t>(ready & (wanted | kPollErr | kPollHup));
}

SyscallResult WaitForEvents(const Task& task) {
  return SyscallResult::Block(
      {*task.call->deadline, Wait::kEvent, OnSignal::kInterrupt, 0, Scheduler::AnyFile()});
}

SyscallResult Poll(Task& task, GuestPtr<abi::Pollfd> fds, std::uint32_t count) {
  if (count > task.open_file_limit()) return kEINVAL;
  std::vector<abi::Pollfd> rows(count);
  if (const auto ok = task.memory().ReadBytes(fds.address, std::as_writable_bytes(std::span(rows)));
      !ok && count > 0) {
    return ok.error();
  }
  std::int64_t ready = 0;
  for (abi::Pollfd& row : rows) {
    row.revents = 0;
    if (row.fd < 0) continue;
    const auto events = EventsOf(task, row.fd, row.events);
    if (!events)
      return SyscallResult::Block({kNever, events.error().wait, OnSignal::kInterrupt, 0});
    row.revents = *events;
    if (row.revents != 0) ++ready;
  }
  if (ready == 0 && !DeadlineHasPassed(task)) return WaitForEvents(task);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto out = (fds + i).address + offsetof(abi::Pollfd, revents);
    if (const auto ok =
            task.memory().WriteBytes(out, std::as_bytes(std::span(&rows[i].revents, 1)));
        !ok) {
      return ok.error();
    }
  }
  return ready;
}

using SelectSets = std::array<GuestPtr<abi::Word>, 3>;  // read, write, except
// fs/select.c: POLLIN_SET, POLLOUT_SET, POLLEX_SET.
constexpr std::array<std::uint16_t, 3> kSelectEvents{kPollIn | kPollHup | kPollErr,
                                                     kPollOut | kPollErr, kPollPriority};

SyscallResult Select(Task& task, int count, const SelectSets& sets) {
  if (count < 0) return kEINVAL;
  count = std::min(count, std::max(task.fds().size(), 64));
  const auto words = static_cast<std::size_t>((count + 63) / 64);
  // Sets are read and written in the words of the ABI, of which the first ones fill ours.
  const int word_bits = abi::WordBytes(sets[0].layout) * 8;
  const auto set_bytes =
      static_cast<std::size_t>((count + word_bits - 1) / word_bits * word_bits / 8);
  std::array<std::vector<std::uint64_t>, 3> in;
  std::array<std::vector<std::uint64_t>, 3> out;
  for (std::size_t i = 0; i < 3; ++i) {
    in[i].resize(words);
    out[i].resize(words);
    if (!sets[i] || words == 0) continue;
    const auto bytes = std::as_writable_bytes(std::span(in[i])).first(set_bytes);
    if (const auto ok = task.memory().ReadBytes(sets[i].address, bytes); !ok) return ok.error();
  }
  std::int64_t ready = 0;
  for (int fd = 0; fd < count; ++fd) {
    const std::size_t word = static_cast<std::size_t>(fd) / 64;
    const std::uint64_t bit = std::uint64_t{1} << (fd % 64);
    for (std::size_t i = 0; i < 3; ++i) {
      if ((in[i][word] & bit) == 0) continue;
      const auto events = EventsOf(task, fd, kSelectEvents[i]);
      if (!events)
        return SyscallResult::Block({kNever, events.error().wait, OnSignal::kInterrupt, 0});
      if ((*events & kPollInvalid) != 0) return kEBADF;
      if ((*events & kSelectEvents[i]) == 0) continue;
      out[i][word] |= bit;
      ++ready;
    }
  }
  if (ready == 0 && !DeadlineHasPassed(task)) return WaitForEvents(task);
  for (std::size_t i = 0; i < 3; ++i) {
    if (!sets[i] || words == 0) continue;
    const auto bytes = std::as_bytes(std::span(out[i])).first(set_bytes);
    if (const auto ok = task.memory().WriteBytes(sets[i].address, bytes); !ok) return ok.error();
  }
  return ready;
}

// What is left of the time, written back once the call is over: select(2), "Notes".
template <typename Time>
void WriteRest(Task& task, GuestPtr<Time> pointer, const SyscallResult& result, std::int64_t unit) {
  if (!pointer || result.kind() != SyscallResult::Kind::kValue) return;
  const Nanoseconds now = task.kernel.Now();
  const auto left =
      static_cast<std::int64_t>(*task.call->deadline > now ? *task.call->deadline - now : 0);
  // A timeout in read-only memory is not an error.
  static_cast<void>(task.memory().Write(
      pointer, Time{left / kNanosecondsPerSecond, left % kNanosecondsPerSecond / unit}));
}

}  // namespace

SyscallResult SysPoll(Task& task, GuestPtr<abi::Pollfd> fds, std::uint32_t count, int timeout_ms) {
  SetDeadline(task, timeout_ms < 0 ? -1 : static_cast<std::int64_t>(timeout_ms) * 1'000'000);
  return Poll(task, fds, count);
}

SyscallResult SysPpoll(Task& task, GuestPtr<abi::Pollfd> fds, std::uint32_t count,
                       GuestPtr<abi::Timespec> timeout, Address mask, Size mask_size) {
  if (const auto set =
          SetDeadline(task, GuestPtr<const abi::Timespec>{timeout.address, timeout.layout});
      !set) {
    return set.error();
  }
  if (const auto set = SetTemporaryMask(task, mask.value, mask_size.value); !set)
    return set.error();
  const SyscallResult result = Poll(task, fds, count);
  WriteRest(task, timeout, result, 1);
  return result;
}

SyscallResult SysSelect(Task& task, int count, GuestPtr<abi::Word> in, GuestPtr<abi::Word> out,
                        GuestPtr<abi::Word> except, GuestPtr<abi::Timeval> timeout) {
  if (!task.call->deadline) {
    std::int64_t duration = -1;
    if (timeout) {
      const auto time = task.memory().Read(timeout);
      if (!time) return time.error();
      if (time->seconds < 0 || time->microseconds < 0) return kEINVAL;
      const std::int64_t seconds = std::min<std::int64_t>(time->seconds, 4'000'000'000);
      duration = seconds * kNanosecondsPerSecond +
                 std::min<std::int64_t>(time->microseconds, 4'000'000'000'000) * 1000;
    }
    SetDeadline(task, duration);
  }
  const SyscallResult result = Select(task, count, {in, out, except});
  WriteRest(task, timeout, result, 1000);
  return result;
}

SyscallResult SysPselect6(Task& task, int count, GuestPtr<abi::Word> in, GuestPtr<abi::Word> out,
                          GuestPtr<abi::Word> except, GuestPtr<abi::Timespec> timeout,
                          GuestPtr<const abi::SigsetArgument> mask) {
  if (const auto set =
          SetDeadline(task, GuestPtr<const abi::Timespec>{timeout.address, timeout.layout});
      !set) {
    return set.error();
  }
  if (mask) {
    const auto value = task.memory().Read(mask);
    if (!value) return value.error();
    if (const auto set = SetTemporaryMask(task, value->mask, value->size); !set) return set.error();
  }
  const SyscallResult result = Select(task, count, {in, out, except});
  WriteRest(task, timeout, result, 1);
  return result;
}

}  // namespace glovebox::engine
