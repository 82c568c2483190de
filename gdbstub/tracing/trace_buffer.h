// What tracepoints have collected: frames of blocks, in the bytes that gdb uploads them in.
// Source: GDB manual, "Trace File Format".
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gdbstub/debuggee.h"

namespace glovebox::gdbstub::tracing {

inline constexpr std::size_t kDefaultBufferBytes = std::size_t{5} << 20;
inline constexpr std::size_t kMostBufferBytes = std::size_t{64} << 20;
// Of one hit, so that none takes long.
inline constexpr std::size_t kMostFrameBytes = std::size_t{1} << 20;
// However small they are: each takes some memory beside its bytes.
inline constexpr std::size_t kMostFrames = std::size_t{1} << 19;

// One hit of a tracepoint, or one step behind it.
class Frame {
 public:
  Frame(std::uint16_t tracepoint, GuestAddr address) : tracepoint_(tracepoint), address_(address) {}

  void AddRegisters(std::span<const std::byte> file);
  void AddMemory(GuestAddr address, std::span<const std::byte> bytes);
  void AddVariable(std::uint32_t number, std::uint64_t value);
  // In the buffer: with its head.
  std::size_t size_bytes() const { return kHeadBytes + blocks_.size(); }
  std::uint16_t tracepoint() const { return tracepoint_; }
  GuestAddr address() const { return address_; }  // of the tracepoint
  void Seal() { blocks_.shrink_to_fit(); }
  std::vector<std::byte> Bytes() const;

  // Empty: they were not collected.
  std::span<const std::byte> Registers() const;
  // From `address` on, as many of out.size() bytes as one block has.
  std::size_t ReadMemory(GuestAddr address, std::span<std::byte> out) const;
  std::optional<std::uint64_t> Variable(std::uint32_t number) const;
  // <memory> and <tvar> elements of a traceframe-info document.
  std::string Describe() const;

 private:
  struct Block {
    char type = 0;          // 'R', 'M', 'V'
    std::uint64_t key = 0;  // address, number
    std::span<const std::byte> data;
  };
  // The block at `at`, which moves behind it. Empty: there is none.
  std::optional<Block> Next(std::size_t& at) const;
  void Append(std::uint64_t value, std::size_t bytes);

  static constexpr std::size_t kHeadBytes = 2 + 4;
  std::uint16_t tracepoint_;
  GuestAddr address_;
  std::vector<std::byte> blocks_;
  std::size_t register_bytes_ = 0;  // of a block of registers: it does not say its size
};

// Bounded. Threads: the guest's.
class TraceBuffer {
 public:
  // Makes the buffer empty.
  void SetSize(std::optional<std::uint64_t> bytes);
  void SetCircular(bool circular) { circular_ = circular; }
  bool circular() const { return circular_; }
  void Clear();
  // False: there is no room, and a buffer that is not circular keeps what it has.
  bool Add(Frame frame);

  std::size_t size_bytes() const { return size_bytes_; }
  std::size_t free_bytes() const { return size_bytes_ - used_bytes_; }
  std::uint64_t created() const { return created_; }  // frames, with those that have made room
  // Oldest first.
  const std::deque<Frame>& frames() const { return frames_; }
  // As one run of bytes: at most `most` of them from `offset` on; empty: behind the end.
  std::vector<std::byte> Read(std::uint64_t offset, std::size_t most) const;

 private:
  std::deque<Frame> frames_;
  std::size_t size_bytes_ = kDefaultBufferBytes;
  std::size_t used_bytes_ = 0;
  std::uint64_t created_ = 0;
  bool circular_ = false;
};

}  // namespace glovebox::gdbstub::tracing
