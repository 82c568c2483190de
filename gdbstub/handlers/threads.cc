#include "gdbstub/handlers/threads.h"

#include <fmt/format.h>

#include "gdbstub/hex.h"
#include "gdbstub/session.h"

namespace glovebox::gdbstub {

Reply OnSelectThread(Conversation& c, const Arguments& arguments) {
  const ThreadId& id = *arguments.thread();
  const auto thread = c.Find(id);
  if (!thread) {
    // gdb selects "any" before there is a process.
    const bool any = id.pid <= 0 && id.tid <= 0;
    return any ? Reply::Ok() : Reply::Refused(thread.error());
  }
  c.general = *thread;
  return Reply::Ok();
}

Reply OnSelectResumeScope(Conversation& c, const Arguments& arguments) {
  const ThreadId& id = *arguments.thread();
  if (id.tid > 0 || id.pid > 0) {
    const auto thread = c.Find(id);
    if (!thread) return Reply::Refused(thread.error());
  }
  c.resume_scope = id;
  return Reply::Ok();
}

Reply OnThreadAlive(Conversation& c, const Arguments& arguments) {
  const auto thread = c.Find(*arguments.thread());
  return thread ? Reply::Ok() : Reply::Refused(thread.error());
}

Reply OnCurrentThread(Conversation& c, const Arguments&) {
  const auto thread = c.Current();
  return Reply::Text("QC" + (thread ? c.IdOf(*thread) : std::string("0")));
}

// As many as fit well into a packet, then the rest in further ones.
Reply OnMoreThreads(Conversation& c, const Arguments&) {
  if (c.thread_list.empty()) return Reply::Text("l");
  std::string out = "m";
  std::size_t told = 0;
  for (; told < c.thread_list.size() && out.size() < kPacketSize / 2; ++told) {
    if (told > 0) out += ',';
    out += c.IdOf(c.thread_list[told]);
  }
  c.thread_list.erase(c.thread_list.begin(),
                      c.thread_list.begin() + static_cast<std::ptrdiff_t>(told));
  return Reply::Text(std::move(out));
}

Reply OnFirstThreads(Conversation& c, const Arguments& arguments) {
  c.thread_list.clear();
  for (const ThreadInfo& info : c.debuggee.Threads()) c.thread_list.push_back(info.thread);
  return OnMoreThreads(c, arguments);
}

Reply OnThreadExtraInfo(Conversation& c, const Arguments& arguments) {
  const auto thread = c.Find(*arguments.thread());
  if (!thread) return Reply::Refused(thread.error());
  for (const ThreadInfo& info : c.debuggee.Threads()) {
    if (info.thread == *thread) {
      return Reply::Text(HexOf(info.name.empty() ? std::string_view("?") : info.name));
    }
  }
  return Reply::Error(engine::kESRCH);
}

}  // namespace glovebox::gdbstub
