// Between files and pipes without the guest's memory, and between that and pipes: splice(2),
// tee(2), vmsplice(2).
#include <algorithm>
#include <array>

#include "engine/linux/syscalls/files.h"
#include "engine/linux/syscalls/handlers.h"
#include "engine/vfs/pipe.h"

namespace glovebox::engine {
namespace {

enum SpliceFlag : std::uint64_t { kSpliceNonBlock = 2, kSpliceKnown = 0xf };
constexpr std::size_t kPieceBytes = 65536;

// Short counts are these calls' own way: one piece is enough.
using Piece = std::array<std::byte, kPieceBytes>;

SyscallResult NotNow(const OpenFile& file, const IoFailure& failure, SpliceFlags flags) {
  if (failure.wait != Wait::kNone && flags.Has(kSpliceNonBlock)) return kEAGAIN;
  return BlockOrFail(file, failure);
}

// Moves (or, for tee, copies) up to `count` bytes.
SyscallResult Move(Task& task, OpenFile& from, OpenFile& to, std::uint64_t* from_offset,
                   std::uint64_t* to_offset, std::uint64_t count, SpliceFlags flags, bool keep) {
  Piece piece;
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(count, piece.size()));
  const auto ready = from.Await(want);
  if (!ready) return NotNow(from, ready.error(), flags);
  if (*ready == 0) return 0;
  std::uint64_t& in_at = from_offset != nullptr ? *from_offset : from.offset;
  const auto got = from.Read(in_at, std::span(piece).first(std::min(*ready, want)));
  if (!got) return NotNow(from, got.error(), flags);
  std::uint64_t& out_at = to_offset != nullptr ? *to_offset : to.offset;
  const auto written = WritePiece(task, to, out_at, std::span(piece).first(*got));
  if (!written) return NotNow(to, written.error(), flags);
  if (!keep) from.Consume(*written);
  if (from.seekable()) in_at += *written;
  if (to.seekable()) out_at += *written;
  task.kernel.SpendOnBytes(*written);
  return static_cast<std::int64_t>(*written);
}

// An offset that is given belongs to a file, and not to a pipe.
Result<std::uint64_t, Errno> ReadOffset(Task& task, const OpenFile& file,
                                        GuestPtr<std::int64_t> pointer) {
  if (!pointer) return file.offset;
  if (!file.seekable()) return std::unexpected(kESPIPE);
  const auto value = task.memory().Read(pointer);
  if (!value) return std::unexpected(value.error());
  if (*value < 0) return std::unexpected(kEINVAL);
  return static_cast<std::uint64_t>(*value);
}

}  // namespace

SyscallResult SysSplice(Task& task, Fd in, GuestPtr<std::int64_t> in_offset, Fd out,
                        GuestPtr<std::int64_t> out_offset, Size count, SpliceFlags flags) {
  if (count.value == 0) return 0;
  if (flags.HasOther(kSpliceKnown)) return kEINVAL;
  const auto from = FileOf(task, in);
  const auto to = FileOf(task, out);
  if (!from || !to || !(*from)->readable() || !(*to)->writable()) return kEBADF;
  const auto* const in_pipe = dynamic_cast<OpenPipe*>(from->get());
  const auto* const out_pipe = dynamic_cast<OpenPipe*>(to->get());
  if (in_pipe != nullptr && in_offset) return kESPIPE;
  if (out_pipe != nullptr && out_offset) return kESPIPE;
  if (in_pipe == nullptr && out_pipe == nullptr) return kEINVAL;
  if (in_pipe != nullptr && out_pipe != nullptr && in_pipe->IsSamePipe(*out_pipe)) return kEINVAL;
  if (out_pipe == nullptr && ((*to)->flags() & kOpenAppend) != 0) return kEINVAL;
  auto in_at = ReadOffset(task, **from, in_offset);
  auto out_at = ReadOffset(task, **to, out_offset);
  if (!in_at || !out_at) return !in_at ? in_at.error() : out_at.error();
  const auto result = Move(task, **from, **to, in_offset ? &*in_at : nullptr,
                           out_offset ? &*out_at : nullptr, count.value, flags, false);
  if (result.kind() != SyscallResult::Kind::kValue || result.value() < 0) return result;
  if (in_offset) {
    const auto ok = task.memory().Write(in_offset, static_cast<std::int64_t>(*in_at));
    if (!ok) return ok.error();
  }
  if (out_offset) {
    const auto ok = task.memory().Write(out_offset, static_cast<std::int64_t>(*out_at));
    if (!ok) return ok.error();
  }
  return result;
}

SyscallResult SysTee(Task& task, Fd in, Fd out, Size count, SpliceFlags flags) {
  if (flags.HasOther(kSpliceKnown)) return kEINVAL;
  if (count.value == 0) return 0;
  const auto from = FileOf(task, in);
  const auto to = FileOf(task, out);
  if (!from || !to || !(*from)->readable() || !(*to)->writable()) return kEBADF;
  const auto* const in_pipe = dynamic_cast<OpenPipe*>(from->get());
  const auto* const out_pipe = dynamic_cast<OpenPipe*>(to->get());
  if (in_pipe == nullptr || out_pipe == nullptr || in_pipe->IsSamePipe(*out_pipe)) return kEINVAL;
  return Move(task, **from, **to, nullptr, nullptr, count.value, flags, true);
}

SyscallResult SysVmsplice(Task& task, Fd fd, InVectors vectors, Size count, SpliceFlags flags) {
  if (flags.HasOther(kSpliceKnown)) return kEINVAL;
  const auto file = FileOf(task, fd);
  if (!file) return file.error();
  auto* const pipe = dynamic_cast<OpenPipe*>(file->get());
  if (pipe == nullptr) return kEBADF;
  auto list = ReadVectors(task, vectors.first, count.value);
  if (!list) return list.error();
  if (!pipe->writable()) return TransferIn(task, *pipe, *list, nullptr);
  // As much as there is room for; it waits where there is none.
  std::uint64_t room = pipe->room();
  if (room == 0) {
    const auto failure = IoFailure(Wait::kEvent, pipe->channel());
    if (pipe->has_readers()) return NotNow(*pipe, failure, flags);
  } else {
    for (abi::Iovec& vector : *list) {
      vector.length = std::min(vector.length, room);
      room -= vector.length;
    }
  }
  return TransferOut(task, *pipe, *list, nullptr);
}

}  // namespace glovebox::engine
