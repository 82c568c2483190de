#include "engine/vfs/file_events.h"

#include <gtest/gtest.h>

#include <string>

namespace glovebox::engine {
namespace {

// Writes its name into a log when it is told.
class Named : public FileListener {
 public:
  Named(std::string& log, char name, bool takes = true) : log_(log), name_(name), takes_(takes) {}
  bool OnFileEvent(std::uint16_t) override {
    log_ += name_;
    return takes_;
  }

 private:
  std::string& log_;
  char name_;
  bool takes_;
};

class FileEventsTest : public testing::Test {
 protected:
  std::string log;
  int woken = 0;
  FileEvents events{[this](const void*) { ++woken; }};
  int channel = 0, other = 0;
};

TEST_F(FileEventsTest, ListenersOfOneChannelAreToldTheNewestFirst) {
  Named a(log, 'a'), b(log, 'b'), c(log, 'c');
  events.Listen(&channel, a, false);
  events.Listen(&channel, b, false);
  events.Listen(&other, c, false);
  events(&channel);
  EXPECT_EQ(log, "ba");
  EXPECT_EQ(woken, 1);
}

TEST_F(FileEventsTest, OneExclusiveListenerThatTakesTheEventIsEnough) {
  Named a(log, 'a', false), b(log, 'b'), c(log, 'c'), d(log, 'd');
  events.Listen(&channel, a, true);
  events.Listen(&channel, b, true);
  events.Listen(&channel, c, true);
  events.Listen(&channel, d, false);
  events(&channel);
  EXPECT_EQ(log, "dab");
}

TEST_F(FileEventsTest, WhoIsForgottenIsNotTold) {
  Named a(log, 'a'), b(log, 'b');
  events.Listen(&channel, a, false);
  events.Listen(&channel, b, false);
  events.Forget(&channel, b);
  events.Forget(&other, a);
  events(&channel);
  EXPECT_EQ(log, "a");
}

}  // namespace
}  // namespace glovebox::engine
