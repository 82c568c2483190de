// Root file systems by name: what a name stands for, and what a job in it starts with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/digest.h"
#include "engine/base/result.h"
#include "server/core/tree_closure.h"
#include "server/store/blob_store.h"
#include "server/store/job_store.h"

namespace glovebox::server {

// See glovebox.v1.RootConfig.
struct RootConfig {
  std::vector<std::string> env;
  std::vector<std::string> command;
  std::string working_directory;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

struct NamedRoot {
  std::string name;  // 1 to 63 of a-z 0-9 . _ -, the first a letter or digit
  Digest tree;
  RootConfig config;
  std::int64_t create_ns = 0;
  std::uint64_t blobs = 0;
  std::uint64_t size_bytes = 0;
};

struct RootPage {
  std::vector<NamedRoot> roots;
  std::string next_page_token;
};

inline constexpr std::size_t kMaxRootName = 63;

bool IsRootName(std::string_view name);

// Waits for disks: call it where that is allowed. Threads: any. Errors: NOT_FOUND ROOT_NOT_FOUND
// where there is no such root, besides those named.
class RootNames {
 public:
  // The parts outlive it.
  static Result<std::unique_ptr<RootNames>, Error> Open(JobStore& store, BlobStore& blobs,
                                                        DirectoryParser parser);

  // Returns when the name is on disk. Errors: INVALID_ARGUMENT ROOT_NAME, ROOT_CONFIG,
  // ALREADY_EXISTS ROOT_EXISTS, and those of ComputeClosure and CheckStored, with field
  // "root.tree".
  Result<NamedRoot, Error> Create(NamedRoot root, bool replace);
  Result<NamedRoot, Error> Get(const std::string& name);
  // INVALID_ARGUMENT PAGE_TOKEN.
  Result<RootPage, Error> List(std::size_t page_size, const std::string& page_token);
  Result<void, Error> Delete(const std::string& name);

 private:
  RootNames(JobStore& store, BlobStore& blobs, DirectoryParser parser, std::string page_key)
      : store_(store), blobs_(blobs), parser_(std::move(parser)), page_key_(std::move(page_key)) {}

  JobStore& store_;
  BlobStore& blobs_;
  const DirectoryParser parser_;
  const std::string page_key_;
};

}  // namespace glovebox::server
