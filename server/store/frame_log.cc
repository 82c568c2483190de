#include "server/store/frame_log.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "engine/base/check.h"
#include "server/store/file_io.h"

namespace glovebox::server {
namespace {

// Little-endian on disk, as every host of ours is.
struct Header {
  std::uint32_t payload_size;
  std::uint32_t kind;
  std::uint64_t icount;
};
static_assert(sizeof(Header) == 16);

constexpr std::uint64_t kMarkBytes = 64 << 10;
constexpr std::size_t kScanBytes = 1 << 20;

Header HeaderAt(std::string_view bytes, std::size_t offset) {
  Header header;
  std::memcpy(&header, bytes.data() + offset, sizeof(header));
  return header;
}

std::unexpected<Error> Damaged(const std::filesystem::path& path, std::string_view what) {
  return Fail(
      ErrorCode::kDataLoss, "OUTPUT_DAMAGED",
      fmt::format("stored log {}: {}", path.empty() ? "in the database" : path.string(), what));
}

}  // namespace

FrameLog::FrameLog(Unit unit, std::filesystem::path spill_path, std::size_t memory_limit)
    : unit_(unit), path_(std::move(spill_path)), memory_limit_(memory_limit) {}

Result<std::shared_ptr<FrameLog>, Error> FrameLog::FromMemory(Unit unit, std::string frames,
                                                              std::uint64_t units) {
  auto log = std::make_shared<FrameLog>(unit, std::filesystem::path(), frames.size());
  {
    absl::MutexLock lock(&log->mu_);
    log->memory_ = std::move(frames);
  }
  if (auto indexed = log->Index(units); !indexed) return std::unexpected(indexed.error());
  return log;
}

Result<std::shared_ptr<FrameLog>, Error> FrameLog::FromFile(Unit unit, std::filesystem::path path,
                                                            std::uint64_t units) {
  auto file = OpenFile(path, O_RDONLY);
  if (!file) return Damaged(path, file.error().message);
  auto log = std::make_shared<FrameLog>(unit, std::move(path), 0);
  {
    absl::MutexLock lock(&log->mu_);
    log->file_ = std::make_shared<const HostFd>(std::move(*file));
  }
  if (auto indexed = log->Index(units); !indexed) return std::unexpected(indexed.error());
  return log;
}

std::uint64_t FrameLog::UnitsOf(std::size_t payload_size) const {
  return unit_ == Unit::kBytes ? payload_size : 1;
}

void FrameLog::NoteFrame(std::size_t payload_size) {
  if (marks_.empty() || end_.offset - marks_.back().offset >= kMarkBytes) marks_.push_back(end_);
  end_.offset += sizeof(Header) + payload_size;
  end_.position += UnitsOf(payload_size);
}

// Walks all headers of a log that somebody else wrote.
Result<void, Error> FrameLog::Index(std::uint64_t units) {
  std::string window;
  std::uint64_t window_start = 0;
  Mark end;
  const auto holds = [&](std::uint64_t size) {
    return end.offset + size <= window_start + window.size();
  };
  while (end.position < units) {
    if (!holds(sizeof(Header)) ||
        !holds(sizeof(Header) + HeaderAt(window, end.offset - window_start).payload_size)) {
      auto bytes = Bytes(end.offset, kScanBytes + sizeof(Header) + kMaxPayload);
      if (!bytes) return std::unexpected(bytes.error());
      window = std::move(*bytes);
      window_start = end.offset;
      if (!holds(sizeof(Header))) break;
    }
    const std::uint64_t size = HeaderAt(window, end.offset - window_start).payload_size;
    if (!holds(sizeof(Header) + size)) break;
    absl::MutexLock lock(&mu_);
    NoteFrame(size);
    end = end_;
  }
  if (end.position == units) return {};
  return Damaged(path_, fmt::format("holds {} of {} units", end.position, units));
}

Result<void, Error> FrameLog::Append(std::span<const NewFrame> frames) {
  std::string bytes;
  for (const NewFrame& frame : frames) {
    if (frame.payload.size() > kMaxPayload) {
      return Fail(ErrorCode::kInvalidArgument, "FRAME_TOO_LARGE",
                  fmt::format("a frame of {} bytes exceeds {}", frame.payload.size(), kMaxPayload));
    }
    const Header header{static_cast<std::uint32_t>(frame.payload.size()), frame.kind, frame.icount};
    bytes.append(reinterpret_cast<const char*>(&header), sizeof(header));
    bytes.append(frame.payload);
  }
  File file;
  bool spill = false;
  {
    absl::MutexLock lock(&mu_);
    if (broken_)
      return Fail(ErrorCode::kInternal, "STORE_IO", "an earlier write of this log failed");
    file = file_;
    spill = !file && memory_.size() + bytes.size() > memory_limit_;
  }
  if (spill) {
    auto spilled = Spill();
    if (!spilled) return std::unexpected(spilled.error());
    file = std::move(*spilled);
  }
  if (file) {
    if (auto written = Write(file, bytes); !written) return written;
  }
  absl::MutexLock lock(&mu_);
  if (!file) memory_ += bytes;
  for (const NewFrame& frame : frames) NoteFrame(frame.payload.size());
  return {};
}

Result<void, Error> FrameLog::Write(const File& file, std::string_view bytes) {
  auto written = WriteAll(file->get(), BytesOf(bytes), path_);
  if (written) return written;
  absl::MutexLock lock(&mu_);
  broken_ = true;
  return written;
}

Result<FrameLog::File, Error> FrameLog::Spill() {
  std::string memory;
  {
    absl::MutexLock lock(&mu_);
    memory = memory_;
  }
  auto opened = OpenFile(path_, O_RDWR | O_CREAT | O_TRUNC | O_APPEND);
  if (!opened) {
    absl::MutexLock lock(&mu_);
    broken_ = true;
    return std::unexpected(opened.error());
  }
  File file = std::make_shared<const HostFd>(std::move(*opened));
  if (auto written = Write(file, memory); !written) return std::unexpected(written.error());
  absl::MutexLock lock(&mu_);
  file_ = file;
  memory_ = std::string();
  return file;
}

void FrameLog::Hold() {
  absl::MutexLock lock(&mu_);
  holds_.push_back(end_.position);
}

void FrameLog::Release() {
  absl::MutexLock lock(&mu_);
  GB_CHECK(!holds_.empty());
  holds_.pop_front();
}

std::uint64_t FrameLog::VisibleEnd() const {
  return holds_.empty() ? end_.position : holds_.front();
}

std::uint64_t FrameLog::visible_end() const {
  absl::MutexLock lock(&mu_);
  return VisibleEnd();
}

std::uint64_t FrameLog::end() const {
  absl::MutexLock lock(&mu_);
  return end_.position;
}

std::uint64_t FrameLog::stored_bytes() const {
  absl::MutexLock lock(&mu_);
  return end_.offset;
}

Result<std::string, Error> FrameLog::Bytes(std::uint64_t offset, std::size_t size) const {
  File file;
  {
    absl::MutexLock lock(&mu_);
    if (!file_) return memory_.substr(std::min<std::size_t>(offset, memory_.size()), size);
    file = file_;
  }
  std::string bytes(size, '\0');
  auto read = ReadAt(file->get(), offset, std::as_writable_bytes(std::span(bytes)), path_);
  if (!read) return std::unexpected(read.error());
  bytes.resize(*read);
  return bytes;
}

Result<std::vector<Frame>, Error> FrameLog::Read(std::uint64_t position,
                                                 std::size_t max_bytes) const {
  std::vector<Frame> frames;
  std::uint64_t visible = 0;
  Mark at;
  {
    absl::MutexLock lock(&mu_);
    visible = VisibleEnd();
    if (position >= visible) return frames;
    const auto after = std::upper_bound(
        marks_.begin(), marks_.end(), position,
        [](std::uint64_t wanted, const Mark& mark) { return wanted < mark.position; });
    at = *std::prev(after);
  }
  std::string window;
  std::uint64_t window_start = at.offset;
  std::size_t taken = 0;
  while (at.position < visible && taken < max_bytes) {
    // A window that does not hold the whole frame is read anew from the frame on; a second time
    // where the frame is larger than a window.
    std::size_t wanted = sizeof(Header);
    for (int reads = 0;; ++reads) {
      const std::uint64_t local = at.offset - window_start;
      if (local + wanted <= window.size()) {
        wanted = sizeof(Header) + HeaderAt(window, local).payload_size;
        if (local + wanted <= window.size()) break;
      }
      if (reads == 2 || wanted > sizeof(Header) + kMaxPayload) {
        return Damaged(path_, fmt::format("no whole frame at byte {}", at.offset));
      }
      auto bytes = Bytes(at.offset, std::max<std::size_t>(wanted, kMarkBytes + max_bytes));
      if (!bytes) return std::unexpected(bytes.error());
      window = std::move(*bytes);
      window_start = at.offset;
    }
    const std::size_t local = at.offset - window_start;
    const Header header = HeaderAt(window, local);
    const std::uint64_t next = at.position + UnitsOf(header.payload_size);
    if (next > position) {
      const std::uint64_t skipped = position > at.position ? position - at.position : 0;
      frames.push_back(
          {at.position + skipped, header.kind, header.icount,
           window.substr(local + sizeof(Header) + skipped, header.payload_size - skipped)});
      taken += sizeof(Header) + frames.back().payload.size();
    }
    at = {next, at.offset + wanted};
  }
  return frames;
}

std::optional<std::string> FrameLog::FramesForCommit() const {
  absl::MutexLock lock(&mu_);
  if (file_) return std::nullopt;
  return memory_;
}

Result<void, Error> FrameLog::Sync() {
  File file;
  {
    absl::MutexLock lock(&mu_);
    file = file_;
  }
  if (!file) return {};
  if (auto synced = SyncFile(file->get(), path_); !synced) return synced;
  return SyncDirectory(path_.parent_path());
}

bool FrameLog::spilled() const {
  absl::MutexLock lock(&mu_);
  return file_ != nullptr;
}

}  // namespace glovebox::server
