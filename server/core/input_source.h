// Where the stdin of a box comes from that is not live: a blob, or the bytes that a client streams.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/host_fd.h"
#include "engine/base/result.h"
#include "server/store/input_file.h"

namespace glovebox::server {

struct InputSource {
  std::shared_ptr<InputFile> stream;
  std::shared_ptr<const HostFd> blob;  // goes before `stream`
  std::uint64_t blob_bytes = 0;

  struct Piece {
    std::string bytes;
    bool last = false;  // nothing follows
  };
  // At most `size` bytes from `offset` on. Empty: there is nothing yet.
  // Errors: DATA_LOSS BLOB_DAMAGED, and those of reading.
  Result<std::optional<Piece>, Error> Read(std::uint64_t offset, std::uint32_t size) const;
  // Is there something to answer with?
  bool Has(std::uint64_t offset) const;

 private:
  InputFile::State State() const;
};

}  // namespace glovebox::server
