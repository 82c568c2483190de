#include "gdbstub/handlers/query.h"

#include "gdbstub/hex.h"
#include "gdbstub/packet_table.h"
#include "gdbstub/session.h"

namespace glovebox::gdbstub {
namespace {

struct FeatureRow {
  std::string_view name;
  bool DebuggerFeatures::* field;
};
constexpr FeatureRow kFeatures[] = {
    {"multiprocess+", &DebuggerFeatures::multiprocess},
    {"swbreak+", &DebuggerFeatures::swbreak},
    {"hwbreak+", &DebuggerFeatures::hwbreak},
    {"fork-events+", &DebuggerFeatures::fork_events},
    {"vfork-events+", &DebuggerFeatures::vfork_events},
    {"exec-events+", &DebuggerFeatures::exec_events},
    {"no-resumed+", &DebuggerFeatures::no_resumed},
    {"error-message+", &DebuggerFeatures::error_message},
};

}  // namespace

// "xmlRegisters=i386;multiprocess+;...": what we do not know of is none of our business.
Reply OnSupported(Conversation& c, const Arguments& arguments) {
  c.features = {};
  std::string_view rest = arguments.text_count() > 0 ? arguments.text(0) : std::string_view();
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(';'));
    for (const FeatureRow& row : kFeatures) {
      if (one == row.name) c.features.*row.field = true;
    }
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
  }
  if (ProcessEvents* const power = c.debuggee.process_events()) {
    // lldb says that it can but does not know our ids unless it said multiprocess, too.
    c.events.fork = c.features.fork_events && c.features.multiprocess;
    c.events.vfork = c.features.vfork_events && c.features.multiprocess;
    c.events.exec = c.features.exec_events;
    if (const auto reported = power->Report(c.events); !reported) c.events = {};
  }
  return Reply::Text(SupportedFeatures(c.debuggee));
}

Reply OnStartNoAckMode(Conversation& c, const Arguments&) {
  c.no_ack = true;
  return Reply::Ok();
}

Reply OnMustReplyEmpty(Conversation&, const Arguments&) { return Reply::Unsupported(); }

Reply OnExtendedMode(Conversation& c, const Arguments&) {
  c.extended = true;
  if (ProcessControl* const power = c.debuggee.process_control()) power->Extend();
  return Reply::Ok();
}

Reply OnNonStop(Conversation& c, const Arguments& arguments) {
  const bool on = arguments.number(0) != 0;
  const auto set = c.debuggee.SetNonStop(on);
  if (!set) return Reply::Refused(set.error());
  c.non_stop = on;
  return Reply::Ok();
}

// The text is the whole reply, in hexadecimal digits; longer ones than fit are told first, piece by
// piece.
Reply OnMonitor(Conversation& c, const Arguments& arguments) {
  c.console.TellHeld();
  if (arguments.text(0) == "output") return Reply::Ok();  // that was all
  const auto thread = c.Current();
  const auto said =
      c.debuggee.monitor()->Command(arguments.text(0), thread ? *thread : ThreadRef{});
  if (!said) {
    return Reply::Text(HexOf((said.error().why.empty() ? "refused" : said.error().why) + "\n"));
  }
  if (said->empty()) return Reply::Ok();
  std::string_view rest = *said;
  constexpr std::size_t kPiece = kPacketSize / 4;
  for (; rest.size() > kPiece; rest.remove_prefix(kPiece)) {
    c.console.SayBeforeReply(rest.substr(0, kPiece));
  }
  return Reply::Text(HexOf(rest));
}

}  // namespace glovebox::gdbstub
