#include "engine/linux/async_notice.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "engine/linux/process_table.h"

namespace glovebox::engine {
namespace {

// si_code and si_band: fs/fcntl.c, band_table.
struct BandRow {
  std::uint16_t event;
  int code;
  std::int64_t band;
};
constexpr BandRow kBands[] = {{kPollHup, 6, kPollHup | kPollErr},
                              {kPollErr, 4, kPollErr},
                              {kPollIn, 1, kPollIn | kPollReadNormal},
                              {kPollOut, 2, kPollOut | kPollWriteNormal | 0x200},
                              {kPollPriority, 5, kPollPriority | 0x80}};

}  // namespace

AsyncNotice& AsyncNotice::Of(Kernel& kernel, OpenFile& file) {
  if (!file.notice) file.notice = std::make_shared<AsyncNotice>(kernel, file);
  return *static_cast<AsyncNotice*>(file.notice.get());
}

void AsyncNotice::Listen(bool wanted, int fd) {
  FileEvents& events = kernel_.services()->file_event;
  if (channel_ != nullptr) events.Forget(channel_, *this);
  channel_ = wanted ? file_.EventChannel() : nullptr;
  fd_ = fd;
  if (channel_ != nullptr) events.Listen(channel_, *this, false);
}

bool AsyncNotice::OnFileEvent(std::uint16_t events) {
  // What may have become true of the file is told, as the event says it: input where it does not.
  const std::uint16_t told = events == FileEvents::kAnyEvent ? std::uint16_t{kPollIn} : events;
  const auto* const row =
      std::ranges::find_if(kBands, [told](const BandRow& r) { return (told & r.event) != 0; });
  if (row == std::end(kBands)) {
    Tell(kSiKernel, 0, fd_);
  } else {
    Tell(row->code, row->band, fd_);
  }
  return true;
}

void AsyncNotice::Tell(int code, std::int64_t band, int fd) {
  if (owner == 0) return;
  abi::Siginfo info = SenderInfo(signal == 0 ? kSIGIO : signal, kSiKernel, 0, 0);
  if (signal != 0 && code != kSiKernel) {
    info.code = code;
    info.poll = {band, fd};
  }
  const ProcessTable& processes = kernel_.processes();
  if (kind == OwnerKind::kThread) {
    if (Task* const task = processes.FindTask(owner)) task->Receive(info);
  } else if (kind == OwnerKind::kProcess) {
    if (Process* const process = processes.FindProcess(owner)) process->Send(info);
  } else {
    std::vector<Process*> members;
    for (const auto& [id, task] : processes.tasks()) {
      Process& process = task->process;
      if (process.pid == id && static_cast<int>(process.group) == owner)
        members.push_back(&process);
    }
    for (Process* const process : members) process->Send(info);
  }
}

}  // namespace glovebox::engine
