#include "gdbstub/handlers/breakpoints.h"

#include <algorithm>

#include "gdbstub/breakpoint_action.h"

namespace glovebox::gdbstub {
namespace {

constexpr std::size_t kMaxPoints = 65536;

BreakpointKind KindOf(char type) {
  return type == '0'               ? BreakpointKind::kSoftware
         : type == kTracepointType ? BreakpointKind::kTrace
                                   : BreakpointKind::kHardware;
}
bool IsWatch(char type) { return type >= '2' && type <= '4'; }
WatchKind WatchKindOf(char type) {
  return type == '2' ? WatchKind::kWrite : type == '3' ? WatchKind::kRead : WatchKind::kAccess;
}

Reply Book(Conversation& c, const InsertedPoint& point, const Answer<void>& done) {
  if (!done) return Reply::Refused(done.error());
  if (std::ranges::find(c.points, point) == c.points.end()) c.points.push_back(point);
  return Reply::Ok();
}

}  // namespace

Reply InsertBreakpoint(Conversation& c, const Arguments& arguments, char type) {
  const auto process = c.CurrentProcess();
  if (!process) return Reply::Refused(process.error());
  const GuestAddr address = arguments.number(0);
  if (c.points.size() >= kMaxPoints) return Reply::Error(engine::kENOSPC);
  // gdb's users expect to be told of an address where nothing is.
  std::byte there{};
  const auto read = c.debuggee.ReadMemory(process->pid, address, std::span(&there, 1));
  if (!read) return Reply::Refused(read.error());
  auto action = ParseHitAction(arguments.text_count() > 0 ? arguments.text(0) : std::string_view(),
                               LayoutOf(process->architecture), c.console);
  if (!action) return Reply::Refused(action.error());
  return Book(
      c, {type, process->pid, address, 0},
      c.debuggee.breakpoints()->Insert(process->pid, KindOf(type), address, std::move(*action)));
}

Reply InsertWatchpoint(Conversation& c, const Arguments& arguments, char type) {
  const auto process = c.CurrentProcess();
  if (!process) return Reply::Refused(process.error());
  const GuestAddr address = arguments.number(0);
  const std::uint64_t length = arguments.number(1);
  if (length == 0 || address > UINT64_MAX - length) return Reply::Error(engine::kEINVAL);
  if (c.points.size() >= kMaxPoints) return Reply::Error(engine::kENOSPC);
  const InsertedPoint point{type, process->pid, address, length};
  // Inserting twice is the same as once, and so is removing.
  if (std::ranges::find(c.points, point) != c.points.end()) return Reply::Ok();
  return Book(c, point,
              c.debuggee.watchpoints()->Insert(process->pid, WatchKindOf(type), address, length));
}

Answer<void> InsertTracepoint(Conversation& c, std::uint32_t pid, GuestAddr address) {
  const InsertedPoint point{kTracepointType, pid, address, 0};
  if (std::ranges::find(c.points, point) != c.points.end()) return {};
  if (c.points.size() >= kMaxPoints) return Refuse(engine::kENOSPC);
  const auto done = c.debuggee.breakpoints()->Insert(pid, BreakpointKind::kTrace, address,
                                                     c.trace.tracer.ActionAt(address));
  if (done) c.points.push_back(point);
  return done;
}

void RemoveTracepoints(Conversation& c) {
  std::erase_if(c.points, [&](const InsertedPoint& point) {
    if (point.type != kTracepointType) return false;
    static_cast<void>(RemovePoint(c.debuggee, point));
    return true;
  });
}

Answer<void> RemovePoint(Debuggee& debuggee, const InsertedPoint& point) {
  const auto removed =
      IsWatch(point.type)
          ? debuggee.watchpoints()->Remove(point.pid, WatchKindOf(point.type), point.address,
                                           point.length)
          : debuggee.breakpoints()->Remove(point.pid, KindOf(point.type), point.address);
  if (!removed && removed.error().error == engine::kENOENT) return {};
  return removed;
}

Reply RemovePointOf(Conversation& c, const Arguments& arguments, char type) {
  const auto process = c.CurrentProcess();
  if (!process) return Reply::Refused(process.error());
  const InsertedPoint point{type, process->pid, arguments.number(0),
                            IsWatch(type) ? arguments.number(1) : 0};
  std::erase(c.points, point);
  return Reply::Of(RemovePoint(c.debuggee, point));
}

}  // namespace glovebox::gdbstub
