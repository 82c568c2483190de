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

#include "client/tree/tree_node.h"
#include "engine/base/digest.h"
#include "engine/base/result.h"

namespace glovebox::client {

struct Tree {
  Digest root;
  std::vector<BlobSource> blobs;  // each digest once; files before the listings that name them
};

// Hashes a regular file, in pieces. Errors: those of OpenHostFile and ReadPieces.
Result<BlobSource, Error> HashHostFile(const std::string& path);

class TreeBuilder {
 public:
  struct Options {
    bool keep_mtime = false;  // otherwise 0, so that the same bytes give the same root
  };

  // Starts with the directories of engine/linux/default_root.h.
  explicit TreeBuilder(Options options);
  // Starts with a tree that the server has; directories are read when something is put into them.
  // Symbolic links on the way are followed within the tree.
  TreeBuilder(Options options, const Digest& root, BlobReader reader);
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

  // Is there something at this path already? Errors: those of the reader.
  Result<bool, Error> Contains(std::string_view guest_path);

  Result<Tree, Error> Build() const;

 private:
  enum class Missing { kMake, kStop };
  // The node at a path; symbolic links are followed but for the last name. Null where it is not
  // there and is not to be made.
  Result<TreeNode*, Error> Walk(const std::vector<std::string>& names, std::size_t count,
                                Missing missing);
  Result<TreeNode*, Error> DirectoryAt(const std::vector<std::string>& names, std::size_t count);
  Result<void, Error> AddTree(const std::string& host_path, std::vector<std::string>& names);
  Result<void, Error> AddLink(const std::string& host_path, std::vector<std::string>& names);
  Result<void, Error> AddEntry(const std::string& host_path, std::vector<std::string>& names,
                               unsigned mode);

  Options options_;
  std::unique_ptr<TreeNode> root_;
  BlobReader reader_;
};

}  // namespace glovebox::client
