#include "gdbstub/session.h"

#include <fmt/format.h>

#include <utility>

#include "gdbstub/conversation.h"
#include "gdbstub/framing.h"
#include "gdbstub/hex.h"
#include "gdbstub/packet_table.h"
#include "gdbstub/stop_reply.h"

namespace glovebox::gdbstub {
namespace {
// A peer that takes no packet however often it is sent is none.
constexpr int kMaxResends = 8;
constexpr std::size_t kFrameBytes = 4;  // $ and #xx
constexpr std::size_t kMostHeldBytes = std::size_t{1} << 18;
}  // namespace

class Session::Impl : public Listener, public Console {
 public:
  Impl(Debuggee& debuggee, Sink& sink)
      : sink_(sink), conversation_(debuggee, *this), deframer_(kMaxCommandBytes) {
    debuggee.Listen(this);
  }
  ~Impl() override {
    conversation_.debuggee.Listen(nullptr);
    conversation_.TakeOutEverything();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void Receive(std::span<const std::byte> bytes) {
    while (!closed()) {
      switch (deframer_.Next(bytes)) {
        case FrameKind::kNone:
          return;
        case FrameKind::kAck:
          resends_ = 0;
          break;
        case FrameKind::kNak:
          SendAgain();
          break;
        case FrameKind::kInterrupt:
          if (conversation_.non_stop) break;
          if (conversation_.running) {
            conversation_.debuggee.Interrupt();
          } else {
            interrupts_next_ = true;
          }
          break;
        case FrameKind::kBadChecksum:
          if (conversation_.no_ack) {
            Send(Reply::Error(engine::kEBADMSG), nullptr);
          } else {
            SendRaw("-");
          }
          break;
        case FrameKind::kTooLong:
          Acknowledge();
          Send(Reply::Error(engine::kE2BIG), nullptr);
          break;
        case FrameKind::kPacket:
          Acknowledge();
          Handle(Unescape(deframer_.payload()));
          break;
      }
    }
  }

  bool closed() const { return conversation_.closed; }

  void OnStop(const StopEvent& event) override {
    Conversation& c = conversation_;
    if (c.launching) {  // the reply to vRun, in both modes
      c.launching = c.running = false;
      c.launch.begun = c.launch.request.program;
      c.Note(event);
      c.launched.insert(event.thread.pid);
      c.general = event.thread;
      SendText(StopReply(c, event));
    } else if (c.non_stop) {
      c.Note(event);
      c.stops.push_back(event);
      if (c.stops.size() == 1) SendNotification(c.stops.front());
    } else {
      c.stops.push_back(event);
      TellStop();
    }
  }

  void OnLaunchRefused(const Refusal& refusal) override {
    Conversation& c = conversation_;
    if (!c.launching) return;
    c.launching = c.running = false;
    static const PacketRow kLaunch{"", Match::kExact, "", nullptr, Needs::kNothing, {}, kTextError};
    Send(Reply::Refused(refusal), &kLaunch);
  }

  // Only while a stop reply is owed may output come: anywhere else it would be taken for a reply.
  void Say(std::string_view text) override {
    if (!conversation_.non_stop) return SayBeforeReply(text);
    held_ += text;
    if (held_.size() > kMostHeldBytes) held_.erase(0, held_.size() - kMostHeldBytes);
  }
  void TellHeld() override {
    const std::string held = std::exchange(held_, {});
    constexpr std::size_t kPiece = kPacketSize / 4;
    for (std::size_t at = 0; at < held.size(); at += kPiece)
      SayBeforeReply(std::string_view(held).substr(at, kPiece));
  }
  void SayBeforeReply(std::string_view text) override { SendText("O" + HexOf(text)); }

 private:
  void Acknowledge() {
    if (!conversation_.no_ack) SendRaw("+");
  }

  void Handle(std::string_view payload) {
    const PacketRow* row = nullptr;
    const Reply reply = Dispatch(conversation_, payload, &row);
    Send(reply, row);
    if (reply.kind() != Reply::Kind::kLater) return;
    TellStop();
    const bool runs = conversation_.running && !conversation_.launching;
    if (runs && std::exchange(interrupts_next_, false)) conversation_.debuggee.Interrupt();
  }

  // All-stop: what has happened, as the reply to what set it going.
  void TellStop() {
    Conversation& c = conversation_;
    if (!c.running || c.stops.empty()) return;
    const StopEvent event = c.stops.front();
    c.stops.pop_front();
    c.running = false;
    c.Note(event);
    SendText(StopReply(c, event));
  }

  void Send(const Reply& reply, const PacketRow* row) {
    switch (reply.kind()) {
      case Reply::Kind::kText:
        SendText(reply.text());
        break;
      case Reply::Kind::kEscaped:
        SendPacket(reply.text());
        break;
      case Reply::Kind::kRefusal:
        SendText(RefusalText(reply, row));
        break;
      case Reply::Kind::kLater:
      case Reply::Kind::kNone:
        break;
    }
  }

  // "E16", "E.text" or, for lldb, "E16;68656c6c6f".
  std::string RefusalText(const Reply& reply, const PacketRow* row) const {
    if (reply.error() == engine::kENOSYS && reply.text().empty()) return {};
    const bool shows_text =
        conversation_.features.error_message || (row != nullptr && (row->flags & kTextError) != 0);
    std::string code = fmt::format("E{:02x}", static_cast<unsigned>(reply.error()) & 0xff);
    if (reply.text().empty()) return code;
    if (conversation_.error_strings) return code + ";" + HexOf(reply.text());
    return shows_text ? "E." + reply.text() : code;
  }

  void SendText(std::string_view text) {
    std::string escaped;
    escaped.reserve(text.size());
    AppendEscaped(escaped, text, kMaxReplyBytes - kFrameBytes);
    SendPacket(escaped);
  }

  void SendPacket(std::string_view escaped) {
    last_ = Frame(escaped);
    resends_ = 0;
    SendRaw(last_);
  }

  void SendNotification(const StopEvent& event) {
    std::string escaped;
    AppendEscaped(escaped, "Stop:" + StopReply(conversation_, event), kMaxReplyBytes - kFrameBytes);
    SendRaw(Frame(escaped, '%'));  // never acknowledged, never sent again
  }

  void SendAgain() {
    if (conversation_.no_ack || last_.empty()) return;
    if (++resends_ > kMaxResends) {
      conversation_.closed = true;
    } else {
      SendRaw(last_);
    }
  }

  void SendRaw(std::string_view bytes) { sink_.Send(AsBytes(bytes)); }

  Sink& sink_;
  Conversation conversation_;
  Deframer deframer_;
  std::string last_;
  std::string held_;  // Say
  int resends_ = 0;
  // A ^C that crossed a stop on its way: who steps all the time would never get it through.
  bool interrupts_next_ = false;
};

Session::Session(Debuggee& debuggee, Sink& sink) : impl_(std::make_unique<Impl>(debuggee, sink)) {}
Session::~Session() = default;

void Session::Receive(std::span<const std::byte> bytes) { impl_->Receive(bytes); }
bool Session::closed() const { return impl_->closed(); }

}  // namespace glovebox::gdbstub
