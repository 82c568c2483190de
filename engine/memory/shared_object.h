// Memory that several mappings show, in one window or in many: MAP_SHARED | MAP_ANONYMOUS, segments
// of System V, and files of the overlay that are mapped shared (vfs/shared_file.h).
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "engine/base/types.h"
#include "engine/memory/fault.h"
#include "engine/memory/meter.h"

namespace glovebox::engine {

// It has a host mapping of its own from which windows get further ones of the same pages, so it
// needs no host descriptor, of which a guest could use up any number. Pages are charged when they
// are accessed first, by whomever: the host has to find memory for a page that is only read, too.
// Threads: one at a time.
class SharedObject {
 public:
  // An address space that shows it.
  class Window {
   public:
    // Bytes of the page at `offset` are about to change by way of another mapping than the one at
    // `except` of this window (0: than any of this window): code that was decoded from it is void.
    virtual void ObjectStored(const SharedObject& object, std::uint64_t offset,
                              GuestAddr except) = 0;
    // Code was decoded from the page: stores to it are to be told of by Stored.
    virtual void ObjectWatched(const SharedObject& object, std::uint64_t offset) = 0;
    // The pages hold something else now, or lie beyond the end: each access is to ask again.
    virtual void ObjectForgotten(const SharedObject& object, std::uint64_t offset,
                                 std::uint64_t size_bytes) = 0;
    // Bytes change without a window: write(2) of a file.
    virtual void ObjectWritten(const SharedObject& object, std::uint64_t offset,
                               std::uint64_t size_bytes) = 0;
    // The object lies elsewhere: it is to be shown again. False: the host refused.
    virtual bool ObjectMoved(SharedObject& object) = 0;
    // Is it mapped so that it may be written, now or after mprotect(2)?
    virtual bool MayWriteObject(const SharedObject& object) const = 0;

   protected:
    ~Window() = default;
  };

  enum class Failure : std::uint8_t { kNone, kNoRoom, kHost };

  // Zeros, of a fixed size: a multiple of the page size and not 0. Null: `failure` says why.
  static std::shared_ptr<SharedObject> Make(std::uint64_t size_bytes, MemoryMeter& meter,
                                            Failure& failure);
  virtual ~SharedObject();
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;

  // Pages wholly behind it cannot be accessed.
  virtual std::uint64_t size_bytes() const { return size_bytes_; }

  enum class Provided : std::uint8_t { kReady, kBeyondEnd, kNoSpace, kMemoryLimit };
  // Before a window accesses the page at `offset` for the first time, and at its first write.
  virtual Provided Provide(std::uint64_t offset, Access access);
  // A page that nobody has accessed yet may be to show something else than bytes() has: fills it
  // in. False: it has not.
  virtual bool ShowsElse(std::uint64_t /*offset*/, std::span<std::byte> /*page*/) { return false; }
  // Forgets what whole pages of the range hold: zeros from now on, and nothing is charged for them.
  // fallocate(2), FALLOC_FL_PUNCH_HOLE; madvise(2), MADV_REMOVE. False: no space for that.
  virtual bool Punch(std::uint64_t offset, std::uint64_t size_bytes);
  std::uint64_t charged_bytes() const { return charged_pages_ * kPageSize; }

  // Its bytes on the host, up to reserved_bytes().
  std::byte* bytes() const { return bytes_; }
  std::uint64_t reserved_bytes() const { return reserved_bytes_; }
  // Makes room on the host for [0, end), where what is there may have to move.
  Failure Reserve(std::uint64_t end);
  // Shows [offset, offset + size) at `at`, in place of what is there. False: the host refused.
  bool ShowAt(std::byte* at, std::uint64_t offset, std::uint64_t size_bytes);

  // False: it was attached already.
  bool Attach(Window& window);
  void Detach(Window& window);
  bool MayBeWritten() const;

  void NoteCode(std::uint64_t offset);
  bool HasCode(std::uint64_t offset) const {
    return !code_pages_.empty() && code_pages_.contains(offset / kPageSize);
  }
  // A store by way of the mapping at `at` of `by`; `keeps_code`: that one knows of its own code.
  void Stored(std::uint64_t offset, const Window& by, GuestAddr at, bool keeps_code);
  // Bytes have changed without a window: write(2) of a file.
  void Changed(std::uint64_t offset, std::uint64_t size_bytes);
  void Forget(std::uint64_t offset, std::uint64_t size_bytes);

 protected:
  SharedObject(std::uint64_t size_bytes, MemoryMeter& meter)
      : size_bytes_(size_bytes), meter_(meter) {}
  // Copies what the object holds from its present place to `to`, which is `bytes` long.
  virtual void CopyTo(std::byte* to, std::uint64_t bytes) {}
  // Gives whole pages back to the host.
  void DropPages(std::uint64_t offset, std::uint64_t size_bytes);

 private:
  static constexpr std::size_t kPagesPerChunk = 512;

  const std::uint64_t size_bytes_;
  MemoryMeter& meter_;
  std::byte* bytes_ = nullptr;
  std::uint64_t reserved_bytes_ = 0;
  std::vector<Window*> windows_;  // in the order of their coming
  std::set<std::uint64_t> code_pages_;
  std::map<std::uint64_t, std::bitset<kPagesPerChunk>> charged_;
  std::uint64_t charged_pages_ = 0;
};

}  // namespace glovebox::engine
