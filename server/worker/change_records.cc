#include "server/worker/change_records.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "server/channel/bounds.h"

namespace glovebox::worker {
namespace {

using engine::DebugChange;

// Of memory in one record; what is beside it in a record is far less than the difference to
// kMaxChangeBytes.
constexpr std::size_t kPieceBytes = std::size_t{64} << 10;
constexpr std::size_t kMostBeside = std::size_t{256};
// Of the journal, for the last changes.
constexpr std::size_t kReserveBytes = std::size_t{64} << 10;
static_assert(kPieceBytes + kMostBeside <= channel::kMaxChangeBytes);

struct KindRow {
  DebugChange::Kind kind;
  wire::DebugChange::Kind wire;
};
constexpr KindRow kKinds[] = {
    {DebugChange::Kind::kMemory, wire::DebugChange::MEMORY},
    {DebugChange::Kind::kRegisters, wire::DebugChange::REGISTERS},
    {DebugChange::Kind::kSignal, wire::DebugChange::SIGNAL},
    {DebugChange::Kind::kSiginfo, wire::DebugChange::SIGINFO},
    {DebugChange::Kind::kSchedule, wire::DebugChange::SCHEDULE},
    {DebugChange::Kind::kKill, wire::DebugChange::KILL},
};

struct PlaceRow {
  ChangePlace::Kind kind;
  wire::DebugChange::Place wire;
};
constexpr PlaceRow kPlaces[] = {
    {ChangePlace::Kind::kInstruction, wire::DebugChange::INSTRUCTION},
    {ChangePlace::Kind::kDelivery, wire::DebugChange::DELIVERY},
    {ChangePlace::Kind::kCallEntry, wire::DebugChange::CALL_ENTRY},
};

std::string EncodePiece(const RecordedChange& recorded, std::size_t offset,
                        std::span<const std::byte> bytes) {
  const DebugChange& change = recorded.change;
  const ChangePlace& place = recorded.place;
  wire::DebugChange out;
  // One of no row is not made again, and whoever replays it says so.
  const auto* const kind = std::ranges::find(kKinds, change.kind, &KindRow::kind);
  out.set_kind(kind != std::end(kKinds) ? kind->wire : wire::DebugChange::OTHER);
  out.set_pid(change.thread.pid);
  out.set_tid(change.thread.tid);
  out.set_address(change.address + offset);
  out.set_number(change.number);
  out.set_content(bytes.data(), bytes.size());
  out.set_place(std::ranges::find(kPlaces, place.kind, &PlaceRow::kind)->wire);
  out.set_place_pid(place.thread.pid);
  out.set_place_tid(place.thread.tid);
  out.set_place_number(place.number);
  out.set_rip(place.rip);
  return out.SerializeAsString();
}

}  // namespace

std::vector<std::string> EncodeChange(const RecordedChange& recorded) {
  std::vector<std::string> records;
  const std::span<const std::byte> bytes(recorded.change.bytes);
  std::size_t offset = 0;
  do {
    const auto piece = bytes.subspan(offset, std::min(kPieceBytes, bytes.size() - offset));
    records.push_back(EncodePiece(recorded, offset, piece));
    offset += piece.size();
  } while (offset < bytes.size());
  return records;
}

std::optional<RecordedChange> DecodeChange(const std::string& bytes) {
  wire::DebugChange in;
  if (!in.ParseFromString(bytes)) return std::nullopt;
  const auto* const kind = std::ranges::find(kKinds, in.kind(), &KindRow::wire);
  const auto* const place = std::ranges::find(kPlaces, in.place(), &PlaceRow::wire);
  if (kind == std::end(kKinds) || place == std::end(kPlaces)) return std::nullopt;
  RecordedChange out;
  out.change.kind = kind->kind;
  out.change.thread = {in.pid(), in.tid()};
  out.change.address = in.address();
  out.change.number = in.number();
  out.change.bytes.resize(in.content().size());
  if (!in.content().empty())
    std::memcpy(out.change.bytes.data(), in.content().data(), in.content().size());
  out.place = {place->kind, {in.place_pid(), in.place_tid()}, in.place_number(), in.rip()};
  return out;
}

bool ChangeJournal::Takes(std::size_t bytes) {
  const std::size_t pieces = bytes / kPieceBytes + 1;
  return paused_ ||
         bytes_ + bytes + pieces * kMostBeside + kReserveBytes <= channel::kMaxChangesBytes;
}

void ChangeJournal::Take(const DebugChange& change, const ChangePlace& place) {
  if (paused_) return;
  if (change.kind == DebugChange::Kind::kSchedule && std::exchange(has_schedule_, true)) return;
  const bool is_known = std::ranges::find(kKinds, change.kind, &KindRow::kind) != std::end(kKinds);
  if (is_known && bytes_ + change.bytes.size() + kReserveBytes <= channel::kMaxChangesBytes) {
    for (std::string& record : EncodeChange({change, place})) {
      bytes_ += record.size();
      write_(std::move(record));
    }
    return;
  }
  // What the journal does not hold, it says once.
  if (std::exchange(has_other_, true)) return;
  wire::DebugChange other;
  other.set_kind(wire::DebugChange::OTHER);
  write_(other.SerializeAsString());
}

}  // namespace glovebox::worker
