// Runs transcripts/*.txt: what is sent, and what comes back, against a fake debuggee. README.md
// says how they are written. Walks the packet table: a row without a good packet and a malformed
// twin fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "gdbstub/framing.h"
#include "gdbstub/packet_table.h"
#include "gdbstub/session.h"
#include "tests/gdb/fake_debuggee.h"
#include "tests/gdb/peer.h"

namespace glovebox::gdbstub::tests {
namespace {

struct Line {
  int number = 0;
  std::string verb;  // "->", "<-", "event", ...
  std::string rest;
};

struct Case {
  std::string file;
  std::string name;
  std::vector<Line> lines;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.file << ": " << one.name; }

// "\x7d" is that byte, "\\" a backslash.
std::string Bytes_(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) == "\\x" && i + 4 <= text.size()) {
      out += static_cast<char>(*ParseHex(text.substr(i + 2, 2)));
      i += 3;
    } else if (text.substr(i, 2) == "\\\\") {
      out += text[i++];
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string Shown(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c >= 0x20 && c < 0x7f) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::vector<Case> LoadCases() {
  std::vector<Case> cases;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(GLOVEBOX_TRANSCRIPTS)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  for (const auto& file : files) {
    std::ifstream in(file);
    std::string text;
    for (int number = 1; std::getline(in, text); ++number) {
      if (text.empty() || text[0] == '#') continue;
      const std::size_t space = std::min(text.find(' '), text.size());
      Line line{number, text.substr(0, space), text.substr(std::min(space + 1, text.size()))};
      if (line.verb == "case") {
        cases.push_back({file.stem().string(), line.rest, {}});
      } else if (!cases.empty()) {
        cases.back().lines.push_back(line);
      }
    }
  }
  return cases;
}

ThreadRef ParseThread(const std::string& id) {
  ThreadRef ref;
  const std::size_t dot = id.find('.');
  ref.pid = static_cast<std::uint32_t>(std::stoul(id));
  ref.tid = dot == std::string::npos ? ref.pid
                                     : static_cast<std::uint32_t>(std::stoul(id.substr(dot + 1)));
  return ref;
}

// "breakpoint 1.2", "exited 1 code=3", "fork 1.1 other=5.5": what the guest does next.
StopEvent ParseEvent(const std::string& text) {
  static const std::map<std::string, StopReason> kReasons{
      {"signal", StopReason::kSignal},
      {"breakpoint", StopReason::kSoftwareBreakpoint},
      {"hwbreak", StopReason::kHardwareBreakpoint},
      {"watch", StopReason::kWatchWrite},
      {"rwatch", StopReason::kWatchRead},
      {"awatch", StopReason::kWatchAccess},
      {"fork", StopReason::kFork},
      {"vfork", StopReason::kVfork},
      {"vforkdone", StopReason::kVforkDone},
      {"exec", StopReason::kExec},
      {"create", StopReason::kThreadCreated},
      {"entry", StopReason::kSyscallEntry},
      {"return", StopReason::kSyscallReturn},
      {"library", StopReason::kLibrary},
      {"threadexit", StopReason::kThreadExited},
      {"exited", StopReason::kProcessExited},
      {"signaled", StopReason::kProcessSignaled},
      {"none", StopReason::kNoneResumed}};
  std::istringstream words(text);
  std::string reason;
  std::string who;
  std::string word;
  words >> reason >> who;
  StopEvent event{.thread = ParseThread(who)};
  event.reason = kReasons.at(reason);
  while (words >> word) {
    const std::string key = word.substr(0, word.find('='));
    const std::string value = word.substr(word.find('=') + 1);
    if (key == "signal") event.signal = std::stoi(value);
    if (key == "code") event.code = std::stoi(value);
    if (key == "address") event.address = std::stoull(value, nullptr, 16);
    if (key == "syscall") event.syscall = std::stoull(value);
    if (key == "other") event.other = ParseThread(value);
    if (key == "path") event.path = value;
  }
  return event;
}

class TranscriptTest : public testing::TestWithParam<Case> {
 protected:
  void Run(const Line& line) {
    if (line.verb == "->") {
      ExpectNothingLeft();
      peer_.SendPacket(Bytes_(line.rest));
    } else if (line.verb == "raw") {
      ExpectNothingLeft();
      peer_.SendRaw(Bytes_(line.rest));
    } else if (line.verb == "<-") {
      ASSERT_TRUE(peer_.HasReply()) << "no reply";
      const std::string reply = Shown(peer_.TakeReply());
      if (line.rest.ends_with("...")) {
        EXPECT_THAT(reply, testing::StartsWith(line.rest.substr(0, line.rest.size() - 3)));
      } else if (line.rest.starts_with("~")) {
        EXPECT_THAT(reply, testing::ContainsRegex(line.rest.substr(1)));
      } else {
        EXPECT_EQ(reply, line.rest);
      }
    } else if (line.verb == "<%") {
      ASSERT_TRUE(peer_.HasNotification()) << "no notification";
      EXPECT_THAT(Shown(peer_.TakeNotification()), testing::StartsWith(line.rest));
    } else if (line.verb == "<=") {  // bytes as they are, of everything since the last packet
      EXPECT_EQ(Shown(peer_.TakeRaw()), line.rest);
    } else if (line.verb == "event") {
      debuggee_.Happen(ParseEvent(line.rest));
    } else if (line.verb == "hit") {
      std::istringstream words(line.rest);
      std::string who;
      std::string where;
      words >> who >> where;
      debuggee_.Reach(ParseThread(who), std::stoull(where, nullptr, 16));
    } else if (line.verb == "step") {
      debuggee_.Step(ParseThread(line.rest));
    } else if (line.verb == "refused") {
      debuggee_.listener->OnLaunchRefused({engine::kENOENT, line.rest});
    } else if (line.verb == "did") {
      ASSERT_FALSE(debuggee_.did.empty()) << "it did nothing";
      EXPECT_EQ(debuggee_.did.front(), line.rest);
      debuggee_.did.pop_front();
    } else if (line.verb == "nothing") {
      EXPECT_THAT(debuggee_.did, testing::IsEmpty());
    } else if (line.verb == "closed") {
      EXPECT_TRUE(peer_.session().closed());
    } else if (line.verb == "open") {
      EXPECT_FALSE(peer_.session().closed());
    } else if (line.verb == "poor") {
      debuggee_.poor = true;
    } else {
      FAIL() << "what is " << line.verb << "?";
    }
  }

  void ExpectNothingLeft() {
    EXPECT_FALSE(peer_.HasReply()) << "a second reply: " << Shown(peer_.TakeReply());
    EXPECT_FALSE(peer_.HasNotification());
    peer_.TakeRaw();
  }

  FakeDebuggee debuggee_;
  Peer peer_{debuggee_};
};

TEST_P(TranscriptTest, GoesAsWritten) {
  for (const Line& line : GetParam().lines) {
    SCOPED_TRACE(
        fmt::format("{}.txt:{}: {} {}", GetParam().file, line.number, line.verb, line.rest));
    Run(line);
    if (HasFatalFailure()) return;
  }
  ExpectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(Stub, TranscriptTest, testing::ValuesIn(LoadCases()), [](const auto& one) {
  std::string name = one.param.file + "_" + one.param.name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
});

// What a packet of the transcripts got for an answer.
struct Heard {
  std::set<std::string_view> good;  // names of rows
  std::set<std::string_view> twin;
};

Heard ListenToAll() {
  Heard heard;
  for (const Case& one : LoadCases()) {
    for (std::size_t i = 0; i < one.lines.size(); ++i) {
      if (one.lines[i].verb != "->") continue;
      const std::string payload = Unescape(Bytes_(one.lines[i].rest));
      const PacketRow* const row = FindPacket(payload);
      std::string reply;
      if (i + 1 < one.lines.size() && one.lines[i + 1].verb == "<-") reply = one.lines[i + 1].rest;
      const bool refused = reply.starts_with("E") || reply.starts_with("F-1");
      if (row != nullptr) (refused ? heard.twin : heard.good).insert(row->name);
      // The twin of a packet without arguments is one with something behind it.
      for (const PacketRow& other : Packets()) {
        if (other.match == Match::kExact && row != &other && payload.size() > other.name.size() &&
            payload.starts_with(other.name)) {
          heard.twin.insert(other.name);
        }
      }
    }
  }
  return heard;
}

TEST(PacketTableTest, EveryRowHasATranscriptAndAMalformedTwin) {
  const Heard heard = ListenToAll();
  // Rows whose arguments cannot be wrong.
  const std::set<std::string_view> any_arguments{"qSupported", "qEcho:"};
  // Rows that always refuse, as long as nobody can go backwards.
  const std::set<std::string_view> always_refused{"bs", "bc"};
  for (const PacketRow& row : Packets()) {
    if (!always_refused.contains(row.name)) {
      EXPECT_TRUE(heard.good.contains(row.name)) << row.name << " has no good transcript";
    }
    if (!any_arguments.contains(row.name)) {
      EXPECT_TRUE(heard.twin.contains(row.name)) << row.name << " has no malformed twin";
    }
  }
}

TEST(PacketTableTest, EachNameStandsOnce) {
  std::set<std::string_view> names;
  for (const PacketRow& row : Packets()) EXPECT_TRUE(names.insert(row.name).second) << row.name;
}

TEST(PacketTableTest, WhatIsAdvertisedFollowsFromTheRows) {
  FakeDebuggee debuggee;
  const std::string all = SupportedFeatures(debuggee);
  for (const PacketRow& row : Packets()) EXPECT_THAT(all, testing::HasSubstr(row.feature));
  EXPECT_THAT(all, testing::HasSubstr("PacketSize=20000"));
  debuggee.poor = true;
  const std::string few = SupportedFeatures(debuggee);
  EXPECT_THAT(few, testing::Not(testing::HasSubstr("auxv")));
  EXPECT_THAT(few, testing::Not(testing::HasSubstr("swbreak")));
  EXPECT_THAT(few, testing::HasSubstr("QStartNoAckMode+"));
  EXPECT_THAT(all, testing::Not(testing::HasSubstr("ReverseStep")));
}

}  // namespace
}  // namespace glovebox::gdbstub::tests
