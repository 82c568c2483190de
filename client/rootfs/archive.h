// tar archives, plain or compressed with gzip, xz or zstd, read once from their beginning.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "client/rootfs/import_sink.h"
#include "engine/base/host_fd.h"
#include "engine/base/result.h"

struct archive;
struct archive_entry;

namespace glovebox::client {

class Archive {
 public:
  // Reads from the descriptor's position on. Errors: NOT_AN_ARCHIVE, ARCHIVE_DAMAGED.
  static Result<std::unique_ptr<Archive>, Error> Open(const HostFd& fd, std::string name);
  ~Archive();
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  // The next entry, valid until the call after; null at the end. Errors: ARCHIVE_DAMAGED, also for
  // one that ends early.
  Result<archive_entry*, Error> Next();
  // Bytes of the current entry; holes of sparse files are zeros. Empty at its end.
  Result<std::span<const std::byte>, Error> Read();

 private:
  Archive(archive* handle, std::string name);
  std::unexpected<Error> Damaged() const;

  archive* handle_;
  const std::string name_;
  std::string buffer_;
};

// Adds all entries of an archive. `whiteouts`: names that begin with ".wh." take away what lower
// layers have.
Result<void, Error> ImportArchive(Archive& archive, bool whiteouts, ImportSink& sink);

}  // namespace glovebox::client
