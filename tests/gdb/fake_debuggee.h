// A debuggee without a guest: memory, registers and files are tables, what it is asked to do is
// written down, and what happens to it is said by the test.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gdbstub/debuggee.h"
#include "gdbstub/hex.h"

namespace glovebox::gdbstub::tests {

// Process 1 is of 64-bit code and has threads 1 and 2; process 7 is of 32-bit code.
// Memory, the same for all: 0x1000 to 0x2fff is there; a byte is the low one of its address.
class FakeDebuggee : public Debuggee,
                     public Breakpoints,
                     public Watchpoints,
                     public Files,
                     public ProcessControl,
                     public ProcessEvents,
                     public SyscallCatch,
                     public Siginfo,
                     public Auxv,
                     public MemoryMap,
                     public OsInfo,
                     public Monitor {
 public:
  struct Thread {
    std::string name;
    bool running = false;
    std::vector<std::byte> registers;
  };
  static constexpr GuestAddr kBegin = 0x1000;
  static constexpr GuestAddr kEnd = 0x3000;

  FakeDebuggee() : memory(kEnd - kBegin) {
    for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<std::byte>(i);
    AddProcess(1, Architecture::kAmd64, "/bin/prog");
    AddThread({1, 1}, "main");
    AddThread({1, 2}, "work<er>");
  }

  void AddProcess(std::uint32_t pid, Architecture architecture, std::string path) {
    processes[pid] = {pid, 0, 1000, 1000, architecture, std::move(path)};
  }
  // Register n holds bytes n+1, n+1, ...; the pc is 0x1000 + tid.
  void AddThread(ThreadRef ref, std::string name) {
    const RegisterLayout& layout = LayoutOf(processes.at(ref.pid).architecture);
    Thread thread{std::move(name), false, std::vector<std::byte>(layout.size_bytes)};
    for (std::size_t n = 0; n < layout.rows.size(); ++n) {
      std::fill_n(thread.registers.begin() + layout.rows[n].offset, layout.rows[n].size_bytes(),
                  static_cast<std::byte>(n + 1));
    }
    const std::uint64_t pc = kBegin + ref.tid;
    std::memcpy(thread.registers.data() + layout.rows[layout.pc].offset, &pc, layout.word_bytes);
    threads[ref] = std::move(thread);
  }

  template <typename... Values>
  void Did(fmt::format_string<Values...> text, Values&&... values) {
    did.push_back(fmt::format(text, std::forward<Values>(values)...));
  }
  void Happen(const StopEvent& event) {
    for (auto& [ref, thread] : threads) {
      if (!non_stop || ref == event.thread) thread.running = false;
    }
    if (event.reason == StopReason::kProcessExited ||
        event.reason == StopReason::kProcessSignaled) {
      processes.erase(event.thread.pid);
      std::erase_if(threads, [&](const auto& one) { return one.first.pid == event.thread.pid; });
    }
    if (event.reason == StopReason::kFork || event.reason == StopReason::kVfork) {
      AddProcess(event.other.pid, Architecture::kAmd64, "/bin/prog");
      AddThread(event.other, "child");
    }
    if (listener != nullptr) listener->OnStop(event);
  }

  // A thread at the address of an action, or behind a step.
  class Hit : public HitView {
   public:
    Hit(FakeDebuggee& debuggee, ThreadRef thread) : debuggee_(debuggee), thread_(thread) {}
    ThreadRef thread() const override { return thread_; }
    std::uint64_t Register(RegisterNumber number) override {
      const RegisterRow& row = LayoutOf(architecture()).rows[number];
      std::uint64_t value = 0;
      std::memcpy(&value, debuggee_.threads.at(thread_).registers.data() + row.offset,
                  std::min(row.size_bytes(), sizeof value));
      return value;
    }
    bool Read(GuestAddr address, std::span<std::byte> out) override {
      const auto read = debuggee_.ReadMemory(thread_.pid, address, out);
      return read && *read == out.size();
    }
    Architecture architecture() const override {
      return debuggee_.processes.at(thread_.pid).architecture;
    }
    bool ReadRegisters(std::span<std::byte> out) override {
      return debuggee_.ReadRegisters(thread_, out).has_value();
    }
    std::uint64_t Nanoseconds() const override { return 7'000'000; }

   private:
    FakeDebuggee& debuggee_;
    const ThreadRef thread_;
  };
  void Reach(ThreadRef thread, GuestAddr address) {
    Hit hit(*this, thread);
    stepping = actions.at(address);
    const HitVerdict verdict = stepping->OnHit(hit);
    if (verdict.stops) did.emplace_back("stop");
    if (verdict.steps > 0) Did("steps {}", verdict.steps);
  }
  void Step(ThreadRef thread) {
    Hit hit(*this, thread);
    did.emplace_back(stepping->OnStep(hit) ? "step on" : "last step");
  }

  // Debuggee
  void Listen(Listener* to) override { listener = to; }
  std::vector<ProcessInfo> Processes() override {
    std::vector<ProcessInfo> all;
    for (const auto& [pid, info] : processes) all.push_back(info);
    return all;
  }
  std::vector<ThreadInfo> Threads() override {
    std::vector<ThreadInfo> all;
    for (const auto& [ref, thread] : threads) all.push_back({ref, thread.name, thread.running});
    return all;
  }
  Answer<std::size_t> ReadMemory(std::uint32_t pid, GuestAddr address,
                                 std::span<std::byte> out) override {
    if (!processes.contains(pid)) return Refuse(engine::kESRCH);
    if (address < kBegin || address >= kEnd) return Refuse(engine::kEFAULT);
    const std::size_t size = std::min<std::size_t>(out.size(), kEnd - address);
    std::copy_n(memory.begin() + static_cast<std::ptrdiff_t>(address - kBegin), size, out.begin());
    return size;
  }
  Answer<void> WriteMemory(std::uint32_t pid, GuestAddr address,
                           std::span<const std::byte> in) override {
    if (!processes.contains(pid)) return Refuse(engine::kESRCH);
    if (address < kBegin || address > kEnd || in.size() > kEnd - address) {
      return Refuse(engine::kEFAULT);
    }
    std::ranges::copy(in, memory.begin() + static_cast<std::ptrdiff_t>(address - kBegin));
    Did("write {} {:x} {}", pid, address, in.size());
    return {};
  }
  Answer<void> ReadRegisters(ThreadRef ref, std::span<std::byte> out) override {
    const auto thread = threads.find(ref);
    if (thread == threads.end()) return Refuse(engine::kESRCH);
    if (thread->second.running) return Refuse(engine::kEBUSY);
    std::ranges::copy(thread->second.registers, out.begin());
    return {};
  }
  Answer<void> WriteRegister(ThreadRef ref, RegisterNumber number,
                             std::span<const std::byte> value) override {
    const auto thread = threads.find(ref);
    if (thread == threads.end()) return Refuse(engine::kESRCH);
    if (thread->second.running) return Refuse(engine::kEBUSY);
    const RegisterRow& row = LayoutOf(processes.at(ref.pid).architecture).rows[number];
    std::ranges::copy(value, thread->second.registers.begin() + row.offset);
    Did("set {}.{} {}", ref.pid, ref.tid, row.name);
    return {};
  }
  Answer<GuestAddr> ThreadPointer(ThreadRef ref) override {
    if (!threads.contains(ref)) return Refuse(engine::kESRCH);
    return kBegin;
  }
  Answer<void> Resume(std::span<const ResumeAction> wishes) override {
    for (const ResumeAction& wish : wishes) {
      const auto thread = threads.find(wish.thread);
      if (thread == threads.end()) return Refuse(engine::kESRCH);
      if (thread->second.running) return Refuse(engine::kEBUSY);
    }
    for (const ResumeAction& wish : wishes) {
      constexpr const char* kNames[] = {"continue", "step", "range"};
      std::string text = fmt::format("{} {}.{}", kNames[static_cast<int>(wish.kind)],
                                     wish.thread.pid, wish.thread.tid);
      if (wish.signal != 0) text += fmt::format(" signal {}", wish.signal);
      if (wish.kind == ResumeKind::kStepRange) {
        text += fmt::format(" {:x}..{:x}", wish.range_begin, wish.range_end);
      }
      did.push_back(text);
      threads[wish.thread].running = true;
    }
    return {};
  }
  void Interrupt() override { did.emplace_back("interrupt"); }
  Answer<void> Halt(ThreadRef ref) override {
    if (!threads.contains(ref)) return Refuse(engine::kESRCH);
    Did("halt {}.{}", ref.pid, ref.tid);
    return {};
  }
  Answer<void> SetNonStop(bool on) override {
    non_stop = on;
    return {};
  }
  void PassSignals(std::span<const int> signals) override {
    if (signals.empty() && passed.empty()) return;
    passed.assign(signals.begin(), signals.end());
    Did("pass {}", fmt::join(signals, " "));
  }
  void ProgramSignals(std::span<const int> signals) override {
    if (signals.empty() && programmed.empty()) return;
    programmed.assign(signals.begin(), signals.end());
    Did("program {}", fmt::join(signals, " "));
  }
  Answer<void> Detach(std::uint32_t pid, int) override { return Drop(pid, "detach"); }
  Answer<void> Kill(std::uint32_t pid) override { return Drop(pid, "kill"); }

  // Powers
  Breakpoints* breakpoints() override { return poor ? nullptr : this; }
  Watchpoints* watchpoints() override { return poor ? nullptr : this; }
  Files* files() override { return poor ? nullptr : this; }
  ProcessControl* process_control() override { return poor ? nullptr : this; }
  ProcessEvents* process_events() override { return poor ? nullptr : this; }
  SyscallCatch* syscall_catch() override { return poor ? nullptr : this; }
  Siginfo* siginfo() override { return poor ? nullptr : this; }
  Auxv* auxv() override { return poor ? nullptr : this; }
  MemoryMap* memory_map() override { return poor ? nullptr : this; }
  OsInfo* os_info() override { return poor ? nullptr : this; }
  Monitor* monitor() override { return poor ? nullptr : this; }

  Answer<void> Insert(std::uint32_t pid, BreakpointKind kind, GuestAddr address,
                      std::shared_ptr<HitAction> with) override {
    Did("insert {} {} {:x}{}", pid, NameOf(kind), address, with ? " action" : "");
    actions[address] = with;
    action = std::move(with);
    return {};
  }
  Answer<void> Remove(std::uint32_t pid, BreakpointKind kind, GuestAddr address) override {
    Did("remove {} {} {:x}", pid, NameOf(kind), address);
    return {};
  }
  Answer<void> Insert(std::uint32_t pid, WatchKind kind, GuestAddr address,
                      std::uint64_t length) override {
    if (address >= kEnd) return Refuse(engine::kEFAULT, "nothing can be there");
    Did("watch {} {} {:x} {}", pid, static_cast<int>(kind), address, length);
    return {};
  }
  Answer<void> Remove(std::uint32_t pid, WatchKind kind, GuestAddr address,
                      std::uint64_t length) override {
    Did("unwatch {} {} {:x} {}", pid, static_cast<int>(kind), address, length);
    return Refuse(engine::kENOENT);
  }

  Result<int, Errno> Open(std::uint32_t, std::string_view path, std::uint32_t flags,
                          std::uint32_t mode) override {
    if (!file_bytes.contains(std::string(path)) && (flags & 0100) == 0) {
      return std::unexpected(engine::kENOENT);
    }
    Did("open {} {:o} {:o}", path, flags, mode);
    handles[++last_handle] = path;
    return last_handle;
  }
  Result<void, Errno> Close(int handle) override {
    Did("close {}", handle);
    handles.erase(handle);
    return {};
  }
  Result<std::size_t, Errno> Read(int handle, std::uint64_t offset,
                                  std::span<std::byte> out) override {
    const std::string& bytes = file_bytes[handles.at(handle)];
    if (offset >= bytes.size()) return 0;
    const std::size_t size = std::min<std::size_t>(out.size(), bytes.size() - offset);
    std::ranges::copy(std::as_bytes(std::span(bytes)).subspan(offset, size), out.begin());
    return size;
  }
  Result<std::size_t, Errno> Write(int handle, std::uint64_t offset,
                                   std::span<const std::byte> in) override {
    std::string& bytes = file_bytes[handles.at(handle)];
    if (offset > 4096) return std::unexpected(engine::kENOSPC);
    bytes.resize(std::max<std::size_t>(bytes.size(), offset + in.size()));
    std::ranges::copy(
        in, std::as_writable_bytes(std::span(bytes)).begin() + static_cast<std::ptrdiff_t>(offset));
    return in.size();
  }
  Result<FileStatus, Errno> Status(int handle) override {
    return StatusOf(0, handles.at(handle), true);
  }
  Result<FileStatus, Errno> StatusOf(std::uint32_t, std::string_view path, bool) override {
    const auto file = file_bytes.find(std::string(path));
    if (file == file_bytes.end()) return std::unexpected(engine::kENOENT);
    FileStatus status;
    status.size = file->second.size();
    status.mode = 0100644;
    return status;
  }
  Result<std::string, Errno> ReadLink(std::uint32_t, std::string_view path) override {
    if (path != "/link") return std::unexpected(engine::kEINVAL);
    return "target";
  }
  Result<void, Errno> Unlink(std::uint32_t, std::string_view path) override {
    if (file_bytes.erase(std::string(path)) == 0) return std::unexpected(engine::kENOENT);
    return {};
  }

  Answer<void> Launch(const LaunchRequest& request) override {
    std::string text = "launch " + request.program;
    for (const std::string& word : request.arguments) text += " [" + word + "]";
    for (const auto& [name, value] : request.environment_set) text += " +" + name + "=" + value;
    for (const std::string& name : request.environment_unset) text += " -" + name;
    if (!request.working_directory.empty()) text += " in " + request.working_directory;
    if (request.randomize_addresses) text += " random";
    did.push_back(text);
    return {};
  }
  Answer<void> Attach(std::uint32_t pid) override {
    if (pid != 7) return Refuse(engine::kESRCH, "the box has no such process");
    if (processes.contains(7)) return Refuse(engine::kEBUSY);
    AddProcess(7, Architecture::kI386, "/bin/old");
    AddThread({7, 7}, "old");
    did.emplace_back("attach 7");
    return {};
  }
  Answer<void> Report(const EventSet& events) override {
    if (events == reported) return {};
    reported = events;
    Did("report{}{}{}{}", events.fork ? " fork" : "", events.vfork ? " vfork" : "",
        events.exec ? " exec" : "", events.threads ? " threads" : "");
    return {};
  }
  Answer<void> Catch(std::uint32_t pid,
                     std::optional<std::vector<std::uint64_t>> numbers) override {
    Did("catch {} {}", pid, numbers ? fmt::format("[{}]", fmt::join(*numbers, " ")) : "none");
    return {};
  }
  Answer<std::vector<std::byte>> Read(ThreadRef ref) override {
    if (ref.tid != 1) return Refuse(engine::kENODATA);
    return std::vector<std::byte>(8, std::byte{0x2a});
  }
  Answer<void> Write(ThreadRef, std::size_t offset, std::span<const std::byte> bytes) override {
    if (offset + bytes.size() > 8) return Refuse(engine::kEINVAL);
    Did("siginfo {} {}", offset, bytes.size());
    return {};
  }
  Answer<std::vector<std::byte>> Read(std::uint32_t) override {
    // AT_PHDR, AT_PHENT, AT_PHNUM, AT_NULL.
    const std::uint64_t rows[] = {3, kBegin, 4, 56, 5, 1, 0, 0};
    const auto bytes = std::as_bytes(std::span(rows));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  }
  GuestAddr Limit(std::uint32_t) override { return 0x10000; }
  Answer<MemoryRegion> Find(std::uint32_t, GuestAddr address) override {
    if (address >= 0x10000) return Refuse(engine::kEFAULT);
    if (address < kBegin) return MemoryRegion{.begin = 0, .end = kBegin, .name = {}};
    if (address >= kEnd) return MemoryRegion{.begin = kEnd, .end = 0x10000, .name = {}};
    return MemoryRegion{kBegin, kEnd, true, true, false, true, "/bin/prog"};
  }
  Answer<std::string> Command(std::string_view text, ThreadRef) override {
    if (text == "help") return "help\n";
    if (text == "quiet") return "";
    return Refuse(engine::kEINVAL, "no such command");
  }

  std::vector<OsProcess> AllProcesses() override {
    return {{1, 0, 1000, "user", "prog -x", {1, 2}}};
  }

  bool poor = false;  // without any power
  bool non_stop = false;
  Listener* listener = nullptr;
  std::map<std::uint32_t, ProcessInfo> processes;
  std::map<ThreadRef, Thread> threads;
  std::vector<std::byte> memory;
  std::deque<std::string> did;
  std::shared_ptr<HitAction> action;  // of the last one that was put in
  std::map<GuestAddr, std::shared_ptr<HitAction>> actions;
  std::shared_ptr<HitAction> stepping;
  std::map<std::string, std::string> file_bytes{{"/etc/hosts", "127.0.0.1 #$}* localhost\n"}};
  std::map<int, std::string> handles;
  int last_handle = 4;
  EventSet reported;
  std::vector<int> passed, programmed;

 private:
  static std::string_view NameOf(BreakpointKind kind) {
    return kind == BreakpointKind::kSoftware   ? "software"
           : kind == BreakpointKind::kHardware ? "hardware"
                                               : "trace";
  }
  Answer<void> Drop(std::uint32_t pid, std::string_view how) {
    if (processes.erase(pid) == 0) return Refuse(engine::kESRCH);
    std::erase_if(threads, [&](const auto& one) { return one.first.pid == pid; });
    Did("{} {}", how, pid);
    return {};
  }
};

}  // namespace glovebox::gdbstub::tests
