#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "gdbstub/agent/interpreter.h"
#include "gdbstub/agent/program.h"
#include "gdbstub/hex.h"

namespace glovebox::gdbstub::agent {
namespace {

// Registers hold their number times 16; memory at 0x100 is "hello\0" and then bytes 0xf0.
class FakeView : public HitView {
 public:
  ThreadRef thread() const override { return {1, 1}; }
  std::uint64_t Register(RegisterNumber number) override { return number * 16U; }
  bool Read(GuestAddr address, std::span<std::byte> out) override {
    static constexpr std::string_view kMemory("hello\0\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7", 14);
    if (address < 0x100 || address - 0x100 + out.size() > kMemory.size()) return false;
    std::memcpy(out.data(), kMemory.data() + (address - 0x100), out.size());
    return true;
  }
};

class Recorder : public Environment {
 public:
  std::uint64_t Variable(std::uint16_t) override { return variable; }
  void SetVariable(std::uint16_t, std::uint64_t value) override { variable = value; }
  void Collect(HitView&, GuestAddr address, std::uint64_t length) override {
    collected.emplace_back(address, length);
  }
  void Print(std::string_view text) override { printed += text; }
  std::uint64_t variable = 5;
  std::vector<std::pair<GuestAddr, std::uint64_t>> collected;
  std::string printed;
};

const RegisterLayout& Layout() { return LayoutOf(Architecture::kAmd64); }

Result<Program, std::string> Load(std::string_view hex) {
  return Program::Verify(*ParseHexBytes(hex), Layout());
}

struct Outcome {
  EvalError error = EvalError::kNone;
  std::uint64_t value = 0;
  Recorder recorder = {};
};
Outcome Evaluate(std::string_view hex) {
  const auto program = Load(hex);
  EXPECT_TRUE(program.has_value()) << hex << ": " << (program ? "" : program.error());
  Outcome outcome;
  if (!program) return outcome;
  FakeView view;
  Machine machine(view, outcome.recorder);
  outcome.error = machine.Run(*program);
  outcome.value = machine.top();
  return outcome;
}

struct Sum {
  const char* what;
  const char* code;
  std::uint64_t value;
};
constexpr Sum kSums[] = {
    {"add",
     "2207220302"
     "27",
     10},
    {"sub",
     "2207220303"
     "27",
     4},
    {"mul",
     "2207220304"
     "27",
     21},
    {"div_signed: -7 / 2",
     "22f916082202"
     "05"
     "27",
     static_cast<std::uint64_t>(-3)},
    {"div_unsigned",
     "2207220206"
     "27",
     3},
    {"rem_signed: -7 % 2",
     "22f916082202"
     "07"
     "27",
     static_cast<std::uint64_t>(-1)},
    {"rem_unsigned",
     "2207220208"
     "27",
     1},
    {"lsh",
     "2207220409"
     "27",
     112},
    {"lsh by 64",
     "2207224009"
     "27",
     0},
    {"rsh_signed",
     "22f0160822040a"
     "27",
     static_cast<std::uint64_t>(-1)},
    {"rsh_unsigned",
     "22f022040b"
     "27",
     15},
    {"log_not",
     "22000e"
     "27",
     1},
    {"bit_and",
     "220c220a0f"
     "27",
     8},
    {"bit_or",
     "220c220a10"
     "27",
     14},
    {"bit_xor",
     "220c220a11"
     "27",
     6},
    {"bit_not",
     "220012"
     "27",
     UINT64_MAX},
    {"equal",
     "2207220713"
     "27",
     1},
    {"less_signed: -1 < 1",
     "22ff1608220114"
     "27",
     1},
    {"less_unsigned: max < 1",
     "22ff1608220115"
     "27",
     0},
    {"ext",
     "2280"
     "1608"
     "27",
     static_cast<std::uint64_t>(-128)},
    {"zero_ext",
     "24ffffffff"
     "2a08"
     "27",
     255},
    {"ref8",
     "23010017"
     "27",
     'h'},
    {"ref16",
     "23010018"
     "27",
     0x6568},
    {"ref32",
     "23010019"
     "27",
     0x6c6c6568},
    {"ref64",
     "2301061a"
     "27",
     0xf7f6f5f4f3f2f1f0},
    {"const64",
     "250123456789abcdef"
     "27",
     0x0123456789abcdef},
    {"reg",
     "260010"
     "27",
     256},
    {"dup",
     "22072804"
     "27",
     49},
    {"pop",
     "2207220329"
     "27",
     7},
    {"swap",
     "220722032b03"
     "27",
     static_cast<std::uint64_t>(-4)},
    {"pick",
     "22072203320103"
     "27",
     static_cast<std::uint64_t>(-4)},
    {"rot: 1 2 3 => 3 1 2",
     "220122022203330304"
     "27",
     static_cast<std::uint64_t>(-3)},
    {"if_goto taken",
     "22012000082200272203"
     "27",
     3},
    {"if_goto not taken",
     "22002000082205272203"
     "27",
     5},
    {"goto",
     "2100062205272207"
     "27",
     7},
    {"getv and setv",
     "2c00012201022d000129"
     "2c0001"
     "27",
     6},
};

TEST(AgentTest, EachOpcodeComputesWhatTheManualSays) {
  for (const Sum& sum : kSums) {
    const Outcome outcome = Evaluate(sum.code);
    EXPECT_EQ(outcome.error, EvalError::kNone) << sum.what;
    EXPECT_EQ(outcome.value, sum.value) << sum.what;
  }
}

TEST(AgentTest, TheMostNegativeNumberByMinusOneIsNoCrash) {
  EXPECT_EQ(Evaluate("25800000000000000022ff160805"
                     "27")
                .value,
            0x8000000000000000U);
  EXPECT_EQ(Evaluate("25800000000000000022ff160807"
                     "27")
                .value,
            0U);
}

TEST(AgentTest, ErrorsAreValues) {
  EXPECT_EQ(Evaluate("2207220005"
                     "27")
                .error,
            EvalError::kDivideByZero);
  EXPECT_EQ(Evaluate("2207220008"
                     "27")
                .error,
            EvalError::kDivideByZero);
  EXPECT_EQ(Evaluate("220017"
                     "27")
                .error,
            EvalError::kMemory);
}

TEST(AgentTest, MemoryIsCollected) {
  const Outcome outcome = Evaluate(
      "23010022040c"
      "2301000d08"
      "29"
      "23010030001029"
      "23010022402f"
      "27");
  EXPECT_THAT(outcome.recorder.collected,
              testing::ElementsAre(testing::Pair(0x100, 4), testing::Pair(0x100, 8),
                                   testing::Pair(0x100, 16), testing::Pair(0x100, 6)));
}

TEST(AgentTest, PrintfPrints) {
  // "%s=%d\n" with 0x100 and 7: the last argument is pushed first, then channel and function.
  const Outcome outcome = Evaluate(
      "2207230100"
      "22002200"
      "34020007"
      "25733d25640a00"
      "27");
  EXPECT_EQ(outcome.recorder.printed, "hello=7\n");
}

TEST(AgentTest, FormatsAsCWould) {
  FakeView view;
  const std::uint64_t numbers[] = {static_cast<std::uint64_t>(-5), 255, 'x', 0x100};
  EXPECT_EQ(FormatText("%d %#x %c %s|%%|", numbers, view), "-5 0xff x hello|%|");
  EXPECT_EQ(FormatText("[%5d]", numbers, view), "[   -5]");
  EXPECT_EQ(FormatText("[%-5d]", numbers, view), "[-5   ]");
  EXPECT_EQ(FormatText("[%05d]", numbers, view), "[-0005]");
  EXPECT_EQ(FormatText("%u", numbers, view), "4294967291");
  EXPECT_EQ(FormatText("%lu", numbers, view), "18446744073709551611");
  EXPECT_EQ(FormatText("%hhu %d %d %d %d %d", numbers, view), "251 255 120 256 0 0");
  EXPECT_EQ(FormatText("100%", numbers, view), "100");
  EXPECT_EQ(FormatText("%999999999d", numbers, view).size(), 4096U);
}

struct Bad {
  const char* code;
  const char* why;
};
constexpr Bad kBad[] = {
    {"", "no end"},
    {"2201", "no end"},
    {"00", "there is none such"},
    {"ff27", "there is none such"},
    {"0127", "floats"},
    {"2201220118"
     "1e27",
     "floats"},
    {"22", "cut off"},
    {"240102", "cut off"},
    {"0227", "too few"},
    {"22010227", "too few"},
    {"2927", "too few"},
    {"2201320127", "too few"},
    {"22012201"
     "3427",
     "cut off"},
    {"2201220134000427", "cut off"},
    {"22013400000027", "too few"},
    {"26ffff27", "no register"},
    {"210000"
     "27",
     "jumps back"},
    {"2201"
     "200002"
     "27",
     "jumps back"},
    {"210001"
     "27",
     "no instruction"},
    {"210002"
     "2227"
     "27",
     "no instruction"},
    {"21ffff"
     "27",
     "no instruction"},
    {"2201"
     "200006"
     "2201"
     "27",
     "no instruction"},
    {"2201"
     "200007"
     "2201"
     "27",
     "unlike stacks"},
};

TEST(AgentTest, ProgramsThatCouldDoHarmAreRefused) {
  for (const Bad& bad : kBad) {
    const auto program = Load(bad.code);
    ASSERT_FALSE(program.has_value()) << bad.code;
    EXPECT_THAT(program.error(), testing::HasSubstr(bad.why)) << bad.code;
  }
  std::string high;
  for (std::size_t i = 0; i <= kMaxStack; ++i) high += "2201";
  EXPECT_THAT(Load(high + "27").error(), testing::HasSubstr("too high"));
}

TEST(AgentTest, OpcodesStandInOrder) {
  EXPECT_TRUE(std::ranges::is_sorted(Opcodes(), {}, &OpcodeRow::code));
  // Every one that computes is in a test above.
  std::string all;
  for (const Sum& sum : kSums) all += std::string(sum.what) + " ";
  for (const OpcodeRow& row : Opcodes()) {
    const std::string_view name = row.name;
    const bool elsewhere = row.semantic == nullptr || name.starts_with("trace") ||
                           name == "printf" || name == "end" || name == "const8" ||
                           name == "const16" || name == "const32";
    if (!elsewhere && name != "getv" && name != "setv") {
      EXPECT_THAT(all, testing::HasSubstr(row.name));
    }
  }
}

TEST(AgentTest, RandomProgramsThatAreAcceptedEnd) {
  std::mt19937 random(7);
  int accepted = 0;
  for (int i = 0; i < 200000; ++i) {
    Bytes code(1 + random() % 12);
    for (std::byte& byte : code) byte = static_cast<std::byte>(random() % 0x36);
    code.push_back(std::byte{0x27});
    const auto program = Program::Verify(code, Layout());
    if (!program) continue;
    ++accepted;
    FakeView view;
    Recorder recorder;
    Machine machine(view, recorder);
    static_cast<void>(machine.Run(*program));
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace glovebox::gdbstub::agent
