// The root of a box, fetched from the daemon as it is looked at.
#pragma once

#include <string_view>
#include <vector>

#include "engine/vfs/tree_source.h"
#include "server/worker/channel.h"

namespace glovebox::worker {

// Blobs come as descriptors, verified by the daemon when it opens them. Listings are parsed here,
// because what a client uploaded is looked at only behind the lock.
class ChannelTree : public engine::TreeSource {
 public:
  explicit ChannelTree(Channel& channel) : channel_(channel) {}

  // Errors: kDataLoss DIRECTORY_INVALID, and those of OpenFile.
  Result<std::vector<engine::TreeEntry>, Error> ReadDirectory(const Digest& digest) override;
  // Errors: kDataLoss with the daemon's reason and words, kResourceExhausted NO_DESCRIPTOR,
  // kUnavailable CHANNEL_CLOSED.
  Result<HostFd, Error> OpenFile(const Digest& digest) override;

 private:
  Channel& channel_;
};

// A serialised glovebox.v1.Directory. `bytes` may be anything.
Result<std::vector<engine::TreeEntry>, Error> ParseDirectory(std::string_view bytes,
                                                             const Digest& digest);

}  // namespace glovebox::worker
