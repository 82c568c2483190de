#include "gdbstub/tracing/trace_buffer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace glovebox::gdbstub::tracing {
namespace {

constexpr std::size_t kMostBlockBytes = 0xffff;  // its length has 16 bits
constexpr std::size_t kWordBytes = 8, kLengthBytes = 2, kNumberBytes = 4;

std::uint64_t LittleEndian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    value = value << 8 | static_cast<std::uint64_t>(bytes[i]);
  return value;
}

void AppendNumber(std::vector<std::byte>& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out.push_back(static_cast<std::byte>(value >> 8 * i));
}

}  // namespace

void Frame::Append(std::uint64_t value, std::size_t bytes) { AppendNumber(blocks_, value, bytes); }

void Frame::AddRegisters(std::span<const std::byte> file) {
  if (register_bytes_ != 0) return;  // they have not changed since
  register_bytes_ = file.size();
  Append('R', 1);
  blocks_.insert(blocks_.end(), file.begin(), file.end());
}

void Frame::AddMemory(GuestAddr address, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), kMostBlockBytes));
    Append('M', 1);
    Append(address, kWordBytes);
    Append(piece.size(), kLengthBytes);
    blocks_.insert(blocks_.end(), piece.begin(), piece.end());
    bytes = bytes.subspan(piece.size());
    address += piece.size();
  }
}

void Frame::AddVariable(std::uint32_t number, std::uint64_t value) {
  Append('V', 1);
  Append(number, kNumberBytes);
  Append(value, kWordBytes);
}

std::vector<std::byte> Frame::Bytes() const {
  std::vector<std::byte> out;
  out.reserve(size_bytes());
  AppendNumber(out, tracepoint_, 2);
  AppendNumber(out, blocks_.size(), 4);
  out.insert(out.end(), blocks_.begin(), blocks_.end());
  return out;
}

std::optional<Frame::Block> Frame::Next(std::size_t& at) const {
  if (at >= blocks_.size()) return std::nullopt;
  const std::span all(blocks_);
  Block block;
  block.type = static_cast<char>(all[at++]);
  std::size_t size = register_bytes_;
  if (block.type == 'M') {
    block.key = LittleEndian(all.subspan(at, kWordBytes));
    size = static_cast<std::size_t>(LittleEndian(all.subspan(at + kWordBytes, kLengthBytes)));
    at += kWordBytes + kLengthBytes;
  } else if (block.type == 'V') {
    block.key = LittleEndian(all.subspan(at, kNumberBytes));
    size = kWordBytes;
    at += kNumberBytes;
  }
  block.data = all.subspan(at, size);
  at += size;
  return block;
}

std::span<const std::byte> Frame::Registers() const {
  std::size_t at = 0;
  while (const auto block = Next(at)) {
    if (block->type == 'R') return block->data;
  }
  return {};
}

std::size_t Frame::ReadMemory(GuestAddr address, std::span<std::byte> out) const {
  std::size_t at = 0;
  while (const auto block = Next(at)) {
    if (block->type != 'M' || address < block->key || address - block->key >= block->data.size())
      continue;
    const auto rest = block->data.subspan(static_cast<std::size_t>(address - block->key));
    const auto part = rest.first(std::min(rest.size(), out.size()));
    std::ranges::copy(part, out.begin());
    return part.size();
  }
  return 0;
}

std::optional<std::uint64_t> Frame::Variable(std::uint32_t number) const {
  std::size_t at = 0;
  while (const auto block = Next(at)) {
    if (block->type == 'V' && block->key == number) return LittleEndian(block->data);
  }
  return std::nullopt;
}

std::string Frame::Describe() const {
  std::string out;
  std::size_t at = 0;
  while (const auto block = Next(at)) {
    if (block->type == 'M') {
      fmt::format_to(std::back_inserter(out), "<memory start=\"{:#x}\" length=\"{:#x}\"/>\n",
                     block->key, block->data.size());
    } else if (block->type == 'V') {
      fmt::format_to(std::back_inserter(out), "<tvar id=\"{:#x}\"/>\n", block->key);
    }
  }
  return out;
}

void TraceBuffer::SetSize(std::optional<std::uint64_t> bytes) {
  size_bytes_ = static_cast<std::size_t>(
      std::min<std::uint64_t>(bytes.value_or(kDefaultBufferBytes), kMostBufferBytes));
  Clear();
}

void TraceBuffer::Clear() {
  frames_.clear();
  used_bytes_ = 0;
  created_ = 0;
}

bool TraceBuffer::Add(Frame frame) {
  const std::size_t size = frame.size_bytes();
  const auto has_room = [&] { return size <= free_bytes() && frames_.size() < kMostFrames; };
  if (size > size_bytes_ || (!circular_ && !has_room())) return false;
  while (!has_room()) {
    used_bytes_ -= frames_.front().size_bytes();
    frames_.pop_front();
  }
  used_bytes_ += size;
  ++created_;
  frame.Seal();
  frames_.push_back(std::move(frame));
  return true;
}

std::vector<std::byte> TraceBuffer::Read(std::uint64_t offset, std::size_t most) const {
  std::vector<std::byte> out;
  std::uint64_t begin = 0;
  for (const Frame& frame : frames_) {
    const std::uint64_t end = begin + frame.size_bytes();
    if (end > offset) {
      const auto bytes = frame.Bytes();
      const auto skip = static_cast<std::size_t>(std::max(offset, begin) - begin);
      const auto rest = std::span(bytes).subspan(skip);
      const auto part = rest.first(std::min(rest.size(), most - out.size()));
      out.insert(out.end(), part.begin(), part.end());
      offset = end;
      if (out.size() == most) break;
    }
    begin = end;
  }
  return out;
}

}  // namespace glovebox::gdbstub::tracing
