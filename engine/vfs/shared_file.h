// The memory of a regular file that is mapped shared: its blocks and the mapping are one.
#pragma once

#include "engine/memory/shared_object.h"
#include "engine/vfs/file_content.h"

namespace glovebox::engine {

class RegularFile;

// Lives as long as its file; whoever holds it holds the file. Blocks below reserved_bytes() lie in
// it. A page that is accessed becomes a block, charged to the disk limit, as on tmpfs: where no
// space is left, that is SIGBUS.
class SharedFile final : public SharedObject {
 public:
  SharedFile(RegularFile& file, MemoryMeter& meter) : SharedObject(0, meter), file_(file) {}

  std::uint64_t size_bytes() const override;
  Provided Provide(std::uint64_t offset, Access access) override;
  bool ShowsElse(std::uint64_t offset, std::span<std::byte> page) override;
  bool Punch(std::uint64_t offset, std::uint64_t size_bytes) override;
  // Blocks of the file that were given up.
  void Drop(std::uint64_t offset, std::uint64_t size_bytes) {
    Forget(offset, size_bytes);
    DropPages(offset, size_bytes);
  }

 protected:
  void CopyTo(std::byte* to, std::uint64_t bytes) override;

 private:
  RegularFile& file_;
};

}  // namespace glovebox::engine
