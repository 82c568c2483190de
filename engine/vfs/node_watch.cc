// The order of events is that of fs/notify and include/linux/fsnotify.h of Linux.
#include "engine/vfs/node_watch.h"

namespace glovebox::engine {
namespace {

std::uint32_t KindBit(const Inode& node) {
  return node.is(kTypeDirectory) ? std::uint32_t{kNodeIsDirectory} : 0;
}

bool NobodyWatches(const Inode& node) { return node.services()->node_watchers == 0; }

}  // namespace

void TellNode(Inode& node, std::uint32_t events) {
  if (NobodyWatches(node)) return;
  // inotify does not say of what kind a node is that is moved or gone.
  const bool names_kind = (events & (kNodeMoveSelf | kNodeDeleteSelf)) == 0;
  node.TellWatchers(events | (names_kind ? KindBit(node) : 0), 0, {});
}

void TellRemoval(const PathRef& entry) {
  Inode& node = *entry.inode;
  if (NobodyWatches(node)) return;
  if (!node.is(kTypeDirectory)) TellNode(node, kNodeAttributes);
  // With nobody who has it open the node goes now, before its directory is told.
  if (node.link_count == 0 && entry.inode.use_count() == 1) TellNode(node, kNodeDeleteSelf);
  TellEntry(*entry.parent, entry.name, node, kNodeDelete);
}

void TellEntry(Directory& directory, const std::string& name, const Inode& entry,
               std::uint32_t events, std::uint32_t cookie) {
  if (!NobodyWatches(directory)) directory.TellWatchers(events | KindBit(entry), cookie, name);
}

void TellFile(const PathRef& file, std::uint32_t events) {
  Inode& node = *file.inode;
  if (NobodyWatches(node)) return;
  if (file.parent && file.parent->is_watched()) {
    const auto found = file.parent->Find(file.name);
    if (found && *found == file.inode) TellEntry(*file.parent, file.name, node, events);
  }
  TellNode(node, events);
}

void TellMove(const Move& move) {
  if (NobodyWatches(move.node)) return;
  const std::uint32_t cookie = ++move.node.services()->last_move;
  TellEntry(move.from, move.old_name, move.node, kNodeMovedFrom, cookie);
  TellEntry(move.to, move.new_name, move.node, kNodeMovedTo, cookie);
  if (move.replaced != nullptr) TellNode(*move.replaced, kNodeAttributes);
  TellNode(move.node, kNodeMoveSelf);
}

}  // namespace glovebox::engine
