#include "engine/linux/syscalls/files.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "engine/vfs/node_watch.h"

namespace glovebox::engine {
namespace {

constexpr std::uint64_t kMaxVectors = 1024;              // UIO_MAXIOV
constexpr std::uint64_t kMaxTransferBytes = 0x7ffff000;  // MAX_RW_COUNT
constexpr std::size_t kPieceBytes = 65536;

// Walks the guest's buffers from byte `skip` on; `copy(address, part)` returns the bytes that it
// moved.
template <typename Copy>
std::size_t Walk(Vectors vectors, std::uint64_t skip, std::size_t size, Copy copy) {
  std::size_t done = 0;
  for (const abi::Iovec& vector : vectors) {
    if (skip >= vector.length) {
      skip -= vector.length;
      continue;
    }
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(size - done, vector.length - skip));
    const std::size_t moved = copy(vector.base + skip, done, count);
    done += moved;
    if (moved != count || done == size) break;
    skip = 0;
  }
  return done;
}

// The transfer is over: moves the position, charges the time, says how much it was.
SyscallResult Finish(Task& task, OpenFile& file, const std::uint64_t* offset, NodeEvent event) {
  const std::uint64_t done = task.call->progress;
  if (offset == nullptr && file.seekable()) file.offset += done;
  if (done > 0) TellFile(file.path(), event);
  task.kernel.SpendOnBytes(done);
  return static_cast<std::int64_t>(done);
}

SyscallResult FinishOr(Task& task, OpenFile& file, const std::uint64_t* offset, NodeEvent event,
                       Errno error) {
  if (task.call->progress > 0) return Finish(task, file, offset, event);
  return error;
}

}  // namespace

std::uint64_t TotalBytes(Vectors vectors) {
  std::uint64_t total = 0;
  for (const abi::Iovec& vector : vectors) total += vector.length;
  return std::min(total, kMaxTransferBytes);
}

std::size_t Gather(Task& task, Vectors vectors, std::uint64_t skip, std::span<std::byte> out) {
  return Walk(vectors, skip, out.size(), [&](GuestAddr from, std::size_t at, std::size_t count) {
    return task.memory().ReadSome(from, out.subspan(at, count));
  });
}

std::size_t Scatter(Task& task, Vectors vectors, std::uint64_t skip,
                    std::span<const std::byte> bytes) {
  return Walk(vectors, skip, bytes.size(), [&](GuestAddr to, std::size_t at, std::size_t count) {
    return task.memory().WriteSome(to, bytes.subspan(at, count));
  });
}

Result<std::shared_ptr<OpenFile>, Errno> FileOrPathOf(Task& task, Fd fd) {
  auto file = task.fds().Get(fd.value);
  if (!file) return std::unexpected(kEBADF);
  return file;
}

Result<std::shared_ptr<OpenFile>, Errno> FileOf(Task& task, Fd fd) {
  auto file = task.fds().Get(fd.value);
  if (!file || file->path_only()) return std::unexpected(kEBADF);
  return file;
}

Result<std::shared_ptr<OpenFile>, Errno> HeldFileOf(Task& task, Fd fd) {
  if (!task.call->file) {
    auto file = FileOf(task, fd);
    if (!file) return file;
    task.call->file = std::move(*file);
  }
  return task.call->file;
}

Result<PathRef, Errno> Locate(Task& task, DirFd dirfd, PathPtr path, bool follow,
                              bool empty_path_allowed) {
  const auto text = task.memory().ReadString(path.address, kPathMaxBytes, kENAMETOOLONG);
  if (!text) return std::unexpected(text.error());
  if (text->empty() && empty_path_allowed) {
    if (dirfd.value == kAtFdCwd) {
      return PathRef{task.fs().working_directory, task.fs().working_directory->parent(),
                     task.fs().working_directory->name()};
    }
    const auto file = task.fds().Get(dirfd.value);
    if (!file) return std::unexpected(kEBADF);
    return file->path();
  }
  ResolveOptions options;
  options.follow_last = follow;
  auto resolved = task.Resolve(dirfd.value, *text, options);
  if (!resolved) return std::unexpected(resolved.error());
  return std::move(resolved->ref);
}

SyscallResult BlockOrFail(const OpenFile& file, const IoFailure& failure, std::int64_t partial) {
  if (failure.wait == Wait::kNone) return failure.error;
  if (failure.wait == Wait::kSignal)
    return SyscallResult::Block({0, failure.wait, OnSignal::kRestartIfAsked, partial, nullptr});
  // Non-blocking reads of the box' stdin wait all the same: whether bytes are there already is the
  // host's business.
  if (file.nonblocking() && failure.wait != Wait::kInput) return kEAGAIN;
  return SyscallResult::Block(
      {failure.deadline, failure.wait, OnSignal::kRestartIfAsked, partial, failure.channel});
}

Result<std::vector<abi::Iovec>, Errno> ReadVectors(Task& task, GuestPtr<const abi::Iovec> first,
                                                   std::uint64_t count) {
  if (count > kMaxVectors) return std::unexpected(kEINVAL);
  std::vector<abi::Iovec> vectors;
  std::uint64_t total = 0;
  // The largest value of the ABI's ssize_t, for all of them together.
  const std::uint64_t most = (~std::uint64_t{0} >> 1) >> (64 - 8 * abi::WordBytes(first.layout));
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto vector = task.memory().Read(first + i);
    if (!vector) return std::unexpected(vector.error());
    if (vector->length > most - total) return std::unexpected(kEINVAL);
    total += vector->length;
    vectors.push_back(*vector);
  }
  return vectors;
}

SyscallResult TransferIn(Task& task, OpenFile& file, Vectors vectors, const std::uint64_t* offset) {
  if (!file.readable()) return kEBADF;
  CallInFlight& call = *task.call;
  if (!call.total) {
    const auto ready = file.Await(static_cast<std::size_t>(TotalBytes(vectors)));
    if (!ready) return BlockOrFail(file, ready.error());
    call.total = *ready;
  }
  std::array<std::byte, kPieceBytes> piece;  // of which nothing is looked at that was not put there
  const std::uint64_t start = offset != nullptr ? *offset : file.offset;
  do {
    const std::uint64_t left = *call.total - call.progress;
    const auto want = std::span(piece).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size())));
    const auto got = file.Read(start + call.progress, want);
    if (!got) return FinishOr(task, file, offset, kNodeAccess, got.error().error);
    const std::size_t moved = Scatter(task, vectors, call.progress, want.first(*got));
    file.Consume(moved);
    call.progress += moved;
    if (moved != *got) return FinishOr(task, file, offset, kNodeAccess, kEFAULT);
    if (*got < want.size()) break;
    if (call.progress < *call.total && task.kernel.SliceIsOver()) return SyscallResult::Again();
  } while (call.progress < *call.total);
  return Finish(task, file, offset, kNodeAccess);
}

IoResult WritePiece(Task& task, OpenFile& file, std::uint64_t offset,
                    std::span<const std::byte> bytes) {
  if (file.inode().is(kTypeRegular)) {
    const std::uint64_t limit = task.process.limits[kLimitFileSize].soft;
    if (offset >= limit && !bytes.empty()) {
      task.Send(kSIGXFSZ, kSiUser);
      return std::unexpected(kEFBIG);
    }
    std::uint64_t room = limit - std::min(offset, limit);
    if ((file.flags() & kOpenLargeFile) == 0) {
      if (offset >= kMaxSmallFileBytes && !bytes.empty()) return std::unexpected(kEFBIG);
      room = std::min(room, kMaxSmallFileBytes - std::min(offset, kMaxSmallFileBytes));
    }
    bytes = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), room)));
  }
  const auto written = file.Write(offset, bytes);
  if (!written && written.error().wait == Wait::kNone && written.error().error == kEPIPE)
    task.Send(kSIGPIPE, kSiUser);
  if (written && *written > 0) DropPrivilegesOnWrite(file.inode(), task.credentials);
  return written;
}

SyscallResult TransferOut(Task& task, OpenFile& file, Vectors vectors,
                          const std::uint64_t* offset) {
  if (!file.writable()) return kEBADF;
  CallInFlight& call = *task.call;
  if (!call.total) {
    call.total = TotalBytes(vectors);
    if ((file.flags() & kOpenAppend) != 0 && offset == nullptr)
      file.offset = file.inode().size_bytes();
  }
  // Appending writes go to the end even where they name an offset: pwrite(2), "Bugs".
  const bool appends = (file.flags() & kOpenAppend) != 0 && file.inode().is(kTypeRegular);
  const std::uint64_t start = offset != nullptr && !appends ? *offset : file.offset;
  std::array<std::byte, kPieceBytes> piece;
  do {
    const std::uint64_t left = *call.total - call.progress;
    const auto want = std::span(piece).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size())));
    const std::size_t got = Gather(task, vectors, call.progress, want);
    if (got == 0 && !want.empty()) return FinishOr(task, file, offset, kNodeModify, kEFAULT);
    const std::uint64_t at =
        appends && offset != nullptr ? file.inode().size_bytes() : start + call.progress;
    const auto written = WritePiece(task, file, at, want.first(got));
    if (!written) {
      const auto done = static_cast<std::int64_t>(call.progress);
      if (written.error().wait == Wait::kNone)
        return FinishOr(task, file, offset, kNodeModify, written.error().error);
      if (file.nonblocking() && written.error().wait != Wait::kSignal)
        return FinishOr(task, file, offset, kNodeModify, kEAGAIN);
      return BlockOrFail(file, written.error(), done);
    }
    call.progress += *written;
    if (task.kernel.ended()) break;
    // A short write to a pipe goes on once there is room; to a file it is the answer.
    if (*written < got && file.short_write_ends()) break;
    if (got < want.size() && *written == got) break;
    if (call.progress < *call.total && task.kernel.SliceIsOver()) return SyscallResult::Again();
  } while (call.progress < *call.total);
  return Finish(task, file, offset, kNodeModify);
}

}  // namespace glovebox::engine
