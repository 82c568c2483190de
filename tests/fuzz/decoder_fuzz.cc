// Random bytes as code: decoded and executed in a small address space with a budget, twice: once in
// one go, once cut into small pieces at places that the input chooses. Both must end in the same
// state, whatever the bytes do: blocks, budgets, faults and self-modifying code all have to agree.
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

struct Outcome {
  Registers registers;
  Stop stop;
  Icount icount = 0;
  FxsaveArea fx{};
  std::array<std::byte, 3 * kPageSize> memory{};
};

// A machine of its own for each run, so that each crash replays.
Outcome Execute(std::span<const std::uint8_t> code, std::uint64_t slice) {
  MemoryMeter meter(16 * kPageSize);
  const auto space = AddressSpace::Make({.window_bytes = 2_MiB, .max_mappings = 64}, meter);
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

  Vcpu cpu(memory);
  Registers registers;
  for (std::size_t i = 0; i < registers.gpr.size(); ++i) registers.gpr[i] = kData + 0x101 * i;
  registers.gpr[kRsp] = kData + kPageSize;
  registers.gpr[kRbx] = kCode;  // code that writes to itself is near at hand
  registers.gpr[kRcx] = 7;
  registers.rip = kCode;
  cpu.Set(registers);

  Outcome outcome;
  while (cpu.icount() < kBudget) {
    outcome.stop = cpu.Run(std::min(slice, kBudget - cpu.icount()));
    if (outcome.stop.kind == StopKind::kSyscall) cpu.SetGpr(kRax, 0);
    const bool goes_on = outcome.stop.kind == StopKind::kBudget ||
                         outcome.stop.kind == StopKind::kYield ||
                         outcome.stop.kind == StopKind::kSyscall;
    if (!goes_on) break;
  }
  GB_CHECK(cpu.icount() <= kBudget);
  outcome.registers = cpu.Get();
  outcome.icount = cpu.icount();
  cpu.SaveFx(outcome.fx);
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
  const std::uint64_t slice = 1 + data[0] % 9;
  const std::span<const std::uint8_t> code(data + 1, size - 1);
  x86::ExpectSame(x86::Execute(code, x86::kBudget), x86::Execute(code, slice));
  return 0;
}
