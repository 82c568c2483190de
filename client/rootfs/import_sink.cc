#include "client/rootfs/import_sink.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "client/render/units.h"

namespace glovebox::client {
namespace {

constexpr std::size_t kInMemory = 1 << 20;

std::unexpected<Error> ScratchFailure(int number) {
  return Fail(ErrorCode::kFailedPrecondition, "SCRATCH_FILE",
              fmt::format("a scratch file (TMPDIR, or /tmp): {}", ErrnoText(number)));
}

}  // namespace

Result<std::shared_ptr<const HostFd>, Error> MakeUnnamedFile() {
  const char* directory = std::getenv("TMPDIR");
  HostFd fd(
      ::open(directory != nullptr ? directory : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) return ScratchFailure(errno);
  return std::make_shared<const HostFd>(std::move(fd));
}

Result<void, Error> Append(const HostFd& fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ScratchFailure(errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<BlobSource, Error> SourceOfUnnamed(std::shared_ptr<const HostFd> fd, const Digest& digest) {
  const std::string path = fmt::format("/proc/self/fd/{}", fd->get());
  const auto opened = OpenHostFile(path);
  if (!opened) return std::unexpected(opened.error());
  return BlobSource{digest, BlobSource::File{path, opened->identity, std::move(fd)}};
}

Result<void, Error> ImportSink::CheckSize(std::string_view path, std::uint64_t size_bytes) const {
  if (size_bytes <= max_bytes_ && progress_.bytes <= max_bytes_ - size_bytes) return {};
  return Fail(ErrorCode::kResourceExhausted, "ROOT_TOO_LARGE",
              fmt::format("with \"{}\" of {} the root would hold more than {} (--max-size)",
                          ShownPath(path), BytesText(size_bytes), BytesText(max_bytes_)));
}

Result<void, Error> ImportSink::AddFile(std::string_view path, const NodeAttributes& attributes,
                                        const Source& source) {
  Hasher hasher;
  std::string bytes;
  std::shared_ptr<const HostFd> large;
  std::uint64_t size = 0;
  while (true) {
    const auto piece = source();
    if (!piece) return std::unexpected(piece.error());
    if (piece->empty()) break;
    size += piece->size();
    if (auto checked = CheckSize(path, size); !checked) return checked;
    hasher.Update(*piece);
    if (!large && bytes.size() + piece->size() > kInMemory) {
      auto made = MakeUnnamedFile();
      if (!made) return std::unexpected(made.error());
      large = *std::move(made);
      if (auto put = Append(*large, std::as_bytes(std::span(bytes))); !put) return put;
      bytes.clear();
    }
    if (large) {
      if (auto put = Append(*large, *piece); !put) return put;
    } else {
      bytes.append(reinterpret_cast<const char*>(piece->data()), piece->size());
    }
  }
  const Digest digest = hasher.Finish();
  if (auto added = tree_.AddFile(path, attributes, digest); !added) return added;
  progress_.bytes += size;
  if (!large) return blobs_.Add({digest, std::move(bytes)});
  auto blob = SourceOfUnnamed(std::move(large), digest);
  if (!blob) return std::unexpected(blob.error());
  return blobs_.Add(*std::move(blob));
}

void ImportSink::Count() {
  ++progress_.entries;
  on_progress_(progress_);
}

void ImportSink::LeaveOut(const std::string& kind, std::string_view path) {
  LeftOut& row = left_out_[kind];
  if (row.count++ == 0) row.first = ShownPath(path);
}

}  // namespace glovebox::client
