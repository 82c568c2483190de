#include "client/tree/tree_builder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <set>
#include <utility>

#include "client/tree/guest_path.h"
#include "engine/linux/default_root.h"

namespace glovebox::client {
namespace {

constexpr std::size_t kPiece = 1 << 20;
constexpr std::size_t kMaxTarget = 4095;  // of a symbolic link (tree.proto)
constexpr int kMaxLinks = 40;             // on the way to a file, as Linux follows them
constexpr std::size_t kMaxDepth = 256;    // directories within directories that --dir walks down

std::unexpected<Error> Conflict(const std::vector<std::string>& names, std::string_view what) {
  return Fail(ErrorCode::kInvalidArgument, "PATH_CONFLICT",
              fmt::format("{} in the box {}", JoinGuestPath(names), what));
}

std::unexpected<Error> HostFailure(const std::string& path, int number) {
  return Fail(ErrorCode::kFailedPrecondition, "FILE_UNREADABLE",
              fmt::format("{}: {}", path, ErrnoText(number)));
}

struct DirectoryCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// Names in a host directory, without "." and "..", sorted: the first error is the same each time.
Result<std::vector<std::string>, Error> ListHostDirectory(const std::string& path) {
  const std::unique_ptr<DIR, DirectoryCloser> directory(::opendir(path.c_str()));
  if (!directory) return HostFailure(path, errno);
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr && errno != 0) return HostFailure(path, errno);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

// The names of a link's target, ".." among them.
std::vector<std::string> SplitTarget(std::string_view target) {
  std::vector<std::string> names;
  while (!target.empty()) {
    const std::size_t end = std::min(target.find('/'), target.size());
    const std::string_view name = target.substr(0, end);
    if (!name.empty() && name != ".") names.emplace_back(name);
    target.remove_prefix(std::min(end + 1, target.size()));
  }
  return names;
}

}  // namespace

Result<BlobSource, Error> HashHostFile(const std::string& path) {
  const auto file = OpenHostFile(path);
  if (!file) return std::unexpected(file.error());
  Hasher hasher;
  const auto hashed =
      ReadPieces(file->fd, path, file->identity, 0, kPiece, [&](std::span<const std::byte> bytes) {
        hasher.Update(bytes);
        return true;
      });
  if (!hashed) return std::unexpected(hashed.error());
  return BlobSource{hasher.Finish(), BlobSource::File{path, file->identity}};
}

TreeBuilder::TreeBuilder(Options options) : options_(options), root_(std::make_unique<TreeNode>()) {
  for (const engine::DefaultDirectory& directory : engine::kDefaultRoot) {
    auto node = std::make_unique<TreeNode>();
    node->mode = directory.mode;
    root_->children()->emplace(directory.path.substr(1), std::move(node));
  }
}

TreeBuilder::TreeBuilder(Options options, const Digest& root, BlobReader reader)
    : options_(options), root_(std::make_unique<TreeNode>()), reader_(std::move(reader)) {
  root_->content = TreeNode::Stored{root};
}

TreeBuilder::~TreeBuilder() = default;
TreeBuilder::TreeBuilder(TreeBuilder&&) noexcept = default;
TreeBuilder& TreeBuilder::operator=(TreeBuilder&&) noexcept = default;

Result<TreeNode*, Error> TreeBuilder::Walk(const std::vector<std::string>& names, std::size_t count,
                                           Missing missing) {
  std::deque<std::string> rest(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(count));
  std::vector<TreeNode*> way{root_.get()};
  for (int links = 0; !rest.empty();) {
    const std::string name = std::move(rest.front());
    rest.pop_front();
    if (name == "..") {
      if (way.size() > 1) way.pop_back();
      continue;
    }
    if (auto loaded = Load(*way.back(), reader_); !loaded) return std::unexpected(loaded.error());
    TreeNode::Children* const children = way.back()->children();
    if (children == nullptr) {
      if (missing == Missing::kStop) return nullptr;
      const std::size_t at = std::min(way.size() - 1, count);
      return Conflict({names.begin(), names.begin() + static_cast<std::ptrdiff_t>(at)},
                      "is not a directory, and something is to be put beneath it");
    }
    const auto found = children->find(name);
    if (found == children->end() && missing == Missing::kStop) return nullptr;
    if (found == children->end()) {
      way.push_back(children->emplace(name, std::make_unique<TreeNode>()).first->second.get());
      continue;
    }
    const TreeNode::Link* const link = found->second->link();
    if (link == nullptr || (rest.empty() && missing == Missing::kStop)) {
      way.push_back(found->second.get());
      continue;
    }
    if (++links > kMaxLinks) return Conflict(names, "lies behind too many symbolic links");
    if (link->target.starts_with('/')) way.resize(1);
    const std::vector<std::string> target = SplitTarget(link->target);
    rest.insert(rest.begin(), target.begin(), target.end());
  }
  return way.back();
}

// The directory at the first `count` names; what lacks is made.
Result<TreeNode*, Error> TreeBuilder::DirectoryAt(const std::vector<std::string>& names,
                                                  std::size_t count) {
  const auto node = Walk(names, count, Missing::kMake);
  if (!node) return node;
  if (auto loaded = Load(**node, reader_); !loaded) return std::unexpected(loaded.error());
  if ((*node)->children() == nullptr) {
    return Conflict({names.begin(), names.begin() + static_cast<std::ptrdiff_t>(count)},
                    "is not a directory, and something is to be put beneath it");
  }
  return node;
}

Result<void, Error> TreeBuilder::MakeDirectory(std::string_view guest_path) {
  const auto names = SplitGuestPath(guest_path);
  if (!names) return std::unexpected(names.error());
  const auto directory = DirectoryAt(*names, names->size());
  if (!directory) return std::unexpected(directory.error());
  return {};
}

Result<bool, Error> TreeBuilder::Contains(std::string_view guest_path) {
  const auto names = SplitGuestPath(guest_path);
  if (!names) return false;  // no path that a box can have
  const auto node = Walk(*names, names->size(), Missing::kStop);
  if (!node) return std::unexpected(node.error());
  return *node != nullptr;
}

Result<void, Error> TreeBuilder::AddFile(const std::string& host_path,
                                         std::string_view guest_path) {
  const auto names = SplitGuestPath(guest_path);
  if (!names) return std::unexpected(names.error());
  if (names->empty()) return Conflict(*names, "is a directory");
  auto source = HashHostFile(host_path);
  if (!source) return std::unexpected(source.error());
  const FileIdentity& identity = std::get<BlobSource::File>(source->content).identity;

  const auto parent = DirectoryAt(*names, names->size() - 1);
  if (!parent) return std::unexpected(parent.error());
  std::unique_ptr<TreeNode>& place = (*(*parent)->children())[names->back()];
  if (place && place->is_directory()) return Conflict(*names, "is a directory");
  place = std::make_unique<TreeNode>();
  place->mode = identity.mode & 0777;
  place->mtime_ns = options_.keep_mtime ? identity.mtime_ns : 0;
  const Digest digest = source->digest;
  place->content = std::make_shared<TreeNode::Body>(TreeNode::Body{digest, *std::move(source)});
  return {};
}

Result<void, Error> TreeBuilder::AddDirectory(const std::string& host_path,
                                              std::string_view guest_path) {
  auto names = SplitGuestPath(guest_path);
  if (!names) return std::unexpected(names.error());
  return AddTree(host_path, *names);
}

Result<void, Error> TreeBuilder::AddTree(const std::string& host_path,
                                         std::vector<std::string>& names) {
  struct stat status;
  if (::stat(host_path.c_str(), &status) != 0) return HostFailure(host_path, errno);
  if (!S_ISDIR(status.st_mode)) {
    return Fail(ErrorCode::kInvalidArgument, "NOT_A_DIRECTORY",
                fmt::format("{} is not a directory", host_path));
  }
  if (names.size() > kMaxDepth) {
    return Fail(ErrorCode::kInvalidArgument, "TREE_TOO_DEEP",
                fmt::format("{} lies more than {} directories deep", host_path, kMaxDepth));
  }
  const auto directory = DirectoryAt(names, names.size());
  if (!directory) return std::unexpected(directory.error());
  if (!names.empty()) {
    (*directory)->mode = status.st_mode & 0777;
    if (options_.keep_mtime) {
      (*directory)->mtime_ns =
          static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
    }
  }
  const auto entries = ListHostDirectory(host_path);
  if (!entries) return std::unexpected(entries.error());
  for (const std::string& name : *entries) {
    const std::string path = host_path + "/" + name;
    if (::lstat(path.c_str(), &status) != 0) return HostFailure(path, errno);
    names.push_back(name);
    const auto added = AddEntry(path, names, status.st_mode);
    names.pop_back();
    if (!added) return added;
  }
  return {};
}

Result<void, Error> TreeBuilder::AddEntry(const std::string& host_path,
                                          std::vector<std::string>& names, unsigned mode) {
  if (S_ISDIR(mode)) return AddTree(host_path, names);
  if (S_ISLNK(mode)) return AddLink(host_path, names);
  return AddFile(host_path, JoinGuestPath(names));
}

Result<void, Error> TreeBuilder::AddLink(const std::string& host_path,
                                         std::vector<std::string>& names) {
  std::string target(kMaxTarget + 1, '\0');
  const ssize_t length = ::readlink(host_path.c_str(), target.data(), target.size());
  if (length < 0) return HostFailure(host_path, errno);
  target.resize(static_cast<std::size_t>(length));
  if (target.size() > kMaxTarget) {
    return Fail(ErrorCode::kInvalidArgument, "BAD_PATH",
                fmt::format("{}: the link's target is too long", host_path));
  }
  const auto parent = DirectoryAt(names, names.size() - 1);
  if (!parent) return std::unexpected(parent.error());
  std::unique_ptr<TreeNode>& place = (*(*parent)->children())[names.back()];
  if (place && place->is_directory()) return Conflict(names, "is a directory");
  place = std::make_unique<TreeNode>();
  place->mode = 0777;
  place->content = TreeNode::Link{std::move(target)};
  return {};
}

Result<Tree, Error> TreeBuilder::Build() const {
  Tree tree;
  std::set<Digest> seen;
  const auto root = BuildListings(*root_, [&](BlobSource source) -> Result<void, Error> {
    if (seen.insert(source.digest).second) tree.blobs.push_back(std::move(source));
    return {};
  });
  if (!root) return std::unexpected(root.error());
  tree.root = *root;
  return tree;
}

}  // namespace glovebox::client
