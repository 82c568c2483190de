#include "engine/vfs/file_capabilities.h"

#include <bit>
#include <cstring>

namespace glovebox::engine {
namespace {

// struct vfs_ns_cap_data, include/uapi/linux/capability.h; without its end it is that of before
// user name spaces. Little-endian, as is all that we run on.
struct Stored {
  std::uint32_t magic;
  struct {
    std::uint32_t permitted, inheritable;
  } words[2];
  std::uint32_t root;
};
static_assert(sizeof(Stored) == 24 && std::endian::native == std::endian::little);
constexpr std::size_t kBytesV2 = 20;
constexpr std::uint32_t kRevision2 = 0x02000000, kRevision3 = 0x03000000,
                        kRevisionMask = 0xff000000;
constexpr std::uint32_t kEffective = 1;

std::optional<Stored> Decode(std::string_view value) {
  Stored stored{};
  if (value.size() != kBytesV2 && value.size() != sizeof(stored)) return std::nullopt;
  std::memcpy(&stored, value.data(), value.size());
  // cap_convert_nscap asks for nothing else than that.
  const std::uint32_t wanted = value.size() == kBytesV2 ? kRevision2 : kRevision3;
  if ((stored.magic & kRevisionMask) != wanted) return std::nullopt;
  return stored;
}

}  // namespace

std::optional<std::string> KeptFileCapabilities(std::string value) {
  auto stored = Decode(value);
  if (!stored) return std::nullopt;
  if (value.size() == kBytesV2 || stored->root != 0) return value;
  stored->magic = kRevision2 | (stored->magic & kEffective);
  value.resize(kBytesV2);
  std::memcpy(value.data(), &*stored, kBytesV2);
  return value;
}

std::optional<FileCapabilities> FileCapabilitiesOf(const Inode& inode) {
  const auto found = inode.attributes.find(std::string(kFileCapabilitiesName));
  if (found == inode.attributes.end()) return std::nullopt;
  const auto stored = Decode(found->second);
  if (!stored || stored->root != 0) return std::nullopt;
  const auto join = [](std::uint32_t low, std::uint32_t high) {
    return (CapabilitySet{low} | CapabilitySet{high} << 32) & kAllCapabilities;
  };
  return FileCapabilities{
      join(stored->words[0].permitted, stored->words[1].permitted),
      join(stored->words[0].inheritable, stored->words[1].inheritable),
      (stored->magic & kEffective) != 0,
  };
}

}  // namespace glovebox::engine
