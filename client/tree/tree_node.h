// The nodes of a root that the client puts together, and their form on the wire.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "client/tree/host_file.h"
#include "engine/base/digest.h"
#include "engine/base/result.h"
#include "glovebox/v1/tree.pb.h"

namespace glovebox::client {

// Something that the server has to have: bytes in memory (a listing), or a file of this machine.
struct BlobSource {
  struct File {
    std::string path;
    FileIdentity identity;
    std::shared_ptr<const HostFd> unnamed = nullptr;  // of a file that has no name: keeps it
  };

  Digest digest;
  std::variant<std::string, File> content;
};

v1::Digest ToProto(const Digest& digest);

struct TreeNode {
  using Children = std::map<std::string, std::unique_ptr<TreeNode>>;  // sorted bytewise
  // A file's bytes. Names that share one are hard links.
  struct Body {
    Digest digest;
    std::optional<BlobSource> source;  // empty: the server has it, or is sent it otherwise
    std::uint64_t link_id = 0;         // of a stored tree: tree.proto, HardLink
    std::uint32_t link_count = 0;
  };
  using File = std::shared_ptr<Body>;
  struct Link {
    std::string target;
  };
  // A directory of a stored tree that was not looked into.
  struct Stored {
    Digest listing;
  };

  unsigned mode = 0755;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime_ns = 0;
  std::map<std::string, std::string> xattrs;
  unsigned layer = 0;  // of an image: which one named it last
  std::variant<Children, File, Link, Stored> content;

  Children* children() { return std::get_if<Children>(&content); }
  const Children* children() const { return std::get_if<Children>(&content); }
  const Link* link() const { return std::get_if<Link>(&content); }
  bool is_directory() const {
    return children() != nullptr || std::holds_alternative<Stored>(content);
  }
};

// The bytes of a blob that the server has.
using BlobReader = std::function<Result<std::string, Error>(const Digest& digest)>;

// Looks into a directory of a stored tree; nothing for other nodes. Errors: those of the reader,
// kDataLoss DIRECTORY_FORM.
Result<void, Error> Load(TreeNode& node, const BlobReader& read);

// Makes listings of a directory and of all beneath it, and hands out each blob that the server may
// lack, those that a listing names before it. Returns the directory's digest.
// Errors: those of `on_blob`; DIRECTORY_TOO_LARGE.
Result<Digest, Error> BuildListings(const TreeNode& directory,
                                    const std::function<Result<void, Error>(BlobSource)>& on_blob);

}  // namespace glovebox::client
