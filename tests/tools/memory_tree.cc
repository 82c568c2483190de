#include "tests/tools/memory_tree.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <utility>

#include "engine/linux/default_root.h"

namespace glovebox::tests {

using engine::NodeKind;
using engine::TreeEntry;

MemoryTree::MemoryTree() { root_.entry.kind = NodeKind::kDirectory; }

// The node at a path. Directories on the way are made; symbolic links on the way are followed, so
// that a file for /bin arrives in /usr/bin where the one leads to the other.
MemoryTree::Node& MemoryTree::Make(std::string_view path) {
  constexpr int kMaxLinks = 40;
  std::string rest(path);
  std::vector<Node*> walked{&root_};
  for (int links = 0; !rest.empty();) {
    if (rest.front() == '/') {
      rest.erase(0, 1);
      continue;
    }
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string name = rest.substr(0, end);
    rest.erase(0, end);
    if (name == ".") continue;
    if (name == "..") {
      if (walked.size() > 1) walked.pop_back();
      continue;
    }
    Expand(*walked.back());
    const auto [child, is_new] = walked.back()->children.try_emplace(name);
    Node& node = child->second;
    if (is_new) {
      node.entry.name = name;
      node.entry.kind = NodeKind::kDirectory;
      node.entry.mode = 0755;
    }
    if (node.entry.kind == NodeKind::kSymlink && !rest.empty() && ++links <= kMaxLinks) {
      if (node.entry.target.starts_with('/')) walked.resize(1);
      rest = node.entry.target + rest;
      continue;
    }
    walked.push_back(&node);
  }
  return *walked.back();
}

void MemoryTree::Expand(Node& directory) {
  if (!directory.host_path) return;
  const std::string path = *std::exchange(directory.host_path, std::nullopt);
  auto listed = host_.List(path);
  if (!listed) return;  // the engine meets the same failure, or nobody looks there
  for (TreeEntry& entry : *listed) {
    Node node;
    if (entry.kind == NodeKind::kDirectory) node.host_path = path + "/" + entry.name;
    node.entry = std::move(entry);
    directory.children.emplace(node.entry.name, std::move(node));
  }
}

void MemoryTree::BaseOnHostDirectory(const std::string& host_path) {
  root_.host_path = host_path;
  Expand(root_);
}

void MemoryTree::AddDirectory(std::string_view path, std::uint32_t mode) {
  Make(path).entry.mode = mode;
}

void MemoryTree::AddFile(std::string_view path, std::string content, std::uint32_t mode) {
  TreeEntry& entry = Make(path).entry;
  entry.kind = NodeKind::kFile;
  entry.mode = mode;
  entry.digest = DigestOf(std::as_bytes(std::span(content)));
  contents_[entry.digest] = std::move(content);
}

Result<void, Error> MemoryTree::AddHostFile(std::string_view path, const std::string& host_path) {
  struct stat status{};
  std::ifstream file(host_path, std::ios::binary);
  if (!file || ::stat(host_path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kNotFound, "FILE_UNREADABLE", host_path + " is not a readable file");
  }
  Hasher hasher;
  std::vector<char> piece(1 << 20);
  while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())), file.gcount() > 0) {
    hasher.Update(std::as_bytes(std::span(piece).first(static_cast<std::size_t>(file.gcount()))));
  }
  TreeEntry& entry = Make(path).entry;
  entry.kind = NodeKind::kFile;
  entry.mode = status.st_mode & 0777;
  entry.digest = hasher.Finish();
  host_paths_[entry.digest] = host_path;
  return {};
}

void MemoryTree::AddHardLink(std::string_view path, std::string_view existing) {
  TreeEntry& first = Make(existing).entry;
  if (first.hard_link.id == 0) first.hard_link.id = ++last_link_;
  ++first.hard_link.count;
  TreeEntry& entry = Make(path).entry;
  const std::string name = std::move(entry.name);
  entry = first;
  entry.name = name;
}

void MemoryTree::AddSymlink(std::string_view path, std::string target) {
  TreeEntry& entry = Make(path).entry;
  entry.kind = NodeKind::kSymlink;
  entry.mode = 0777;
  entry.target = std::move(target);
}

void MemoryTree::AddDefaultDirectories() {
  for (const auto& directory : engine::kDefaultRoot) AddDirectory(directory.path, directory.mode);
}

// Only equality matters here: the real encoding of a listing is the protocol's.
Digest MemoryTree::Hash(Node& node) {
  std::vector<TreeEntry> entries;
  Hasher hasher;
  for (auto& [name, child] : node.children) {
    // A directory of the host that nothing was put into has its digest from there.
    if (child.entry.kind == NodeKind::kDirectory && !child.host_path)
      child.entry.digest = Hash(child);
    const std::string line = name + '\0' + std::to_string(static_cast<int>(child.entry.kind)) +
                             '\0' + std::to_string(child.entry.mode) + '\0' +
                             HexOf(child.entry.digest) + '\0' + child.entry.target + '\n';
    hasher.Update(std::as_bytes(std::span(line)));
    entries.push_back(child.entry);
  }
  const Digest digest = hasher.Finish();
  directories_[digest] = std::move(entries);
  return digest;
}

Digest MemoryTree::Root() { return Hash(root_); }

Result<std::vector<TreeEntry>, Error> MemoryTree::ReadDirectory(const Digest& digest) {
  const auto found = directories_.find(digest);
  if (found == directories_.end() && host_.Knows(digest)) return host_.ReadDirectory(digest);
  if (found == directories_.end()) {
    return Fail(ErrorCode::kNotFound, "BLOB_MISSING",
                "directory " + HexOf(digest) + " is not there");
  }
  return found->second;
}

Result<HostFd, Error> MemoryTree::OpenFile(const Digest& digest) {
  if (host_.Knows(digest)) return host_.OpenFile(digest);
  if (const auto path = host_paths_.find(digest); path != host_paths_.end()) {
    HostFd fd(::open(path->second.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd) return fd;
    return Fail(ErrorCode::kNotFound, "BLOB_MISSING", path->second + ": " + std::strerror(errno));
  }
  const auto found = contents_.find(digest);
  if (found == contents_.end()) {
    return Fail(ErrorCode::kNotFound, "BLOB_MISSING", "blob " + HexOf(digest) + " is not there");
  }
  HostFd fd(::memfd_create("blob", MFD_CLOEXEC));
  const auto size = static_cast<ssize_t>(found->second.size());
  if (!fd || ::write(fd.get(), found->second.data(), found->second.size()) != size) {
    return Fail(ErrorCode::kInternal, "BLOB_UNREADABLE", std::strerror(errno));
  }
  return fd;
}

}  // namespace glovebox::tests
