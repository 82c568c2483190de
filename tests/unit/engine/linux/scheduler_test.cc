#include "engine/linux/scheduler.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <utility>
#include <vector>

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

// Whose turns they are, and how long: of four tasks that give up each of theirs.
std::vector<std::pair<std::uint32_t, std::uint64_t>> DrawTurns(Scheduler& scheduler, int count) {
  std::vector<std::pair<std::uint32_t, std::uint64_t>> turns;
  for (int i = 0; i < count; ++i) {
    const Task* const task = scheduler.Pick();
    turns.emplace_back(task->tid, scheduler.TurnLength());
    scheduler.Yield();
  }
  return turns;
}

TEST_F(SchedulerTest, ChaosDrawsTurnsFromItsSeedAlone) {
  constexpr int kTurns = 200;
  constexpr std::uint64_t kQuantum = 1000;
  std::vector<std::shared_ptr<Task>> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(kernel.processes().AddProcess(kernel, nullptr));
  const auto draw = [&](std::uint64_t seed) {
    Scheduler chaos;
    chaos.SetPolicy(Scheduler::Policy::kChaos, kQuantum, SeededRandom(seed, 1));
    for (const auto& task : tasks) chaos.Add(*task);
    return DrawTurns(chaos, kTurns);
  };
  const auto once = draw(7);
  EXPECT_EQ(draw(7), once);
  EXPECT_NE(draw(8), once);
  std::map<std::uint32_t, int> turns_of;
  std::uint64_t longest = 0, shortest = kQuantum;
  for (const auto& [tid, length] : once) {
    ++turns_of[tid];
    longest = std::max(longest, length);
    shortest = std::min(shortest, length);
  }
  EXPECT_EQ(turns_of.size(), 4u);
  for (const auto& [tid, count] : turns_of) EXPECT_GT(count, kTurns / 8);
  EXPECT_LE(longest, kQuantum);
  EXPECT_GT(longest, kQuantum / 4);
  EXPECT_EQ(shortest, 1u);
}

TEST_F(SchedulerTest, TurnsOfRoundRobinAreUpToAQuarterShorterThanTheQuantum) {
  const std::uint32_t first = Make().tid;
  Make();
  scheduler.SetPolicy(Scheduler::Policy::kRoundRobin, 1000, SeededRandom(7, 1));
  std::uint64_t longest = 0, shortest = 1000;
  std::uint32_t expected = first;
  for (const auto& [tid, length] : DrawTurns(scheduler, 200)) {
    EXPECT_EQ(tid == first, expected == first);
    expected = expected == first ? 0 : first;
    longest = std::max(longest, length);
    shortest = std::min(shortest, length);
  }
  EXPECT_LE(longest, 1000u);
  EXPECT_GT(longest, 980u);
  EXPECT_LT(shortest, 770u);
  EXPECT_GE(shortest, 750u);
}

}  // namespace
}  // namespace glovebox::engine
