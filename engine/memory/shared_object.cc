#include "engine/memory/shared_object.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>

namespace glovebox::engine {

std::shared_ptr<SharedObject> SharedObject::Make(std::uint64_t size_bytes, MemoryMeter& meter,
                                                 Failure& failure) {
  const std::shared_ptr<SharedObject> object(new SharedObject(size_bytes, meter));
  failure = object->Reserve(size_bytes);
  return failure == Failure::kNone ? object : nullptr;
}

SharedObject::~SharedObject() {
  if (bytes_ != nullptr) ::munmap(bytes_, reserved_bytes_);
  meter_.Unreserve(reserved_bytes_);
  meter_.Release(charged_bytes());
}

SharedObject::Failure SharedObject::Reserve(std::uint64_t end) {
  constexpr std::uint64_t kLeastBytes = 1_MiB;  // so that what grows moves now and then only
  // One of a fixed size has all that it will ever have: what lies behind cannot be accessed.
  if (end <= reserved_bytes_ || (size_bytes_ != 0 && bytes_ != nullptr)) return Failure::kNone;
  if (end > MemoryMeter::kMaxReservedBytes) return Failure::kNoRoom;
  const std::uint64_t wanted =
      size_bytes_ != 0 ? PageCeil(end) : std::max(std::bit_ceil(end), kLeastBytes);
  if (!meter_.Reserve(wanted)) return Failure::kNoRoom;
  void* const at = ::mmap(nullptr, wanted, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    meter_.Unreserve(wanted);
    return Failure::kHost;
  }
  CopyTo(static_cast<std::byte*>(at), wanted);
  if (bytes_ != nullptr) ::munmap(bytes_, reserved_bytes_);
  meter_.Unreserve(reserved_bytes_);
  bytes_ = static_cast<std::byte*>(at);
  reserved_bytes_ = wanted;
  const bool shown =
      std::ranges::all_of(windows_, [this](Window* window) { return window->ObjectMoved(*this); });
  return shown ? Failure::kNone : Failure::kHost;
}

bool SharedObject::ShowAt(std::byte* at, std::uint64_t offset, std::uint64_t size_bytes) {
  if (offset >= reserved_bytes_) return true;
  size_bytes = std::min(size_bytes, reserved_bytes_ - offset);
  // An old size of 0 makes a second mapping of shared pages: mremap(2).
  return ::mremap(bytes_ + offset, 0, size_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED;
}

SharedObject::Provided SharedObject::Provide(std::uint64_t offset, Access) {
  if (offset >= size_bytes_) return Provided::kBeyondEnd;
  const std::uint64_t page = offset / kPageSize;
  auto& chunk = charged_[page / kPagesPerChunk];
  if (chunk.test(page % kPagesPerChunk)) return Provided::kReady;
  if (!meter_.Charge(kPageSize)) return Provided::kMemoryLimit;
  chunk.set(page % kPagesPerChunk);
  ++charged_pages_;
  return Provided::kReady;
}

bool SharedObject::Punch(std::uint64_t offset, std::uint64_t size_bytes) {
  const std::uint64_t first = PageCeil(offset) / kPageSize;
  const std::uint64_t end = std::min(offset + size_bytes, size_bytes_) / kPageSize;
  if (first >= end) return true;
  Forget(first * kPageSize, (end - first) * kPageSize);
  DropPages(first * kPageSize, (end - first) * kPageSize);
  for (auto it = charged_.lower_bound(first / kPagesPerChunk);
       it != charged_.end() && it->first * kPagesPerChunk < end; ++it) {
    for (std::size_t bit = 0; bit < kPagesPerChunk; ++bit) {
      const std::uint64_t page = it->first * kPagesPerChunk + bit;
      if (page < first || page >= end || !it->second.test(bit)) continue;
      it->second.reset(bit);
      --charged_pages_;
      meter_.Release(kPageSize);
    }
  }
  return true;
}

void SharedObject::DropPages(std::uint64_t offset, std::uint64_t size_bytes) {
  if (offset >= reserved_bytes_) return;
  ::madvise(bytes_ + offset, std::min(size_bytes, reserved_bytes_ - offset), MADV_REMOVE);
}

bool SharedObject::Attach(Window& window) {
  if (std::ranges::find(windows_, &window) != windows_.end()) return false;
  windows_.push_back(&window);
  return true;
}

void SharedObject::Detach(Window& window) { std::erase(windows_, &window); }

bool SharedObject::MayBeWritten() const {
  return std::ranges::any_of(
      windows_, [this](const Window* window) { return window->MayWriteObject(*this); });
}

void SharedObject::NoteCode(std::uint64_t offset) {
  if (!code_pages_.insert(offset / kPageSize).second) return;
  for (Window* const window : windows_) window->ObjectWatched(*this, PageFloor(offset));
}

void SharedObject::Stored(std::uint64_t offset, const Window& by, GuestAddr at, bool keeps_code) {
  for (Window* const window : windows_) {
    window->ObjectStored(*this, PageFloor(offset), window == &by ? at : 0);
  }
  if (!keeps_code) code_pages_.erase(offset / kPageSize);
}

void SharedObject::Changed(std::uint64_t offset, std::uint64_t size_bytes) {
  if (size_bytes == 0) return;
  for (Window* const window : windows_) window->ObjectWritten(*this, offset, size_bytes);
  if (code_pages_.empty()) return;
  const std::uint64_t last = (offset + size_bytes - 1) / kPageSize;
  for (auto it = code_pages_.lower_bound(offset / kPageSize);
       it != code_pages_.end() && *it <= last;) {
    for (Window* const window : windows_) window->ObjectStored(*this, *it * kPageSize, 0);
    it = code_pages_.erase(it);
  }
}

void SharedObject::Forget(std::uint64_t offset, std::uint64_t size_bytes) {
  for (Window* const window : windows_) window->ObjectForgotten(*this, offset, size_bytes);
}

}  // namespace glovebox::engine
