#include "client/stream/input_feeder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "tests/unit/client/test_server.h"

namespace glovebox::client {
namespace {

// Takes the input of one job, as the server does: at an offset that continues what is stored.
class FakeInput : public v1::JobService::Service {
 public:
  std::uint64_t break_at = ~std::uint64_t{0};  // the first call breaks off once so much is stored
  std::uint64_t end_at = ~std::uint64_t{0};    // the job ends once so much is stored

  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                      v1::Job* job) override {
    const std::lock_guard lock(mu_);
    job->set_name(request->name());
    job->set_input_bytes(stored_.size());
    return grpc::Status::OK;
  }

  grpc::Status WriteInput(grpc::ServerContext*, grpc::ServerReader<v1::WriteInputRequest>* reader,
                          v1::WriteInputResponse* response) override {
    v1::WriteInputRequest message;
    bool first = true;
    while (reader->Read(&message)) {
      const std::lock_guard lock(mu_);
      EXPECT_EQ(message.name(), first ? "jobs/J" : "");
      first = false;
      EXPECT_LE(message.data().size(), std::size_t{64} << 10);
      if (message.offset_bytes() != stored_.size())
        return {grpc::StatusCode::INVALID_ARGUMENT, "offset"};
      stored_ += message.data();
      if (message.end()) ended_ = true;
      changed_.notify_all();
      if (stored_.size() >= break_at) {
        break_at = ~std::uint64_t{0};
        return {grpc::StatusCode::UNAVAILABLE, "broken off"};
      }
      if (stored_.size() >= end_at) break;
    }
    response->set_accepted_bytes(stored_.size());
    return grpc::Status::OK;
  }

  std::string WaitForEnd() {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [&] { return ended_; });
    return stored_;
  }
  void WaitForBytes(std::uint64_t count) {
    std::unique_lock lock(mu_);
    changed_.wait(lock, [&] { return stored_.size() >= count; });
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  std::string stored_;
  bool ended_ = false;
};

class InputFeederTest : public testing::Test {
 protected:
  InputFeederTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    read_end_ = HostFd(ends[0]);
    write_end_ = HostFd(ends[1]);
  }
  void Fill(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(write_end_.get(), bytes.data(), bytes.size());
      ASSERT_GT(count, 0);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  HostFd read_end_, write_end_;
  FakeInput service_;
  TestServer server_{service_};
  std::unique_ptr<v1::JobService::Stub> stub_ = v1::JobService::NewStub(server_.Channel());
};

TEST_F(InputFeederTest, SendsAllBytesAndTheEnd) {
  InputFeeder feeder(*stub_, "jobs/J", read_end_.get());
  const std::string bytes(300'000, 'x');
  Fill(bytes);
  write_end_.Reset();
  EXPECT_EQ(service_.WaitForEnd(), bytes);
  EXPECT_TRUE(feeder.Stop());
}

TEST_F(InputFeederTest, SendsTheEndOfAnEmptyInput) {
  write_end_.Reset();
  InputFeeder feeder(*stub_, "jobs/J", read_end_.get());
  EXPECT_EQ(service_.WaitForEnd(), "");
  EXPECT_TRUE(feeder.Stop());
}

TEST_F(InputFeederTest, GoesOnWhereABrokenCallStopped) {
  service_.break_at = 200'000;
  std::string bytes(500'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 251);
  InputFeeder feeder(*stub_, "jobs/J", read_end_.get());
  Fill(bytes);
  write_end_.Reset();
  EXPECT_EQ(service_.WaitForEnd(), bytes);
  EXPECT_TRUE(feeder.Stop());
}

TEST_F(InputFeederTest, StopsWhileItWaitsForInput) {
  InputFeeder feeder(*stub_, "jobs/J", read_end_.get());
  Fill("some");
  service_.WaitForBytes(4);
  EXPECT_TRUE(feeder.Stop());  // returns, though the pipe stays open
}

TEST_F(InputFeederTest, EndsQuietlyWhenTheJobHasEnded) {
  service_.end_at = 1;
  InputFeeder feeder(*stub_, "jobs/J", read_end_.get());
  Fill("yes\n");
  service_.WaitForBytes(1);
  EXPECT_TRUE(feeder.Stop());
}

TEST(KindOfInput, TellsNothingFromAStream) {
  const HostFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(KindOfInput(null.get()), InputKind::kNone);
  EXPECT_EQ(KindOfInput(-1), InputKind::kNone);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const HostFd read_end(ends[0]);
  const HostFd write_end(ends[1]);
  EXPECT_EQ(KindOfInput(read_end.get()), InputKind::kStream);
}

TEST(SentWindow, ForgetsWhatIsFarBehind) {
  SentWindow window;
  const std::string piece(SentWindow::kCapacity, 'a');
  window.Append(piece);
  window.Append(piece);
  window.Append("tail");
  std::string bytes;
  EXPECT_TRUE(window.From(window.end_bytes() - 4, bytes));
  EXPECT_EQ(bytes, "tail");
  EXPECT_TRUE(window.From(window.end_bytes(), bytes));
  EXPECT_EQ(bytes, "");
  EXPECT_FALSE(window.From(0, bytes));
  EXPECT_FALSE(window.From(window.end_bytes() + 1, bytes));
}

}  // namespace
}  // namespace glovebox::client
