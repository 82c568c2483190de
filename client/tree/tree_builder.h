// The root of a box, put together on the client's machine: a Merkle tree of glovebox.v1.Directory
// in canonical form.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "client/tree/host_file.h"
#include "engine/base/digest.h"
#include "engine/base/result.h"
#include "glovebox/v1/tree.pb.h"

namespace glovebox::client {

// Something that the server has to have: bytes in memory (a listing), or a file of this machine.
struct BlobSource {
  struct File {
    std::string path;
    FileIdentity identity;
  };

  Digest digest;
  std::variant<std::string, File> content;
};

struct Tree {
  Digest root;
  std::vector<BlobSource> blobs;  // each digest once; files before the listings that name them
};

v1::Digest ToProto(const Digest& digest);

// Hashes a regular file, in pieces. Errors: those of OpenHostFile and ReadPieces.
Result<BlobSource, Error> HashHostFile(const std::string& path);

class TreeBuilder {
 public:
  struct Options {
    bool keep_mtime = false;  // otherwise 0, so that the same bytes give the same root
  };

  // Starts with the directories of engine/linux/default_root.h.
  explicit TreeBuilder(Options options);
  ~TreeBuilder();
  TreeBuilder(TreeBuilder&&) noexcept;
  TreeBuilder& operator=(TreeBuilder&&) noexcept;

  // Reads and hashes a file. Of its mode the rwx bits are kept; its owner is 0:0. Directories on
  // the way are made, a file that is there is replaced. Errors: those of OpenHostFile;
  // PATH_CONFLICT where a name on the way is no directory, or the last one is.
  Result<void, Error> AddFile(const std::string& host_path, std::string_view guest_path);

  // Adds a directory with all that is in it; symbolic links stay links. What is there already is
  // merged with.
  Result<void, Error> AddDirectory(const std::string& host_path, std::string_view guest_path);

  // Makes a directory and those on the way, mode 0755; nothing where it is there.
  Result<void, Error> MakeDirectory(std::string_view guest_path);

  // Is there something at this path already?
  bool Contains(std::string_view guest_path) const;

  Result<Tree, Error> Build() const;

 private:
  struct Node;
  Result<Node*, Error> DirectoryAt(const std::vector<std::string>& names, std::size_t count);
  Result<void, Error> AddTree(const std::string& host_path, std::vector<std::string>& names);
  Result<void, Error> AddLink(const std::string& host_path, std::vector<std::string>& names);
  Result<void, Error> AddEntry(const std::string& host_path, std::vector<std::string>& names,
                               unsigned mode);
  Result<Digest, Error> BuildDirectory(const Node& directory, const std::string& path,
                                       std::map<Digest, BlobSource>& seen,
                                       std::vector<Digest>& order) const;

  Options options_;
  std::unique_ptr<Node> root_;
};

}  // namespace glovebox::client
