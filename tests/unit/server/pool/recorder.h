// A BoxEvents that remembers what it was told, and waits for it on behalf of a test.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/core/box_launcher.h"

namespace glovebox::server {

class Recorder : public BoxEvents {
 public:
  struct Seen {
    std::vector<SandboxLayer> layers;
    std::uint32_t epoch = 0;
    std::string out;  // stdout and stderr
    std::vector<std::uint64_t> output_icounts;
    std::vector<TraceRecord> trace;
    std::vector<JournalRecord> journal;
    std::vector<std::pair<std::uint64_t, std::uint32_t>> wishes;  // offset, size
    std::string debug;                                            // to the debugger
    std::optional<BoxEnd> end;
    std::optional<std::string> lost;
    std::string order;  // one letter per event: L o t j i d E X
  };

  // The state once `ready` holds, or as it is after a time that only a hang exceeds.
  Seen Await(const std::function<bool(const Seen&)>& ready) {
    std::unique_lock lock(mu_);
    changed_.wait_for(lock, std::chrono::seconds(60), [&] { return ready(seen_); });
    return seen_;
  }
  // At the launch's last event.
  Seen AwaitEnd() {
    return Await([](const Seen& seen) { return seen.end || seen.lost; });
  }
  Seen Now() {
    return Await([](const Seen&) { return true; });
  }
  // Called in OnInputWanted, outside the lock.
  std::function<void(std::uint64_t offset, std::uint32_t size)> on_wish;
  // Called in OnOutput, outside the lock.
  std::function<void()> on_output;

  void OnLocked(std::vector<SandboxLayer> layers, std::uint32_t epoch) override {
    Note('L', [&] {
      seen_.layers = std::move(layers);
      seen_.epoch = epoch;
    });
  }
  void OnOutput(int stream, std::span<const std::byte> bytes, std::uint64_t icount) override {
    Note('o', [&] {
      seen_.out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      seen_.output_icounts.push_back(icount);
    });
    if (on_output) on_output();
  }
  void OnTrace(std::vector<TraceRecord> events) override {
    Note('t', [&] { seen_.trace.insert(seen_.trace.end(), events.begin(), events.end()); });
  }
  void OnJournal(const JournalRecord& record) override {
    Note('j', [&] { seen_.journal.push_back(record); });
  }
  void OnInputWanted(std::uint64_t offset_bytes, std::uint32_t size_bytes) override {
    Note('i', [&] { seen_.wishes.emplace_back(offset_bytes, size_bytes); });
    if (on_wish) on_wish(offset_bytes, size_bytes);
  }
  void OnDebug(const DebugNews& news) override {
    Note('d', [&] {
      seen_.debug.append(reinterpret_cast<const char*>(news.bytes.data()), news.bytes.size());
    });
  }
  void OnEnded(const BoxEnd& end) override {
    Note('E', [&] { seen_.end = end; });
  }
  void OnLost(const std::string& what) override {
    Note('X', [&] { seen_.lost = what; });
  }

 private:
  template <typename Change>
  void Note(char letter, Change change) {
    const std::lock_guard lock(mu_);
    change();
    seen_.order.push_back(letter);
    changed_.notify_all();
  }

  std::mutex mu_;
  std::condition_variable changed_;
  Seen seen_;
};

}  // namespace glovebox::server
