// Paths to nodes, path_resolution(7). Everything happens beneath the root that is given: ".." of
// the root is the root, absolute links start there. There is no other way to name a node, hence
// none to name a host file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engine/vfs/credentials.h"
#include "engine/vfs/inode.h"

namespace glovebox::engine {

inline constexpr std::size_t kNameMaxBytes = 255;
inline constexpr std::size_t kPathMaxBytes = 4096;  // with its NUL
inline constexpr int kMaxSymlinks = 40;

enum class LastKind : std::uint8_t { kNormal, kDot, kDotDot, kRoot, kJump };

struct Resolved {
  PathRef ref;  // with ResolveOptions::may_be_missing, ref.inode may be null
  LastKind last = LastKind::kNormal;
  bool trailing_slash = false;
  bool is_mounted = false;  // the last component is covered: ref.inode is what lies over it
};

struct ResolveOptions {
  bool follow_last =
      true;  // resolve a symlink that is the last component (a trailing slash does so anyhow)
  bool may_be_missing = false;  // the last component need not exist: its parent does
  bool no_symlinks = false;     // openat2(2), RESOLVE_NO_SYMLINKS
  bool beneath = false;         // openat2(2), RESOLVE_BENEATH: leaving `start` is EXDEV
  bool in_root = false;         // RESOLVE_IN_ROOT: `start` is the root
  bool no_magic_links = false;  // RESOLVE_NO_MAGICLINKS: links of /proc that jump are ELOOP
  bool same_device = false;     // RESOLVE_NO_XDEV: another file system is EXDEV
};

struct ResolveStart {
  std::shared_ptr<Directory> root;
  std::shared_ptr<Directory> start;  // for relative paths
  const Credentials& who;
};

// Errors: ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EXDEV, EIO (see BlobCache::failure).
// An empty path is ENOENT.
Result<Resolved, Errno> Resolve(const ResolveStart& from, std::string_view path,
                                const ResolveOptions& options);

// The absolute path of a directory beneath `root`, as getcwd(2) builds it; ENAMETOOLONG from 4,096
// bytes on; ENOENT for one that was
// removed or lies outside.
Result<std::string, Errno> PathOf(const std::shared_ptr<Directory>& root,
                                  const std::shared_ptr<Directory>& directory);

// As /proc/self/fd shows it: with " (deleted)" behind names that are gone.
std::string DisplayPath(const std::shared_ptr<Directory>& root, const PathRef& ref);

}  // namespace glovebox::engine
