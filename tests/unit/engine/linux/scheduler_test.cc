#include "engine/linux/scheduler.h"

#include <gtest/gtest.h>

#include "engine/linux/process_table.h"
#include "tests/tools/memory_tree.h"

namespace glovebox::engine {
namespace {

class NoHost : public BoxHost {
 public:
  void OnOutput(OutputStream, std::span<const std::byte>, Icount) override {}
  void OnTrace(const TraceEvent&) override {}
  Result<Input, Error> ReadStdin(std::uint64_t, std::size_t) override { return Input{}; }
};

class SchedulerTest : public ::testing::Test {
 protected:
  Task& Make() {
    const auto task = kernel.processes().AddProcess(kernel, nullptr);
    scheduler.Add(*task);
    return *task;
  }

  BoxSpec Spec() {
    BoxSpec spec;
    spec.root = tree.Root();
    return spec;
  }

  tests::MemoryTree tree;
  NoHost host;
  Kernel kernel{Spec(), *WorldValues::Make({}), tree, host};
  Scheduler scheduler;
  int event = 0;
  int other_event = 0;
};

TEST_F(SchedulerTest, TasksTakeTurnsInTheOrderOfTheirMaking) {
  Task& a = Make();
  Task& b = Make();
  Task& c = Make();
  for (Task* const expected : {&a, &b, &c, &a, &b}) {
    EXPECT_EQ(scheduler.Pick(), expected);
    EXPECT_EQ(scheduler.Pick(), expected) << "a turn lasts until it is given up";
    scheduler.Yield();
  }
}

TEST_F(SchedulerTest, AnEventWakesThoseWhoWaitForItInTheirOrder) {
  Task& a = Make();
  Task& b = Make();
  Task& c = Make();
  scheduler.Pick();
  scheduler.Block(a, {.channel = &event});
  scheduler.Pick();
  scheduler.Block(b, {.channel = &other_event});
  scheduler.Pick();
  scheduler.Block(c, {.channel = &event});
  EXPECT_EQ(scheduler.Pick(), nullptr);
  scheduler.WakeAll(&event);
  EXPECT_EQ(scheduler.Pick(), &a);
  scheduler.Block(a, {});
  EXPECT_EQ(scheduler.Pick(), &c);
  scheduler.Block(c, {});
  EXPECT_EQ(scheduler.Pick(), nullptr);
}

TEST_F(SchedulerTest, EveryFileEventWakesWhoPolls) {
  Task& a = Make();
  scheduler.Pick();
  scheduler.Block(a, {.channel = Scheduler::AnyFile()});
  scheduler.WakeAll(&event);
  EXPECT_EQ(scheduler.Pick(), nullptr);
  scheduler.FileEvent(&event);
  EXPECT_EQ(scheduler.Pick(), &a);
}

TEST_F(SchedulerTest, DeadlinesWakeInTheirOrderEqualOnesInThatOfWaiting) {
  Task& a = Make();
  Task& b = Make();
  Task& c = Make();
  const Nanoseconds deadlines[] = {200, 100, 100};
  for (const Nanoseconds deadline : deadlines)
    scheduler.Block(*scheduler.Pick(), {.deadline = deadline, .channel = &event});
  EXPECT_EQ(scheduler.NextDeadline(), 100u);
  scheduler.WakeDue(99);
  EXPECT_EQ(scheduler.Pick(), nullptr);
  scheduler.WakeDue(200);
  EXPECT_EQ(scheduler.NextDeadline(), kNever);
  for (Task* const expected : {&b, &c, &a}) {
    EXPECT_EQ(scheduler.Pick(), expected);
    scheduler.Yield();
  }
  scheduler.WakeAll(&event);  // nobody waits for it any more
  EXPECT_EQ(scheduler.Pick(), &b);
}

TEST_F(SchedulerTest, AStoppedTaskThatIsWokenRunsOnlyWhenItGoesOn) {
  Task& a = Make();
  scheduler.Pick();
  scheduler.Block(a, {.channel = &event});
  scheduler.Stop(a);
  scheduler.WakeAll(&event);
  EXPECT_EQ(scheduler.Pick(), nullptr);
  scheduler.Continue(a);
  EXPECT_EQ(scheduler.Pick(), &a);
  scheduler.Remove(a);
  EXPECT_EQ(scheduler.Pick(), nullptr);
}

}  // namespace
}  // namespace glovebox::engine
