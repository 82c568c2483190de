// What a worker may say: each message in turn, out of turn, and with each of its fields wrong.
#include "server/pool/conversation.h"

#include <gmock/gmock.h>

#include <functional>
#include <string>

#include "engine/limits/limit_table.h"
#include "server/channel/bounds.h"

namespace glovebox::server {
namespace {

using Message = wire::FromWorker;

Message Locked() {
  Message message;
  auto& layer = *message.mutable_locked()->add_layers();
  layer.set_name("seccomp");
  layer.set_in_force(true);
  return message;
}

Message Blob() {
  Message message;
  message.mutable_blob()->mutable_digest()->set_sha256(std::string(32, '\1'));
  return message;
}

Message Input() {
  Message message;
  message.mutable_input()->set_size_bytes(100);
  return message;
}

Message Output() {
  Message message;
  message.mutable_output()->set_stream(1);
  message.mutable_output()->set_data("0123456789");
  message.mutable_output()->set_icount(100);
  return message;
}

Message Trace() {
  Message message;
  auto& event = *message.mutable_trace()->add_events();
  event.set_name("openat");
  event.add_arguments("AT_FDCWD");
  event.set_result("3");
  event.set_icount(100);
  return message;
}

Message Journal() {
  Message message;
  message.mutable_journal()->set_signal(2);
  message.mutable_journal()->set_icount(100);
  return message;
}

Message Ended() {
  Message message;
  message.mutable_ended()->set_kind(wire::Ended::EXITED);
  message.mutable_ended()->set_icount(100);
  message.mutable_ended()->set_trace_hash(std::string(32, '0'));
  return message;
}

class ConversationTest : public testing::Test {
 protected:
  ConversationTest() {
    for (const engine::LimitRow& row : engine::kLimits) {
      request_.limits[std::string(row.name)] = row.default_value;
    }
    request_.limits["output"] = 25;
    request_.has_stdin = true;
    request_.trace_syscalls = true;
  }
  // A worker in the midst of its job, to which one signal was sent.
  Conversation Running() {
    Conversation conversation;
    EXPECT_TRUE(conversation.OnMessage(Locked()).has_value());
    conversation.OnRun(request_);
    conversation.OnSignal();
    return conversation;
  }
  std::string Refusal(const Message& message) {
    Conversation conversation = Running();
    const auto checked = conversation.OnMessage(message);
    return checked ? "" : checked.error().message;
  }

  RunRequest request_;
};

TEST_F(ConversationTest, HearsOutAnHonestWorker) {
  Conversation conversation = Running();
  for (const Message& message : {Blob(), Input(), Output(), Trace(), Journal()}) {
    const auto checked = conversation.OnMessage(message);
    EXPECT_TRUE(checked.has_value()) << checked.error().message;
  }
  Message end = Ended();
  end.mutable_ended()->set_output_bytes(10);
  EXPECT_TRUE(conversation.OnMessage(end).has_value());
  EXPECT_EQ(conversation.state(), Conversation::State::kEnded);
}

TEST_F(ConversationTest, RefusesEachMessageOutOfTurn) {
  const Message of_a_job[] = {Blob(), Input(), Output(), Trace(), Journal(), Ended()};
  for (const Message& message : of_a_job) {
    Conversation starting;
    EXPECT_FALSE(starting.OnMessage(message).has_value());
    Conversation idle;
    ASSERT_TRUE(idle.OnMessage(Locked()).has_value());
    EXPECT_FALSE(idle.OnMessage(message).has_value());
    Conversation ended = Running();
    ASSERT_TRUE(ended.OnMessage(Ended()).has_value());
    EXPECT_FALSE(ended.OnMessage(message).has_value());
  }
  EXPECT_NE(Refusal(Locked()), "") << "a second Locked";
  EXPECT_NE(Refusal(Message()), "") << "an empty message";
}

struct WrongRow {
  const char* what;
  Message message;
  std::function<void(Message&)> change;
};

TEST_F(ConversationTest, RefusesEachFieldThatIsWrong) {
  const std::string long_text(channel::kMaxTraceStringBytes + 1, 'x');
  const WrongRow rows[] = {
      {"digest", Blob(),
       [](Message& m) { m.mutable_blob()->mutable_digest()->set_sha256("short"); }},
      {"input of no bytes", Input(), [](Message& m) { m.mutable_input()->set_size_bytes(0); }},
      {"input too large", Input(), [](Message& m) { m.mutable_input()->set_size_bytes(65537); }},
      {"stream 0", Output(), [](Message& m) { m.mutable_output()->set_stream(0); }},
      {"stream 3", Output(), [](Message& m) { m.mutable_output()->set_stream(3); }},
      {"no output", Output(), [](Message& m) { m.mutable_output()->clear_data(); }},
      {"output too large", Output(),
       [](Message& m) {
         m.mutable_output()->set_data(std::string(channel::kMaxOutputBytes + 1, 'x'));
       }},
      {"output over the limit", Output(),
       [](Message& m) { m.mutable_output()->set_data(std::string(26, 'x')); }},
      {"no events", Trace(), [](Message& m) { m.mutable_trace()->clear_events(); }},
      {"too many events", Trace(),
       [](Message& m) {
         for (std::size_t i = 0; i < channel::kMaxTraceEvents; ++i) {
           *m.mutable_trace()->add_events() = m.trace().events(0);
         }
       }},
      {"event without a name", Trace(),
       [](Message& m) { m.mutable_trace()->mutable_events(0)->clear_name(); }},
      {"event's name", Trace(),
       [](Message& m) { m.mutable_trace()->mutable_events(0)->set_name("\x1b[2J"); }},
      {"argument too long", Trace(),
       [&](Message& m) { m.mutable_trace()->mutable_events(0)->set_arguments(0, long_text); }},
      {"argument for the terminal", Trace(),
       [](Message& m) {
         m.mutable_trace()->mutable_events(0)->set_arguments(0, "\x1b]0;title\x07");
       }},
      {"too many arguments", Trace(),
       [](Message& m) {
         for (int i = 0; i < 20; ++i) m.mutable_trace()->mutable_events(0)->add_arguments("x");
       }},
      {"result too long", Trace(),
       [&](Message& m) { m.mutable_trace()->mutable_events(0)->set_result(long_text); }},
      {"output offset", Trace(),
       [](Message& m) { m.mutable_trace()->mutable_events(0)->set_output_offset_bytes(1); }},
      {"journal of nothing", Journal(), [](Message& m) { m.mutable_journal()->clear_kind(); }},
      {"signal 0", Journal(), [](Message& m) { m.mutable_journal()->set_signal(0); }},
      {"signal 65", Journal(), [](Message& m) { m.mutable_journal()->set_signal(65); }},
      {"no kind", Ended(), [](Message& m) { m.mutable_ended()->clear_kind(); }},
      {"kind out of range", Ended(),
       [](Message& m) { m.mutable_ended()->set_kind(static_cast<wire::Ended::Kind>(99)); }},
      {"exit status 256", Ended(), [](Message& m) { m.mutable_ended()->set_code(256); }},
      {"exit status -1", Ended(), [](Message& m) { m.mutable_ended()->set_code(-1); }},
      {"signaled by 0", Ended(),
       [](Message& m) { m.mutable_ended()->set_kind(wire::Ended::SIGNALED); }},
      {"core of an exit", Ended(), [](Message& m) { m.mutable_ended()->set_core_available(true); }},
      {"not started without errno", Ended(),
       [](Message& m) { m.mutable_ended()->set_kind(wire::Ended::NOT_STARTED); }},
      {"cancelled by nobody", Ended(),
       [](Message& m) { m.mutable_ended()->set_kind(wire::Ended::CANCELLED); }},
      {"wall limit hit by nobody", Ended(),
       [](Message& m) {
         m.mutable_ended()->set_kind(wire::Ended::LIMIT);
         m.mutable_ended()->set_limit("wall");
         m.mutable_ended()->set_limit_value(3'600'000);
       }},
      {"unknown limit", Ended(),
       [](Message& m) {
         m.mutable_ended()->set_kind(wire::Ended::LIMIT);
         m.mutable_ended()->set_limit("patience");
       }},
      {"another job's limit", Ended(),
       [](Message& m) {
         m.mutable_ended()->set_kind(wire::Ended::LIMIT);
         m.mutable_ended()->set_limit("output");
         m.mutable_ended()->set_limit_value(26);
       }},
      {"limit of an exit", Ended(), [](Message& m) { m.mutable_ended()->set_limit("output"); }},
      {"failed without a reason", Ended(),
       [](Message& m) { m.mutable_ended()->set_kind(wire::Ended::FAILED); }},
      {"failed for a strange reason", Ended(),
       [](Message& m) {
         m.mutable_ended()->set_kind(wire::Ended::FAILED);
         m.mutable_ended()->set_failure_reason("because");
       }},
      {"reason of an exit", Ended(),
       [](Message& m) { m.mutable_ended()->set_failure_reason("x"); }},
      {"detail too long", Ended(),
       [](Message& m) {
         m.mutable_ended()->set_detail(std::string(channel::kMaxDetailBytes + 1, 'x'));
       }},
      {"detail for the terminal", Ended(),
       [](Message& m) { m.mutable_ended()->set_detail("\x1b[2J"); }},
      {"trace hash", Ended(), [](Message& m) { m.mutable_ended()->set_trace_hash("0"); }},
      {"other output than came", Ended(),
       [](Message& m) { m.mutable_ended()->set_output_bytes(1); }},
      {"mnemonic", Ended(),
       [](Message& m) { m.mutable_ended()->set_unimplemented_mnemonic("<script>"); }},
      {"instruction too long", Ended(),
       [](Message& m) { m.mutable_ended()->set_unimplemented_code(std::string(16, '\x90')); }},
      {"absent call without a name", Ended(),
       [](Message& m) { (*m.mutable_ended()->mutable_absent_syscalls())[""] = 1; }},
      {"absent call that never was", Ended(),
       [](Message& m) { (*m.mutable_ended()->mutable_absent_syscalls())["bpf"] = 0; }},
  };
  for (const WrongRow& row : rows) {
    EXPECT_EQ(Refusal(row.message), "") << row.what << ": right before the change";
    Message wrong = row.message;
    row.change(wrong);
    EXPECT_NE(Refusal(wrong), "") << row.what;
  }
}

TEST_F(ConversationTest, RefusesTraceAndInputThatTheJobHasNot) {
  request_.trace_syscalls = false;
  request_.has_stdin = false;
  EXPECT_NE(Refusal(Trace()), "");
  EXPECT_NE(Refusal(Input()), "");
}

TEST_F(ConversationTest, RefusesAnIcountThatRunsBackwards) {
  for (const Message& later : {Output(), Trace(), Journal(), Ended()}) {
    Conversation conversation = Running();
    Message first = Output();
    first.mutable_output()->set_icount(101);
    ASSERT_TRUE(conversation.OnMessage(first).has_value());
    EXPECT_FALSE(conversation.OnMessage(later).has_value());
  }
}

TEST_F(ConversationTest, RefusesOutputThatTogetherExceedsTheLimit) {
  Conversation conversation = Running();
  EXPECT_TRUE(conversation.OnMessage(Output()).has_value());
  EXPECT_TRUE(conversation.OnMessage(Output()).has_value());
  EXPECT_FALSE(conversation.OnMessage(Output()).has_value());
}

TEST_F(ConversationTest, RefusesASecondWishBeforeTheFirstIsAnswered) {
  Conversation blobs = Running();
  EXPECT_TRUE(blobs.OnMessage(Blob()).has_value());
  EXPECT_FALSE(blobs.OnMessage(Blob()).has_value());
  Conversation answered = Running();
  EXPECT_TRUE(answered.OnMessage(Blob()).has_value());
  answered.OnBlobAnswered();
  EXPECT_TRUE(answered.OnMessage(Blob()).has_value());
  Conversation inputs = Running();
  EXPECT_TRUE(inputs.OnMessage(Input()).has_value());
  EXPECT_FALSE(inputs.OnMessage(Input()).has_value());
}

TEST_F(ConversationTest, RefusesMoreJournalRecordsThanSignalsWereSent) {
  Conversation conversation = Running();
  EXPECT_TRUE(conversation.OnMessage(Journal()).has_value());
  EXPECT_FALSE(conversation.OnMessage(Journal()).has_value());
}

Message Typed(std::string_view text, bool end = false) {
  Message message;
  message.mutable_journal()->mutable_input()->set_data(std::string(text));
  message.mutable_journal()->mutable_input()->set_end(end);
  return message;
}

TEST_F(ConversationTest, JournalsOnlyTheLiveInputThatWasSentAndInItsOrder) {
  request_.live_input = true;
  request_.terminal = TerminalSize{24, 80};
  const auto type = [](Conversation& to, std::string_view text, bool end = false) {
    return to.OnTyped(std::as_bytes(std::span(text)), end);
  };
  Conversation good = Running();
  ASSERT_TRUE(type(good, "abc"));
  EXPECT_TRUE(good.OnMessage(Typed("ab")).has_value());
  ASSERT_TRUE(type(good, "d", true));
  EXPECT_FALSE(type(good, "late")) << "nothing follows the end";
  EXPECT_TRUE(good.OnMessage(Typed("cd", true)).has_value());
  EXPECT_FALSE(good.OnMessage(Typed("", true)).has_value()) << "it has ended already";

  Conversation other = Running();
  ASSERT_TRUE(type(other, "abc"));
  EXPECT_FALSE(other.OnMessage(Typed("b")).has_value());
  Conversation empty = Running();
  EXPECT_FALSE(empty.OnMessage(Typed("")).has_value());
  Conversation early = Running();
  ASSERT_TRUE(type(early, "abc", true));
  EXPECT_FALSE(early.OnMessage(Typed("ab", true)).has_value());

  Message resized;
  resized.mutable_journal()->mutable_resize()->set_rows(30);
  resized.mutable_journal()->mutable_resize()->set_columns(90);
  Conversation sizes = Running();
  ASSERT_TRUE(sizes.OnResize({30, 90}));
  EXPECT_TRUE(sizes.OnMessage(resized).has_value());
  EXPECT_FALSE(sizes.OnMessage(resized).has_value());

  Conversation much = Running();
  EXPECT_FALSE(type(much, std::string(65'537, 'x')));
}

TEST_F(ConversationTest, HearsOfADebuggerOnlyWhereOneHasCome) {
  Message news;
  news.mutable_debug()->set_data("$OK#9a");
  EXPECT_NE(Refusal(news), "");
  Conversation conversation = Running();
  ASSERT_TRUE(conversation.OnDebug(0));
  EXPECT_TRUE(conversation.OnMessage(news).has_value());
  EXPECT_FALSE(conversation.OnDebug(channel::kMaxDebugBytes + 1));
  news.mutable_debug()->set_data(std::string(channel::kMaxDebugBytes + 1, 'x'));
  EXPECT_FALSE(conversation.OnMessage(news).has_value());
  request_.waits_for_debugger = true;
  Message stands;
  stands.mutable_debug()->set_stopped(true);
  EXPECT_EQ(Refusal(stands), "");
  Conversation ended = Running();
  ASSERT_TRUE(ended.OnMessage(Ended()).has_value());
  EXPECT_FALSE(ended.OnDebug(0));
}

TEST_F(ConversationTest, TakesPiecesOfACoreWhereTheyWereAskedFor) {
  Conversation conversation = Running();
  Message message;
  wire::CorePiece& piece = *message.mutable_debug()->mutable_core();
  piece.set_data("bytes");
  piece.set_id(1);
  EXPECT_FALSE(conversation.OnMessage(message).has_value());
  conversation = Running();
  ASSERT_TRUE(conversation.OnCore());
  ASSERT_TRUE(conversation.OnMoreCore());
  EXPECT_TRUE(conversation.OnMessage(message).has_value());
  EXPECT_TRUE(DebugNewsOf(message.debug(), conversation.core_id()).core.has_value());
  EXPECT_FALSE(conversation.OnMessage(message).has_value());  // one for each wish
  // Of a core that was given up: allowed, and nobody's.
  conversation = Running();
  ASSERT_TRUE(conversation.OnCore());
  ASSERT_TRUE(conversation.OnMoreCore());
  ASSERT_TRUE(conversation.OnCore());
  EXPECT_TRUE(conversation.OnMessage(message).has_value());
  EXPECT_FALSE(DebugNewsOf(message.debug(), conversation.core_id()).core.has_value());
  const auto refuses = [&] {
    Conversation fresh = Running();
    return fresh.OnCore() && fresh.OnMoreCore() && !fresh.OnMessage(message).has_value();
  };
  piece.set_offset_bytes(channel::kMaxCoreFileBytes);
  EXPECT_TRUE(refuses());
  piece.set_offset_bytes(~std::uint64_t{0});
  EXPECT_TRUE(refuses());
  piece.set_offset_bytes(0);
  piece.set_data(std::string(channel::kMaxCoreBytes + 1, 'x'));
  EXPECT_TRUE(refuses());
  piece.set_data("");
  message.mutable_debug()->set_notice("a bell \x07");
  EXPECT_TRUE(refuses());
}

TEST_F(ConversationTest, TakesADebuggersChangesWithinTheirBounds) {
  Message message;
  message.mutable_journal()->set_change("what it was");
  EXPECT_NE(Refusal(message), "");  // nobody debugs it
  Conversation conversation = Running();
  ASSERT_TRUE(conversation.OnDebug(0));
  EXPECT_TRUE(conversation.OnMessage(message).has_value());
  EXPECT_EQ(JournalRecordOf(message.journal()).change, "what it was");
  message.mutable_journal()->set_change(std::string(channel::kMaxChangeBytes + 1, 'x'));
  EXPECT_FALSE(conversation.OnMessage(message).has_value());
  message.mutable_journal()->set_change("");
  EXPECT_FALSE(conversation.OnMessage(message).has_value());
  message.mutable_journal()->set_change(std::string(channel::kMaxChangeBytes, 'x'));
  std::size_t taken = 0;
  while (conversation.OnMessage(message).has_value()) taken += channel::kMaxChangeBytes;
  EXPECT_LE(taken, channel::kMaxChangesBytes);
  EXPECT_GT(taken, channel::kMaxChangesBytes / 2);
}

TEST_F(ConversationTest, AReplayTellsNothingButOfItsDebugger) {
  request_.replay.emplace();
  request_.trace_syscalls = true;
  EXPECT_NE(Refusal(Output()), "");
  EXPECT_NE(Refusal(Trace()), "");
  EXPECT_NE(Refusal(Journal()), "");
  Message news;
  news.mutable_debug()->set_notice("it stands");
  EXPECT_EQ(Refusal(news), "");
  Message end = Ended();
  end.mutable_ended()->set_output_bytes(12'345);  // of which nothing came
  EXPECT_EQ(Refusal(end), "");
}

TEST_F(ConversationTest, WhatAReplayNeedsOfTheEndGoesOut) {
  RunRequest request;
  RunRequest::Replay& replay = request.replay.emplace();
  replay.end.emplace();
  replay.end->kind = BoxEnd::Kind::kSignaled;
  replay.end->code = 11;
  replay.end->icount = 500;
  replay.end->step = 0;
  replay.icount = 7;
  replay.core = 3;
  JournalRecord change;
  change.change = "of a debugger";
  request.journal = {change};
  const wire::ToWorker message = RunMessageOf(request);
  const wire::Replay& out = message.run().replay();
  EXPECT_EQ(out.end().kind(), wire::Ended::SIGNALED);
  EXPECT_EQ(out.end().code(), 11);
  EXPECT_EQ(out.end().icount(), 500U);
  EXPECT_TRUE(out.end().has_step());
  EXPECT_EQ(out.icount(), 7U);
  EXPECT_EQ(out.core().pid(), 3U);
  EXPECT_EQ(message.run().journal(0).change(), "of a debugger");
}

TEST_F(ConversationTest, SendsNoLiveInputToAJobWithoutIt) {
  Conversation conversation = Running();
  EXPECT_FALSE(conversation.OnTyped({}, true));
  EXPECT_FALSE(conversation.OnResize({1, 1}));
}

TEST_F(ConversationTest, InputIsSentOnlyWhereItIsWantedAndWithinItsSize) {
  Conversation conversation = Running();
  EXPECT_FALSE(conversation.OnInputSupplied(1, false)) << "nobody asked";
  ASSERT_TRUE(conversation.OnMessage(Input()).has_value());
  EXPECT_FALSE(conversation.OnInputSupplied(101, false)) << "more than was asked for";
  EXPECT_FALSE(conversation.OnInputSupplied(0, false)) << "neither bytes nor the end";
  EXPECT_TRUE(conversation.OnInputSupplied(100, false));
  EXPECT_FALSE(conversation.OnInputSupplied(1, false)) << "answered already";
}

TEST_F(ConversationTest, ReservesJudgementOnTheFiguresOfAFailedJob) {
  Message failed;
  failed.mutable_ended()->set_kind(wire::Ended::FAILED);
  failed.mutable_ended()->set_failure_reason("OUT_OF_HOST_MEMORY");
  Conversation conversation = Running();
  ASSERT_TRUE(conversation.OnMessage(Output()).has_value());
  EXPECT_TRUE(conversation.OnMessage(failed).has_value());
}

TEST_F(ConversationTest, SignalsBeyondMeasureAreNotSent) {
  Conversation conversation = Running();
  int sent = 1;
  while (conversation.OnSignal()) ASSERT_LT(++sent, 100'000);
  EXPECT_TRUE(conversation.OnMessage(Journal()).has_value());
  EXPECT_TRUE(conversation.OnSignal()) << "one was acknowledged";
}

TEST_F(ConversationTest, StringsThatAreNotUtf8DoNotEvenParse) {
  Message message = Ended();
  message.mutable_ended()->set_detail("%");
  std::string bytes = message.SerializeAsString();
  bytes[bytes.find('%')] = '\xff';
  Message parsed;
  EXPECT_FALSE(parsed.ParseFromString(bytes));
}

TEST_F(ConversationTest, RunMessageCarriesTheWholeRequest) {
  request_.argv = {"a", "b"};
  request_.env = {"K=V"};
  request_.program = "/bin/a";
  request_.working_directory = "/tmp";
  request_.root = DigestOf({});
  request_.seed = 7;
  request_.world = {{"hostname", "x"}};
  request_.journal = {{.icount = 3, .signal = 4, .while_waiting = true}};
  const wire::ToWorker message = RunMessageOf(request_);
  const wire::RunJob& run = message.run();
  EXPECT_THAT(run.argv(), testing::ElementsAre("a", "b"));
  EXPECT_THAT(run.env(), testing::ElementsAre("K=V"));
  EXPECT_EQ(run.program(), "/bin/a");
  EXPECT_EQ(run.working_directory(), "/tmp");
  EXPECT_EQ(DigestOfWire(run.root()), request_.root);
  EXPECT_EQ(run.seed(), 7u);
  EXPECT_EQ(run.limits().size(), request_.limits.size());
  EXPECT_TRUE(run.trace_syscalls());
  EXPECT_EQ(run.world().at("hostname"), "x");
  ASSERT_EQ(run.journal_size(), 1);
  EXPECT_EQ(run.journal(0).icount(), 3u);
  EXPECT_EQ(run.journal(0).signal(), 4);
  EXPECT_TRUE(run.journal(0).while_waiting());
  EXPECT_TRUE(run.has_stdin());
}

}  // namespace
}  // namespace glovebox::server
