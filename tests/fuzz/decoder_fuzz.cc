// Random bytes as code, 64-bit or 32-bit: decoded and executed in a small address space with a
// budget, twice: once in one go, once cut into small pieces at places that the input chooses. Both
// must end in the same state, whatever the bytes do: blocks, budgets, faults and self-modifying
// code all have to agree. A handler that works on without looking at its budget, or a run that
// comes back again and again without having got on, is a failure too.
//
// Input: a byte for mode, slices, floating point exceptions and flags; then the code.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "engine/base/check.h"
#include "engine/isa/x86/vcpu.h"
#include "engine/memory/address_space.h"

namespace glovebox::engine::x86 {
namespace {

constexpr GuestAddr kCode = 0x10000;
constexpr GuestAddr kData = 0x20000;
constexpr std::uint64_t kBudget = 500;
// Runs that may come back without an instruction retired: for the host's share of work.
constexpr int kMaxIdleRuns = 100;

struct Setting {
  CpuMode mode;
  std::uint64_t slice;
  bool unmasked;  // x87 and SSE exceptions
  bool aligned;   // alignment is checked

  explicit Setting(std::uint8_t byte)
      : mode((byte & 1) != 0 ? CpuMode::kProtected32 : CpuMode::kLong64),
        slice(1 + (byte >> 1 & 7)),
        unmasked((byte & 0x10) != 0),
        aligned((byte & 0x20) != 0) {}
};

struct Outcome {
  Registers registers;
  Stop stop;
  Icount icount = 0;
  FxsaveArea fx{};
  VectorRegisters vectors{};
  std::array<std::byte, 3 * kPageSize> memory{};
};

// A machine of its own for each run, so that each crash replays.
Outcome Execute(std::span<const std::uint8_t> code, const Setting& setting, std::uint64_t slice) {
  MemoryMeter meter(16 * kPageSize);
  const auto space = AddressSpace::Make({.window_bytes = 4_GiB, .max_mappings = 64}, meter);
  GB_CHECK(space.has_value());
  AddressSpace& memory = **space;
  MapRequest request;
  request.fixed = true;
  request.address = kCode;
  request.size_bytes = kPageSize;
  request.protection = kProtRead | kProtWrite | kProtExec;
  GB_CHECK(memory.Map(request).has_value());
  request.address = kData;
  request.size_bytes = 2 * kPageSize;
  request.protection = kProtRead | kProtWrite;
  GB_CHECK(memory.Map(request).has_value());
  memory.Poke(kCode, std::as_bytes(code));

  Vcpu cpu(memory, setting.mode);
  alignas(64) FxsaveArea fx{};
  cpu.SaveFx(fx);
  if (setting.unmasked) {
    constexpr std::uint16_t kControl = 0x0340;
    constexpr std::uint32_t kMxcsr = 0;
    std::memcpy(fx.data(), &kControl, sizeof(kControl));
    std::memcpy(fx.data() + 24, &kMxcsr, sizeof(kMxcsr));  // Intel SDM vol. 1, table 10-2
    GB_CHECK(cpu.RestoreFx(fx));
  }
  VectorRegisters vectors = cpu.GetVectors();
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    vectors[i] = {0x3FF0000040490FDB * i, ~std::uint64_t{0} >> i, 0x8000000000000001, i};
  }
  cpu.SetVectors(vectors);
  Registers registers = cpu.Get();
  if (setting.aligned) registers.rflags |= kAc;
  for (std::size_t i = 0; i < registers.gpr.size(); ++i) registers.gpr[i] = kData + 0x101 * i;
  registers.gpr[kRsp] = kData + kPageSize;
  registers.gpr[kRbx] = kCode;  // code that writes to itself is near at hand
  registers.gpr[kRcx] = 7;
  registers.rip = kCode;
  cpu.Set(registers);

  Outcome outcome;
  int idle = 0;
  while (cpu.icount() < kBudget) {
    const Icount before = cpu.icount();
    outcome.stop = cpu.Run(std::min(slice, kBudget - cpu.icount()));
    if (outcome.stop.kind == StopKind::kSyscall) cpu.SetGpr(kRax, 0);
    const bool goes_on = outcome.stop.kind == StopKind::kBudget ||
                         outcome.stop.kind == StopKind::kYield ||
                         outcome.stop.kind == StopKind::kSyscall;
    if (!goes_on) break;
    idle = cpu.icount() == before ? idle + 1 : 0;
    GB_CHECK(idle < kMaxIdleRuns);
  }
  GB_CHECK(cpu.icount() <= kBudget);
  outcome.registers = cpu.Get();
  outcome.icount = cpu.icount();
  cpu.SaveFx(outcome.fx);
  outcome.vectors = cpu.GetVectors();
  const std::span<std::byte> bytes(outcome.memory);
  memory.Peek(bytes.first(kPageSize), kCode);
  memory.Peek(bytes.subspan(kPageSize), kData);
  return outcome;
}

void ExpectSame(const Outcome& whole, const Outcome& sliced) {
  GB_CHECK(whole.icount == sliced.icount);
  GB_CHECK(whole.registers.gpr == sliced.registers.gpr);
  GB_CHECK(whole.registers.rip == sliced.registers.rip);
  GB_CHECK(whole.registers.rflags == sliced.registers.rflags);
  GB_CHECK(whole.memory == sliced.memory);
  GB_CHECK(whole.fx == sliced.fx);
  GB_CHECK(whole.vectors == sliced.vectors);
  // At the budget's end one may stop for the budget and the other for a system call just there.
  if (whole.icount == kBudget) return;
  GB_CHECK(whole.stop.kind == sliced.stop.kind);
  GB_CHECK(whole.stop.exception == sliced.stop.exception);
  GB_CHECK(whole.stop.memory.address == sliced.stop.memory.address);
}

}  // namespace
}  // namespace glovebox::engine::x86

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace glovebox::engine;
  if (size < 2 || size > kPageSize) return 0;
  const x86::Setting setting(data[0]);
  const std::span<const std::uint8_t> code(data + 1, size - 1);
  x86::ExpectSame(x86::Execute(code, setting, x86::kBudget),
                  x86::Execute(code, setting, setting.slice));
  return 0;
}
