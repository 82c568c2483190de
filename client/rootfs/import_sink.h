// Where an import puts what it reads: nodes into the tree, bytes to the server, within bounds.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "client/rootfs/root_tree.h"
#include "client/upload/blob_stream.h"
#include "engine/base/host_fd.h"
#include "engine/base/result.h"

namespace glovebox::client {

struct ImportProgress {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // of files, as they are in the root
};

class ImportSink {
 public:
  // `max_bytes`: of all files together, so that a small archive does not become a huge root.
  ImportSink(BlobStream& blobs, std::uint64_t max_bytes,
             std::function<void(const ImportProgress&)> on_progress)
      : blobs_(blobs), max_bytes_(max_bytes), on_progress_(std::move(on_progress)) {}

  RootTree& tree() { return tree_; }

  // Hands out the next bytes of a file; an empty span at its end.
  using Source = std::function<Result<std::span<const std::byte>, Error>()>;
  // Reads a file to its end, and adds it. What is too large for memory goes through an unnamed
  // file.
  Result<void, Error> AddFile(std::string_view path, const NodeAttributes& attributes,
                              const Source& source);
  // ROOT_TOO_LARGE where a file of this size would pass the bound.
  Result<void, Error> CheckSize(std::string_view path, std::uint64_t size_bytes) const;

  // One entry was taken in.
  void Count();
  // A node that a root cannot have ("device nodes") was left out.
  void LeaveOut(const std::string& kind, std::string_view path);
  struct LeftOut {
    std::uint64_t count = 0;
    std::string first;
  };
  const std::map<std::string, LeftOut>& left_out() const { return left_out_; }
  const ImportProgress& progress() const { return progress_; }

 private:
  BlobStream& blobs_;
  const std::uint64_t max_bytes_;
  const std::function<void(const ImportProgress&)> on_progress_;
  RootTree tree_;
  ImportProgress progress_;
  std::map<std::string, LeftOut> left_out_;
};

// A file without a name, for what is too large to be held in memory. SCRATCH_FULL and the like.
Result<std::shared_ptr<const HostFd>, Error> MakeUnnamedFile();
Result<void, Error> Append(const HostFd& fd, std::span<const std::byte> bytes);
// A blob of what an unnamed file holds.
Result<BlobSource, Error> SourceOfUnnamed(std::shared_ptr<const HostFd> fd, const Digest& digest);

}  // namespace glovebox::client
