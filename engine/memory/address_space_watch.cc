#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "engine/memory/address_space_tables.h"

namespace glovebox::engine {
namespace {

bool Overlaps(const Watch& watch, GuestAddr address, std::uint64_t size_bytes) {
  return watch.address < address + size_bytes && address < watch.address + watch.size_bytes;
}

bool LiesOn(const Watch& watch, std::uint64_t page) {
  return PageOf(watch.address) <= page && page <= PageOf(watch.address + (watch.size_bytes - 1));
}

}  // namespace

// The flags change in place: a page that was forgotten would not be resident any more.
void AddressSpace::SetWatches(std::vector<Watch> watches) {
  std::erase_if(watches, [this](const Watch& watch) {
    return watch.size_bytes == 0 || watch.address >= address_end_;
  });
  for (Watch& watch : watches) {
    watch.size_bytes = std::min(watch.size_bytes, address_end_ - watch.address);
  }
  const auto for_each_page = [this](auto use) {
    for (const Watch& watch : watches_) {
      const GuestAddr end = PageCeil(watch.address + watch.size_bytes);
      for (const Region& region : tables_->mappings.Within(PageFloor(watch.address), end)) {
        const Mapping& mapping = region.mapping;
        tables_->place.ForEachPiece(mapping.start, mapping.end, [&](GuestAddr at, GuestAddr to) {
          for (; at < to; at += kPageSize)
            if (flags_[PageOf(at)] != 0) use(PageOf(at));
        });
      }
    }
  };
  for_each_page([this](std::uint64_t page) {
    std::uint8_t& flag = flags_[page];
    if ((flag & kHeldPlain) != 0) flag |= kPlain;
    if ((flag & kHeldReadable) != 0) flag |= kReadable;
    flag &= static_cast<std::uint8_t>(~(kHeldPlain | kHeldReadable));
  });
  watches_ = std::move(watches);
  for_each_page([this](std::uint64_t page) { flags_[page] = HoldBack(page, flags_[page]); });
}

bool AddressSpace::IsWatchedPage(std::uint64_t page) const {
  return std::ranges::any_of(watches_, [&](const Watch& watch) { return LiesOn(watch, page); });
}

// A page of something watched: accesses leave the fast path, loads only where somebody wants to
// hear of them.
std::uint8_t AddressSpace::HoldBack(std::uint64_t page, std::uint8_t flag) const {
  for (const Watch& watch : watches_) {
    if (!LiesOn(watch, page)) continue;
    if ((flag & kPlain) != 0) flag = static_cast<std::uint8_t>((flag & ~kPlain) | kHeldPlain);
    if (watch.kind == WatchKind::kWrite || (flag & kReadable) == 0) continue;
    flag = static_cast<std::uint8_t>((flag & ~kReadable) | kHeldReadable);
  }
  return flag;
}

std::optional<WatchHit> AddressSpace::Judge(GuestAddr address, std::uint64_t size_bytes,
                                            Access access) const {
  std::optional<WatchHit> found;
  for (const Watch& watch : watches_) {
    if (!Overlaps(watch, address, size_bytes)) continue;
    if (watch.kind == WatchKind::kWrite && access == Access::kRead) continue;
    const bool if_it_reads = watch.kind == WatchKind::kRead && access == Access::kWrite;
    if (!found || found->if_it_reads) {
      const GuestAddr first = std::max(address, watch.address);
      const GuestAddr at_home =
          watch.home_pid != 0 ? first - watch.address + watch.home_address : first;
      found = WatchHit{watch.kind, at_home, if_it_reads, watch.home_pid};
    }
    if (!if_it_reads) break;
  }
  return found;
}

void AddressSpace::NoteCopy(GuestAddr address, std::uint64_t size_bytes, Access access) {
  if (copy_hit_ || size_bytes == 0) return;
  copy_hit_ = Judge(address, size_bytes, access);
  if (copy_hit_ && copy_hit_->if_it_reads) copy_hit_.reset();
}

std::size_t AddressSpace::Inspect(std::span<std::byte> out, GuestAddr from) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const GuestAddr at = from + done;
    const Region* const region = tables_->mappings.Find(at);
    if (region == nullptr || at >= region->BackedEnd()) break;
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>(out.size() - done, kPageSize - at % kPageSize));
    if (region->file == nullptr && !tables_->place.Has(at)) {  // never accessed
      std::memset(out.data() + done, 0, count);
      done += count;
      continue;
    }
    // The page that an access would bring.
    std::array<std::byte, kPageSize> page;
    const std::uint64_t offset =
        region->mapping.file_offset_bytes + (PageFloor(at) - region->mapping.start);
    const bool is_source = region->file && !region->file->shared && region->file->source &&
                           (flags_[PageOf(at)] & kCharged) == 0;
    if (is_source && !region->file->source->ReadPage(offset, page)) break;
    if (is_source ||
        (region->file && region->file->shared && region->file->shared->ShowsElse(offset, page))) {
      std::memcpy(out.data() + done, page.data() + at % kPageSize, count);
    } else {
      std::memcpy(out.data() + done, Host(at), count);
    }
    done += count;
  }
  return done;
}

}  // namespace glovebox::engine
