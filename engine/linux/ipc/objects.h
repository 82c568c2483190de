// What System V's three kinds of objects have in common: keys, identifiers, owners, permissions.
// Sources: svipc(7), sysvipc of proc(5), ipc/util.c of Linux 6.1.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "engine/base/errno.h"
#include "engine/base/result.h"
#include "engine/linux/abi/ipc.h"
#include "engine/vfs/credentials.h"

namespace glovebox::engine {

// linux/ipc.h
enum IpcFlag : std::uint32_t { kIpcCreate = 01000, kIpcExclusive = 02000, kIpcNoWait = 04000 };
enum IpcCommand : int { kIpcRemove = 0, kIpcSet = 1, kIpcStat = 2, kIpcInfo = 3 };
inline constexpr std::int32_t kIpcPrivate = 0;

struct IpcOwner {
  std::int32_t key = kIpcPrivate;
  std::uint32_t uid = 0, gid = 0, creator_uid = 0, creator_gid = 0;
  std::uint32_t mode = 0;  // 0777, and flags of the kind
  std::uint16_t sequence = 0;

  // ipcperms: does `who` have each of the wanted bits (4 read, 2 write)?
  bool Allows(const Credentials& who, std::uint32_t wanted) const;
  // IPC_SET, IPC_RMID.
  bool IsOwner(const Credentials& who) const {
    return who.Can(Capability::kSysAdmin) || who.euid == uid || who.euid == creator_uid;
  }
  abi::IpcPermission Permission() const {
    return {key, uid, gid, creator_uid, creator_gid, mode, sequence, 0, 0, {}};
  }
  void Set(const abi::IpcPermission& permission) {
    uid = permission.uid;
    gid = permission.gid;
    mode = (mode & ~0777u) | (permission.mode & 0777);
  }
};

// Hands out identifiers; those of the same place differ by their sequence, so an old one does not
// name a new object.
class IpcIdSource {
 public:
  static constexpr std::uint32_t kPlaces = 32768;
  // For an object that none of `used(place)` is at.
  template <typename Used>
  std::int32_t Next(Used used, std::uint16_t& sequence) {
    while (true) {
      const std::uint32_t place = next_++ % kPlaces;
      if (used(place)) continue;
      sequence = static_cast<std::uint16_t>((next_ - 1) / kPlaces % 65536);
      return static_cast<std::int32_t>(sequence * kPlaces + place);
    }
  }

 private:
  std::uint64_t next_ = 0;
};

// All objects of one kind. An object has a member `owner`.
template <typename Object>
class IpcTable {
 public:
  explicit IpcTable(std::size_t most) : most_(most) {}

  // EINVAL: there is no such object.
  Object* Find(std::int32_t id) const {
    if (id < 0) return nullptr;
    const auto found = objects_.find(static_cast<std::uint32_t>(id) % IpcIdSource::kPlaces);
    if (found == objects_.end() || found->second->id != id) return nullptr;
    return found->second.get();
  }
  Object* FindKey(std::int32_t key) const {
    if (key == kIpcPrivate) return nullptr;
    for (const auto& [place, object] : objects_) {
      if (object->owner.key == key) return object.get();
    }
    return nullptr;
  }
  Object* AtPlace(int place) const {
    const auto found = place < 0 ? objects_.end() : objects_.find(static_cast<unsigned>(place));
    return found == objects_.end() ? nullptr : found->second.get();
  }
  // Null: there are as many as may be.
  Object* Add(std::unique_ptr<Object> object, std::int32_t key, std::uint32_t mode,
              const Credentials& who) {
    if (objects_.size() >= most_) return nullptr;
    object->owner = {key, who.euid, who.egid, who.euid, who.egid, mode & 0777, 0};
    object->id = ids_.Next([this](std::uint32_t place) { return objects_.contains(place); },
                           object->owner.sequence);
    const std::uint32_t place = static_cast<std::uint32_t>(object->id) % IpcIdSource::kPlaces;
    return (objects_[place] = std::move(object)).get();
  }
  void Remove(const Object& object) {
    objects_.erase(static_cast<std::uint32_t>(object.id) % IpcIdSource::kPlaces);
  }
  // The highest place in use; 0 where there is none.
  int LastPlace() const {
    return objects_.empty() ? 0 : static_cast<int>(objects_.rbegin()->first);
  }
  const std::map<std::uint32_t, std::unique_ptr<Object>>& objects() const { return objects_; }

  // The get calls: finds or makes. `check(object)` and `make()` say what is wrong.
  template <typename Check, typename Make>
  Result<std::int32_t, Errno> Get(std::int32_t key, std::uint32_t flags, const Credentials& who,
                                  Check check, Make make) {
    if (Object* const found = FindKey(key)) {
      constexpr std::uint32_t kNew = kIpcCreate | kIpcExclusive;
      if ((flags & kNew) == kNew) return std::unexpected(kEEXIST);
      if (const Errno error = check(*found); error != Errno{}) return std::unexpected(error);
      const std::uint32_t wanted = (flags >> 6 | flags >> 3 | flags) & 7;
      if (!found->owner.Allows(who, wanted)) return std::unexpected(kEACCES);
      return found->id;
    }
    if (key != kIpcPrivate && (flags & kIpcCreate) == 0) return std::unexpected(kENOENT);
    Result<std::unique_ptr<Object>, Errno> made = make();
    if (!made) return std::unexpected(made.error());
    Object* const added = Add(std::move(*made), key, flags, who);
    if (added == nullptr) return std::unexpected(kENOSPC);
    return added->id;
  }

 private:
  const std::size_t most_;
  IpcIdSource ids_;
  std::map<std::uint32_t, std::unique_ptr<Object>> objects_;  // by place
};

}  // namespace glovebox::engine
