#include "server/core/input_source.h"

#include <algorithm>
#include <span>
#include <utility>

#include "server/store/file_io.h"

namespace glovebox::server {

InputFile::State InputSource::State() const {
  if (blob) return {blob_bytes, true};
  return stream ? stream->state() : InputFile::State{0, true};
}

bool InputSource::Has(std::uint64_t offset) const {
  const InputFile::State state = State();
  return state.ended || state.size > offset;
}

Result<std::optional<InputSource::Piece>, Error> InputSource::Read(std::uint64_t offset,
                                                                   std::uint32_t size) const {
  const InputFile::State state = State();
  const std::uint64_t available = state.size - std::min(state.size, offset);
  if (available == 0 && !state.ended) return std::optional<Piece>();
  Piece piece;
  piece.last = state.ended && available <= size;
  piece.bytes.resize(std::min<std::uint64_t>(available, size));
  if (blob) {
    const auto read =
        ReadAt(blob->get(), offset, std::as_writable_bytes(std::span(piece.bytes)), "stdin blob");
    if (!read) return std::unexpected(read.error());
    if (*read != piece.bytes.size())
      return Fail(ErrorCode::kDataLoss, "BLOB_DAMAGED", "stdin ends early");
  } else if (stream) {
    auto read = stream->Read(offset, piece.bytes.size());
    if (!read) return std::unexpected(read.error());
    piece.bytes = std::move(*read);
  }
  return std::optional(std::move(piece));
}

}  // namespace glovebox::server
