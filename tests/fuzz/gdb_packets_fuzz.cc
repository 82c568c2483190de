// Any bytes from a debugger: packets in order and out of order, halves of packets, nonsense. The
// stub answers or closes; it never crashes, and never says more than it may.
//
// The input is a stream of bytes, in which 0xff and the byte after it are an event of the guest.
// Packets come without their checksums ('#' and two bytes are made here), or no mutation would ever
// get past those.
#include <cstddef>
#include <cstdint>
#include <string>

#include "engine/base/check.h"
#include "gdbstub/framing.h"
#include "gdbstub/session.h"
#include "tests/gdb/fake_debuggee.h"

namespace glovebox::gdbstub::tests {
namespace {

class Counter : public Sink {
 public:
  void Send(std::span<const std::byte> bytes) override {
    GB_CHECK(bytes.size() <= kMaxReplyBytes);
    ++sent;
  }
  std::size_t sent = 0;
};

class View : public HitView {
 public:
  ThreadRef thread() const override { return {1, 1}; }
  std::uint64_t Register(RegisterNumber number) override { return number; }
  bool Read(GuestAddr address, std::span<std::byte> out) override { return address % 3 != 0; }
  bool ReadRegisters(std::span<std::byte> out) override { return true; }
};

StopEvent EventOf(std::uint8_t seed) {
  StopEvent event{.thread = {1, static_cast<std::uint32_t>(1 + seed % 2)}};
  event.reason = static_cast<StopReason>(seed % (static_cast<int>(StopReason::kNoneResumed) + 1));
  event.signal = seed / 4;
  event.other = {9, 9};
  event.path = "/bin/x";
  return event;
}

void SendFramed(Session& session, std::string_view payload) {
  std::string frame = "$" + std::string(payload) + "#";
  const std::uint8_t sum = Checksum(payload);
  AppendHex(frame, std::as_bytes(std::span(&sum, 1)));
  session.Receive(AsBytes(frame));
}

}  // namespace
}  // namespace glovebox::gdbstub::tests

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace glovebox::gdbstub;
  using namespace glovebox::gdbstub::tests;
  FakeDebuggee debuggee;
  Counter sink;
  View view;
  Session session(debuggee, sink);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (std::size_t at = 0; at < input.size();) {
    const auto lead = static_cast<std::uint8_t>(input[at]);
    if (lead == 0xff && at + 1 < input.size()) {
      const auto seed = static_cast<std::uint8_t>(input[at + 1]);
      // Only what runs can stop.
      bool runs = false;
      for (const auto& [ref, thread] : debuggee.threads) runs = runs || thread.running;
      if (runs) debuggee.Happen(EventOf(seed));
      at += 2;
      continue;
    }
    // A line is a packet; what stands behind 0x01 goes in as it is.
    const std::size_t end = std::min(input.find('\n', at), input.size());
    const std::string_view line = input.substr(at, end - at);
    if (line.starts_with("\x01")) {
      session.Receive(AsBytes(line.substr(1)));
    } else {
      SendFramed(session, line);
    }
    if (debuggee.action && debuggee.action->OnHit(view).steps > 0)
      static_cast<void>(debuggee.action->OnStep(view));
    at = end + 1;
  }
  return 0;
}
