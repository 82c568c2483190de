#include "engine/cpu/translation_memo.h"

#include <array>
#include <bit>
#include <utility>

namespace glovebox::engine {
namespace {

using Words = std::array<std::uint64_t, 2>;

// Of each unit: is it an instruction's second one, data as a whole?
std::vector<bool> SecondUnits(const Translation& translation) {
  std::vector<bool> first(translation.uops.size() + 1, false);
  for (const InstructionMark& mark : translation.marks) first[mark.uop] = true;
  std::vector<bool> second(translation.uops.size(), false);
  for (std::size_t i = 1; i < second.size(); ++i) second[i] = first[i - 1] && !first[i];
  return second;
}

// Code names its surroundings by 32-bit distances; whatever else has the same difference is none.
bool IsNear(GuestAddr address, GuestAddr start) {
  constexpr std::uint64_t kReach = (std::uint64_t{1} << 31) + kPageSize;
  return address - start + kReach <= 2 * kReach;
}

// Fills in which words move. False: not all that differs is such a word.
bool FindAddresses(TranslationMemo::Row& row, std::span<const Uop> moved, std::uint64_t distance) {
  const std::vector<Uop>& uops = row.translation.uops;
  if (uops.size() != moved.size()) return false;
  const std::vector<bool> second = SecondUnits(row.translation);
  for (std::size_t i = 0; i < uops.size(); ++i) {
    const auto here = std::bit_cast<Words>(uops[i]);
    const auto there = std::bit_cast<Words>(moved[i]);
    for (std::size_t word = 0; word < here.size(); ++word) {
      if (here[word] == there[word]) continue;
      const bool moves =
          second[i] && there[word] - here[word] == distance && IsNear(here[word], row.start);
      if (!moves) return false;
      row.addresses.push_back(static_cast<std::uint32_t>(2 * i + word));
    }
  }
  return true;
}

}  // namespace

const TranslationMemo::Row* TranslationMemo::Find(std::uint64_t key) const {
  const auto found = rows_.find(key);
  return found != rows_.end() ? &found->second : nullptr;
}

bool TranslationMemo::Wants(std::uint64_t key) {
  if (noticed_.empty()) noticed_.resize(kNoticed);
  const std::uint32_t mark = static_cast<std::uint32_t>(key >> 32) | 1;
  if (std::exchange(noticed_[key % kNoticed], mark) != mark) return false;
  if (unit_count_ <= kMaxUnits) return true;
  if (served_ - served_before_ < rows_.size()) return false;
  rows_.clear();
  unit_count_ = 0;
  served_before_ = served_;
  return true;
}

void TranslationMemo::Add(std::uint64_t key, GuestAddr start, std::span<const std::byte> bytes,
                          const Translation& translation, std::span<const Uop> moved,
                          std::uint64_t distance) {
  Row row{start, {bytes.begin(), bytes.end()}, translation, {}, false};
  row.movable = FindAddresses(row, moved, distance);
  unit_count_ += row.translation.uops.size();
  Row& place = rows_[key];
  unit_count_ -= place.translation.uops.size();
  place = std::move(row);
}

void TranslationMemo::Serve(const Row& row, GuestAddr start, GuestAddr last_address,
                            Translation& out) {
  ++served_;
  out = row.translation;
  if (start == row.start) return;
  for (const std::uint32_t at : row.addresses) {
    auto words = std::bit_cast<Words>(out.uops[at / 2]);
    words[at % 2] = (words[at % 2] + (start - row.start)) & last_address;
    out.uops[at / 2] = std::bit_cast<Uop>(words);
  }
}

}  // namespace glovebox::engine
