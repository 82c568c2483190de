// Helpers that the file families share.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/linux/syscalls/arguments.h"
#include "engine/linux/task.h"

namespace glovebox::engine {

// The description behind a descriptor, or EBADF. O_PATH descriptors are EBADF for everything that
// does something.
Result<std::shared_ptr<OpenFile>, Errno> FileOf(Task& task, Fd fd);
Result<std::shared_ptr<OpenFile>, Errno> FileOrPathOf(Task& task, Fd fd);
// As FileOf, for calls that wait: the description with which the call began.
Result<std::shared_ptr<OpenFile>, Errno> HeldFileOf(Task& task, Fd fd);

// Names what a path call is about: the path, or with AT_EMPTY_PATH and an empty path the descriptor
// itself.
Result<PathRef, Errno> Locate(Task& task, DirFd dirfd, PathPtr path, bool follow,
                              bool empty_path_allowed);

// stat(2) of a node.
Result<abi::x86_64::Stat, Errno> StatOf(Inode& inode);

// Where an operation that could not be done now is to be tried again; EAGAIN for non-blocking
// descriptors.
SyscallResult BlockOrFail(const OpenFile& file, const IoFailure& failure, std::int64_t partial = 0);

// The guest's buffers, in order.
using Vectors = std::span<const abi::Iovec>;
// Checks and copies an iovec array: EINVAL, EFAULT.
Result<std::vector<abi::Iovec>, Errno> ReadVectors(Task& task, GuestPtr<const abi::Iovec> first,
                                                   std::uint64_t count);

// How many bytes they are about, at most MAX_RW_COUNT.
std::uint64_t TotalBytes(Vectors vectors);
// Copies from the guest's buffers, and to them, from their byte `skip` on; how many bytes could be.
std::size_t Gather(Task& task, Vectors vectors, std::uint64_t skip, std::span<std::byte> out);
std::size_t Scatter(Task& task, Vectors vectors, std::uint64_t skip,
                    std::span<const std::byte> bytes);

// Moves bytes between a file and guest memory; `offset` set for pread and pwrite. Long transfers
// come back with SyscallResult::Again and go on where they were.
SyscallResult TransferIn(Task& task, OpenFile& file, Vectors vectors, const std::uint64_t* offset);
SyscallResult TransferOut(Task& task, OpenFile& file, Vectors vectors, const std::uint64_t* offset);

// What a description without O_LARGEFILE reaches: fs.h, MAX_NON_LFS.
inline constexpr std::uint64_t kMaxSmallFileBytes = 0x7fffffff;

// One write to a file with everything that belongs to it: append, RLIMIT_FSIZE, set-id bits.
IoResult WritePiece(Task& task, OpenFile& file, std::uint64_t offset,
                    std::span<const std::byte> bytes);

}  // namespace glovebox::engine
