#include "server/worker/box_doors.h"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <vector>

#include "server/channel/frame.h"
#include "server/worker/channel.h"
#include "tests/unit/server/deaf_box.h"

namespace glovebox::worker {
namespace {

using engine::OutputStream;
using testing::ElementsAre;

// A box of which only the icount matters.
class StandingBox : public engine::DeafBox {
 public:
  Result<engine::RunState, Error> Run(engine::Moment) override {
    return engine::RunState::kRunning;
  }
  Result<engine::Icount, Error> InjectSignal(int) override { return icount; }
  void Nudge() override {}
  engine::BoxReport Report() const override {
    engine::BoxReport report;
    report.icount = icount;
    return report;
  }
  engine::Icount icount = 0;
};

class BoxDoorsTest : public testing::Test {
 protected:
  void Write(std::string_view text, engine::Icount icount,
             OutputStream stream = OutputStream::kStdout) {
    box_.icount = icount;
    doors_.OnOutput(stream, std::as_bytes(std::span(text)), icount);
  }
  void EndSliceAt(engine::Icount icount) {
    box_.icount = icount;
    doors_.EndSlice(box_);
  }
  // What the daemon got so far: "1:text@icount", "t:name".
  std::vector<std::string> Received() {
    channel_.Flush();
    std::array<char, 1 << 20> bytes;
    const auto got = channel::ReceiveSome(sockets_.ours.get(), bytes, nullptr, /*block=*/false);
    channel::FrameReader reader(channel::kMaxFromWorkerBytes);
    reader.Append(std::span(bytes).first(got.bytes));
    std::vector<std::string> out;
    for (auto frame = reader.Next(); frame && *frame; frame = reader.Next()) {
      wire::FromWorker message;
      EXPECT_TRUE(message.ParseFromArray((*frame)->data(), static_cast<int>((*frame)->size())));
      if (message.has_output()) {
        out.push_back(std::to_string(message.output().stream()) + ":" + message.output().data() +
                      "@" + std::to_string(message.output().icount()));
      }
      for (const auto& event : message.trace().events()) out.push_back("t:" + event.name());
    }
    return out;
  }

  channel::SocketPair sockets_ = std::move(*channel::MakeSocketPair(SOCK_STREAM));
  Channel channel_{sockets_.theirs.get()};
  BoxDoors doors_{channel_, /*has_stdin=*/true};
  StandingBox box_;
};

TEST_F(BoxDoorsTest, NeighbouringWritesShareAChunkThatCarriesTheFirstIcount) {
  Write("a", 10);
  Write("b", 20);
  Write("c", 30, OutputStream::kStderr);
  Write("d", 40);
  doors_.Drain();
  EXPECT_THAT(Received(), ElementsAre("1:ab@10", "2:c@30", "1:d@40"));
}

TEST_F(BoxDoorsTest, ChunksAreTheSameWhereverSlicesEnd) {
  const auto play = [&](engine::Icount slice) {
    for (engine::Icount icount = 0; icount < 100'000; icount += 1000) {
      Write("x", icount);
      if (icount % slice == 0) EndSliceAt(icount + 999);
    }
    doors_.Drain();
    return Received();
  };
  const auto slow_host = play(1000);
  const auto fast_host = play(50'000);
  EXPECT_EQ(slow_host, fast_host);
  EXPECT_GT(slow_host.size(), 5u);
}

TEST_F(BoxDoorsTest, EndOfSliceHoldsBackOnlyWhatLaterWritesCouldJoin) {
  Write("a", 10);
  EndSliceAt(20);
  EXPECT_THAT(Received(), ElementsAre());
  EndSliceAt(10'000);
  EXPECT_THAT(Received(), ElementsAre("1:a@10"));
}

TEST_F(BoxDoorsTest, TraceAndOutputKeepTheirOrder) {
  engine::TraceEvent event;
  event.name = "write";
  Write("a", 10);
  doors_.OnTrace(event);
  doors_.OnTrace(event);
  Write("b", 11);
  doors_.Drain();
  EXPECT_THAT(Received(), ElementsAre("1:a@10", "t:write", "t:write", "1:b@11"));
}

TEST_F(BoxDoorsTest, LongWriteIsCutIntoMessagesWithinTheirBound) {
  Write(std::string(150'000, 'z'), 5);
  doors_.Drain();
  const auto got = Received();
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[0].size(), std::string("1:@5").size() + channel::kMaxOutputBytes);
}

}  // namespace
}  // namespace glovebox::worker
