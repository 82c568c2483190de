// Open file descriptions: what descriptors refer to, shared by dup(2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/vfs/inode.h"

namespace glovebox::engine {

// open(2) flags, asm-generic/fcntl.h; the same numbers on x86, AArch64 and RISC-V but for the
// directory ones.
enum OpenFlag : int {
  kOpenAccessMode = 03,
  kOpenReadOnly = 00,
  kOpenWriteOnly = 01,
  kOpenReadWrite = 02,
  kOpenCreate = 0100,
  kOpenExclusive = 0200,
  kOpenNoCtty = 0400,
  kOpenTruncate = 01000,
  kOpenAppend = 02000,
  kOpenNonblock = 04000,
  kOpenDsync = 010000,
  kOpenAsync = 020000,
  kOpenDirect = 040000,
  kOpenLargeFile = 0100000,
  kOpenDirectory = 0200000,
  kOpenNoFollow = 0400000,
  kOpenNoAtime = 01000000,
  kOpenCloseOnExec = 02000000,
  kOpenSync = 04010000,
  kOpenPath = 010000000,
  kOpenTmpFile = 020200000,  // O_DIRECTORY is part of it
};

// poll(2) events.
enum PollEvent : std::uint16_t {
  kPollIn = 0x001,
  kPollPriority = 0x002,
  kPollOut = 0x004,
  kPollErr = 0x008,
  kPollHup = 0x010,
  kPollInvalid = 0x020,
  kPollReadNormal = 0x040,
  kPollWriteNormal = 0x100,
  kPollReadHup = 0x2000,
};

// Is told when the last descriptor of an open file is closed: what epoll(7) and locks hang on it
// goes with it.
class CloseObserver {
 public:
  virtual ~CloseObserver() = default;
  virtual void OnLastClose(OpenFile& file) = 0;
};

// Reads and writes go through buffers of the engine's; copying to and from the guest is the
// caller's. Positions are the caller's too: it passes `offset`, then tells how many bytes reached
// the guest. So a fault half way through a buffer leaves the position where Linux leaves it, and
// bytes of a pipe that were not delivered stay in it.
class OpenFile {
 public:
  OpenFile(PathRef path, int flags) : path_(std::move(path)), flags_(flags) {}
  virtual ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  // What open(2) waits for before it returns the file: the other end of a FIFO.
  virtual Result<void, IoFailure> Connected() const { return {}; }
  // How many bytes a read of `wanted` may take now, 0 at the end of a stream; a pipe waits here,
  // before anything moved.
  virtual IoResult Await(std::size_t wanted) { return wanted; }
  // What the next bytes are; nothing is consumed. 0 is the end of the file.
  virtual IoResult Read(std::uint64_t offset, std::span<std::byte> out);
  virtual void Consume(std::size_t bytes) {}
  virtual IoResult Write(std::uint64_t offset, std::span<const std::byte> bytes);
  // Has positions: lseek, pread, pwrite; the others answer ESPIPE.
  virtual bool seekable() const { return false; }
  // Events among kPollIn, kPollPriority, kPollOut, kPollErr, kPollHup, kPollReadHup that are true
  // now.
  virtual Result<std::uint16_t, IoFailure> Poll();
  // What VfsServices::file_event names when these events may have changed; null: they never do.
  virtual const void* EventChannel() const { return nullptr; }
  // A short write is the answer of its call; otherwise the call goes on once there is room.
  virtual bool short_write_ends() const { return seekable(); }
  // Lines of /proc/PID/fdinfo behind those that every file has.
  virtual std::string FdInfo() const { return {}; }
  // Bytes that a read would give at once; FIONREAD.
  virtual Result<std::uint64_t, IoFailure> Available() { return std::unexpected(kENOTTY); }

  bool readable() const { return access() != kOpenWriteOnly && !path_only(); }
  bool writable() const { return access() != kOpenReadOnly && !path_only(); }
  bool path_only() const { return (flags_ & kOpenPath) != 0; }
  bool nonblocking() const { return (flags_ & kOpenNonblock) != 0; }
  int flags() const { return flags_; }
  void SetFlags(int flags) { flags_ = flags; }
  Inode& inode() const { return *path_.inode; }
  const PathRef& path() const { return path_; }

  void AddObserver(CloseObserver& observer) { observers_.push_back(&observer); }
  void RemoveObserver(const CloseObserver& observer) { std::erase(observers_, &observer); }

  std::uint64_t offset = 0;
  std::shared_ptr<void> notice;  // who gets signals for its events: engine/linux/async_notice.h

 private:
  int access() const { return flags_ & kOpenAccessMode; }

  PathRef path_;
  int flags_;
  std::vector<CloseObserver*> observers_;
};

class OpenRegular : public OpenFile {
 public:
  OpenRegular(PathRef path, int flags);
  IoResult Read(std::uint64_t offset, std::span<std::byte> out) override;
  IoResult Write(std::uint64_t offset, std::span<const std::byte> bytes) override;
  bool seekable() const override { return true; }
  Result<std::uint64_t, IoFailure> Available() override;
  RegularFile& file() const { return static_cast<RegularFile&>(inode()); }
};

class OpenDirectory : public OpenFile {
 public:
  OpenDirectory(PathRef path, int flags) : OpenFile(std::move(path), flags) {}
  IoResult Read(std::uint64_t, std::span<std::byte>) override { return std::unexpected(kEISDIR); }
  bool seekable() const override { return true; }
  Directory& directory() const { return static_cast<Directory&>(inode()); }
  // The next entries from `offset` on, "." and ".." among them.
  Result<std::vector<DirectoryEntry>, Errno> Entries(std::size_t max);
};

// O_PATH: names a node, does nothing with it.
class OpenPathOnly : public OpenFile {
 public:
  OpenPathOnly(PathRef path, int flags) : OpenFile(std::move(path), flags) {}
};

// A file whose text is made when it is opened (/proc).
class GeneratedFile : public Inode {
 public:
  using Generator = std::function<std::string()>;
  GeneratedFile(std::shared_ptr<VfsServices> services, std::uint32_t permissions,
                std::uint64_t device, Generator generate);
  Result<std::shared_ptr<OpenFile>, IoFailure> Open(const PathRef& path, int flags) override;

 private:
  Generator generate_;
};

}  // namespace glovebox::engine
