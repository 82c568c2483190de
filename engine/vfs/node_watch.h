// Who is told what happens to nodes and beneath directories: inotify(7). All that happens is told
// from here, so that what there is to tell stands in one place.
#pragma once

#include <cstdint>
#include <string>

#include "engine/vfs/inode.h"

namespace glovebox::engine {

// inotify(7); the same bits as IN_ACCESS and its kin.
enum NodeEvent : std::uint32_t {
  kNodeAccess = 0x1,
  kNodeModify = 0x2,
  kNodeAttributes = 0x4,
  kNodeCloseWrite = 0x8,
  kNodeCloseNoWrite = 0x10,
  kNodeOpen = 0x20,
  kNodeMovedFrom = 0x40,
  kNodeMovedTo = 0x80,
  kNodeCreate = 0x100,
  kNodeDelete = 0x200,
  kNodeDeleteSelf = 0x400,
  kNodeMoveSelf = 0x800,
  kNodeIsDirectory = 0x40000000,
};

class NodeWatcher {
 public:
  virtual ~NodeWatcher() = default;
  // `name`: of the entry of the watched directory; empty: the node itself.
  virtual void OnNodeEvent(std::uint32_t events, std::uint32_t cookie, const std::string& name) = 0;
  // The node is no more, and has forgotten its watchers.
  virtual void OnNodeGone() = 0;
};

// Something happened to the node itself.
void TellNode(Inode& node, std::uint32_t events);
// Something happened to an entry of the directory.
void TellEntry(Directory& directory, const std::string& name, const Inode& entry,
               std::uint32_t events, std::uint32_t cookie = 0);
// The entry is no more; its node may be, if this was its last name.
void TellRemoval(const PathRef& entry);
// Something was done to a file by way of a name: its directory learns of it first, as long as it
// has the file by that name.
void TellFile(const PathRef& file, std::uint32_t events);

// rename(2); `replaced` may be null.
struct Move {
  Directory& from;
  const std::string& old_name;
  Directory& to;
  const std::string& new_name;
  Inode& node;
  Inode* replaced;
};
void TellMove(const Move& move);

}  // namespace glovebox::engine
