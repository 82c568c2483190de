#include "client/rootfs/root_tree.h"

#include <fmt/core.h>

#include <deque>
#include <utility>

namespace glovebox::client {
namespace {

constexpr std::size_t kMaxName = 255;    // NAME_MAX of Linux
constexpr std::size_t kMaxPath = 4'095;  // PATH_MAX, without the terminator
constexpr std::size_t kMaxTarget = 4'095;
constexpr int kMaxLinks = 40;
constexpr unsigned kModeBits = 07777;

std::unexpected<Error> Refuse(std::string reason, std::string_view path, std::string_view what) {
  return Fail(ErrorCode::kInvalidArgument, std::move(reason),
              fmt::format("\"{}\" {}", ShownPath(path), what));
}

std::size_t CountNodes(const TreeNode& node) {
  std::size_t count = 1;
  if (const TreeNode::Children* children = node.children()) {
    for (const auto& [name, child] : *children) count += CountNodes(*child);
  }
  return count;
}

}  // namespace

std::string ShownPath(std::string_view path) {
  constexpr std::size_t kShown = 300;
  std::string text;
  for (const char c : path.substr(0, kShown)) {
    const bool plain = c >= ' ' && c <= '~';
    text += plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return path.size() > kShown ? text + "..." : text;
}

Result<std::vector<std::string>, Error> SplitArchivePath(std::string_view path) {
  if (path.empty()) return Refuse("BAD_PATH", path, "is no path");
  if (path.starts_with('/')) return Refuse("BAD_PATH", path, "is an absolute path");
  if (path.size() > kMaxPath) return Refuse("BAD_PATH", path, "is longer than 4095 bytes");
  if (path.find('\0') != std::string_view::npos) return Refuse("BAD_PATH", path, "contains a NUL");
  std::vector<std::string> names;
  for (std::string_view rest = path; !rest.empty();) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view name = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (name.empty() || name == ".") continue;
    if (name == "..") return Refuse("BAD_PATH", path, "leads out of the tree with \"..\"");
    if (name.size() > kMaxName) return Refuse("BAD_PATH", path, "has a name of over 255 bytes");
    names.emplace_back(name);
  }
  if (names.size() > RootTree::kMaxDepth)
    return Refuse("TREE_TOO_DEEP", path, "lies more than 255 directories deep");
  return names;
}

Result<TreeNode*, Error> RootTree::NewNode(TreeNode& parent, const std::string& name,
                                           std::string_view path) {
  if (nodes_ >= kMaxNodes) {
    return Refuse("TREE_TOO_LARGE", path,
                  fmt::format("is one more than the {} entries that a root may have", kMaxNodes));
  }
  ++nodes_;
  auto& node = (*parent.children())[name];
  node = std::make_unique<TreeNode>();
  node->layer = layer_;
  return node.get();
}

// The directory in which a path lies; directories that the archive left out are made.
Result<TreeNode*, Error> RootTree::Parent(const std::vector<std::string>& names,
                                          std::string_view path) {
  TreeNode* at = &root_;
  for (std::size_t i = 0; i + 1 < names.size(); ++i) {
    const auto found = at->children()->find(names[i]);
    if (found == at->children()->end()) {
      const auto made = NewNode(*at, names[i], path);
      if (!made) return made;
      at = *made;
      continue;
    }
    at = found->second.get();
    if (at->children() == nullptr) {
      return Refuse("PATH_CONFLICT", path,
                    at->link() != nullptr ? "goes through a symbolic link"
                                          : "goes through something that is not a directory");
    }
  }
  return at;
}

// A new node for what is no directory, in the place of what was there.
Result<TreeNode*, Error> RootTree::Place(std::string_view path) {
  const auto names = SplitArchivePath(path);
  if (!names) return std::unexpected(names.error());
  if (names->empty()) return Refuse("PATH_CONFLICT", path, "is the root, which is a directory");
  const auto parent = Parent(*names, path);
  if (!parent) return parent;
  const auto found = (*parent)->children()->find(names->back());
  if (found != (*parent)->children()->end()) {
    const TreeNode& old = *found->second;
    const bool full = old.children() != nullptr && !old.children()->empty();
    if (full && old.layer == layer_)
      return Refuse("PATH_CONFLICT", path, "is a directory with entries already");
    nodes_ -= CountNodes(old);
    (*parent)->children()->erase(found);
  }
  return NewNode(**parent, names->back(), path);
}

Result<void, Error> RootTree::Describe(TreeNode& node, const NodeAttributes& attributes,
                                       std::string_view path) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : attributes.xattrs) {
    bytes += name.size() + value.size();
    if (name.empty() || name.size() > kMaxName || bytes > kMaxXattrBytes)
      return Refuse("XATTRS_TOO_LARGE", path, "has more extended attributes than 64 KiB");
  }
  node.mode = attributes.mode & kModeBits;
  node.uid = attributes.uid;
  node.gid = attributes.gid;
  node.mtime_ns = attributes.mtime_ns;
  node.xattrs = attributes.xattrs;
  node.layer = layer_;
  return {};
}

Result<void, Error> RootTree::AddDirectory(std::string_view path,
                                           const NodeAttributes& attributes) {
  const auto names = SplitArchivePath(path);
  if (!names) return std::unexpected(names.error());
  if (names->empty()) return Describe(root_, attributes, path);
  const auto parent = Parent(*names, path);
  if (!parent) return std::unexpected(parent.error());
  const auto found = (*parent)->children()->find(names->back());
  if (found != (*parent)->children()->end() && found->second->children() != nullptr)
    return Describe(*found->second, attributes, path);
  const auto node = Place(path);
  if (!node) return std::unexpected(node.error());
  return Describe(**node, attributes, path);
}

Result<void, Error> RootTree::AddFile(std::string_view path, const NodeAttributes& attributes,
                                      const Digest& digest) {
  const auto node = Place(path);
  if (!node) return std::unexpected(node.error());
  (*node)->content = std::make_shared<TreeNode::Body>(TreeNode::Body{digest, std::nullopt});
  return Describe(**node, attributes, path);
}

Result<void, Error> RootTree::AddSymlink(std::string_view path, const NodeAttributes& attributes,
                                         std::string target) {
  if (target.empty() || target.size() > kMaxTarget || target.find('\0') != std::string::npos)
    return Refuse("BAD_PATH", path, "is a symbolic link without a proper target");
  const auto node = Place(path);
  if (!node) return std::unexpected(node.error());
  (*node)->content = TreeNode::Link{std::move(target)};
  return Describe(**node, attributes, path);
}

Result<void, Error> RootTree::AddHardLink(std::string_view path, std::string_view target) {
  const auto found = Find(target);
  if (!found) return std::unexpected(found.error());
  if (*found == nullptr || (*found)->is_directory()) {
    return Refuse(
        "HARD_LINK", path,
        fmt::format("is a hard link to \"{}\", which is no file of the tree", ShownPath(target)));
  }
  TreeNode copy;
  copy.mode = (*found)->mode;
  copy.uid = (*found)->uid;
  copy.gid = (*found)->gid;
  copy.mtime_ns = (*found)->mtime_ns;
  copy.xattrs = (*found)->xattrs;
  copy.layer = layer_;
  if (const auto* file = std::get_if<TreeNode::File>(&(*found)->content)) {
    copy.content = *file;
  } else {
    copy.content = *(*found)->link();
  }
  const auto names = SplitArchivePath(path);
  const auto same = SplitArchivePath(target);
  if (names && same && *names == *same) return {};  // a file is a link to itself
  const auto node = Place(path);
  if (!node) return std::unexpected(node.error());
  **node = std::move(copy);
  return {};
}

// Symbolic links are not followed. Null where nothing is there.
Result<TreeNode*, Error> RootTree::Find(std::string_view path) {
  const auto names = SplitArchivePath(path);
  if (!names) return std::unexpected(names.error());
  TreeNode* at = &root_;
  for (const std::string& name : *names) {
    if (at->children() == nullptr) return nullptr;
    const auto found = at->children()->find(name);
    if (found == at->children()->end()) return nullptr;
    at = found->second.get();
  }
  return at;
}

// Takes away what lies beneath a directory and is of lower layers.
void RootTree::Purge(TreeNode& directory) {
  for (auto it = directory.children()->begin(); it != directory.children()->end();) {
    TreeNode& child = *it->second;
    if (child.layer < layer_) {
      nodes_ -= CountNodes(child);
      it = directory.children()->erase(it);
      continue;
    }
    if (child.children() != nullptr) Purge(child);
    ++it;
  }
}

Result<void, Error> RootTree::RemoveLower(std::string_view path) {
  const auto names = SplitArchivePath(path);
  if (!names) return std::unexpected(names.error());
  const auto found = Find(path);
  if (!found) return std::unexpected(found.error());
  if (*found == nullptr || names->empty()) return {};
  if ((*found)->layer < layer_) {
    const auto parent = Parent(*names, path);
    if (!parent) return std::unexpected(parent.error());
    nodes_ -= CountNodes(**found);
    (*parent)->children()->erase(names->back());
  } else if ((*found)->children() != nullptr) {
    Purge(**found);
  }
  return {};
}

Result<void, Error> RootTree::RemoveLowerChildren(std::string_view path) {
  const auto found = Find(path);
  if (!found) return std::unexpected(found.error());
  if (*found != nullptr && (*found)->children() != nullptr) Purge(**found);
  return {};
}

const TreeNode::Body* RootTree::FindFile(std::string_view path) const {
  std::deque<std::string> rest;
  const auto split = [](std::string_view text) {
    std::vector<std::string> names;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('/'), text.size());
      if (end != 0) names.emplace_back(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return names;
  };
  for (std::string& name : split(path)) rest.push_back(std::move(name));
  std::vector<const TreeNode*> way{&root_};
  for (int links = 0; !rest.empty();) {
    const std::string name = std::move(rest.front());
    rest.pop_front();
    if (name == ".") continue;
    if (name == "..") {
      if (way.size() > 1) way.pop_back();
      continue;
    }
    const TreeNode::Children* children = way.back()->children();
    if (children == nullptr) return nullptr;
    const auto found = children->find(name);
    if (found == children->end()) return nullptr;
    const TreeNode::Link* link = found->second->link();
    if (link == nullptr) {
      way.push_back(found->second.get());
      continue;
    }
    if (++links > kMaxLinks) return nullptr;
    if (link->target.starts_with('/')) way.resize(1);
    const auto target = split(link->target);
    rest.insert(rest.begin(), target.begin(), target.end());
  }
  const auto* file = std::get_if<TreeNode::File>(&way.back()->content);
  return file != nullptr ? file->get() : nullptr;
}

}  // namespace glovebox::client
