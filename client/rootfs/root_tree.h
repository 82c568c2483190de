// A root file system while it is read from a directory, an archive or the layers of an image.
// Whatever an archive says, nothing but this tree in memory changes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "client/tree/tree_node.h"
#include "engine/base/result.h"

namespace glovebox::client {

// What an entry says of its node beside its name and its content.
struct NodeAttributes {
  unsigned mode = 0;  // 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime_ns = 0;
  std::map<std::string, std::string> xattrs;
};

// Errors of all that takes a path: kInvalidArgument with the path in the message:
//   BAD_PATH            absolute, "..", a NUL, an empty or too long name or path
//   PATH_CONFLICT       beneath something that is no directory, or through a symbolic link; a file
//                       where a directory with entries is
//   HARD_LINK           to something that is not a file of the tree
//   TREE_TOO_DEEP, TREE_TOO_LARGE, XATTRS_TOO_LARGE
class RootTree {
 public:
  static constexpr std::size_t kMaxNodes = 1'000'000;
  static constexpr std::size_t kMaxDepth = 255;  // the server takes 256, the root among them
  static constexpr std::size_t kMaxXattrBytes = 64 << 10;

  RootTree() = default;

  // A directory that is there gets the attributes, and keeps what is in it.
  Result<void, Error> AddDirectory(std::string_view path, const NodeAttributes& attributes);
  // A file or link that is there already is replaced, as tar(1) does.
  Result<void, Error> AddFile(std::string_view path, const NodeAttributes& attributes,
                              const Digest& digest);
  Result<void, Error> AddSymlink(std::string_view path, const NodeAttributes& attributes,
                                 std::string target);
  // Another name of the file at `target`, which lies in the tree too.
  Result<void, Error> AddHardLink(std::string_view path, std::string_view target);

  // The layers of an image: what is added from now on belongs to the next one, which may replace
  // directories of those below (OCI image specification, layer.md, "Applying Changesets").
  void BeginLayer() { ++layer_; }
  // ".wh.NAME" and ".wh..wh..opq" take away what lower layers have, wherever in their layer they
  // stand.
  Result<void, Error> RemoveLower(std::string_view path);
  Result<void, Error> RemoveLowerChildren(std::string_view path);

  // The file at a path, symbolic links followed; null where none is.
  const TreeNode::Body* FindFile(std::string_view path) const;

  const TreeNode& root() const { return root_; }
  std::size_t nodes() const { return nodes_; }

 private:
  Result<TreeNode*, Error> Parent(const std::vector<std::string>& names, std::string_view path);
  Result<TreeNode*, Error> Place(std::string_view path);
  Result<void, Error> Describe(TreeNode& node, const NodeAttributes& attributes,
                               std::string_view path);
  Result<TreeNode*, Error> Find(std::string_view path);
  void Purge(TreeNode& directory);
  Result<TreeNode*, Error> NewNode(TreeNode& parent, const std::string& name,
                                   std::string_view path);

  TreeNode root_;
  unsigned layer_ = 0;
  std::size_t nodes_ = 0;
};

// The names of an archive's path: "./a//b/" is {"a", "b"}, "." is the root. BAD_PATH.
Result<std::vector<std::string>, Error> SplitArchivePath(std::string_view path);

// A path as a message can hold it.
std::string ShownPath(std::string_view path);

}  // namespace glovebox::client
