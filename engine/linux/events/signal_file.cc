#include "engine/linux/events/signal_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/linux/abi/events.h"
#include "engine/linux/abi/siginfo.h"
#include "engine/linux/task.h"
#include "engine/vfs/anonymous.h"

namespace glovebox::engine {
namespace {

// fs/signalfd.c, signalfd_copyinfo.
abi::SignalfdInfo Convert(const abi::Siginfo& from) {
  using Member = abi::SiginfoMember;
  abi::SignalfdInfo to{};
  to.signal = static_cast<std::uint32_t>(from.signal);
  to.error = from.error;
  to.code = from.code;
  const auto set_sender = [&](std::int32_t pid, std::uint32_t uid) {
    to.pid = static_cast<std::uint32_t>(pid);
    to.uid = uid;
  };
  const auto set_value = [&](std::uint64_t value) {
    to.value = value;
    to.value_int = static_cast<std::int32_t>(value);
  };
  switch (abi::MemberOf(from.signal, from.code)) {
    case Member::kSender:
      set_sender(from.sender.pid, from.sender.uid);
      if (from.code < 0) set_value(from.sender.value);
      break;
    case Member::kFault:
      to.address = from.fault.address;
      break;
    case Member::kTimer:
      to.timer = static_cast<std::uint32_t>(from.timer.timer);
      to.overrun = static_cast<std::uint32_t>(from.timer.overrun);
      set_value(from.timer.value);
      break;
    case Member::kChild:
      set_sender(from.child.pid, from.child.uid);
      to.status = from.child.status;
      to.user_ticks = static_cast<std::uint64_t>(from.child.user_ticks);
      to.system_ticks = static_cast<std::uint64_t>(from.child.system_ticks);
      break;
    case Member::kPoll:
      to.band = static_cast<std::uint32_t>(from.poll.band);
      to.fd = from.poll.fd;
      break;
    case Member::kSystem:
      to.call_address = from.system.address;
      to.call_number = from.system.number;
      to.architecture = from.system.architecture;
      break;
  }
  return to;
}

}  // namespace

Result<std::shared_ptr<SignalFile>, Errno> SignalFile::Make(Kernel& kernel, SignalSet mask,
                                                            int flags) {
  auto inode = MakeAnonymous(kernel.services(), "anon_inode:[signalfd]");
  if (!inode) return std::unexpected(kENFILE);
  return std::make_shared<SignalFile>(PathRef{std::move(inode), nullptr, {}}, kernel, mask, flags);
}

SignalFile::SignalFile(PathRef path, Kernel& kernel, SignalSet mask, int flags)
    : OpenFile(std::move(path), flags), kernel_(kernel), mask_(mask & ~kUnblockable) {
  ++kernel_.signal_files;
}

SignalFile::~SignalFile() { --kernel_.signal_files; }

void SignalFile::SetMask(SignalSet mask) {
  mask_ = mask & ~kUnblockable;
  inode().services()->file_event(EventChannel(), kPollIn);
}

const void* SignalFile::EventChannel() const {
  const Task* const task = kernel_.scheduler.current();
  return task == nullptr ? nullptr : &task->signals.handlers();
}

IoResult SignalFile::Await(std::size_t wanted) {
  if (wanted < sizeof(abi::SignalfdInfo)) return std::unexpected(kEINVAL);
  if ((kernel_.scheduler.current()->signals.pending() & mask_) == 0)
    return std::unexpected(IoFailure(Wait::kEvent, EventChannel()));
  return wanted / sizeof(abi::SignalfdInfo) * sizeof(abi::SignalfdInfo);
}

IoResult SignalFile::Read(std::uint64_t, std::span<std::byte> out) {
  Task& task = *kernel_.scheduler.current();
  std::size_t done = 0;
  while (done + sizeof(abi::SignalfdInfo) <= out.size()) {
    const auto taken = task.TakeSignal(mask_);
    if (!taken) break;
    const abi::SignalfdInfo info = Convert(*taken);
    std::memcpy(out.data() + done, &info, sizeof info);
    done += sizeof info;
  }
  return done;
}

Result<std::uint16_t, IoFailure> SignalFile::Poll() {
  const Task* const task = kernel_.scheduler.current();
  const bool any = task != nullptr && (task->signals.pending() & mask_) != 0;
  return static_cast<std::uint16_t>(any ? kPollIn : 0);
}

std::string SignalFile::FdInfo() const { return fmt::format("sigmask:\t{:016x}\n", mask_); }

}  // namespace glovebox::engine
