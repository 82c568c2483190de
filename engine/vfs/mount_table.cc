#include "engine/vfs/mount_table.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace glovebox::engine {
namespace {

// Would what covers `node` in the end be covered by it?
bool LeadsTo(const Inode* from, const Inode* node) {
  while (from != nullptr && from != node) from = from->mounted.get();
  return from != nullptr;
}

bool SamePlace(const PathRef& a, const PathRef& b) {
  return a.parent == b.parent && a.name == b.name;
}

}  // namespace

void MountTable::Cover(MountRow& row) {
  if (!row.is_bind) {
    auto& root = static_cast<Directory&>(*row.root);
    auto& covered = static_cast<Directory&>(*row.covered.inode);
    root.is_mount_point = true;
    root.SetParent(covered.parent(), covered.name());
  }
  // A directory over itself: a mount, and nothing hidden.
  if (row.root != row.covered.inode) row.covered.inode->mounted = row.root;
}

void MountTable::Uncover(MountRow& row) {
  if (row.root != row.covered.inode) row.covered.inode->mounted.reset();
}

MountTable::~MountTable() {
  for (MountRow& row : rows_) Uncover(row);
}

Result<void, Errno> MountTable::Add(MountRow row) {
  if (row.root != row.covered.inode && LeadsTo(row.root.get(), row.covered.inode.get()))
    return std::unexpected(kELOOP);
  row.id = next_id_++;
  Cover(row);
  rows_.push_back(std::move(row));
  return {};
}

std::vector<MountRow>::iterator MountTable::Find(std::uint32_t id) {
  return std::ranges::find(rows_, id, &MountRow::id);
}

const MountRow* MountTable::FindAt(const PathRef& place) const {
  for (const MountRow& row : std::views::reverse(rows_)) {
    if (row.root == place.inode && (!row.is_bind || SamePlace(row.covered, place))) return &row;
  }
  return nullptr;
}

const MountRow* MountTable::FindDevice(std::uint64_t device) const {
  const auto row = std::ranges::find_if(
      rows_, [device](const MountRow& of) { return !of.is_bind && of.root->device == device; });
  return row == rows_.end() ? nullptr : &*row;
}

bool MountTable::IsWithin(const MountRow& row, std::shared_ptr<Directory> directory) {
  while (directory && !row.is_bind) {
    if (directory == row.root) return true;
    auto above = directory->parent();
    if (above == directory) return false;
    directory = std::move(above);
  }
  return false;
}

std::shared_ptr<Directory> MountTable::DirectoryOf(const MountRow& row) {
  return row.covered.inode->is(kTypeDirectory)
             ? std::static_pointer_cast<Directory>(row.covered.inode)->parent()
             : row.covered.parent;
}

bool MountTable::HasMountsWithin(const MountRow& row) const {
  return std::ranges::any_of(rows_, [&](const MountRow& other) {
    return IsWithin(row, other.covered.inode->is(kTypeDirectory)
                             ? std::static_pointer_cast<Directory>(other.covered.inode)
                             : other.covered.parent);
  });
}

void MountTable::Remove(std::uint32_t id) {
  const auto row = Find(id);
  if (row == rows_.end()) return;
  Uncover(*row);
  if (!row->is_bind) {
    auto& root = static_cast<Directory&>(*row->root);
    root.SetParent(nullptr, "");
    root.MarkRemoved();
    root.services()->volumes.erase(root.device);
  }
  rows_.erase(row);
}

Result<void, Errno> MountTable::Move(std::uint32_t id, const PathRef& to) {
  const auto row = Find(id);
  if (LeadsTo(row->root.get(), to.inode.get())) return std::unexpected(kELOOP);
  Uncover(*row);
  row->covered = to;
  Cover(*row);
  return {};
}

}  // namespace glovebox::engine
