// What a handler makes of a packet: exactly one reply, or none where the protocol has none.
#pragma once

#include <string>
#include <utility>

#include "gdbstub/debuggee.h"

namespace glovebox::gdbstub {

class Reply {
 public:
  enum class Kind : std::uint8_t {
    kText,     // to be escaped
    kEscaped,  // escaped already
    kRefusal,
    kLater,  // the stop reply that is to come
    kNone,   // packets without a reply
  };

  static Reply Ok() { return Text("OK"); }
  // The empty reply: "this stub does not know that packet".
  static Reply Unsupported() { return Text({}); }
  static Reply Text(std::string text) { return Reply(Kind::kText, std::move(text)); }
  static Reply Escaped(std::string text) { return Reply(Kind::kEscaped, std::move(text)); }
  static Reply Error(Errno error, std::string why = {}) {
    Reply reply(Kind::kRefusal, std::move(why));
    reply.error_ = error;
    return reply;
  }
  static Reply Refused(const Refusal& refusal) { return Error(refusal.error, refusal.why); }
  static Reply Later() { return Reply(Kind::kLater, {}); }
  static Reply None() { return Reply(Kind::kNone, {}); }
  // OK, or why not.
  static Reply Of(const Answer<void>& answer) { return answer ? Ok() : Refused(answer.error()); }

  Kind kind() const { return kind_; }
  const std::string& text() const { return text_; }
  Errno error() const { return error_; }

 private:
  Reply(Kind kind, std::string text) : kind_(kind), text_(std::move(text)) {}

  Kind kind_;
  Errno error_ = engine::kEIO;
  std::string text_;
};

}  // namespace glovebox::gdbstub
