// Where the read-only root of a box comes from: a tree of content-addressed directories and files.
// The embedder (server/worker) implements it over its channel to the daemon; tests over a folder in
// memory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/base/digest.h"
#include "engine/base/host_fd.h"
#include "engine/base/result.h"

namespace glovebox::engine {

enum class NodeKind : std::uint8_t { kFile, kDirectory, kSymlink };

// Names of one file. Within a root, entries of equal `id` (not 0) are the same file.
struct HardLink {
  std::uint64_t id = 0;     // 0: the file has this name only
  std::uint32_t count = 1;  // st_nlink
};

// One entry of a directory of the root. Properties belong to the node, not to the content.
struct TreeEntry {
  std::string name;  // no '/', no NUL, not "", "." or "..", at most 255 bytes
  NodeKind kind = NodeKind::kFile;
  std::uint32_t mode = 0;  // permission bits, 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime_ns = 0;                  // nanoseconds since 1970-01-01T00:00:00Z
  Digest digest;                              // kFile: its bytes; kDirectory: its listing
  std::string target;                         // kSymlink
  HardLink hard_link;                         // kFile
  std::map<std::string, std::string> xattrs;  // xattr(7): name with its prefix, to its value
};

// Threads: the box's. Errors end the job as FAILED (they are never a guest's errno).
class TreeSource {
 public:
  virtual ~TreeSource() = default;
  // Entries sorted by name, bytewise, each name once.
  virtual Result<std::vector<TreeEntry>, Error> ReadDirectory(const Digest& digest) = 0;
  // A read-only descriptor of the blob's bytes. The caller keeps few of them open.
  virtual Result<HostFd, Error> OpenFile(const Digest& digest) = 0;
};

}  // namespace glovebox::engine
