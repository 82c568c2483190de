// A CPU with a little memory for tests: code at kCode, data at kData, a stack that ends at
// kStackTop.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "engine/isa/x86/vcpu.h"
#include "engine/memory/address_space.h"

namespace glovebox::engine::x86 {

inline constexpr GuestAddr kCode = 0x10000;
inline constexpr GuestAddr kData = 0x20000;
inline constexpr GuestAddr kStackTop = 0x40000;
inline constexpr std::uint8_t kReadWrite = kProtRead | kProtWrite;

class Machine {
 public:
  explicit Machine(std::uint64_t limit_bytes = 1_MiB, CpuMode mode = CpuMode::kLong64)
      : meter(limit_bytes) {
    const std::uint64_t window = mode == CpuMode::kLong64 ? 8_GiB : 4_GiB;
    memory = AddressSpace::Make({.window_bytes = window, .max_mappings = 100}, meter).value();
    Map(kCode, 4 * kPageSize, kReadWrite | kProtExec);
    Map(kData, 4 * kPageSize, kReadWrite);
    Map(kStackTop - 2 * kPageSize, 2 * kPageSize, kReadWrite);
    cpu = std::make_unique<Vcpu>(*memory, mode);
    cpu->SetGpr(kRsp, kStackTop - 256);
    cpu->SetRip(kCode);
  }

  void Map(GuestAddr address, std::uint64_t size_bytes, std::uint8_t protection) {
    MapRequest request;
    request.address = address;
    request.size_bytes = size_bytes;
    request.protection = protection;
    request.fixed = true;
    EXPECT_TRUE(memory->Map(request).has_value());
  }
  void Code(std::initializer_list<int> bytes, GuestAddr at = kCode) {
    std::vector<std::uint8_t> code(bytes.begin(), bytes.end());
    Poke(at, std::span<const std::uint8_t>(code));
  }
  void Poke(GuestAddr at, std::span<const std::uint8_t> bytes) {
    EXPECT_EQ(memory->Poke(at, std::as_bytes(bytes)), bytes.size());
  }
  template <typename T>
  T Peek(GuestAddr at) {
    T value{};
    EXPECT_EQ(memory->Peek(std::as_writable_bytes(std::span(&value, 1)), at), sizeof(T));
    return value;
  }
  std::uint64_t operator[](Gpr index) const { return cpu->gpr(index); }

  // Runs on over the host's yields, which no guest and no test is to see.
  Stop Run(std::uint64_t budget = 1'000'000) {
    const Icount end = cpu->icount() + budget;
    Stop stop;
    do {
      stop = cpu->Run(end - cpu->icount());
    } while (stop.kind == StopKind::kYield);
    return stop;
  }

  MemoryMeter meter;
  std::unique_ptr<AddressSpace> memory;
  std::unique_ptr<Vcpu> cpu;
};

}  // namespace glovebox::engine::x86
