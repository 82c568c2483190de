#include "client/exit_status.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace glovebox::client {
namespace {

v1::Job Ended() {
  v1::Job job;
  job.set_state(v1::SUCCEEDED);
  return job;
}

TEST(ExitStatus, IsTheGuestsOwn) {
  v1::Job job = Ended();
  v1::Termination& termination = *job.mutable_result()->mutable_termination();
  for (const int status : {0, 1, 3, 255}) {
    termination.set_exited(status);
    EXPECT_EQ(ExitStatusOf(job), status);
  }
}

TEST(ExitStatus, Is128MoreThanASignal) {
  v1::Job job = Ended();
  job.mutable_result()->mutable_termination()->set_signaled(9);
  EXPECT_EQ(ExitStatusOf(job), 137);
}

TEST(ExitStatus, TellsALimitFromADeadlock) {
  v1::Job job = Ended();
  job.mutable_result()->mutable_termination()->mutable_limit()->set_limit("insns");
  EXPECT_EQ(ExitStatusOf(job), 124);
  job.mutable_result()->mutable_termination()->set_deadlock("task 2 in futex");
  EXPECT_EQ(ExitStatusOf(job), 122);
}

TEST(ExitStatus, TellsAMissingProgramFromOneThatCannotRun) {
  v1::Job job = Ended();
  auto& not_started = *job.mutable_result()->mutable_termination()->mutable_not_started();
  not_started.set_error_number(ENOENT);
  EXPECT_EQ(ExitStatusOf(job), 127);
  not_started.set_error_number(ENOEXEC);
  EXPECT_EQ(ExitStatusOf(job), 126);
}

TEST(ExitStatus, Is125WhereGloveboxFailed) {
  v1::Job job = Ended();
  EXPECT_EQ(ExitStatusOf(job), 125);  // an end without a word
  for (const v1::JobState state : {v1::FAILED, v1::CANCELLED, v1::RUNNING}) {
    job.mutable_result()->mutable_termination()->set_exited(0);
    job.set_state(state);
    EXPECT_EQ(ExitStatusOf(job), 125) << v1::JobState_Name(state);
  }
}

}  // namespace
}  // namespace glovebox::client
