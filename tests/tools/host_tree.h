// A TreeSource over a directory of the host: a root file system that is used where it lies.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/base/digest.h"
#include "engine/vfs/tree_source.h"

namespace glovebox::tests {

// Directories are listed when the engine looks into them, files are opened when it reads them, and
// neither is hashed: a digest here is that of the path, the size and the time of change. So a root
// of gigabytes costs nothing until it is used. Device nodes, FIFOs and sockets are left out.
// The directory must not change while a box runs on it.
class HostTree : public engine::TreeSource {
 public:
  // Names the directory `path` of the host.
  Digest Add(const std::string& path);

  // The entries of a directory of the host, sorted by name.
  Result<std::vector<engine::TreeEntry>, Error> List(const std::string& path);

  bool Knows(const Digest& digest) const { return paths_.contains(digest); }
  Result<std::vector<engine::TreeEntry>, Error> ReadDirectory(const Digest& digest) override;
  Result<HostFd, Error> OpenFile(const Digest& digest) override;

 private:
  Digest Name(const std::string& path, const std::string& identity, std::uint64_t size_bytes);

  std::map<Digest, std::string> paths_;
};

}  // namespace glovebox::tests
