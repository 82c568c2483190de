#include "engine/vfs/file_locks.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "engine/vfs/inode.h"

namespace glovebox::engine {
namespace {

constexpr std::uint64_t kLockBytes = 128;
// Of one file: each is looked at whenever one is taken.
constexpr std::size_t kMaxLocks = 4096;
constexpr int kMaxChain = 32;  // of who waits for whom

bool IsSameOwner(const FileLock& a, const FileLock& b) {
  return a.kind == b.kind && a.owner == b.owner;
}

std::string Describe(std::size_t number, const FileLock& lock, const Inode& inode) {
  constexpr const char* kNames[] = {"FLOCK ", "POSIX ", "OFDLCK"};
  char start[160];
  std::snprintf(start, sizeof start, "%zu: %s  ADVISORY  %s %d %02llx:%02llx:%llu %llu ", number,
                kNames[static_cast<std::size_t>(lock.kind)], lock.exclusive ? "WRITE" : "READ ",
                lock.pid, static_cast<unsigned long long>(inode.device >> 8),
                static_cast<unsigned long long>(inode.device & 0xff),
                static_cast<unsigned long long>(inode.number),
                static_cast<unsigned long long>(lock.first));
  const bool to_the_end = lock.last == FileLock::kToTheEnd;
  return start + (to_the_end ? std::string("EOF") : std::to_string(lock.last)) + "\n";
}

}  // namespace

// --- LockTable ---

void LockTable::Remove(const FileLocks& locks) {
  std::erase_if(files_, [&](const auto& row) { return row.second == &locks; });
}

std::string LockTable::Text() const {
  std::map<std::uint64_t, std::pair<const FileLock*, const Inode*>> in_order;
  for (const auto& [number, locks] : files_) {
    for (const FileLocks::Held& row : locks->held())
      in_order.emplace(row.number, std::pair(&row.lock, &locks->inode()));
  }
  std::string text;
  std::size_t count = 0;
  for (const auto& [number, row] : in_order) text += Describe(++count, *row.first, *row.second);
  return text;
}

bool LockTable::WouldDeadlock(const void* owner, const void* holder) const {
  for (int i = 0; i < kMaxChain; ++i) {
    if (holder == owner) return true;
    const auto wait = std::ranges::find_if(
        waits_, [holder](const Wait* row) { return row->wanted.owner == holder; });
    if (wait == waits_.end()) return false;
    // What it waits for may be free by now: it has only not had its turn.
    const auto conflict = (*wait)->locks->FindConflict((*wait)->wanted);
    if (!conflict || conflict->kind != LockKind::kPosix) return false;
    holder = conflict->owner;
  }
  return false;
}

// --- FileLocks ---

FileLocks::FileLocks(Inode& inode) : inode_(inode), services_(inode.services()) {
  services_->locks.Add(*this);
}

FileLocks::~FileLocks() { services_->locks.Remove(*this); }

std::optional<FileLock> FileLocks::FindConflict(const FileLock& wanted) const {
  const auto found = std::ranges::find_if(held_, [&](const Held& row) {
    const FileLock& lock = row.lock;
    return (lock.kind == LockKind::kFlock) == (wanted.kind == LockKind::kFlock) &&
           !IsSameOwner(lock, wanted) && (lock.exclusive || wanted.exclusive) &&
           lock.SharesRange(wanted);
  });
  return found == held_.end() ? std::nullopt : std::optional(found->lock);
}

bool FileLocks::Charge() {
  if (held_.size() > kMaxLocks) return false;
  const std::uint64_t needed = held_.size() * kLockBytes;
  if (needed < charge_.bytes()) charge_.Release(charge_.bytes() - needed);
  return needed <= charge_.bytes() || charge_.Add(services_, needed - charge_.bytes());
}

bool FileLocks::Cut(const FileLock& range, FileLock* joined) {
  std::vector<Held> kept;
  bool changed = false;
  for (Held& row : held_) {
    FileLock& lock = row.lock;
    const bool is_beside = lock.first == range.last + 1 || range.first == lock.last + 1;
    const bool joins = joined != nullptr && lock.exclusive == joined->exclusive;
    if (!IsSameOwner(lock, range) || !(lock.SharesRange(range) || (joins && is_beside))) {
      kept.push_back(row);
      continue;
    }
    changed = true;
    if (joins) {
      joined->first = std::min(joined->first, lock.first);
      joined->last = std::max(joined->last, lock.last);
      continue;
    }
    const FileLock whole = lock;
    if (whole.first < range.first) {
      lock.last = range.first - 1;
      kept.push_back(row);
    }
    if (whole.last > range.last) {
      lock = whole;
      lock.first = range.last + 1;
      kept.push_back({lock, services_->locks.NextNumber()});
    }
  }
  held_ = std::move(kept);
  return changed;
}

Result<void, Errno> FileLocks::Take(const FileLock& lock) {
  const std::vector<Held> before = held_;
  FileLock joined = lock;
  Cut(lock, &joined);
  held_.push_back({joined, services_->locks.NextNumber()});
  if (!Charge()) {
    held_ = before;
    return std::unexpected(kENOLCK);
  }
  services_->file_event(this);  // one that shares may be where one excluded
  return {};
}

Result<void, Errno> FileLocks::Release(const FileLock& lock) {
  const std::vector<Held> before = held_;
  if (!Cut(lock, nullptr)) return {};
  if (!Charge()) {
    held_ = before;
    return std::unexpected(kENOLCK);
  }
  services_->file_event(this);
  return {};
}

void FileLocks::ReleaseAll(LockKind kind, const void* owner) {
  const auto gone = std::erase_if(
      held_, [&](const Held& row) { return row.lock.kind == kind && row.lock.owner == owner; });
  if (gone == 0) return;
  static_cast<void>(Charge());  // it is less
  services_->file_event(this);
}

}  // namespace glovebox::engine
