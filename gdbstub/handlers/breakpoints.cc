#include "gdbstub/handlers/breakpoints.h"

#include <algorithm>

#include "gdbstub/breakpoint_action.h"

namespace glovebox::gdbstub {
namespace {

constexpr std::size_t kMaxPoints = 65536;

BreakpointKind KindOf(char type) {
  return type == '0' ? BreakpointKind::kSoftware : BreakpointKind::kHardware;
}
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

Answer<void> RemovePoint(Debuggee& debuggee, const InsertedPoint& point) {
  const bool watch = point.type >= '2';
  const auto removed =
      watch ? debuggee.watchpoints()->Remove(point.pid, WatchKindOf(point.type), point.address,
                                             point.length)
            : debuggee.breakpoints()->Remove(point.pid, KindOf(point.type), point.address);
  if (!removed && removed.error().error == engine::kENOENT) return {};
  return removed;
}

Reply RemovePointOf(Conversation& c, const Arguments& arguments, char type) {
  const auto process = c.CurrentProcess();
  if (!process) return Reply::Refused(process.error());
  const bool watch = type >= '2';
  const InsertedPoint point{type, process->pid, arguments.number(0),
                            watch ? arguments.number(1) : 0};
  std::erase(c.points, point);
  return Reply::Of(RemovePoint(c.debuggee, point));
}

}  // namespace glovebox::gdbstub
