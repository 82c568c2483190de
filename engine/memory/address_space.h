// One guest process' memory: its place on the host (host_place.h), one byte of flags per 4 KiB page
// that every load and store looks at, and the mapping table that the flags are a cache of.
//
// Design: DESIGN.md, "Memory"; ARCHITECTURE.md, "Windows". Host address = base() + guest address.
// The host protection never changes; the guest's permissions live in the flags. Flag byte 0 means
// "ask the mapping table", so clearing flags is always safe; it is 0 wherever the host has nothing
// yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/result.h"
#include "engine/base/types.h"
#include "engine/memory/fault.h"
#include "engine/memory/host_place.h"
#include "engine/memory/meter.h"
#include "engine/memory/page_flags.h"
#include "engine/memory/page_source.h"
#include "engine/memory/shared_object.h"
#include "engine/memory/watch.h"

namespace glovebox::engine {

enum Protection : std::uint8_t { kProtNone = 0, kProtRead = 1, kProtWrite = 2, kProtExec = 4 };

// A read-only file of the host, which is opened again whenever a mapping of it is made.
class HostFile {
 public:
  virtual ~HostFile() = default;
  // Valid until the next call of anything; -1 where it cannot be had.
  virtual int Descriptor() = 0;
};

// Where the bytes of a mapping come from: one of three.
struct FileBacking {
  std::shared_ptr<HostFile> host = nullptr;
  std::shared_ptr<SharedObject> shared = nullptr;
  std::shared_ptr<PageSource> source = nullptr;
  std::uint64_t offset_bytes = 0;  // page aligned
  // Of a host file: pages wholly beyond it fault with kBeyondFile. The others say it themselves.
  std::uint64_t file_size_bytes = 0;
};

enum MappingTrait : std::uint8_t {
  kGrowsDown = 1 << 0,   // MAP_GROWSDOWN
  kWipeOnFork = 1 << 1,  // madvise(2)
  kDontFork = 1 << 2,    // likewise
  kLocked = 1 << 3,      // mlock(2)
  kDontDump = 1 << 4,    // madvise(2): only /proc shows it
};

// One row of the mapping table, as /proc/self/maps and a debugger want it.
struct Mapping {
  GuestAddr start = 0;  // page aligned
  GuestAddr end = 0;    // page aligned, exclusive
  std::uint8_t protection = kProtNone;
  std::uint8_t allowed_protection = kProtRead | kProtWrite | kProtExec;  // mprotect(2) beyond it
  std::uint8_t traits = 0;                                               // MappingTrait
  bool shared = false;
  std::uint64_t file_offset_bytes = 0;
  std::uint64_t device = 0;  // of a file, for /proc
  std::uint64_t inode = 0;
  std::string name;  // a path of the guest, "[heap]", "[stack]", or empty
};

struct Region;  // mapping_table.h

class CodeObserver {
 public:
  virtual ~CodeObserver() = default;
  // Guest bytes [address, address + size) may have changed or gone: whatever was decoded from them
  // is void. Called before the change becomes visible to the guest, on the thread that runs the
  // box.
  virtual void CodeChanged(GuestAddr address, std::uint64_t size_bytes) = 0;
  // Likewise for the whole page, which is written by way of another mapping.
  virtual void CodeStoredElsewhere(GuestAddr page_address) { CodeChanged(page_address, kPageSize); }
};

struct MapRequest {
  GuestAddr address = 0;         // page aligned; a hint unless `fixed`
  std::uint64_t size_bytes = 0;  // rounded up to pages; not 0
  std::uint8_t protection = kProtNone;
  bool fixed = false;       // replaces what is there
  bool no_replace = false;  // with fixed: fails where something is there
  bool shared = false;      // without `file`: a shared object of its own
  std::uint8_t allowed_protection = kProtRead | kProtWrite | kProtExec;
  std::uint8_t traits = 0;
  std::optional<FileBacking> file = std::nullopt;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::string name = {};
};

enum class MapError {
  kNoMemory,
  kInvalid,
  kExists,
  kTooManyMappings,
  kTooManySpaces,  // that lie interleaved: meter.h
  kHostFailed,
  kMemoryLimit,  // of the box
  kDenied,       // the file was opened for less
  kFault,        // nothing is mapped there
};

// What mremap(2) is asked for.
struct RemapRequest {
  GuestAddr old_address = 0;
  std::uint64_t old_size_bytes = 0;  // 0: a second mapping of shared memory
  std::uint64_t new_size_bytes = 0;
  bool may_move = false;
  bool keep_old = false;  // MREMAP_DONTUNMAP: the old range stays, and reads as if never touched
  std::optional<GuestAddr> fixed_address = std::nullopt;
  GuestAddr hint = 0;  // as mmap(2) would take it
};

// Threads: one at a time. Not copyable.
class AddressSpace final : public SharedObject::Window {
 public:
  struct Options {
    std::uint64_t window_bytes = 128_GiB;  // a power of two
    std::size_t max_mappings = 32'000;     // the host has 65,530 for the whole worker
    GuestAddr window_start = 0;  // where the window lies: what is not asked for by address
    // No address from here on can be mapped; 0: from the window's end on.
    GuestAddr address_end = 0;
  };

  // Errors: kResourceExhausted where the host does not reserve a place.
  static Result<std::unique_ptr<AddressSpace>, Error> Make(const Options& options,
                                                           MemoryMeter& meter);
  ~AddressSpace();
  // fork(2): a second space with the same mappings. Written private pages are copied (and
  // charged), shared memory stays shared. kMemoryLimit, kHostFailed.
  Result<std::unique_ptr<AddressSpace>, MapError> Fork() const;
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  // The hot path's view. All but the base is constant for the life of the space; the base may
  // change in Map, Remap, Poke, Resolve and in what calls these (not in copies of readable pages).
  std::byte* base() const { return base_; }
  std::uint8_t* flags() const { return flags_; }
  GuestAddr address_end() const { return address_end_; }
  // Where the host has the byte.
  std::byte* Host(GuestAddr address) const { return HostOf(base_, address); }

  GuestAddr window_start() const { return window_start_; }
  std::uint64_t window_bytes() const { return window_bytes_; }

  void SetCodeObserver(CodeObserver* observer) { observer_ = observer; }

  // mmap(2) in terms of pages. Returns the address chosen. Without `fixed` the highest free range
  // of the window below `mmap_top()` is taken, as Linux does top-down, and one outside of the
  // window where it has no room.
  Result<GuestAddr, MapError> Map(const MapRequest& request);
  // munmap(2), mprotect(2) over [address, address + size): page aligned, below address_end().
  Result<void, MapError> Unmap(GuestAddr address, std::uint64_t size_bytes);
  // kNoMemory where a page of the range is not mapped (nothing is changed before the hole's start,
  // as on Linux).
  Result<void, MapError> Protect(GuestAddr address, std::uint64_t size_bytes,
                                 std::uint8_t protection);
  // mremap(2): moves or resizes. kInvalid where the old range is not within one mapping.
  Result<GuestAddr, MapError> Remap(const RemapRequest& request);
  // madvise(MADV_DONTNEED): private anonymous pages read as zero again and are no longer charged;
  // private file pages show the file again. Locked pages: kInvalid.
  Result<void, MapError> Discard(GuestAddr address, std::uint64_t size_bytes);
  // Sets and clears traits of what is mapped in the range. kNoMemory where a page is not mapped.
  Result<void, MapError> SetTraits(GuestAddr address, std::uint64_t size_bytes, std::uint8_t set,
                                   std::uint8_t clear);
  // madvise(MADV_REMOVE): the object's pages are zeros for everybody. kInvalid where the range is
  // no shared memory, kDenied where it may not be written.
  Result<void, MapError> Remove(GuestAddr address, std::uint64_t size_bytes);
  std::uint64_t LockedBytes() const;
  // Bytes of private memory that are charged.
  std::uint64_t ChargedBytes(GuestAddr start, GuestAddr end) const;
  // Has the page been accessed, or is it there all the same? mincore(2).
  bool IsResident(GuestAddr address) const;

  // The place of a byte in shared memory; empty where it lies in none.
  struct SharedPlace {
    const SharedObject* object;
    std::uint64_t offset_bytes;
  };
  std::optional<SharedPlace> SharedPlaceOf(GuestAddr address) const;
  // remap_file_pages(2): the range, which is to show shared memory throughout, shows that from
  // `offset_bytes` on instead. kInvalid where it does not.
  Result<void, MapError> ShowOther(GuestAddr address, std::uint64_t size_bytes,
                                   std::uint64_t offset_bytes);

  // Is every page of the range mapped?
  bool IsMapped(GuestAddr address, std::uint64_t size_bytes) const;
  const Mapping* Find(GuestAddr address) const;
  std::vector<Mapping> Mappings() const;
  // Where the search for free ranges starts, exclusive; page aligned. Set once by the loader.
  void SetMmapTop(GuestAddr top) { mmap_top_ = top; }
  // How large a mapping that grows down may become by that: RLIMIT_STACK.
  void SetStackLimit(std::uint64_t bytes) { stack_limit_bytes_ = bytes; }
  GuestAddr mmap_top() const { return mmap_top_; }

  // Copies that obey the guest's permissions, as copy_from_user and copy_to_user do.
  // Returns: the bytes copied; short only before the first byte that cannot be accessed. The fault
  // of that byte is told by LastFault() until the next copy. A write that hits the memory limit
  // stops with kMemoryLimit.
  std::size_t CopyIn(std::span<std::byte> out, GuestAddr from);
  std::size_t CopyOut(GuestAddr to, std::span<const std::byte> bytes);
  const MemoryFault& LastFault() const { return last_fault_; }
  // As CopyIn/CopyOut, but without regard to permissions (a debugger, the loader); unmapped bytes
  // still end it.
  std::size_t Peek(std::span<std::byte> out, GuestAddr from);
  std::size_t Poke(GuestAddr to, std::span<const std::byte> bytes);

  // The slow path of loads, stores and fetches: makes the page of `address` accessible as asked, or
  // says why it is not. After success the page's flag byte allows the access (kPlain for writes
  // unless it holds code: then CodeChanged was called for the bytes [address, address + size_bytes)
  // and the store may be done once).
  std::optional<MemoryFault> Resolve(GuestAddr address, std::uint32_t size_bytes, Access access);

  // --- what a debugger watches: costs something only on the pages where it lies ---
  void SetWatches(std::vector<Watch> watches);
  const std::vector<Watch>& watches() const { return watches_; }
  bool IsWatchedPage(std::uint64_t page) const;
  // Does a watchpoint wait for that access? `access` is kRead or kWrite.
  std::optional<WatchHit> Judge(GuestAddr address, std::uint64_t size_bytes, Access access) const;
  // Shared memory within a range: pieces of objects, and where they lie here.
  struct SharedPiece {
    const SharedObject* object;
    std::uint64_t offset_bytes;
    GuestAddr address;
    std::uint64_t size_bytes;
  };
  std::vector<SharedPiece> SharedPieces(GuestAddr address, std::uint64_t size_bytes) const;
  // Every place at which those bytes of an object lie here.
  std::vector<SharedPiece> PlacesOf(const SharedObject& object, std::uint64_t offset_bytes,
                                    std::uint64_t size_bytes) const;
  // Another number after each change of what is mapped.
  std::uint64_t mapping_changes() const;
  // What copies have met since the last call: accesses of system calls, and of signal frames.
  std::optional<WatchHit> TakeCopyHit() { return std::exchange(copy_hit_, std::nullopt); }

  // Copies out what a guest would see there, whatever its protection; nothing is charged, grown or
  // noted by that. Returns the bytes copied, short only before the first page that is not there.
  std::size_t Inspect(std::span<std::byte> out, GuestAddr from) const;

  // Marks the page as holding decoded code: from now on a store to it leaves through Resolve.
  void MarkCode(GuestAddr page_address);
  // No decoded code is left on the page. Called by the code observer, also from within CodeChanged.
  void UnmarkCode(GuestAddr page_address);

  // Called by shared objects.
  void ObjectStored(const SharedObject& object, std::uint64_t offset, GuestAddr except) override;
  void ObjectWatched(const SharedObject& object, std::uint64_t offset) override;
  void ObjectForgotten(const SharedObject& object, std::uint64_t offset,
                       std::uint64_t size_bytes) override;
  void ObjectWritten(const SharedObject& object, std::uint64_t offset,
                     std::uint64_t size_bytes) override;
  bool ObjectMoved(SharedObject& object) override;
  bool MayWriteObject(const SharedObject& object) const override;

 private:
  struct Tables;
  static Result<std::unique_ptr<AddressSpace>, Error> MakeAt(const Options& options,
                                                             MemoryMeter& meter,
                                                             const std::set<std::uint64_t>& units,
                                                             const HostPlace::Range& reach);
  // What of all addresses is mapped so that it can be accessed, and the window.
  HostPlace::Range Reach() const;
  AddressSpace(const Options& options, MemoryMeter& meter);

  bool InRange(GuestAddr address, std::uint64_t size_bytes) const {
    return address < address_end_ && size_bytes <= address_end_ - address;
  }
  // May the guest map [start, start + size), which lies outside of the window? Counts that it does.
  bool MaySpread(GuestAddr start, std::uint64_t size_bytes);
  // Gets the host's addresses for [start, end). kTooManyMappings, kHostFailed.
  Result<void, MapError> TakePlace(GuestAddr start, GuestAddr end);
  Result<void, MapError> TakePlaceFor(const Region& region, GuestAddr from,
                                      std::uint64_t size_bytes);
  // Goes to where the host has `missing` units too.
  bool MoveToPlaceWith(const std::vector<std::uint64_t>& missing);
  // Gives back units of [start, end) in which nothing is mapped any longer.
  void LeaveUnusedPlaces(GuestAddr start, GuestAddr end);
  // Calls use(first, end) for each run of charged pages in [start, end); it returns false to stop,
  // and may take away the charge of its run.
  template <typename Use>
  bool ForEachChargedRun(GuestAddr start, GuestAddr end, Use use) const;
  void TellObserver(GuestAddr address, std::uint64_t size_bytes) {
    if (observer_ != nullptr) observer_->CodeChanged(address, size_bytes);
  }
  std::optional<MemoryFault> ResolvePage(GuestAddr address, std::uint32_t size_bytes,
                                         Access access);
  bool ChargePage(std::uint64_t page);
  std::uint8_t HoldBack(std::uint64_t page, std::uint8_t flag) const;
  void NoteCopy(GuestAddr address, std::uint64_t size_bytes, Access access);
  // Before the page of `address` in `region` is accessed: lets its object or its source say what is
  // in it. Empty: it is there.
  std::optional<MemoryFaultKind> ProvidePage(const Region& region, GuestAddr address,
                                             Access access);
  // The region that holds `address`, after growing down to it where one may.
  const Region* FindOrGrow(GuestAddr address);
  // Calls `use(start, end)` for each range of the window that shows [offset, offset + size).
  template <typename Use>
  void ForEachAlias(const SharedObject& object, std::uint64_t offset, std::uint64_t size_bytes,
                    Use use) const;
  void AttachTo(const std::shared_ptr<SharedObject>& object);
  // Counts what the host has to map in [start, end) anew. False, and nothing counted: too many.
  bool CountPieces(std::size_t before, GuestAddr start, GuestAddr end);
  void ReleasePages(GuestAddr start, GuestAddr end);
  void ForgetPermissions(GuestAddr start, GuestAddr end);
  void ForgetPermissionsOf(GuestAddr start, GuestAddr end);  // of a piece that the host has
  void ClearFlags(GuestAddr start, GuestAddr end);
  // Lets the host show what backs the region; the range is anonymous before.
  bool ShowBacking(const Region& region);
  Result<void, MapError> MakeAnonymous(GuestAddr start, GuestAddr end);
  std::optional<GuestAddr> FindFree(std::uint64_t size_bytes);
  void MovePages(GuestAddr from, GuestAddr to, std::uint64_t size_bytes);
  bool CopyCharged(AddressSpace& child, GuestAddr start, GuestAddr end) const;
  void TellOfStore(const Region& region, GuestAddr address);
  Result<GuestAddr, MapError> Place(const RemapRequest& request, std::uint64_t new_size,
                                    GuestAddr old_end);

  std::byte* base_ = nullptr;
  std::uint8_t* flags_ = nullptr;
  GuestAddr window_start_ = 0;
  std::uint64_t window_bytes_ = 0;
  GuestAddr address_end_ = 0;
  GuestAddr mmap_top_ = 0;
  std::uint64_t stack_limit_bytes_ = 8_MiB;
  MemoryFault last_fault_;
  CodeObserver* observer_ = nullptr;
  std::vector<Watch> watches_;
  std::optional<WatchHit> copy_hit_;
  MemoryMeter& meter_;
  std::unique_ptr<Tables> tables_;
};

}  // namespace glovebox::engine
