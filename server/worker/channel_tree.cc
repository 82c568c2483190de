#include "server/worker/channel_tree.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "glovebox/v1/tree.pb.h"
#include "server/channel/clean_text.h"

namespace glovebox::worker {
namespace {

namespace tree = glovebox::v1;

// As proto/glovebox/v1/tree.proto promises.
constexpr int kMaxEntries = 65'536;
constexpr std::size_t kMaxEntryNameBytes = 255;
constexpr std::size_t kMaxTargetBytes = 4'095;
constexpr std::uint32_t kModeBits = 07777;
// An entry has a name, a target or a digest in hexadecimal, and some numbers.
constexpr std::uint64_t kMaxListingBytes =
    std::uint64_t{kMaxEntries} * (kMaxEntryNameBytes + kMaxTargetBytes + 64);

std::unexpected<Error> Invalid(const Digest& digest, const std::string& what) {
  return Fail(ErrorCode::kDataLoss, "DIRECTORY_INVALID",
              "directory " + HexOf(digest) + ": " + what);
}

bool IsEntryName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxEntryNameBytes && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

// The bounds of attributes are those that the daemon checked; what would harm is looked at again.
bool SetAttributes(const tree::Node& node, engine::TreeEntry* entry) {
  entry->mode = node.mode();
  entry->uid = node.uid();
  entry->gid = node.gid();
  entry->mtime_ns = node.mtime_ns();
  if (node.has_hard_link()) {
    entry->hard_link = {node.hard_link().id(), node.hard_link().count()};
    if (!node.has_file() || entry->hard_link.id == 0 || entry->hard_link.count < 2) return false;
  }
  for (const tree::Xattr& xattr : node.xattrs()) entry->xattrs[xattr.name()] = xattr.value();
  return (node.mode() & ~kModeBits) == 0;
}

bool SetDigest(const tree::Digest& from, engine::NodeKind kind, engine::TreeEntry* entry) {
  const auto digest = DigestFromHex(from.sha256(), from.size_bytes());
  if (!digest) return false;
  entry->kind = kind;
  entry->digest = *digest;
  return true;
}

bool SetContent(const tree::Node& node, engine::TreeEntry* entry) {
  switch (node.kind_case()) {
    case tree::Node::kFile:
      return SetDigest(node.file(), engine::NodeKind::kFile, entry);
    case tree::Node::kDirectory:
      return SetDigest(node.directory(), engine::NodeKind::kDirectory, entry);
    case tree::Node::kSymlink:
      entry->kind = engine::NodeKind::kSymlink;
      entry->target = node.symlink();
      return !entry->target.empty() && entry->target.size() <= kMaxTargetBytes &&
             entry->target.find('\0') == std::string::npos;
    case tree::Node::KIND_NOT_SET:
      return false;
  }
  return false;
}

// The whole blob; its length must be the digest's.
Result<std::string, Error> ReadWhole(int fd, const Digest& digest) {
  if (digest.size_bytes > kMaxListingBytes) return Invalid(digest, "too long for a listing");
  std::string bytes(digest.size_bytes + 1, '\0');  // one more, to see that nothing follows
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t n =
        ::pread(fd, bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Invalid(digest, std::string("read: ") + ::strerrordesc_np(errno));
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  if (have != digest.size_bytes) return Invalid(digest, "the stored blob has another length");
  bytes.resize(have);
  return bytes;
}

}  // namespace

Result<std::vector<engine::TreeEntry>, Error> ParseDirectory(std::string_view bytes,
                                                             const Digest& digest) {
  tree::Directory listing;
  if (!listing.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Invalid(digest, "not a listing");
  if (listing.entries_size() > kMaxEntries) return Invalid(digest, "too many entries");
  std::vector<engine::TreeEntry> entries;
  entries.reserve(static_cast<std::size_t>(listing.entries_size()));
  for (tree::Node& node : *listing.mutable_entries()) {
    engine::TreeEntry entry;
    if (!IsEntryName(node.name())) return Invalid(digest, "an entry's name is not a file name");
    if (!entries.empty() && entries.back().name >= node.name())
      return Invalid(digest, "entries are not sorted");
    if (!SetAttributes(node, &entry))
      return Invalid(digest, channel::CleanText(node.name(), kMaxEntryNameBytes) + ": attributes");
    if (!SetContent(node, &entry)) {
      return Invalid(digest, channel::CleanText(node.name(), kMaxEntryNameBytes) +
                                 ": neither file, directory nor link");
    }
    entry.name = std::move(*node.mutable_name());
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::vector<engine::TreeEntry>, Error> ChannelTree::ReadDirectory(const Digest& digest) {
  const auto file = OpenFile(digest);
  if (!file) return std::unexpected(file.error());
  const auto bytes = ReadWhole(file->get(), digest);
  if (!bytes) return std::unexpected(bytes.error());
  return ParseDirectory(*bytes, digest);
}

Result<HostFd, Error> ChannelTree::OpenFile(const Digest& digest) {
  wire::FromWorker message;
  wire::Digest& wanted = *message.mutable_blob()->mutable_digest();
  wanted.set_sha256(digest.sha256.data(), digest.sha256.size());
  wanted.set_size_bytes(digest.size_bytes);
  channel_.Queue(message);
  channel_.Flush();
  while (!channel_.closed()) {
    auto reply = channel_.TakeBlobReply();
    if (!reply) {
      channel_.Receive(/*wait=*/true);
      continue;
    }
    if (!reply->message.found()) {
      return Fail(ErrorCode::kDataLoss, reply->message.reason(),
                  "blob " + HexOf(digest) + ": " + reply->message.message());
    }
    if (!reply->descriptor) {
      return Fail(ErrorCode::kResourceExhausted, "NO_DESCRIPTOR",
                  "the worker can hold no further descriptor");
    }
    return std::move(reply->descriptor);
  }
  return Fail(ErrorCode::kUnavailable, "CHANNEL_CLOSED", "the daemon is gone");
}

}  // namespace glovebox::worker
