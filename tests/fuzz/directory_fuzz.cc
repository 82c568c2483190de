// A listing of a directory as a client may have uploaded it: refused, or entries that the file
// system can rely on.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/base/check.h"
#include "server/worker/channel_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto entries = glovebox::worker::ParseDirectory(bytes, glovebox::Digest{});
  if (!entries) return 0;
  std::string_view last;
  for (const glovebox::engine::TreeEntry& entry : *entries) {
    GB_CHECK(entry.name > last && entry.name.size() <= 255);
    GB_CHECK(entry.name != "." && entry.name != "..");
    GB_CHECK(entry.name.find_first_of(std::string_view("/\0", 2)) == std::string::npos);
    GB_CHECK((entry.mode & ~07777u) == 0);
    GB_CHECK((entry.kind == glovebox::engine::NodeKind::kSymlink) == !entry.target.empty());
    last = entry.name;
  }
  return 0;
}
