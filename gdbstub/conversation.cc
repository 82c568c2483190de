#include "gdbstub/conversation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "gdbstub/handlers/breakpoints.h"
#include "gdbstub/signals.h"

namespace glovebox::gdbstub {

Conversation::Conversation(Debuggee& of, Console& with)
    : debuggee(of), console(with), trace([this](std::string_view text) { console.Say(text); }) {
  const auto threads = debuggee.Threads();
  const auto initial = debuggee.InitialStop();
  if (initial) {
    why[initial->thread] = *initial;
    general = initial->thread;
  } else if (!threads.empty()) {
    general = threads.front().thread;
  }
}

Answer<ThreadRef> Conversation::Find(const ThreadId& id) {
  const auto threads = debuggee.Threads();
  const auto matches = [&](const ThreadInfo& info) {
    return (id.pid <= 0 || info.thread.pid == id.pid) && (id.tid <= 0 || info.thread.tid == id.tid);
  };
  // The one that was looked at last wins where several would do.
  const auto current = std::ranges::find(threads, general, &ThreadInfo::thread);
  if (current != threads.end() && matches(*current)) return general;
  const auto found = std::ranges::find_if(threads, matches);
  if (found == threads.end()) return Refuse(engine::kESRCH);
  return found->thread;
}

Answer<ThreadRef> Conversation::Current() { return Find({general.pid, general.tid}); }

Answer<ProcessInfo> Conversation::Process(std::int64_t pid) {
  for (ProcessInfo& info : debuggee.Processes()) {
    if (pid <= 0 || info.pid == pid) return std::move(info);
  }
  return Refuse(engine::kESRCH);
}

Answer<ProcessInfo> Conversation::CurrentProcess() {
  return Process(static_cast<std::int64_t>(general.pid));
}

std::span<const std::byte> Conversation::RegisterFile::of(RegisterNumber number) const {
  const RegisterRow& row = layout().rows[number];
  return std::span(bytes).subspan(row.offset, row.size_bytes());
}

std::uint64_t Conversation::RegisterFile::value(RegisterNumber number) const {
  const auto from = of(number);
  std::uint64_t value = 0;
  std::memcpy(&value, from.data(), std::min(from.size(), sizeof value));
  return value;
}

Answer<Conversation::RegisterFile> Conversation::Registers(ThreadRef thread) {
  const auto architecture = debuggee.ArchitectureOf(thread.pid);
  if (!architecture) return std::unexpected(architecture.error());
  RegisterFile file{thread, *architecture, {}};
  file.bytes.resize(file.layout().size_bytes);
  if (const auto read = debuggee.ReadRegisters(thread, file.bytes); !read) {
    return std::unexpected(read.error());
  }
  return file;
}

bool Conversation::ReadAll(std::uint32_t pid, GuestAddr address, std::span<std::byte> out) {
  while (!out.empty()) {
    const auto read = debuggee.ReadMemory(pid, address, out);
    if (!read || *read == 0 || *read > out.size()) return false;
    out = out.subspan(*read);
    address += *read;
  }
  return true;
}

Answer<std::uint64_t> Conversation::ReadWord(std::uint32_t pid, GuestAddr address,
                                             std::size_t bytes) {
  std::uint64_t value = 0;
  if (!ReadAll(pid, address, std::as_writable_bytes(std::span(&value, 1)).first(bytes))) {
    return Refuse(engine::kEFAULT);
  }
  return value;
}

std::string Conversation::IdOf(ThreadRef thread) const {
  return features.multiprocess ? fmt::format("p{:x}.{:x}", thread.pid, thread.tid)
                               : fmt::format("{:x}", thread.tid);
}

int Conversation::SignalOf(int linux_signal) const {
  return thread_suffix ? linux_signal : GdbSignal(linux_signal);
}

int Conversation::LinuxSignalOf(std::uint64_t number) const {
  if (number > UINT8_MAX) return -1;
  const int signal = static_cast<int>(number);
  if (thread_suffix) return signal <= kLastLinuxSignal ? signal : -1;
  return LinuxSignal(signal);
}

void Conversation::ForgetProcess(std::uint32_t pid) {
  std::erase_if(points, [&](const InsertedPoint& point) { return point.pid == pid; });
  std::erase_if(why, [&](const auto& entry) { return entry.first.pid == pid; });
  // Non-stop: the first has been told, and waits for its vStopped.
  const auto first = stops.begin() + (non_stop && !stops.empty() ? 1 : 0);
  stops.erase(std::remove_if(first, stops.end(),
                             [&](const StopEvent& event) { return event.thread.pid == pid; }),
              stops.end());
  launched.erase(pid);
  catching.erase(pid);
}

void Conversation::Note(const StopEvent& event) {
  switch (event.reason) {
    case StopReason::kProcessExited:
    case StopReason::kProcessSignaled:
      ForgetProcess(event.thread.pid);
      return;
    case StopReason::kThreadExited:
      why.erase(event.thread);
      return;
    case StopReason::kNoneResumed:
      return;
    case StopReason::kExec:  // takes the process' breakpoints and other threads away
      std::erase_if(points,
                    [&](const InsertedPoint& point) { return point.pid == event.thread.pid; });
      std::erase_if(why, [&](const auto& entry) { return entry.first.pid == event.thread.pid; });
      break;
    case StopReason::kFork:
    case StopReason::kVfork: {  // the child has its parent's
      const auto parents = points;
      for (InsertedPoint point : parents) {
        if (point.pid != event.thread.pid) continue;
        point.pid = event.other.pid;
        points.push_back(point);
      }
      why[event.other] = {.thread = event.other};
      break;
    }
    default:
      break;
  }
  why[event.thread] = event;
  if (!non_stop) general = event.thread;
}

void Conversation::TakeOutEverything() {
  for (const InsertedPoint& point : points) static_cast<void>(RemovePoint(debuggee, point));
  points.clear();
  if (Files* const power = debuggee.files()) {
    for (const int handle : files) static_cast<void>(power->Close(handle));
  }
  files.clear();
  if (SyscallCatch* const power = debuggee.syscall_catch()) {
    for (const std::uint32_t pid : catching) static_cast<void>(power->Catch(pid, std::nullopt));
  }
  catching.clear();
  debuggee.PassSignals({});
  debuggee.ProgramSignals({});
  if (ProcessEvents* const power = debuggee.process_events();
      power != nullptr && events != EventSet{}) {
    static_cast<void>(power->Report({}));
  }
  events = {};
}

}  // namespace glovebox::gdbstub
