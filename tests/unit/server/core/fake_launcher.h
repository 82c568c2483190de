// Boxes in memory: the test is the worker. It waits for a box, and says what the box says.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "engine/base/check.h"
#include "server/core/box_launcher.h"
#include "server/store/file_io.h"

namespace glovebox::server {

inline constexpr absl::Duration kTestPatience =
    absl::Seconds(30);  // only a broken test waits so long

// One box, seen by the test. Threads: any.
class FakeBox {
 public:
  FakeBox(RunRequest request, std::shared_ptr<BoxEvents> events)
      : request_(std::move(request)), events_(std::move(events)) {}

  const RunRequest& request() const { return request_; }

  void Lock(std::uint32_t epoch = 1) { events_->OnLocked({{"seccomp", true, ""}}, epoch); }
  void Say(std::string_view text, int stream = 1, std::uint64_t icount = 100) {
    events_->OnOutput(stream, BytesOf(text), icount);
  }
  void Trace(const std::string& name) {
    TraceRecord record;
    record.name = name;
    record.arguments = {"1", "\"x\""};
    events_->OnTrace({record});
  }
  void Journal(const JournalRecord& record) { events_->OnJournal(record); }
  void Journal(int signal) {
    events_->OnJournal({.icount = 50, .signal = signal, .while_waiting = true});
  }
  void WantInput(std::uint64_t offset, std::uint32_t size) { events_->OnInputWanted(offset, size); }
  void TellDebugger(std::string_view bytes) { events_->OnDebug({.bytes = BytesOf(bytes)}); }
  void Stand(bool stopped) { events_->OnDebug({.stopped = stopped}); }
  void Alter() { events_->OnDebug({.altered = true}); }
  void LeaveDebugger() { events_->OnDebug({.closed = true}); }
  void Notice(std::string_view text) { events_->OnDebug({.notice = text}); }
  void Core(std::uint64_t offset, std::string_view bytes, bool end) {
    events_->OnDebug({.core = CorePiece{offset, BytesOf(bytes), end}});
  }
  void Exit(int code) {
    BoxEnd end;
    end.code = code;
    end.icount = 1'234;
    End(std::move(end));
  }
  void End(BoxEnd end) { events_->OnEnded(end); }
  void Lose(const std::string& what) { events_->OnLost(what); }

  // What the core asked for; each waits until it has.
  std::string AwaitCancel() {
    return Await([this] { return cancelled_; }, cancel_reason_);
  }
  bool cancelled() {
    absl::MutexLock lock(&mu_);
    return cancelled_;
  }
  bool AwaitWallLimit() {
    return Await([this] { return cancelled_; }, wall_limit_);
  }
  void AwaitDropped() {
    Await([this] { return dropped_; }, dropped_);
  }
  void AwaitKilled() {
    Await([this] { return killed_; }, killed_);
  }
  int AwaitSignal() {
    int number = 0;
    const auto there = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return !signals_.empty(); };
    absl::MutexLock lock(&mu_);
    GB_CHECK(mu_.AwaitWithTimeout(absl::Condition(&there), kTestPatience));
    number = signals_.front();
    signals_.pop_front();
    return number;
  }
  struct Input {
    std::string bytes;
    bool end = false;
  };
  Input AwaitInput() {
    const auto there = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return !inputs_.empty(); };
    absl::MutexLock lock(&mu_);
    GB_CHECK(mu_.AwaitWithTimeout(absl::Condition(&there), kTestPatience));
    Input input = std::move(inputs_.front());
    inputs_.pop_front();
    return input;
  }
  bool HasInput() {
    absl::MutexLock lock(&mu_);
    return !inputs_.empty();
  }

  // Live input: all bytes up to now, once there are as many.
  std::string AwaitTyped(std::size_t size) {
    const auto there = [this, size] { return typed_.size() >= size; };
    absl::MutexLock lock(&mu_);
    GB_CHECK(mu_.AwaitWithTimeout(absl::Condition(&there), kTestPatience));
    return typed_;
  }
  bool typed_end() {
    const auto there = [this] { return typed_end_; };
    return Await(there, typed_end_);
  }
  TerminalSize AwaitResize() {
    const auto there = [this] { return !resizes_.empty(); };
    absl::MutexLock lock(&mu_);
    GB_CHECK(mu_.AwaitWithTimeout(absl::Condition(&there), kTestPatience));
    const TerminalSize size = resizes_.front();
    resizes_.pop_front();
    return size;
  }

  // What came of a debugger, oldest first: "open", its bytes, "close".
  std::string AwaitDebugger() {
    const auto there = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return !debugged_.empty(); };
    absl::MutexLock lock(&mu_);
    GB_CHECK(mu_.AwaitWithTimeout(absl::Condition(&there), kTestPatience));
    std::string first = std::move(debugged_.front());
    debugged_.pop_front();
    return first;
  }

  // The core's end of it.
  class Handle : public BoxHandle {
   public:
    explicit Handle(std::shared_ptr<FakeBox> box) : box_(std::move(box)) {}
    ~Handle() override {
      absl::MutexLock lock(&box_->mu_);
      box_->dropped_ = true;
    }
    void Signal(int number) override {
      absl::MutexLock lock(&box_->mu_);
      box_->signals_.push_back(number);
    }
    void Cancel(const std::string& why, bool wall_limit) override {
      absl::MutexLock lock(&box_->mu_);
      box_->cancelled_ = true;
      box_->cancel_reason_ = why;
      box_->wall_limit_ = wall_limit;
    }
    void SupplyInput(std::span<const std::byte> bytes, bool end) override {
      absl::MutexLock lock(&box_->mu_);
      box_->inputs_.push_back(
          {std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), end});
    }
    void Type(std::span<const std::byte> bytes, bool end) override {
      absl::MutexLock lock(&box_->mu_);
      box_->typed_ += std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      box_->typed_end_ = box_->typed_end_ || end;
    }
    void Resize(const TerminalSize& size) override {
      absl::MutexLock lock(&box_->mu_);
      box_->resizes_.push_back(size);
    }
    void OpenDebugger() override { Debugged("open"); }
    void TellDebuggee(std::span<const std::byte> bytes, std::function<void()> sent) override {
      Debugged(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
      sent();
    }
    void CloseDebugger() override { Debugged("close"); }
    void OpenCore(std::uint32_t pid) override { Debugged("core " + std::to_string(pid)); }
    void MoreCore() override { Debugged("more"); }
    void Kill() override {
      absl::MutexLock lock(&box_->mu_);
      box_->killed_ = true;
    }
    int pid() const override { return 0; }

   private:
    void Debugged(std::string what) {
      absl::MutexLock lock(&box_->mu_);
      box_->debugged_.push_back(std::move(what));
    }

    const std::shared_ptr<FakeBox> box_;
  };

 private:
  template <typename Condition, typename Value>
  Value Await(Condition condition, const Value& value) {
    absl::MutexLock lock(&mu_);
    GB_CHECK(mu_.AwaitWithTimeout(absl::Condition(&condition), kTestPatience));
    return value;
  }

  const RunRequest request_;
  const std::shared_ptr<BoxEvents> events_;
  absl::Mutex mu_;
  bool cancelled_ = false;
  bool wall_limit_ = false;
  bool dropped_ = false;
  bool killed_ = false;
  std::string cancel_reason_;
  std::deque<int> signals_ ABSL_GUARDED_BY(mu_);
  std::deque<Input> inputs_ ABSL_GUARDED_BY(mu_);
  std::deque<std::string> debugged_ ABSL_GUARDED_BY(mu_);
  std::string typed_;
  bool typed_end_ = false;
  std::deque<TerminalSize> resizes_;
};

// The boxes that were launched, in order. Outlives the launcher.
class FakeBoxes {
 public:
  // The next box that is launched.
  std::shared_ptr<FakeBox> Next() {
    const auto there = [this]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return !boxes_.empty(); };
    absl::MutexLock lock(&mu_);
    GB_CHECK(mu_.AwaitWithTimeout(absl::Condition(&there), kTestPatience));
    auto box = boxes_.front();
    boxes_.pop_front();
    return box;
  }
  bool Empty() {
    absl::MutexLock lock(&mu_);
    return boxes_.empty();
  }

  std::unique_ptr<BoxLauncher> Launcher() { return std::make_unique<FakeLauncher>(*this); }

 private:
  class FakeLauncher : public BoxLauncher {
   public:
    explicit FakeLauncher(FakeBoxes& boxes) : boxes_(boxes) {}
    std::unique_ptr<BoxHandle> Launch(RunRequest request,
                                      std::shared_ptr<BoxEvents> events) override {
      auto box = std::make_shared<FakeBox>(std::move(request), std::move(events));
      {
        absl::MutexLock lock(&boxes_.mu_);
        boxes_.boxes_.push_back(box);
      }
      return std::make_unique<FakeBox::Handle>(box);
    }
    std::vector<std::string> Warnings() const override { return {"no landlock here"}; }

   private:
    FakeBoxes& boxes_;
  };

  absl::Mutex mu_;
  std::deque<std::shared_ptr<FakeBox>> boxes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace glovebox::server
