#include "client/tree/tree_builder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "client/tree/guest_path.h"
#include "engine/linux/default_root.h"

namespace glovebox::client {
namespace {

constexpr std::size_t kPiece = 1 << 20;
constexpr int kMaxEntries = 65'536;       // of one Directory (tree.proto)
constexpr std::size_t kMaxTarget = 4095;  // of a symbolic link (tree.proto)
constexpr std::size_t kMaxDepth = 256;    // directories within directories that --dir walks down

std::unexpected<Error> Conflict(const std::vector<std::string>& names, std::string_view what) {
  return Fail(ErrorCode::kInvalidArgument, "PATH_CONFLICT",
              fmt::format("{} in the box {}", JoinGuestPath(names), what));
}

std::unexpected<Error> HostFailure(const std::string& path, int number) {
  return Fail(ErrorCode::kFailedPrecondition, "FILE_UNREADABLE",
              fmt::format("{}: {}", path, ErrnoText(number)));
}

std::string SerializeCanonically(const v1::Directory& directory) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    directory.SerializeToCodedStream(&coded);
  }
  return bytes;
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

}  // namespace

struct TreeBuilder::Node {
  using Children = std::map<std::string, std::unique_ptr<Node>>;  // sorted bytewise
  struct Link {
    std::string target;
  };

  unsigned mode = 0755;
  std::int64_t mtime_ns = 0;
  std::variant<Children, BlobSource, Link> content;

  Children* children() { return std::get_if<Children>(&content); }
  const Children* children() const { return std::get_if<Children>(&content); }
};

v1::Digest ToProto(const Digest& digest) {
  v1::Digest message;
  message.set_sha256(HexOf(digest));
  message.set_size_bytes(digest.size_bytes);
  return message;
}

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

TreeBuilder::TreeBuilder(Options options) : options_(options), root_(std::make_unique<Node>()) {
  for (const engine::DefaultDirectory& directory : engine::kDefaultRoot) {
    auto node = std::make_unique<Node>();
    node->mode = directory.mode;
    root_->children()->emplace(directory.path.substr(1), std::move(node));
  }
}

TreeBuilder::~TreeBuilder() = default;
TreeBuilder::TreeBuilder(TreeBuilder&&) noexcept = default;
TreeBuilder& TreeBuilder::operator=(TreeBuilder&&) noexcept = default;

// The directory at the first `count` names; what lacks is made.
Result<TreeBuilder::Node*, Error> TreeBuilder::DirectoryAt(const std::vector<std::string>& names,
                                                           std::size_t count) {
  Node* node = root_.get();
  for (std::size_t i = 0; i < count; ++i) {
    std::unique_ptr<Node>& child = (*node->children())[names[i]];
    if (!child) child = std::make_unique<Node>();
    node = child.get();
    if (node->children() == nullptr) {
      return Conflict({names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i) + 1},
                      "is not a directory, and something is to be put beneath it");
    }
  }
  return node;
}

Result<void, Error> TreeBuilder::MakeDirectory(std::string_view guest_path) {
  const auto names = SplitGuestPath(guest_path);
  if (!names) return std::unexpected(names.error());
  const auto made = DirectoryAt(*names, names->size());
  if (!made) return std::unexpected(made.error());
  return {};
}

bool TreeBuilder::Contains(std::string_view guest_path) const {
  const auto names = SplitGuestPath(guest_path);
  if (!names) return false;
  const Node* node = root_.get();
  for (const std::string& name : *names) {
    const Node::Children* children = node->children();
    if (children == nullptr) return false;
    const auto child = children->find(name);
    if (child == children->end()) return false;
    node = child->second.get();
  }
  return true;
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
  std::unique_ptr<Node>& place = (*(*parent)->children())[names->back()];
  if (place && place->children() != nullptr) return Conflict(*names, "is a directory");
  place = std::make_unique<Node>();
  place->mode = identity.mode & 0777;
  place->mtime_ns = options_.keep_mtime ? identity.mtime_ns : 0;
  place->content = *std::move(source);
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
  if (target.size() > kMaxTarget || !IsUtf8(target) || !IsUtf8(names.back())) {
    return Fail(ErrorCode::kInvalidArgument, "BAD_PATH",
                fmt::format("{}: the link's name or target is too long or not UTF-8", host_path));
  }
  const auto parent = DirectoryAt(names, names.size() - 1);
  if (!parent) return std::unexpected(parent.error());
  std::unique_ptr<Node>& place = (*(*parent)->children())[names.back()];
  if (place && place->children() != nullptr) return Conflict(names, "is a directory");
  place = std::make_unique<Node>();
  place->mode = 0777;
  place->content = Node::Link{std::move(target)};
  return {};
}

Result<Tree, Error> TreeBuilder::Build() const {
  std::map<Digest, BlobSource> seen;
  std::vector<Digest> order;
  const auto root = BuildDirectory(*root_, "", seen, order);
  if (!root) return std::unexpected(root.error());
  Tree tree{*root, {}};
  tree.blobs.reserve(order.size());
  for (const Digest& digest : order) tree.blobs.push_back(std::move(seen.at(digest)));
  return tree;
}

Result<Digest, Error> TreeBuilder::BuildDirectory(const Node& directory, const std::string& path,
                                                  std::map<Digest, BlobSource>& seen,
                                                  std::vector<Digest>& order) const {
  const auto note = [&](BlobSource source) {
    const Digest digest = source.digest;
    if (seen.emplace(digest, std::move(source)).second) order.push_back(digest);
  };
  v1::Directory listing;
  for (const auto& [name, child] : *directory.children()) {
    v1::Node& entry = *listing.add_entries();
    entry.set_name(name);
    entry.set_mode(child->mode);
    entry.set_mtime_ns(child->mtime_ns);
    if (const auto* file = std::get_if<BlobSource>(&child->content)) {
      *entry.mutable_file() = ToProto(file->digest);
      note(*file);
    } else if (const auto* link = std::get_if<Node::Link>(&child->content)) {
      entry.set_symlink(link->target);
    } else {
      const auto digest = BuildDirectory(*child, path + "/" + name, seen, order);
      if (!digest) return digest;
      *entry.mutable_directory() = ToProto(*digest);
    }
  }
  if (listing.entries_size() > kMaxEntries) {
    return Fail(ErrorCode::kInvalidArgument, "DIRECTORY_TOO_LARGE",
                fmt::format("{}/ in the box has {} entries; at most {} are possible", path,
                            listing.entries_size(), kMaxEntries));
  }
  std::string bytes = SerializeCanonically(listing);
  const Digest digest = DigestOf(std::as_bytes(std::span(bytes)));
  note({digest, std::move(bytes)});
  return digest;
}

}  // namespace glovebox::client
