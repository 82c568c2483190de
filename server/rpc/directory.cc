// glovebox.v1.Directory: the canonical form of a listing, as tree.proto states it.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <fmt/format.h>

#include "server/rpc/convert.h"

namespace glovebox::server {
namespace {

constexpr int kMaxEntries = 65'536;
constexpr std::size_t kMaxName = 255;
constexpr std::size_t kMaxTarget = 4'095;
constexpr std::uint32_t kModeBits = 07777;

std::unexpected<Error> Bad(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, "DIRECTORY_FORM", std::move(message));
}

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

bool IsTarget(std::string_view target) {
  return !target.empty() && target.size() <= kMaxTarget &&
         target.find('\0') == std::string_view::npos;
}

std::string Canonical(const v1::Directory& directory) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  directory.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

Result<void, Error> AddNode(const v1::Node& node, DirectoryListing& listing) {
  if (!IsName(node.name())) return Bad("an entry has no proper name");
  if ((node.mode() & ~kModeBits) != 0) {
    return Bad(fmt::format("entry \"{}\" has mode {:o}", node.name(), node.mode()));
  }
  switch (node.kind_case()) {
    case v1::Node::kFile:
    case v1::Node::kDirectory: {
      const bool file = node.kind_case() == v1::Node::kFile;
      const auto digest = ParseDigest(file ? node.file() : node.directory(), node.name());
      if (!digest) return Bad(fmt::format("entry \"{}\" has no proper digest", node.name()));
      (file ? listing.files : listing.directories).push_back(*digest);
      return {};
    }
    case v1::Node::kSymlink:
      if (IsTarget(node.symlink())) return {};
      return Bad(fmt::format("symbolic link \"{}\" has no proper target", node.name()));
    case v1::Node::KIND_NOT_SET:
      break;
  }
  return Bad(
      fmt::format("entry \"{}\" is neither file nor directory nor symbolic link", node.name()));
}

}  // namespace

Result<DirectoryListing, Error> ParseDirectory(std::string_view bytes) {
  v1::Directory directory;
  if (!directory.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Bad("the blob is not a directory listing");
  }
  directory.DiscardUnknownFields();
  if (Canonical(directory) != bytes) return Bad("the listing is not in canonical form");
  if (directory.entries_size() > kMaxEntries) {
    return Bad(fmt::format("{} entries exceed {}", directory.entries_size(), kMaxEntries));
  }
  DirectoryListing listing;
  const std::string* previous = nullptr;
  for (const v1::Node& node : directory.entries()) {
    if (previous && *previous >= node.name()) {
      return Bad(fmt::format("entries are not sorted at \"{}\"", node.name()));
    }
    previous = &node.name();
    if (auto added = AddNode(node, listing); !added) return std::unexpected(added.error());
  }
  return listing;
}

}  // namespace glovebox::server
