// What changes the tree of names: creating, linking, renaming, removing. Checks permissions and
// keeps times and link counts; paths are resolved by the caller (resolve.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/vfs/mount_table.h"
#include "engine/vfs/resolve.h"

namespace glovebox::engine {

enum RenameFlag : std::uint32_t { kRenameNoReplace = 1, kRenameExchange = 2 };

// Threads: one at a time.
class Filesystem {
 public:
  Filesystem(std::shared_ptr<VfsServices> services, const Digest& root_listing);
  ~Filesystem() { services_->hard_links.clear(); }  // they hold the services
  Filesystem(const Filesystem&) = delete;
  Filesystem& operator=(const Filesystem&) = delete;

  const std::shared_ptr<Directory>& root() const { return root_; }
  const std::shared_ptr<VfsServices>& services() const { return services_; }

  MountTable mounts;

  // Puts `directory` at "/name" whatever the root has there.
  Result<void, Errno> Mount(const std::string& name, const std::shared_ptr<Directory>& directory);

  // Each makes the missing last component of `at`. EEXIST where it is there, ENOENT for a trailing
  // slash where Linux says so, EACCES, ENOSPC.
  Result<std::shared_ptr<Inode>, Errno> MakeFile(const Resolved& at, std::uint32_t mode,
                                                 const Credentials& who);
  Result<void, Errno> MakeDirectory(const Resolved& at, std::uint32_t mode, const Credentials& who);
  Result<void, Errno> MakeSymlink(const Resolved& at, const std::string& target,
                                  const Credentials& who);
  Result<void, Errno> MakeFifo(const Resolved& at, std::uint32_t mode, const Credentials& who);
  // Any other node, which the caller has made: a socket.
  Result<void, Errno> MakeNode(const Resolved& at, const std::shared_ptr<Inode>& inode,
                               const Credentials& who);
  // O_TMPFILE: a file without a name.
  Result<std::shared_ptr<Inode>, Errno> MakeNameless(Directory& directory, std::uint32_t mode,
                                                     const Credentials& who);

  Result<void, Errno> Link(const std::shared_ptr<Inode>& inode, const Resolved& to,
                           const Credentials& who);
  // Why a name goes: watchers are told of a removal, or of the move that put another in its place.
  enum class Removal : std::uint8_t { kOfName, kByAnother };
  Result<void, Errno> Unlink(const Resolved& at, const Credentials& who,
                             Removal removal = Removal::kOfName);
  Result<void, Errno> RemoveDirectory(const Resolved& at, const Credentials& who,
                                      Removal removal = Removal::kOfName);
  Result<void, Errno> Rename(const Resolved& from, const Resolved& to, std::uint32_t flags,
                             const Credentials& who);

  Result<void, Errno> Truncate(Inode& inode, std::uint64_t size, const Credentials& who);

 private:
  Result<void, Errno> MayCreate(const Resolved& at) const;
  Result<void, Errno> MayDelete(Directory& parent, const Inode& victim,
                                const Credentials& who) const;
  Result<void, Errno> Place(const Resolved& at, const std::shared_ptr<Inode>& inode,
                            const Credentials& who, std::uint64_t cost_bytes);
  Result<void, Errno> Exchange(const Resolved& from, const Resolved& to);

  std::shared_ptr<VfsServices> services_;
  std::shared_ptr<Directory> root_;
};

// A file that gets another owner loses its set-id bits and its capabilities: chown(2).
void DropPrivileges(Inode& inode);
// As a file that is written to or cut; the bits only where the writer has no privilege: write(2).
void DropPrivilegesOnWrite(Inode& inode, const Credentials& who);

}  // namespace glovebox::engine
