// The job loop without a lock, over a channel whose other end the test holds.
#include "server/worker/job_runner.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "server/channel/frame.h"
#include "tests/unit/server/deaf_box.h"

namespace glovebox::worker {
namespace {

class EndlessBox : public engine::DeafBox {
 public:
  explicit EndlessBox(std::promise<void>* started) : started_(started) {}
  Result<engine::RunState, Error> Run(engine::Moment) override {
    if (started_ != nullptr) std::exchange(started_, nullptr)->set_value();
    return engine::RunState::kRunning;
  }
  Result<engine::Icount, Error> InjectSignal(int) override { return 0; }
  void Nudge() override {}
  engine::BoxReport Report() const override { return {}; }

 private:
  std::promise<void>* started_;
};

// Reads live input to its end, at most kRoom bytes at a time, and waits in between.
class ReadingBox : public engine::DeafBox {
 public:
  static constexpr std::size_t kRoom = 4;
  explicit ReadingBox(std::string* read) : read_(read) {}
  Result<engine::RunState, Error> Run(engine::Moment) override {
    report_.icount += kStep;
    room_ = kRoom;
    if (!end_) return engine::RunState::kWaitsForInput;
    report_.termination.emplace();
    return engine::RunState::kEnded;
  }
  bool TakesInput() const override { return true; }
  Result<std::size_t, Error> InjectInput(std::span<const std::byte> bytes, bool end) override {
    const std::size_t taken = std::min(bytes.size(), room_);
    read_->append(reinterpret_cast<const char*>(bytes.data()), taken);
    room_ -= taken;
    end_ = end && taken == bytes.size();
    return taken;
  }
  Result<engine::Icount, Error> InjectSignal(int) override { return report_.icount; }
  void Nudge() override {}
  engine::BoxReport Report() const override { return report_; }
  static constexpr engine::Icount kStep = 100;

 private:
  std::string* read_;
  std::size_t room_ = kRoom;
  bool end_ = false;
  engine::BoxReport report_;
};

wire::RunJob AnyJob() {
  wire::RunJob job;
  job.mutable_root()->set_sha256(std::string(32, '\0'));
  for (const engine::LimitRow& row : engine::kLimits) {
    (*job.mutable_limits())[std::string(row.name)] = row.default_value;
  }
  return job;
}

TEST(JobRunnerTest, EndsWhileTheGuestRunsWhenTheChannelCloses) {
  auto sockets = std::move(*channel::MakeSocketPair(SOCK_STREAM));
  std::promise<void> started;
  std::thread worker([&] {
    Channel channel(sockets.theirs.get());
    RunJob(channel, AnyJob(),
           [&](const auto&, auto&, auto&) { return std::make_unique<EndlessBox>(&started); });
    EXPECT_TRUE(channel.closed());
  });
  started.get_future().wait();
  sockets.ours.Reset();
  worker.join();  // or the test's time is up
}

TEST(JobRunnerTest, EndsWhenTheDaemonSpeaksNonsense) {
  auto sockets = std::move(*channel::MakeSocketPair(SOCK_STREAM));
  std::promise<void> started;
  std::thread worker([&] {
    Channel channel(sockets.theirs.get());
    RunJob(channel, AnyJob(),
           [&](const auto&, auto&, auto&) { return std::make_unique<EndlessBox>(&started); });
    EXPECT_TRUE(channel.closed());
  });
  started.get_future().wait();
  constexpr char kTooLong[] = {'\xff', '\xff', '\xff', '\xff'};
  channel::SendSome(sockets.ours.get(), kTooLong, -1, true);
  worker.join();
}

// What the worker says of a job that runs to its end here, with `sent` on the way to it from the
// start. Its end is the last message.
std::vector<wire::FromWorker> MessagesOf(const wire::RunJob& job, const BoxMaker& make_box,
                                         const std::vector<wire::ToWorker>& sent = {}) {
  auto sockets = std::move(*channel::MakeSocketPair(SOCK_STREAM));
  std::string out;
  for (const wire::ToWorker& message : sent) channel::AppendFrame(message, &out);
  if (!out.empty()) channel::SendSome(sockets.ours.get(), out, -1, true);
  Channel channel(sockets.theirs.get());
  RunJob(channel, job, make_box);
  channel::FrameReader reader(channel::kMaxFromWorkerBytes);
  std::array<char, 4096> bytes;
  const auto got = channel::ReceiveSome(sockets.ours.get(), bytes, nullptr, /*block=*/true);
  reader.Append(std::span(bytes).first(got.bytes));
  std::vector<wire::FromWorker> messages;
  for (auto frame = reader.Next(); frame && *frame; frame = reader.Next()) {
    wire::FromWorker& message = messages.emplace_back();
    EXPECT_TRUE(message.ParseFromArray((*frame)->data(), static_cast<int>((*frame)->size())));
  }
  if (messages.empty()) messages.emplace_back();
  return messages;
}

BoxMaker MakerOf(std::string* read) {
  return [read](const auto&, auto&, auto&) { return std::make_unique<ReadingBox>(read); };
}

wire::RunJob LiveJob() {
  wire::RunJob job = AnyJob();
  job.set_live_input(true);
  return job;
}

TEST(JobRunnerTest, BoxThatCannotBeMadeFailsTheJob) {
  const auto messages = MessagesOf(
      AnyJob(), [](const auto&, auto&, auto&) -> Result<std::unique_ptr<engine::Box>, Error> {
        return Fail(ErrorCode::kResourceExhausted, "NO_WINDOW",
                    "the host has no room for a window");
      });
  EXPECT_EQ(messages.back().ended().kind(), wire::Ended::FAILED);
  EXPECT_EQ(messages.back().ended().failure_reason(), "NO_WINDOW");
}

TEST(JobRunnerTest, WhatIsLeftOfLiveInputIsOfferedWhenTheBoxWaitsAgain) {
  wire::ToWorker typed;
  typed.mutable_live()->set_data("0123456789");
  typed.mutable_live()->set_end(true);
  std::string read;
  const auto messages = MessagesOf(LiveJob(), MakerOf(&read), {typed});  // or the test's time is up
  EXPECT_EQ(read, "0123456789");
  ASSERT_EQ(messages.size(), 4U);
  const char* const pieces[] = {"0123", "4567", "89"};
  for (std::size_t i = 0; i < std::size(pieces); ++i) {
    EXPECT_EQ(messages[i].journal().input().data(), pieces[i]);
    EXPECT_EQ(messages[i].journal().input().end(), i == 2);
  }
  EXPECT_EQ(messages.back().ended().kind(), wire::Ended::EXITED);
}

TEST(JobRunnerTest, JournalOfSeveralWaitsIsReplayedWaitByWait) {
  wire::RunJob job = LiveJob();
  for (const char* const piece : {"one ", "two ", "end"}) {
    wire::JournalRecord& record = *job.add_journal();
    record.set_icount(ReadingBox::kStep * static_cast<unsigned>(job.journal_size()));
    record.set_while_waiting(true);
    record.mutable_input()->set_data(piece);
    record.mutable_input()->set_end(piece == std::string_view("end"));
  }
  std::string read;
  const auto messages = MessagesOf(job, MakerOf(&read));
  EXPECT_EQ(read, "one two end");
  ASSERT_EQ(messages.size(), 1U);  // nothing is journalled again
  EXPECT_EQ(messages.back().ended().kind(), wire::Ended::EXITED)
      << messages.back().ended().detail();
}

TEST(JobRunnerTest, JournalThatDoesNotFitFailsTheJob) {
  wire::RunJob job = LiveJob();
  wire::JournalRecord& record = *job.add_journal();
  record.set_icount(ReadingBox::kStep + 1);  // the box waits before
  record.set_while_waiting(true);
  record.mutable_input()->set_data("late");
  std::string read;
  const auto messages = MessagesOf(job, MakerOf(&read));
  EXPECT_EQ(messages.back().ended().kind(), wire::Ended::FAILED);
  EXPECT_EQ(messages.back().ended().failure_reason(), "REPLAY_DIVERGED");
  EXPECT_EQ(read, "");
}

}  // namespace
}  // namespace glovebox::worker
