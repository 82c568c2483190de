// The job loop without a lock, over a channel whose other end the test holds.
#include "server/worker/job_runner.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>
#include <thread>

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

TEST(JobRunnerTest, BoxThatCannotBeMadeFailsTheJob) {
  auto sockets = std::move(*channel::MakeSocketPair(SOCK_STREAM));
  Channel channel(sockets.theirs.get());
  RunJob(channel, AnyJob(),
         [](const auto&, auto&, auto&) -> Result<std::unique_ptr<engine::Box>, Error> {
           return Fail(ErrorCode::kResourceExhausted, "NO_WINDOW",
                       "the host has no room for a window");
         });
  channel::FrameReader reader(channel::kMaxFromWorkerBytes);
  std::array<char, 4096> bytes;
  const auto got = channel::ReceiveSome(sockets.ours.get(), bytes, nullptr, /*block=*/true);
  reader.Append(std::span(bytes).first(got.bytes));
  const auto frame = reader.Next();
  ASSERT_TRUE(frame && *frame);
  wire::FromWorker message;
  ASSERT_TRUE(message.ParseFromArray((*frame)->data(), static_cast<int>((*frame)->size())));
  EXPECT_EQ(message.ended().kind(), wire::Ended::FAILED);
  EXPECT_EQ(message.ended().failure_reason(), "NO_WINDOW");
}

}  // namespace
}  // namespace glovebox::worker
