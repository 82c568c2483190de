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
constexpr std::size_t kMaxXattrBytes = 64 << 10;
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

// A name as a message can hold it: any byte may stand in one.
std::string Shown(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const bool plain = c >= ' ' && c <= '~' && c != '\\';
    text += plain ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return text;
}

Result<void, Error> CheckAttributes(const v1::Node& node) {
  const std::string name = Shown(node.name());
  if ((node.mode() & ~kModeBits) != 0)
    return Bad(fmt::format("entry \"{}\" has mode {:o}", name, node.mode()));
  if (node.has_hard_link() &&
      (!node.has_file() || node.hard_link().id() == 0 || node.hard_link().count() < 2)) {
    return Bad(fmt::format("entry \"{}\" is no file with several names", name));
  }
  std::size_t bytes = 0;
  const std::string* previous = nullptr;
  for (const v1::Xattr& xattr : node.xattrs()) {
    bytes += xattr.name().size() + xattr.value().size();
    const bool sorted = previous == nullptr || *previous < xattr.name();
    if (xattr.name().empty() || xattr.name().size() > kMaxName || !sorted ||
        xattr.name().find('\0') != std::string::npos || bytes > kMaxXattrBytes) {
      return Bad(fmt::format("entry \"{}\" has improper extended attributes", name));
    }
    previous = &xattr.name();
  }
  return {};
}

Result<void, Error> AddNode(const v1::Node& node, DirectoryListing& listing) {
  if (!IsName(node.name())) return Bad("an entry has no proper name");
  if (auto checked = CheckAttributes(node); !checked) return checked;
  const std::string name = Shown(node.name());
  switch (node.kind_case()) {
    case v1::Node::kFile:
    case v1::Node::kDirectory: {
      const bool file = node.kind_case() == v1::Node::kFile;
      const auto digest = ParseDigest(file ? node.file() : node.directory(), "digest");
      if (!digest) return Bad(fmt::format("entry \"{}\" has no proper digest", name));
      (file ? listing.files : listing.directories).push_back(*digest);
      return {};
    }
    case v1::Node::kSymlink:
      if (IsTarget(node.symlink())) return {};
      return Bad(fmt::format("symbolic link \"{}\" has no proper target", name));
    case v1::Node::KIND_NOT_SET:
      break;
  }
  return Bad(fmt::format("entry \"{}\" is neither file nor directory nor symbolic link", name));
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
      return Bad(fmt::format("entries are not sorted at \"{}\"", Shown(node.name())));
    }
    previous = &node.name();
    if (auto added = AddNode(node, listing); !added) return std::unexpected(added.error());
  }
  return listing;
}

}  // namespace glovebox::server
