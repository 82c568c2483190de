#include "gdbstub/arguments.h"

#include <gtest/gtest.h>

namespace glovebox::gdbstub {
namespace {

using enum Arguments::Outcome;

TEST(ArgumentsTest, NumbersBetweenSeparators) {
  Arguments arguments;
  EXPECT_EQ(arguments.Parse("addr,len", "1000,4", true), kParsed);
  EXPECT_EQ(arguments.number(0), 0x1000U);
  EXPECT_EQ(arguments.number(1), 4U);
}

TEST(ArgumentsTest, WhatIsLeftOverIsAnError) {
  Arguments arguments;
  EXPECT_EQ(arguments.Parse("addr,len", "1000,4,5", true), kMalformed);
  EXPECT_EQ(Arguments().Parse("addr", "", true), kMalformed);
  EXPECT_EQ(Arguments().Parse("bit", "2", false), kMalformed);
  EXPECT_EQ(Arguments().Parse("pid", "80000000", false), kMalformed);
}

TEST(ArgumentsTest, BracketsMayBeMissing) {
  Arguments arguments;
  EXPECT_EQ(arguments.Parse("signal[;addr]", "5", true), kParsed);
  EXPECT_EQ(arguments.number_count(), 1U);
  EXPECT_EQ(Arguments().Parse("signal[;addr]", "5;10", true), kParsed);
  EXPECT_EQ(Arguments().Parse("signal[;addr]", "5;", true), kMalformed);
}

TEST(ArgumentsTest, ALetterThatGoesOnIsAnotherPacket) {
  EXPECT_EQ(Arguments().Parse("addr,len:hex", "ultiMemRead:", true), kOtherPacket);
  EXPECT_EQ(Arguments().Parse("addr,len:hex", "ultiMemRead:", false), kMalformed);
  EXPECT_EQ(Arguments().Parse("thread", "p1.1", true), kParsed);
  EXPECT_EQ(Arguments().Parse("thread", "race", true), kOtherPacket);
}

TEST(ArgumentsTest, BytesAreTakenAsTheyAre) {
  Arguments arguments;
  EXPECT_EQ(arguments.Parse("addr;len;bytes", std::string("1;2;a;b\0:", 9), false), kParsed);
  EXPECT_EQ(arguments.text(0), std::string("a;b\0:", 5));
}

TEST(ThreadIdTest, AllForms) {
  EXPECT_EQ(ParseThreadId("7"), (ThreadId{0, 7}));
  EXPECT_EQ(ParseThreadId("-1"), (ThreadId{0, -1}));
  EXPECT_EQ(ParseThreadId("0"), (ThreadId{0, 0}));
  EXPECT_EQ(ParseThreadId("p1.2"), (ThreadId{1, 2}));
  EXPECT_EQ(ParseThreadId("p1"), (ThreadId{1, -1}));
  EXPECT_EQ(ParseThreadId("p1.-1"), (ThreadId{1, -1}));
  EXPECT_EQ(ParseThreadId("p-1.-1"), (ThreadId{-1, -1}));
  for (const char* bad : {"", "p", "p1.", "p.1", "p-1.1", "-2", "x", "100000000", "p1.2.3", " 1"}) {
    EXPECT_EQ(ParseThreadId(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace glovebox::gdbstub
