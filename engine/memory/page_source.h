// Pages of a mapping that the host cannot show by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace glovebox::engine {

// A file whose bytes lie nowhere on the host as one file. A private mapping takes a page of it when
// the page is accessed first, so it shows what was written before and nothing that is written
// later: mmap(2) leaves that open for MAP_PRIVATE.
class PageSource {
 public:
  virtual ~PageSource() = default;
  virtual std::uint64_t size_bytes() const = 0;
  // The bytes from `offset` on, and zeros behind the end. False: they cannot be read.
  virtual bool ReadPage(std::uint64_t offset_bytes, std::span<std::byte> out) = 0;
};

}  // namespace glovebox::engine
