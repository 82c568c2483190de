// A TreeSource over directories and files that a test or a tool puts together.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/digest.h"
#include "engine/vfs/tree_source.h"
#include "tests/tools/host_tree.h"

namespace glovebox::tests {

// Paths are absolute. Directories on the way are made with mode 0755, everything with owner 0:0 and
// mtime 0: the same tree as the command line client builds.
class MemoryTree : public engine::TreeSource {
 public:
  MemoryTree();

  void AddDirectory(std::string_view path, std::uint32_t mode);
  void AddFile(std::string_view path, std::string content, std::uint32_t mode);
  // The bytes stay in the host's file, which is opened when the engine asks for it.
  Result<void, Error> AddHostFile(std::string_view path, const std::string& host_path);
  // Another name of a file that was added.
  void AddHardLink(std::string_view path, std::string_view existing);
  void AddSymlink(std::string_view path, std::string target);
  // The tree begins with what is in this directory of the host, and what is added lies on top of
  // it. Call it first.
  void BaseOnHostDirectory(const std::string& host_path);
  // The directories of every root: engine/linux/default_root.h.
  void AddDefaultDirectories();

  // Names everything that was added so far.
  Digest Root();

  Result<std::vector<engine::TreeEntry>, Error> ReadDirectory(const Digest& digest) override;
  Result<HostFd, Error> OpenFile(const Digest& digest) override;

 private:
  struct Node {
    engine::TreeEntry entry;
    std::map<std::string, Node> children;
    std::optional<std::string> host_path;  // of a directory that was not listed yet
  };
  Node& Make(std::string_view path);
  void Expand(Node& directory);
  Digest Hash(Node& node);

  Node root_;
  HostTree host_;
  std::map<Digest, std::vector<engine::TreeEntry>> directories_;
  std::map<Digest, std::string> contents_;
  std::map<Digest, std::string> host_paths_;
  std::uint64_t last_link_ = 0;
};

}  // namespace glovebox::tests
