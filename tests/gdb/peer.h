// The other end of a session, for tests: sends packets, takes replies apart.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "gdbstub/framing.h"
#include "gdbstub/hex.h"
#include "gdbstub/session.h"

namespace glovebox::gdbstub::tests {

// Runs of "c*N" spelled out. Source: GDB manual, "Overview" of the remote protocol.
inline std::string Expand(std::string_view payload) {
  std::string out;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    if (payload[i] == '*' && !out.empty() && i + 1 < payload.size()) {
      out.append(static_cast<std::size_t>(payload[++i] - 29), out.back());
    } else {
      out += payload[i];
    }
  }
  return out;
}

class Peer : public Sink {
 public:
  explicit Peer(Debuggee& debuggee) : debuggee_(debuggee) {}

  // Made when it is first needed, so that the debuggee can be prepared.
  Session& session() {
    if (!session_) session_ = std::make_unique<Session>(debuggee_, *this);
    return *session_;
  }
  void SendRaw(std::string_view bytes) { session().Receive(AsBytes(bytes)); }
  // `payload` is escaped already where it needs to be.
  void SendPacket(std::string_view payload) {
    std::string bytes = "$";
    bytes += payload;
    const std::uint8_t sum = Checksum(payload);
    bytes += '#';
    AppendHex(bytes, std::as_bytes(std::span(&sum, 1)));
    SendRaw(bytes);
  }

  void Send(std::span<const std::byte> bytes) override {
    const std::string_view text = AsText(bytes);
    raw_ += text;
    if (text.size() < 4 || (text[0] != '$' && text[0] != '%')) return;
    const std::string payload = Unescape(Expand(text.substr(1, text.size() - 4)));
    (text[0] == '$' ? replies_ : notifications_).push_back(payload);
  }
  bool HasReply() const { return !replies_.empty(); }
  bool HasNotification() const { return !notifications_.empty(); }
  std::string TakeReply() { return Take(replies_); }
  std::string TakeNotification() { return Take(notifications_); }
  std::string TakeRaw() { return std::exchange(raw_, {}); }

 private:
  static std::string Take(std::deque<std::string>& from) {
    if (from.empty()) return {};
    std::string first = std::move(from.front());
    from.pop_front();
    return first;
  }

  Debuggee& debuggee_;
  std::string raw_;
  std::deque<std::string> replies_;
  std::deque<std::string> notifications_;
  std::unique_ptr<Session> session_;
};

}  // namespace glovebox::gdbstub::tests
