#include "server/core/tree_closure.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace glovebox::server {
namespace {

constexpr const char* kRootField = "spec.root";

std::unexpected<Error> Invalid(std::string reason, std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(reason), std::move(message), kRootField);
}

class ClosureWalk {
 public:
  ClosureWalk(BlobStore& blobs, const DirectoryParser& parser) : blobs_(blobs), parser_(parser) {}

  // Takes in a directory that lies `depth` below the root. A listing's digest covers what it names,
  // so there are no cycles; one directory in many places is read once. Returns: levels of
  // directories from here down.
  Result<std::size_t, Error> Visit(const Digest& directory, std::size_t depth) {
    if (const auto known = heights_.find(directory); known != heights_.end()) {
      return depth + known->second > kMaxTreeDepth ? TooDeep() : known->second;
    }
    if (depth >= kMaxTreeDepth) return TooDeep();
    auto listing = Read(directory);
    if (!listing) return std::unexpected(listing.error());
    std::size_t height = 0;
    for (const Digest& child : listing->directories) {
      const auto below = Visit(child, depth + 1);
      if (!below) return below;
      height = std::max(height, *below);
    }
    found_.insert(listing->files.begin(), listing->files.end());
    found_.insert(directory);
    if (found_.size() > kMaxTreeBlobs) {
      return Invalid("TREE_TOO_LARGE",
                     fmt::format("the root has more than {} blobs", kMaxTreeBlobs));
    }
    heights_.emplace(directory, ++height);
    return height;
  }

  std::vector<Digest> Take() { return {found_.begin(), found_.end()}; }

 private:
  static Result<std::size_t, Error> TooDeep() {
    return Invalid("TREE_TOO_DEEP",
                   fmt::format("the root is more than {} directories deep", kMaxTreeDepth));
  }

  Result<DirectoryListing, Error> Read(const Digest& directory) {
    auto bytes = blobs_.ReadAll(directory, kMaxDirectoryBytes);
    if (!bytes) {
      Error error = bytes.error();
      error.field = kRootField;
      if (error.code == ErrorCode::kNotFound) error.code = ErrorCode::kFailedPrecondition;
      if (error.code == ErrorCode::kResourceExhausted) error.code = ErrorCode::kInvalidArgument;
      return std::unexpected(std::move(error));
    }
    auto listing = parser_(*bytes);
    if (!listing) {
      Error error = listing.error();
      error.field = kRootField;
      error.message = fmt::format("directory {}: {}", HexOf(directory), error.message);
      return std::unexpected(std::move(error));
    }
    return listing;
  }

  BlobStore& blobs_;
  const DirectoryParser& parser_;
  std::set<Digest> found_;
  std::map<Digest, std::size_t> heights_;
};

}  // namespace

Result<std::vector<Digest>, Error> ComputeClosure(BlobStore& blobs, const DirectoryParser& parser,
                                                  const Digest& root) {
  ClosureWalk walk(blobs, parser);
  if (const auto height = walk.Visit(root, 0); !height) return std::unexpected(height.error());
  return walk.Take();
}

Result<void, Error> CheckStored(const BlobStore& blobs, const std::vector<Digest>& closure,
                                const char* field) {
  const std::vector<Digest> missing = blobs.FindMissing(closure);
  if (missing.empty()) return {};
  return Fail(
      ErrorCode::kFailedPrecondition, "BLOB_MISSING",
      fmt::format("{} of {} blobs are not stored, the first is {} of {} bytes", missing.size(),
                  closure.size(), HexOf(missing.front()), missing.front().size_bytes),
      field);
}

}  // namespace glovebox::server
