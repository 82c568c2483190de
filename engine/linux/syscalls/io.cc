// Reading, writing, positions: read(2), write(2), lseek(2) and their kin.
#include <algorithm>
#include <array>

#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/linux/syscalls/sockets.h"

namespace glovebox::engine {
namespace {

// The checks of pread, pwrite and their vector forms.
Result<std::shared_ptr<OpenFile>, Errno> PositionedFile(Task& task, Fd fd, Offset offset) {
  if (offset.value < 0) return std::unexpected(kEINVAL);
  auto file = FileOf(task, fd);
  if (file && !(*file)->seekable()) return std::unexpected(kESPIPE);
  return file;
}

enum class Direction : std::uint8_t { kIn, kOut };

SyscallResult Positioned(Task& task, Direction direction, Fd fd, Vectors vectors, Offset offset) {
  const auto file = PositionedFile(task, fd, offset);
  if (!file) return file.error();
  const auto at = static_cast<std::uint64_t>(offset.value);
  return direction == Direction::kIn ? TransferIn(task, **file, vectors, &at)
                                     : TransferOut(task, **file, vectors, &at);
}

SyscallResult Sequential(Task& task, Direction direction, Fd fd, Vectors vectors) {
  const auto file = HeldFileOf(task, fd);
  if (!file) return file.error();
  if ((*file)->inode().is(kTypeSocket)) {
    const auto socket = std::dynamic_pointer_cast<net::Socket>(*file);
    return direction == Direction::kIn ? ReadSocket(task, socket, vectors)
                                       : WriteSocket(task, socket, vectors);
  }
  return direction == Direction::kIn ? TransferIn(task, **file, vectors, nullptr)
                                     : TransferOut(task, **file, vectors, nullptr);
}

SyscallResult Vectored(Task& task, Direction direction, Fd fd, GuestPtr<const abi::Iovec> first,
                       Size count, const Offset* offset) {
  const auto vectors = ReadVectors(task, first, count.value);
  if (!vectors) return vectors.error();
  return offset != nullptr ? Positioned(task, direction, fd, *vectors, *offset)
                           : Sequential(task, direction, fd, *vectors);
}

constexpr std::uint64_t kRwfKnown = 0x1f;  // RWF_HIPRI to RWF_APPEND

// preadv2, pwritev2: offset -1 means the position of the file.
SyscallResult Vectored2(Task& task, Direction direction, Fd fd, GuestPtr<const abi::Iovec> first,
                        Size count, SplitOffset position, Hex flags) {
  if ((flags.value & ~kRwfKnown) != 0) return kEOPNOTSUPP;
  const Offset offset{position.value};
  return Vectored(task, direction, fd, first, count, offset.value == -1 ? nullptr : &offset);
}

// What sendfile, copy_file_range and their like share: moves up to `count` bytes; the offsets are
// null for the position of the file.
SyscallResult CopyBetween(Task& task, OpenFile& from, OpenFile& to, std::uint64_t* from_offset,
                          std::uint64_t* to_offset, std::uint64_t count) {
  CallInFlight& call = *task.call;
  std::array<std::byte, 65536> piece;
  std::uint64_t& in_at = from_offset != nullptr ? *from_offset : from.offset;
  std::uint64_t& out_at = to_offset != nullptr ? *to_offset : to.offset;
  Errno error{};
  while (call.progress < count) {
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), count - call.progress));
    const auto got = from.Read(in_at, std::span(piece).first(want));
    if (!got) {
      error = got.error().error;
      break;
    }
    if (*got == 0) break;
    if ((to.flags() & kOpenAppend) != 0 && to.seekable()) out_at = to.inode().size_bytes();
    const auto written = WritePiece(task, to, out_at, std::span(piece).first(*got));
    if (!written) {
      if (written.error().wait != Wait::kNone && call.progress == 0)
        return BlockOrFail(to, written.error());
      error = written.error().wait == Wait::kNone ? written.error().error : kEAGAIN;
      break;
    }
    in_at += *written;
    if (to.seekable()) out_at += *written;
    call.progress += *written;
    if (*written < *got || task.kernel.ended()) break;
  }
  if (call.progress == 0 && error != Errno{}) return error;
  task.kernel.SpendOnBytes(call.progress);
  return static_cast<std::int64_t>(call.progress);
}

constexpr std::uint64_t kMaxCopyBytes = 4_MiB;  // of one call; short counts are the calls' own way

}  // namespace

SyscallResult SysRead(Task& task, Fd fd, OutBuffer buffer, Size count) {
  const abi::Iovec vector{buffer.address, count.value};
  return Sequential(task, Direction::kIn, fd, {&vector, 1});
}

SyscallResult SysWrite(Task& task, Fd fd, InBuffer buffer, Size count) {
  const abi::Iovec vector{buffer.address, count.value};
  return Sequential(task, Direction::kOut, fd, {&vector, 1});
}

SyscallResult SysPread64(Task& task, Fd fd, OutBuffer buffer, Size count, Offset offset) {
  const abi::Iovec vector{buffer.address, count.value};
  return Positioned(task, Direction::kIn, fd, {&vector, 1}, offset);
}

SyscallResult SysPwrite64(Task& task, Fd fd, InBuffer buffer, Size count, Offset offset) {
  const abi::Iovec vector{buffer.address, count.value};
  return Positioned(task, Direction::kOut, fd, {&vector, 1}, offset);
}

SyscallResult SysReadv(Task& task, Fd fd, OutVectors vectors, Size count) {
  return Vectored(task, Direction::kIn, fd, vectors.first, count, nullptr);
}

SyscallResult SysWritev(Task& task, Fd fd, InVectors vectors, Size count) {
  return Vectored(task, Direction::kOut, fd, vectors.first, count, nullptr);
}

SyscallResult SysPreadv(Task& task, Fd fd, OutVectors vectors, Size count, SplitOffset offset) {
  const Offset at{offset.value};
  return Vectored(task, Direction::kIn, fd, vectors.first, count, &at);
}

SyscallResult SysPwritev(Task& task, Fd fd, InVectors vectors, Size count, SplitOffset offset) {
  const Offset at{offset.value};
  return Vectored(task, Direction::kOut, fd, vectors.first, count, &at);
}

SyscallResult SysPreadv2(Task& task, Fd fd, OutVectors vectors, Size count, SplitOffset offset,
                         Hex flags) {
  return Vectored2(task, Direction::kIn, fd, vectors.first, count, offset, flags);
}

SyscallResult SysPwritev2(Task& task, Fd fd, InVectors vectors, Size count, SplitOffset offset,
                          Hex flags) {
  return Vectored2(task, Direction::kOut, fd, vectors.first, count, offset, flags);
}

SyscallResult SysSendfile(Task& task, Fd out, Fd in, GuestPtr<std::int64_t> offset, Size count) {
  const auto from = FileOf(task, in);
  const auto to = FileOf(task, out);
  if (!from || !to || !(*from)->readable() || !(*to)->writable()) return kEBADF;
  if (!(*from)->seekable()) return offset ? kESPIPE : kEINVAL;
  if (((*to)->flags() & kOpenAppend) != 0) return kEINVAL;
  std::uint64_t at = 0;
  if (offset) {
    const auto value = task.memory().Read(offset);
    if (!value) return value.error();
    if (*value < 0) return kEINVAL;
    at = static_cast<std::uint64_t>(*value);
  }
  const auto result = CopyBetween(task, **from, **to, offset ? &at : nullptr, nullptr,
                                  std::min(count.value, kMaxCopyBytes));
  if (offset && result.kind() == SyscallResult::Kind::kValue && result.value() >= 0) {
    if (const auto ok = task.memory().Write(offset, static_cast<std::int64_t>(at)); !ok)
      return ok.error();
  }
  return result;
}

SyscallResult SysCopyFileRange(Task& task, Fd in, GuestPtr<std::int64_t> in_offset, Fd out,
                               GuestPtr<std::int64_t> out_offset, Size count, Hex flags) {
  if (flags.value != 0) return kEINVAL;
  const auto from = FileOf(task, in);
  const auto to = FileOf(task, out);
  if (!from || !to) return kEBADF;
  if ((*from)->inode().is(kTypeDirectory) || (*to)->inode().is(kTypeDirectory)) return kEISDIR;
  if (!(*from)->inode().is(kTypeRegular) || !(*to)->inode().is(kTypeRegular)) return kEINVAL;
  if (!(*from)->readable() || !(*to)->writable() || ((*to)->flags() & kOpenAppend) != 0)
    return kEBADF;
  std::array<std::uint64_t, 2> at{(*from)->offset, (*to)->offset};
  const std::array<GuestPtr<std::int64_t>, 2> pointers{in_offset, out_offset};
  for (std::size_t i = 0; i < 2; ++i) {
    if (!pointers[i]) continue;
    const auto value = task.memory().Read(pointers[i]);
    if (!value) return value.error();
    if (*value < 0) return kEINVAL;
    at[i] = static_cast<std::uint64_t>(*value);
  }
  const std::uint64_t wanted = std::min(count.value, kMaxCopyBytes);
  if (&(*from)->inode() == &(*to)->inode() && at[0] < at[1] + wanted && at[1] < at[0] + wanted)
    return kEINVAL;
  const auto result = CopyBetween(task, **from, **to, &at[0], &at[1], wanted);
  if (result.kind() != SyscallResult::Kind::kValue || result.value() < 0) return result;
  for (std::size_t i = 0; i < 2; ++i) {
    if (!pointers[i]) {
      (i == 0 ? *from : *to)->offset = at[i];
    } else if (const auto ok = task.memory().Write(pointers[i], static_cast<std::int64_t>(at[i]));
               !ok) {
      return ok.error();
    }
  }
  return result;
}

SyscallResult SysLseek(Task& task, Fd fd, Offset offset, Whence whence) {
  const auto found = FileOf(task, fd);
  if (!found) return found.error();
  OpenFile& file = **found;
  if (!file.seekable()) return kESPIPE;
  if (file.inode().is(kTypeCharDevice)) return static_cast<std::int64_t>(file.offset = 0);
  const auto size =
      static_cast<std::int64_t>(file.inode().is(kTypeDirectory) ? 0 : file.inode().size_bytes());
  auto* regular = dynamic_cast<OpenRegular*>(&file);
  std::int64_t base = 0;
  switch (whence.value) {
    case 0:
      break;
    case 1:
      base = static_cast<std::int64_t>(file.offset);
      break;
    case 2:
      base = size;
      break;
    case 3:
    case 4: {
      if (regular == nullptr) return kEINVAL;
      if (offset.value < 0 || offset.value >= size) return kENXIO;
      const auto from = static_cast<std::uint64_t>(offset.value);
      const FileContent& content = regular->file().content;
      const auto data = content.NextData(from);
      if (whence.value == 3 && !data) return kENXIO;
      file.offset = whence.value == 3 ? *data : content.NextHole(from);
      return static_cast<std::int64_t>(file.offset);
    }
    default:
      return kEINVAL;
  }
  std::int64_t target = 0;
  if (__builtin_add_overflow(base, offset.value, &target)) return kEOVERFLOW;
  if (target < 0) return kEINVAL;
  file.offset = static_cast<std::uint64_t>(target);
  return target;
}

}  // namespace glovebox::engine
