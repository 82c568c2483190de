#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "client/render/job.h"
#include "client/render/json.h"
#include "client/render/table.h"
#include "client/upload/progress_bar.h"

namespace glovebox::client {
namespace {

v1::Job EndedJob() {
  v1::Job job;
  job.set_name("jobs/01KAGF3Z7QJ8Y5D2X4C6V8B0NM");
  job.set_state(v1::SUCCEEDED);
  job.mutable_create_time()->set_seconds(1'795'000'000);
  for (const char* word : {"/bin/busybox", "sh", "-c", "echo 'hi there'"})
    job.mutable_spec()->add_argv(word);
  v1::JobResult& result = *job.mutable_result();
  result.mutable_termination()->set_signaled(11);
  result.set_icount(1'234'567);
  result.set_virtual_time_ns(1'250'000);
  result.set_peak_memory_bytes(3 << 20);
  result.set_output_bytes(9);
  result.set_syscalls(17);
  result.set_trace_hash("00112233445566778899aabbccddeeff");
  result.set_host_cpu_time_ns(2'500'000);
  (*result.mutable_absent_syscalls())["userfaultfd"] = 1;
  (*result.mutable_absent_syscalls())["bpf"] = 2;
  (*result.mutable_absent_syscalls())["rseq"] = 1;
  auto& instruction = *result.mutable_unimplemented_instruction();
  instruction.set_mnemonic("fsin");
  instruction.set_code("\xd9\xfe");
  instruction.set_address(0x401000);
  v1::Sandbox::Layer& layer = *job.mutable_sandbox()->add_layers();
  layer.set_name("landlock");
  layer.set_detail("not in this kernel");
  return job;
}

TEST(Render, SummarisesAJob) {
  EXPECT_EQ(JobSummary(EndedJob()),
            "glovebox: job:               01KAGF3Z7QJ8Y5D2X4C6V8B0NM\n"
            "glovebox: result:            killed by signal 11 (SIGSEGV)\n"
            "glovebox: instructions:      1,234,567\n"
            "glovebox: virtual time:      1.250 ms\n"
            "glovebox: peak memory:       3.0 MiB\n"
            "glovebox: output:            9 bytes\n"
            "glovebox: system calls:      17\n"
            "glovebox: trace hash:        00112233445566778899aabbccddeeff\n"
            "glovebox: processor time:    2.500 ms\n"
            "glovebox: calls not served:  bpf (2 calls), userfaultfd (1 call)\n"
            "glovebox: unimplemented:     instruction fsin [d9 fe] at 0x401000\n"
            "glovebox: warning:           sandbox layers not in force: landlock (not in this "
            "kernel)\n");
}

TEST(Render, ListsJobsInColumns) {
  v1::Job young;
  young.set_name("jobs/01KAGF3Z7QJ8Y5D2X4C6V8B0NN");
  young.set_state(v1::QUEUED);
  young.mutable_create_time()->set_seconds(1'795'000'001);
  young.mutable_spec()->add_argv("./prog");
  EXPECT_EQ(
      JobList({young, EndedJob()}),
      "JOB                         CREATED               STATE      RESULT                         "
      "COMMAND\n"
      "01KAGF3Z7QJ8Y5D2X4C6V8B0NN  2026-11-18 11:06:41Z  QUEUED                                    "
      "./prog\n"
      "01KAGF3Z7QJ8Y5D2X4C6V8B0NM  2026-11-18 11:06:40Z  SUCCEEDED  killed by signal 11 (SIGSEGV)  "
      "/bin/busybox sh -c 'echo '\\''hi there'\\'''\n");
}

TEST(Render, SaysHowAJobEnded) {
  v1::Job job = EndedJob();
  v1::Termination& termination = *job.mutable_result()->mutable_termination();
  termination.set_exited(3);
  EXPECT_EQ(OutcomeText(job), "exited with status 3");
  auto& limit = *termination.mutable_limit();
  limit.set_limit("mem");
  limit.set_value(64 << 20);
  limit.set_unit("bytes");
  EXPECT_EQ(OutcomeText(job), "hit its limit mem (64.0 MiB)");
  auto& not_started = *termination.mutable_not_started();
  not_started.set_error_name("ENOEXEC");
  not_started.set_detail("not an ELF file");
  EXPECT_EQ(OutcomeText(job), "could not be started: ENOEXEC (not an ELF file)");
  job.set_state(v1::FAILED);
  job.mutable_failure()->set_reason("WORKER_LOST");
  job.mutable_failure()->set_message("killed by SIGKILL");
  EXPECT_EQ(OutcomeText(job), "failed: killed by SIGKILL (WORKER_LOST)");
  job.set_state(v1::CANCELLED);
  EXPECT_EQ(OutcomeText(job), "cancelled");
  job.set_state(v1::RUNNING);
  EXPECT_EQ(OutcomeText(job), "");
}

TEST(Render, WritesTraceAsStraceDoes) {
  v1::TraceEvent event;
  event.set_icount(4321);
  event.set_name("write");
  for (const char* argument : {"1", "\"hi\\n\"", "3"}) event.add_arguments(argument);
  event.set_result("3");
  EXPECT_EQ(TraceLine(event), "[      4321] write(1, \"hi\\n\", 3) = 3\n");
  v1::TraceEvent signal;
  signal.set_icount(5000);
  signal.set_name("SIGSEGV");
  signal.set_signal(true);
  signal.add_arguments("si_code=SEGV_MAPERR");
  signal.add_arguments("si_addr=0x10");
  EXPECT_EQ(TraceLine(signal),
            "[      5000] --- SIGSEGV {si_code=SEGV_MAPERR, si_addr=0x10} ---\n");
}

TEST(Render, NamesSignals) {
  EXPECT_EQ(SignalText(9), "SIGKILL");
  EXPECT_EQ(SignalText(34), "SIGRT2");
  EXPECT_EQ(SignalText(64), "SIGRT32");
}

TEST(Render, QuotesForShellAndTerminal) {
  EXPECT_EQ(ShellQuote("plain-1.0/x"), "plain-1.0/x");
  EXPECT_EQ(ShellQuote(""), "''");
  EXPECT_EQ(ShellQuote("a b"), "'a b'");
  EXPECT_EQ(ShellQuote("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellQuote("\x1b[31m'\n"), "$'\\x1b[31m\\'\\n'");
}

TEST(Render, PrintsTheProtosJson) {
  const std::string json = ToJson(EndedJob(), JsonLayout::kIndented);
  v1::Job back;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &back).ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(back, EndedJob()));
  const std::string line = ToJson(EndedJob(), JsonLayout::kOneLine);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_NE(line.find("\"icount\":\"1234567\""), std::string::npos);
}

TEST(Render, KeepsATextWithinItsWidth) {
  EXPECT_EQ(Wrapped("one two three four", 9, "  "), "  one two\n  three\n  four\n");
}

TEST(Render, DrawsTheProgressOfAnUpload) {
  EXPECT_EQ(ProgressLine(5 << 20, 10 << 20),
            "uploading  [===============               ]  50%  5.0 MiB of 10.0 MiB");
  EXPECT_EQ(ProgressLine(11, 10),
            "uploading  [==============================] 100%  10 bytes of 10 bytes");
  EXPECT_EQ(ProgressLine(0, 0),
            "uploading  [==============================] 100%  0 bytes of 0 bytes");
}

}  // namespace
}  // namespace glovebox::client
