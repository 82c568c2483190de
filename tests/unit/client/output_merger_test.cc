#include "client/stream/output_merger.h"

#include <gtest/gtest.h>

#include <thread>

namespace glovebox::client {
namespace {

class OutputMergerTest : public testing::Test {
 protected:
  OutputMerger Make(bool join_trace) {
    return {{[this](v1::OutputChunk::Stream stream, std::string_view bytes) {
               seen_ += (stream == v1::OutputChunk::STDERR ? "E:" : "") + std::string(bytes) + " ";
               return wanted_;
             },
             [this](const v1::TraceEvent& event) {
               seen_ += "<" + event.name() + "> ";
               return wanted_;
             }},
            join_trace};
  }

  static v1::OutputChunk Chunk(std::uint64_t offset, const std::string& data, std::uint64_t icount,
                               v1::OutputChunk::Stream stream = v1::OutputChunk::STDOUT) {
    v1::OutputChunk chunk;
    chunk.set_offset_bytes(offset);
    chunk.set_data(data);
    chunk.set_icount(icount);
    chunk.set_stream(stream);
    return chunk;
  }
  static v1::TraceEvent Event(const std::string& name, std::uint64_t icount,
                              std::uint64_t output_before) {
    v1::TraceEvent event;
    event.set_name(name);
    event.set_icount(icount);
    event.set_output_offset_bytes(output_before);
    return event;
  }

  std::string seen_;
  bool wanted_ = true;
};

TEST_F(OutputMergerTest, LetsOutputThroughAtOnceWithoutATrace) {
  OutputMerger merger = Make(false);
  EXPECT_TRUE(merger.AddOutput(Chunk(0, "a", 10)));
  EXPECT_TRUE(merger.AddOutput(Chunk(1, "b", 20, v1::OutputChunk::STDERR)));
  EXPECT_EQ(seen_, "a E:b ");
}

TEST_F(OutputMergerTest, HoldsOutputUntilTheTraceIsThere) {
  OutputMerger merger = Make(true);
  merger.AddOutput(Chunk(0, "a", 20));
  EXPECT_EQ(seen_, "");
  merger.AddEvent(Event("open", 10, 0));
  EXPECT_EQ(seen_, "<open> ");
  merger.AddEvent(Event("write", 20, 0));
  EXPECT_EQ(seen_, "<open> <write> a ");
}

TEST_F(OutputMergerTest, HoldsAnEventUntilTheOutputBeforeItIsThere) {
  OutputMerger merger = Make(true);
  merger.AddEvent(Event("write", 10, 0));
  merger.AddEvent(Event("exit", 20, 3));
  EXPECT_EQ(seen_, "<write> ");
  merger.AddOutput(Chunk(0, "ab", 10));
  EXPECT_EQ(seen_, "<write> ab ");
  merger.AddOutput(Chunk(2, "c", 10));
  EXPECT_EQ(seen_, "<write> ab c <exit> ");
}

TEST_F(OutputMergerTest, PartsAChunkWhereAnEventLiesWithin) {
  OutputMerger merger = Make(true);
  merger.AddOutput(Chunk(0, "abcd", 10));
  merger.AddEvent(Event("write", 10, 0));
  EXPECT_EQ(seen_, "<write> abcd ");
  merger.AddEvent(Event("gap", 11, 4));
  merger.AddEvent(Event("late", 12, 6));
  merger.AddOutput(Chunk(4, "efgh", 12));
  EXPECT_EQ(seen_, "<write> abcd <gap> ef <late> gh ");
}

TEST_F(OutputMergerTest, LetsAllGoWhenTheTraceEnds) {
  OutputMerger merger = Make(true);
  merger.AddOutput(Chunk(0, "a", 99));
  merger.EndTrace();
  EXPECT_EQ(seen_, "a ");
}

TEST_F(OutputMergerTest, LetsEventsGoWhenTheOutputEndsShort) {
  OutputMerger merger = Make(true);
  merger.AddEvent(Event("exit", 5, 100));
  EXPECT_EQ(seen_, "");
  merger.EndOutput();
  EXPECT_EQ(seen_, "<exit> ");
}

TEST_F(OutputMergerTest, SaysWhenASinkWantsNoMore) {
  OutputMerger merger = Make(false);
  wanted_ = false;
  EXPECT_FALSE(merger.AddOutput(Chunk(0, "a", 1)));
  EXPECT_FALSE(merger.AddOutput(Chunk(1, "b", 1)));
  EXPECT_EQ(seen_, "a ");
}

TEST_F(OutputMergerTest, HoldsBackAReaderThatIsFarAhead) {
  OutputMerger merger = Make(true);
  const std::string piece(1 << 20, 'x');
  std::thread output([&] {
    for (std::uint64_t i = 0; i < 8; ++i) merger.AddOutput(Chunk(i << 20, piece, 1));
  });
  merger.AddEvent(Event("write", 1, 0));  // without it the thread would stand at 4 MiB for ever
  output.join();
  EXPECT_EQ(seen_.size(), std::string("<write> ").size() + 8 * (piece.size() + 1));
}

}  // namespace
}  // namespace glovebox::client
