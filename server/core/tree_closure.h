// Which blobs belong to a root: its directories and their files, all the way down. Computed once
// per root digest and stored; a worker is given these blobs and no others.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <vector>

#include "engine/base/digest.h"
#include "engine/base/result.h"
#include "server/store/blob_store.h"

namespace glovebox::server {

// What a directory's listing names. The form of a listing is the wire's (glovebox.v1.Directory), so
// server/rpc parses it.
struct DirectoryListing {
  std::vector<Digest> files;
  std::vector<Digest> directories;
};
// Errors: INVALID_ARGUMENT DIRECTORY_FORM for bytes that are not a listing in canonical form.
using DirectoryParser = std::function<Result<DirectoryListing, Error>(std::string_view bytes)>;

inline constexpr std::size_t kMaxDirectoryBytes = 32 << 20;
inline constexpr std::size_t kMaxTreeDepth = 256;
inline constexpr std::size_t kMaxTreeBlobs = 1'000'000;

// Returns: the blobs, sorted, each once, the root's own listing included.
// Errors: FAILED_PRECONDITION BLOB_MISSING (listings are read, files need only be there),
// INVALID_ARGUMENT DIRECTORY_FORM, TREE_TOO_DEEP, TREE_TOO_LARGE, DATA_LOSS BLOB_DAMAGED; field
// "spec.root".
Result<std::vector<Digest>, Error> ComputeClosure(BlobStore& blobs, const DirectoryParser& parser,
                                                  const Digest& root);

// FAILED_PRECONDITION BLOB_MISSING unless all are stored.
Result<void, Error> CheckStored(const BlobStore& blobs, const std::vector<Digest>& closure,
                                const char* field);

}  // namespace glovebox::server
