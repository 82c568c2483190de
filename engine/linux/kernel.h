// What all tasks of a box share: clock, streams, file system, randomness, the end.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "engine/base/random.h"
#include "engine/cpu/translation_memo.h"
#include "engine/linux/alarms.h"
#include "engine/linux/futex.h"
#include "engine/linux/scheduler.h"
#include "engine/linux/trace.h"
#include "engine/linux/world_values.h"
#include "engine/memory/meter.h"
#include "engine/net/network.h"
#include "engine/process.h"
#include "engine/vfs/filesystem.h"
#include "engine/vfs/open_file.h"

namespace glovebox::engine {

class Debugger;
class Process;
class SignalHandlers;
class ProcessTable;
struct Ipc;

// Threads: the box's, but for Nudge.
class Kernel {
 public:
  Kernel(const BoxSpec& spec, WorldValues world_values, TreeSource& tree, BoxHost& host);
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  // --- the clock: virtual time is icount times the time of an instruction, plus what was spent
  // otherwise ---
  Icount icount() const { return icount_; }
  void SetIcount(Icount icount) { icount_ = icount; }
  Nanoseconds Now() const { return icount_ + spent_ns_ + idle_ns_; }
  // Without the jumps of sleeps.
  Nanoseconds CpuTime() const { return icount_ + spent_ns_; }
  std::int64_t WallNanoseconds() const { return wall_start_ns_ + static_cast<std::int64_t>(Now()); }
  void Spend(Nanoseconds time) { spent_ns_ += time; }
  void SpendOnBytes(std::uint64_t bytes) { spent_ns_ += bytes / bytes_per_ns_; }
  void JumpTo(Nanoseconds time) {
    if (time > Now()) idle_ns_ += time - Now();
  }
  // Now() minus the icount, for the time-stamp counter.
  Nanoseconds time_offset() const { return spent_ns_ + idle_ns_; }

  // --- the host's share: work is done in slices, which the guest does not notice ---
  void BeginSlice();
  // Asks the host's clock, which costs as much as a small system call.
  bool SliceIsOver() const;
  bool IsNudged() const { return nudged_.load(std::memory_order_relaxed); }
  void Nudge() { nudged_.store(true, std::memory_order_relaxed); }

  // --- the streams ---
  // Writes what the output limit allows; where that is not all, the box ends. Returns bytes.size().
  std::size_t Output(OutputStream stream, std::span<const std::byte> bytes);
  std::uint64_t output_bytes() const { return output_bytes_; }
  Result<BoxHost::Input, Error> ReadStdin(std::uint64_t offset, std::size_t size);

  // --- the end ---
  void End(Termination termination);
  void EndByLimit(LimitId limit);
  bool ended() const { return termination_.has_value(); }
  const std::optional<Termination>& termination() const { return termination_; }
  // An error of ours or of the host's: never a result of the guest's.
  void FailHost(Error error) {
    if (!host_failure_) host_failure_ = std::move(error);
  }
  // What the tree source or the host failed with; the box is useless then.
  const std::optional<Error>& failure() const {
    return host_failure_ ? host_failure_ : services_->blobs.failure();
  }

  // Processes on whose CPU time an alarm is set, by number.
  std::map<std::uint32_t, Process*> timed_processes;

  // --- signalfd(2) ---
  int signal_files = 0;  // open ones
  // A signal has come to tasks with these handlers.
  void TellSignalFiles(const SignalHandlers& handlers) {
    if (signal_files > 0) services_->file_event(&handlers, kPollIn);
  }

  // --- accounts ---
  void CountSyscall() { ++syscall_count_; }
  void CountAbsent(std::string_view name) { ++absent_[name]; }
  std::uint64_t syscall_count() const { return syscall_count_; }
  const std::map<std::string_view, std::uint64_t>& absent() const { return absent_; }
  // The name of a number that no row of the table has; lives as long as the box.
  std::string_view NameUnknown(abi::AbiId abi, std::uint64_t number);

  Debugger* debugger = nullptr;  // null: the box has none

  BoxHost& host() { return host_; }
  const std::shared_ptr<VfsServices>& services() const { return services_; }
  Filesystem& files() { return files_; }
  net::Network& network() { return network_; }
  ProcessTable& processes() { return *processes_; }
  // For the CPU of one more address space, of code of `abi`. Null for the box' first program:
  // nobody else may ever come.
  TranslationMemo* MemoFor(abi::AbiId abi) {
    return std::exchange(first_program_, false) ? nullptr
                                                : &translations_[static_cast<std::size_t>(abi)];
  }

  FutexTable futexes;
  Scheduler scheduler;
  AlarmQueue alarms;

  const BoxSpec spec;
  WorldValues world;  // names change: sethostname(2)
  // System V's objects and POSIX message queues.
  Ipc& ipc() const { return *ipc_; }

  MemoryMeter memory_meter;
  TraceHash trace;
  SeededRandom random;       // getrandom(2), /dev/urandom
  SeededRandom exec_random;  // layouts and AT_RANDOM

 private:
  BoxHost& host_;
  // Before all programs: they are made of it.
  std::array<TranslationMemo, 2> translations_;
  bool first_program_ = true;
  Icount icount_ = 0;
  Nanoseconds spent_ns_ = 0;
  Nanoseconds idle_ns_ = 0;
  std::int64_t wall_start_ns_;
  std::uint64_t bytes_per_ns_;
  std::chrono::steady_clock::time_point slice_end_{};
  std::atomic<bool> nudged_ = false;
  std::uint64_t output_bytes_ = 0;
  std::optional<Termination> termination_;
  std::optional<Error> host_failure_;
  std::uint64_t syscall_count_ = 0;
  std::map<std::string_view, std::uint64_t> absent_;
  std::map<std::pair<abi::AbiId, std::uint64_t>, std::string> unknown_names_;
  std::shared_ptr<VfsServices> services_;
  Filesystem files_;  // its nodes ask for the time as they are made
  net::Network network_;
  const std::unique_ptr<Ipc> ipc_;
  // Last: what tasks hold goes before what they hold it of.
  const std::unique_ptr<ProcessTable> processes_;
};

}  // namespace glovebox::engine
