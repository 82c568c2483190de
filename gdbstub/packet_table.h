// Every packet that the stub knows, one row each.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "gdbstub/conversation.h"

namespace glovebox::gdbstub {

// Which power of the debuggee a packet needs. Where it lacks, the packet is neither advertised nor
// carried out: the answer is the empty one.
enum class Needs : std::uint8_t {
  kNothing,
  kBreakpoints,
  kWatchpoints,
  kFiles,
  kProcessControl,
  kProcessEvents,
  kSyscallCatch,
  kSiginfo,
  kAuxv,
  kMemoryMap,
  kOsInfo,
  kMonitor,
};

enum class Match : std::uint8_t { kExact, kPrefix };

enum PacketFlags : std::uint8_t {
  kPlain = 0,
  kWhileRunning = 1,  // also while a stop reply is owed
  kTextError = 2,     // gdb of any age shows the text of "E.text" here
};

using Handler = Reply (*)(Conversation& conversation, const Arguments& arguments);

struct PacketRow {
  std::string_view name;  // the longest that fits wins
  Match match;
  std::string_view pattern;  // arguments.h
  Handler handler;
  Needs needs = Needs::kNothing;
  std::string_view feature = {};  // what qSupported tells of it: "QNonStop+"
  std::uint8_t flags = kPlain;
};

std::span<const PacketRow> Packets();
// The row that a packet belongs to, or null.
const PacketRow* FindPacket(std::string_view payload);

bool Has(Debuggee& debuggee, Needs needs);

// The reply to qSupported: features of the rows, and those that are no packets.
std::string SupportedFeatures(Debuggee& debuggee);

// Carries out one packet. Rows that are not to be had now refuse here.
// `row`, if not null: which one it was.
Reply Dispatch(Conversation& conversation, std::string_view payload, const PacketRow** row);

}  // namespace glovebox::gdbstub
