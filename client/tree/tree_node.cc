#include "client/tree/tree_node.h"

#include <fmt/core.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <span>
#include <utility>

namespace glovebox::client {
namespace {

constexpr int kMaxEntries = 65'536;  // of one Directory (tree.proto)

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

// Names of each body that has several, numbered in the order of the walk: the same tree gets the
// same numbers.
struct Names {
  std::uint32_t count = 0;
  std::uint64_t id = 0;
};
using NameCounts = std::map<const TreeNode::Body*, Names>;

void CountNames(const TreeNode& directory, NameCounts& counts) {
  for (const auto& [name, child] : *directory.children()) {
    if (child->children() != nullptr) {
      CountNames(*child, counts);
    } else if (const auto* file = std::get_if<TreeNode::File>(&child->content)) {
      // Only a body that somebody else holds too can have a second name.
      if (file->use_count() < 2) continue;
      Names& names = counts[file->get()];
      if (names.count++ == 0) names.id = counts.size();
    }
  }
}

class ListingBuilder {
 public:
  ListingBuilder(const NameCounts& counts,
                 const std::function<Result<void, Error>(BlobSource)>& on_blob)
      : counts_(counts), on_blob_(on_blob) {}

  Result<Digest, Error> Build(const TreeNode& directory, const std::string& path) {
    v1::Directory listing;
    if (directory.children()->size() > kMaxEntries) {
      return Fail(ErrorCode::kInvalidArgument, "DIRECTORY_TOO_LARGE",
                  fmt::format("{}/ in the box has {} entries; at most {} are possible", path,
                              directory.children()->size(), kMaxEntries));
    }
    for (const auto& [name, child] : *directory.children()) {
      v1::Node& entry = *listing.add_entries();
      entry.set_name(name);
      entry.set_mode(child->mode);
      entry.set_uid(child->uid);
      entry.set_gid(child->gid);
      entry.set_mtime_ns(child->mtime_ns);
      for (const auto& [xattr, value] : child->xattrs) {
        v1::Xattr& attribute = *entry.add_xattrs();
        attribute.set_name(xattr);
        attribute.set_value(value);
      }
      if (auto set = SetContent(*child, path + "/" + name, entry); !set)
        return std::unexpected(set.error());
    }
    std::string bytes = SerializeCanonically(listing);
    const Digest digest = DigestOf(std::as_bytes(std::span(bytes)));
    if (auto taken = on_blob_({digest, std::move(bytes)}); !taken)
      return std::unexpected(taken.error());
    return digest;
  }

 private:
  Result<void, Error> SetContent(const TreeNode& node, const std::string& path, v1::Node& entry) {
    if (const auto* file = std::get_if<TreeNode::File>(&node.content)) {
      const TreeNode::Body& body = **file;
      *entry.mutable_file() = ToProto(body.digest);
      SetLinks(body, entry);
      if (body.source) return on_blob_(*body.source);
    } else if (const TreeNode::Link* link = node.link()) {
      entry.set_symlink(link->target);
    } else if (const auto* stored = std::get_if<TreeNode::Stored>(&node.content)) {
      *entry.mutable_directory() = ToProto(stored->listing);
    } else {
      const auto digest = Build(node, path);
      if (!digest) return std::unexpected(digest.error());
      *entry.mutable_directory() = ToProto(*digest);
    }
    return {};
  }

  void SetLinks(const TreeNode::Body& body, v1::Node& entry) const {
    const auto counted = counts_.find(&body);
    if (body.link_id != 0) {
      entry.mutable_hard_link()->set_id(body.link_id);
      entry.mutable_hard_link()->set_count(body.link_count);
    } else if (counted != counts_.end() && counted->second.count > 1) {
      entry.mutable_hard_link()->set_id(counted->second.id);
      entry.mutable_hard_link()->set_count(counted->second.count);
    }
  }

  const NameCounts& counts_;
  const std::function<Result<void, Error>(BlobSource)>& on_blob_;
};

std::optional<Digest> FromProto(const v1::Digest& digest) {
  return DigestFromHex(digest.sha256(), digest.size_bytes());
}

std::unexpected<Error> BadListing(const Digest& digest) {
  return Fail(ErrorCode::kDataLoss, "DIRECTORY_FORM",
              fmt::format("the stored directory {} is damaged", HexOf(digest)));
}

}  // namespace

v1::Digest ToProto(const Digest& digest) {
  v1::Digest message;
  message.set_sha256(HexOf(digest));
  message.set_size_bytes(digest.size_bytes);
  return message;
}

Result<void, Error> Load(TreeNode& node, const BlobReader& read) {
  const auto* stored = std::get_if<TreeNode::Stored>(&node.content);
  if (stored == nullptr) return {};
  const Digest digest = stored->listing;
  const auto bytes = read(digest);
  if (!bytes) return std::unexpected(bytes.error());
  v1::Directory listing;
  if (!listing.ParseFromString(*bytes)) return BadListing(digest);
  TreeNode::Children children;
  for (const v1::Node& entry : listing.entries()) {
    auto child = std::make_unique<TreeNode>();
    child->mode = entry.mode();
    child->uid = entry.uid();
    child->gid = entry.gid();
    child->mtime_ns = entry.mtime_ns();
    for (const v1::Xattr& xattr : entry.xattrs()) child->xattrs[xattr.name()] = xattr.value();
    if (entry.has_symlink()) {
      child->content = TreeNode::Link{entry.symlink()};
    } else {
      const auto content = FromProto(entry.has_file() ? entry.file() : entry.directory());
      if (!content) return BadListing(digest);
      if (entry.has_file()) {
        child->content = std::make_shared<TreeNode::Body>(TreeNode::Body{
            *content, std::nullopt, entry.hard_link().id(), entry.hard_link().count()});
      } else {
        child->content = TreeNode::Stored{*content};
      }
    }
    children.emplace(entry.name(), std::move(child));
  }
  node.content = std::move(children);
  return {};
}

Result<Digest, Error> BuildListings(const TreeNode& directory,
                                    const std::function<Result<void, Error>(BlobSource)>& on_blob) {
  if (const auto* stored = std::get_if<TreeNode::Stored>(&directory.content))
    return stored->listing;
  NameCounts counts;
  CountNames(directory, counts);
  return ListingBuilder(counts, on_blob).Build(directory, "");
}

}  // namespace glovebox::client
