#include "engine/linux/signals.h"

#include <gtest/gtest.h>

namespace glovebox::engine {
namespace {

abi::Siginfo Info(int signal, std::uint64_t value = 0) {
  return SenderInfo(signal, kSiQueue, 1, 0, value);
}

class SignalsTest : public ::testing::Test {
 protected:
  PendingSignals of_process;
  SignalState state{std::make_shared<SignalHandlers>(), of_process};
};

TEST_F(SignalsTest, TheThreadsOwnSignalsGoBeforeThoseOfItsProcess) {
  of_process.Add(Info(kSIGHUP));
  state.Send(Info(kSIGUSR1));
  EXPECT_EQ(state.pending(), SetOf(kSIGHUP) | SetOf(kSIGUSR1));
  EXPECT_EQ(state.NextDeliverable(), kSIGUSR1);
  EXPECT_EQ(state.Take(~SignalSet{0})->signal, kSIGUSR1);
  EXPECT_EQ(state.Take(~SignalSet{0})->signal, kSIGHUP);
  EXPECT_EQ(of_process.set(), 0u);
}

TEST_F(SignalsTest, ExecveEndsTheSharingOfHandlers) {
  state.handlers().Set(kSIGUSR1, Sigaction{0x1000, 0, 0, 0});
  SignalState other(state.shared_handlers(), of_process);
  state.ResetHandlers();
  EXPECT_EQ(state.action(kSIGUSR1).handler, kHandlerDefault);
  EXPECT_EQ(other.action(kSIGUSR1).handler, 0x1000u);
}

TEST_F(SignalsTest, StandardSignalsDoNotQueueAndRealTimeOnesDoInOrder) {
  state.handlers().Set(kSIGUSR1, Sigaction{0x1000, 0, 0, 0});
  state.handlers().Set(40, Sigaction{0x1000, 0, 0, 0});
  for (const std::uint64_t value : {1u, 2u, 3u}) {
    EXPECT_TRUE(state.Send(Info(kSIGUSR1, value)));
    EXPECT_TRUE(state.Send(Info(40, value)));
  }
  EXPECT_EQ(state.Take(~SignalSet{0})->sender.value, 1u);
  for (const std::uint64_t value : {1u, 2u, 3u})
    EXPECT_EQ(state.Take(~SignalSet{0})->sender.value, value);
  EXPECT_FALSE(state.Take(~SignalSet{0}));
}

TEST_F(SignalsTest, QueueOfRealTimeSignalsIsBounded) {
  state.SetBlocked(~SignalSet{0});
  std::size_t sent = 0;
  while (state.Send(Info(40))) ++sent;
  EXPECT_EQ(sent, PendingSignals::kMaxQueued);
}

TEST_F(SignalsTest, IgnoredSignalsVanishUnlessBlocked) {
  EXPECT_TRUE(state.Send(Info(kSIGCHLD)));
  EXPECT_EQ(state.pending(), 0u);
  state.SetBlocked(SetOf(kSIGCHLD));
  EXPECT_TRUE(state.Send(Info(kSIGCHLD)));
  EXPECT_EQ(state.pending(), SetOf(kSIGCHLD));
  EXPECT_FALSE(state.HasDeliverable());
  state.SetBlocked(0);
  EXPECT_TRUE(state.HasDeliverable());
  state.DiscardIgnored();
  EXPECT_FALSE(state.HasDeliverable());
}

TEST_F(SignalsTest, FaultsGoBeforeTheOthers) {
  state.Send(Info(kSIGHUP));
  state.Force(FaultInfo(kSIGSEGV, kSegvMapErr, 8));
  EXPECT_EQ(state.NextDeliverable(), kSIGSEGV);
  EXPECT_EQ(state.Take(~SignalSet{0})->fault.address, 8u);
  EXPECT_EQ(state.NextDeliverable(), kSIGHUP);
}

TEST_F(SignalsTest, ForcedSignalCannotBeBlockedOrIgnored) {
  state.handlers().Set(kSIGSEGV, Sigaction{kHandlerIgnore, 0, 0, 0});
  state.SetBlocked(SetOf(kSIGSEGV));
  state.Force(FaultInfo(kSIGSEGV, kSegvMapErr, 8));
  EXPECT_TRUE(state.HasDeliverable());
  EXPECT_EQ(state.action(kSIGSEGV).handler, kHandlerDefault);
}

TEST_F(SignalsTest, KillAndStopCannotBeBlocked) {
  state.SetBlocked(~SignalSet{0});
  EXPECT_EQ(state.blocked() & kUnblockable, 0u);
}

TEST_F(SignalsTest, ExecveKeepsOnlyWhatIsIgnored) {
  state.handlers().Set(kSIGUSR1, Sigaction{0x1000, kSaRestart, 0, 1});
  state.handlers().Set(kSIGUSR2, Sigaction{kHandlerIgnore, 0, 0, 0});
  state.ResetHandlers();
  EXPECT_EQ(state.action(kSIGUSR1).handler, kHandlerDefault);
  EXPECT_EQ(state.action(kSIGUSR2).handler, kHandlerIgnore);
}

TEST_F(SignalsTest, EverySignalHasANameOfItsOwn) {
  EXPECT_EQ(SignalName(kSIGKILL), "SIGKILL");
  EXPECT_EQ(SignalName(32), "SIGRTMIN");
  EXPECT_EQ(SignalName(64), "SIGRT_32");
  for (int signal = 1; signal < kFirstRealTime; ++signal)
    EXPECT_TRUE(SignalName(signal).starts_with("SIG")) << signal;
}

}  // namespace
}  // namespace glovebox::engine
