#include "engine/vfs/filesystem.h"

#include <utility>

#include "engine/vfs/device.h"
#include "engine/vfs/file_capabilities.h"
#include "engine/vfs/node_watch.h"
#include "engine/vfs/open_file.h"
#include "engine/vfs/pipe.h"

namespace glovebox::engine {
namespace {

constexpr std::uint32_t kMaxLinks = 65'000;  // ext4

// True where `inner` lies beneath `outer`, or is it.
bool IsWithin(const std::shared_ptr<Directory>& outer, std::shared_ptr<Directory> inner) {
  while (inner) {
    if (inner == outer) return true;
    auto above = inner->parent();
    if (above == inner) return false;
    inner = std::move(above);
  }
  return false;
}

// New nodes belong to their maker; in a set-group-id directory to its group: inode(7).
void Own(Inode& inode, const Directory& parent, const Credentials& who) {
  inode.device = parent.device;
  inode.uid = who.fsuid;
  inode.gid = who.fsgid;
  if ((parent.permissions & kSetGid) != 0) {
    inode.gid = parent.gid;
    if (inode.is(kTypeDirectory)) inode.permissions |= kSetGid;
  }
  if (auto* const file = dynamic_cast<RegularFile*>(&inode))
    file->content.JoinVolume(parent.services()->FindVolume(parent.device));
}

void DropSetId(Inode& inode) {
  inode.permissions &= ~static_cast<std::uint32_t>(kSetUid);
  // Set-group-id without group execute means mandatory locking and stays.
  if ((inode.permissions & 010) != 0) inode.permissions &= ~static_cast<std::uint32_t>(kSetGid);
}

void DropFileCapabilities(Inode& inode) {
  if (inode.attributes.empty()) return;
  const auto found = inode.attributes.find(std::string(kFileCapabilitiesName));
  if (found == inode.attributes.end()) return;
  inode.ReleaseDisk(found->first.size() + found->second.size());
  inode.attributes.erase(found);
}

}  // namespace

void DropPrivileges(Inode& inode) {
  DropSetId(inode);
  DropFileCapabilities(inode);
}

void DropPrivilegesOnWrite(Inode& inode, const Credentials& who) {
  if (!who.Can(Capability::kFsetid)) DropSetId(inode);
  DropFileCapabilities(inode);
}

Filesystem::Filesystem(std::shared_ptr<VfsServices> services, const Digest& root_listing)
    : services_(std::move(services)),
      root_(std::make_shared<TreeDirectory>(services_, 0755, root_listing)) {
  root_->SetParent(root_, "");
  root_->atime_ns = root_->mtime_ns = root_->ctime_ns = 0;
}

Result<void, Errno> Filesystem::Mount(const std::string& name,
                                      const std::shared_ptr<Directory>& directory) {
  if (const auto erased = root_->Erase(name); !erased && erased.error() != kENOENT) return erased;
  directory->is_mount_point = true;
  return root_->Insert(name, directory);
}

Result<void, Errno> Filesystem::MayCreate(const Resolved& at) const {
  if (at.ref.inode || at.last != LastKind::kNormal) return std::unexpected(kEEXIST);
  return {};
}

Result<void, Errno> Filesystem::Place(const Resolved& at, const std::shared_ptr<Inode>& inode,
                                      const Credentials& who, std::uint64_t cost_bytes) {
  Directory& parent = *at.ref.parent;
  if (parent.LiesOn(kVolumeReadOnly)) return std::unexpected(kEROFS);
  if (!MayAccess(parent, who, kMayWrite | kMayExecute)) return std::unexpected(kEACCES);
  if (!inode->ChargeDisk(VfsServices::kInodeBytes + cost_bytes)) return std::unexpected(kENOSPC);
  Own(*inode, parent, who);
  if (const auto inserted = parent.Insert(at.ref.name, inode); !inserted) return inserted;
  parent.TouchModified();
  TellEntry(parent, at.ref.name, *inode, kNodeCreate);
  return {};
}

Result<std::shared_ptr<Inode>, Errno> Filesystem::MakeFile(const Resolved& at, std::uint32_t mode,
                                                           const Credentials& who) {
  if (const auto ok = MayCreate(at); !ok) return std::unexpected(ok.error());
  if (at.trailing_slash) return std::unexpected(kEISDIR);
  auto file = std::make_shared<RegularFile>(services_, mode);
  if (const auto placed = Place(at, file, who, 0); !placed) return std::unexpected(placed.error());
  return file;
}

Result<void, Errno> Filesystem::MakeDirectory(const Resolved& at, std::uint32_t mode,
                                              const Credentials& who) {
  if (const auto ok = MayCreate(at); !ok) return ok;
  return Place(at, std::make_shared<TreeDirectory>(services_, mode & 01777), who, 0);
}

Result<void, Errno> Filesystem::MakeSymlink(const Resolved& at, const std::string& target,
                                            const Credentials& who) {
  if (const auto ok = MayCreate(at); !ok) return ok;
  if (at.trailing_slash) return std::unexpected(kENOENT);
  return Place(at, std::make_shared<Symlink>(services_, target), who, target.size());
}

Result<void, Errno> Filesystem::MakeFifo(const Resolved& at, std::uint32_t mode,
                                         const Credentials& who) {
  if (const auto ok = MayCreate(at); !ok) return ok;
  if (at.trailing_slash) return std::unexpected(kENOENT);
  return Place(at, std::make_shared<PipeInode>(services_, mode, kRootDevice), who,
               Pipe::kCapacityBytes);
}

Result<void, Errno> Filesystem::MakeNode(const Resolved& at, const std::shared_ptr<Inode>& inode,
                                         const Credentials& who) {
  if (const auto ok = MayCreate(at); !ok) return ok;
  if (at.trailing_slash) return std::unexpected(kENOENT);
  return Place(at, inode, who, 0);
}

Result<std::shared_ptr<Inode>, Errno> Filesystem::MakeNameless(Directory& directory,
                                                               std::uint32_t mode,
                                                               const Credentials& who) {
  if (directory.LiesOn(kVolumeReadOnly)) return std::unexpected(kEROFS);
  if (!MayAccess(directory, who, kMayWrite | kMayExecute)) return std::unexpected(kEACCES);
  auto file = std::make_shared<RegularFile>(services_, mode);
  if (!file->ChargeDisk(VfsServices::kInodeBytes)) return std::unexpected(kENOSPC);
  Own(*file, directory, who);
  file->link_count = 0;
  return file;
}

Result<void, Errno> Filesystem::Link(const std::shared_ptr<Inode>& inode, const Resolved& to,
                                     const Credentials& who) {
  if (const auto ok = MayCreate(to); !ok) return ok;
  if (to.trailing_slash) return std::unexpected(kENOENT);
  if (to.ref.parent->LiesOn(kVolumeReadOnly)) return std::unexpected(kEROFS);
  if (inode->device != to.ref.parent->device) return std::unexpected(kEXDEV);
  if (!MayAccess(*to.ref.parent, who, kMayWrite | kMayExecute)) return std::unexpected(kEACCES);
  if (inode->is(kTypeDirectory)) return std::unexpected(kEPERM);
  // What has lost its last name gets none again; what never had one may: open(2), O_TMPFILE.
  if (inode->link_count == 0 && !inode->may_get_name) return std::unexpected(kENOENT);
  if (inode->link_count >= kMaxLinks) return std::unexpected(kEMLINK);
  if (!inode->ChargeDisk(VfsServices::kInodeBytes)) return std::unexpected(kENOSPC);
  if (const auto inserted = to.ref.parent->Insert(to.ref.name, inode); !inserted) return inserted;
  ++inode->link_count;
  inode->TouchChanged();
  to.ref.parent->TouchModified();
  TellNode(*inode, kNodeAttributes);
  TellEntry(*to.ref.parent, to.ref.name, *inode, kNodeCreate);
  return {};
}

Result<void, Errno> Filesystem::MayDelete(Directory& parent, const Inode& victim,
                                          const Credentials& who) const {
  if (parent.LiesOn(kVolumeReadOnly)) return std::unexpected(kEROFS);
  if (!MayAccess(parent, who, kMayWrite | kMayExecute)) return std::unexpected(kEACCES);
  if ((parent.permissions & kSticky) != 0 && !who.Can(Capability::kFowner) &&
      who.fsuid != victim.uid && who.fsuid != parent.uid) {
    return std::unexpected(kEPERM);
  }
  return {};
}

Result<void, Errno> Filesystem::Unlink(const Resolved& at, const Credentials& who,
                                       Removal removal) {
  if (at.last != LastKind::kNormal) return std::unexpected(kEISDIR);
  Inode& inode = *at.ref.inode;
  if (at.trailing_slash) return std::unexpected(inode.is(kTypeDirectory) ? kEISDIR : kENOTDIR);
  if (const auto ok = MayDelete(*at.ref.parent, inode, who); !ok) return ok;
  if (inode.is(kTypeDirectory)) return std::unexpected(kEISDIR);
  if (at.is_mounted) return std::unexpected(kEBUSY);
  if (const auto erased = at.ref.parent->Erase(at.ref.name); !erased) return erased;
  --inode.link_count;
  inode.TouchChanged();
  at.ref.parent->TouchModified();
  if (removal == Removal::kOfName) TellRemoval(at.ref);
  return {};
}

Result<void, Errno> Filesystem::RemoveDirectory(const Resolved& at, const Credentials& who,
                                                Removal removal) {
  if (at.last == LastKind::kDot) return std::unexpected(kEINVAL);
  if (at.last == LastKind::kDotDot) return std::unexpected(kENOTEMPTY);
  if (at.last != LastKind::kNormal) return std::unexpected(kEBUSY);
  if (!at.ref.inode->is(kTypeDirectory)) {
    const auto ok = MayDelete(*at.ref.parent, *at.ref.inode, who);
    return ok ? std::unexpected(kENOTDIR) : ok;
  }
  auto& directory = static_cast<Directory&>(*at.ref.inode);
  if (const auto ok = MayDelete(*at.ref.parent, directory, who); !ok) return ok;
  if (directory.is_mount_point || at.is_mounted) return std::unexpected(kEBUSY);
  const auto empty = directory.IsEmpty();
  if (!empty) return std::unexpected(empty.error());
  if (!*empty) return std::unexpected(kENOTEMPTY);
  if (const auto erased = at.ref.parent->Erase(at.ref.name); !erased) return erased;
  directory.MarkRemoved();
  directory.link_count = 0;
  directory.TouchChanged();
  at.ref.parent->TouchModified();
  if (removal == Removal::kOfName) TellRemoval(at.ref);
  return {};
}

Result<void, Errno> Filesystem::Exchange(const Resolved& from, const Resolved& to) {
  Directory& source = *from.ref.parent;
  Directory& target = *to.ref.parent;
  for (const auto& [parent, name] :
       {std::pair(&source, from.ref.name), std::pair(&target, to.ref.name)}) {
    if (const auto erased = parent->Erase(name); !erased) return erased;
  }
  if (const auto ok = target.Insert(to.ref.name, from.ref.inode); !ok) return ok;
  if (const auto ok = source.Insert(from.ref.name, to.ref.inode); !ok) return ok;
  to.ref.inode->TouchChanged();
  from.ref.inode->TouchChanged();
  source.TouchModified();
  target.TouchModified();
  TellMove({source, from.ref.name, target, to.ref.name, *from.ref.inode, nullptr});
  TellMove({target, to.ref.name, source, from.ref.name, *to.ref.inode, nullptr});
  return {};
}

// rename(2); the order of the errors is that of Linux' vfs_rename and do_renameat2.
Result<void, Errno> Filesystem::Rename(const Resolved& from, const Resolved& to,
                                       std::uint32_t flags, const Credentials& who) {
  if (from.last != LastKind::kNormal) return std::unexpected(kEBUSY);
  if (to.last != LastKind::kNormal) {
    return std::unexpected((flags & kRenameNoReplace) != 0 ? kEEXIST : kEBUSY);
  }
  if (from.ref.parent->device != to.ref.parent->device) return std::unexpected(kEXDEV);
  if (from.ref.parent->LiesOn(kVolumeReadOnly)) return std::unexpected(kEROFS);
  if (!from.ref.inode) return std::unexpected(kENOENT);
  if ((flags & kRenameNoReplace) != 0 && to.ref.inode) return std::unexpected(kEEXIST);
  if ((flags & kRenameExchange) != 0 && !to.ref.inode) return std::unexpected(kENOENT);
  Inode& moved = *from.ref.inode;
  const bool moves_directory = moved.is(kTypeDirectory);
  if (!moves_directory &&
      (from.trailing_slash || (to.trailing_slash && (flags & kRenameExchange) == 0))) {
    return std::unexpected(kENOTDIR);
  }
  if (moves_directory &&
      IsWithin(std::static_pointer_cast<Directory>(from.ref.inode), to.ref.parent)) {
    return std::unexpected(kEINVAL);
  }
  if (to.ref.inode && to.ref.inode->is(kTypeDirectory) &&
      IsWithin(std::static_pointer_cast<Directory>(to.ref.inode), from.ref.parent)) {
    return std::unexpected((flags & kRenameExchange) != 0 ? kEINVAL : kENOTEMPTY);
  }
  if (from.ref.inode == to.ref.inode) return {};
  if (const auto ok = MayDelete(*from.ref.parent, moved, who); !ok) return ok;
  if (moves_directory && static_cast<Directory&>(moved).is_mount_point)
    return std::unexpected(kEBUSY);
  if (from.is_mounted || to.is_mounted) return std::unexpected(kEBUSY);
  if (!to.ref.inode) {
    if (!MayAccess(*to.ref.parent, who, kMayWrite | kMayExecute)) return std::unexpected(kEACCES);
  } else {
    if (const auto ok = MayDelete(*to.ref.parent, *to.ref.inode, who); !ok) return ok;
    if ((flags & kRenameExchange) != 0) return Exchange(from, to);
    const bool replaces_directory = to.ref.inode->is(kTypeDirectory);
    if (moves_directory && !replaces_directory) return std::unexpected(kENOTDIR);
    if (!moves_directory && replaces_directory) return std::unexpected(kEISDIR);
    const auto gone = replaces_directory ? RemoveDirectory(to, who, Removal::kByAnother)
                                         : Unlink(to, who, Removal::kByAnother);
    if (!gone) return gone;
  }
  if (const auto erased = from.ref.parent->Erase(from.ref.name); !erased) return erased;
  if (const auto ok = to.ref.parent->Insert(to.ref.name, from.ref.inode); !ok) return ok;
  moved.TouchChanged();
  from.ref.parent->TouchModified();
  to.ref.parent->TouchModified();
  TellMove(
      {*from.ref.parent, from.ref.name, *to.ref.parent, to.ref.name, moved, to.ref.inode.get()});
  return {};
}

Result<void, Errno> Filesystem::Truncate(Inode& inode, std::uint64_t size, const Credentials& who) {
  auto* file = dynamic_cast<RegularFile*>(&inode);
  if (file == nullptr) return std::unexpected(inode.is(kTypeDirectory) ? kEISDIR : kEINVAL);
  if (const Errno error = file->CheckResize(size); error != Errno{}) return std::unexpected(error);
  if (const auto resized = file->content.Resize(size); !resized) return resized;
  DropPrivilegesOnWrite(inode, who);
  inode.TouchModified();
  return {};
}

}  // namespace glovebox::engine
