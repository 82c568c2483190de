#include "engine/vfs/mount_table.h"

#include <algorithm>
#include <utility>

namespace glovebox::engine {

void MountTable::Add(MountRow row) {
  row.id = next_id_++;
  row.root->is_mount_point = true;
  row.root->SetParent(row.covered->parent(), row.covered->name());
  row.covered->mounted = row.root;
  rows_.push_back(std::move(row));
}

const MountRow* MountTable::FindRoot(const Directory& root) const {
  const auto row = std::ranges::find(
      rows_, &root, [](const MountRow& of) -> const Directory* { return of.root.get(); });
  return row == rows_.end() ? nullptr : &*row;
}

const MountRow* MountTable::FindDevice(std::uint64_t device) const {
  const auto row =
      std::ranges::find(rows_, device, [](const MountRow& of) { return of.root->device; });
  return row == rows_.end() ? nullptr : &*row;
}

bool MountTable::IsWithin(const MountRow& row, std::shared_ptr<Directory> directory) {
  while (directory) {
    if (directory == row.root) return true;
    auto above = directory->parent();
    if (above == directory) return false;
    directory = std::move(above);
  }
  return false;
}

bool MountTable::HasMountsWithin(const MountRow& row) const {
  return std::ranges::any_of(rows_,
                             [&](const MountRow& other) { return IsWithin(row, other.covered); });
}

void MountTable::Remove(const Directory& root) {
  const auto row = std::ranges::find(
      rows_, &root, [](const MountRow& of) -> const Directory* { return of.root.get(); });
  if (row == rows_.end()) return;
  row->covered->mounted.reset();
  row->root->SetParent(nullptr, "");
  row->root->MarkRemoved();
  rows_.erase(row);
}

}  // namespace glovebox::engine
