#include "engine/isa/x86/instruction_facts.h"

#include <bit>
#include <span>

#include "dispatch.h"  // of dispatch_tail or dispatch_loop: the build chooses the folder
#include "engine/cpu/runner.h"
#include "engine/isa/x86/emitter.h"

namespace glovebox::engine::x86 {
namespace {

// Operand bytes name registers by their offset from the first one: cpu_state.h.
GuestAddr AddressWith(const Cpu& cpu, const SoleAccess& access) {
  return cpu.gpr[access.base / 8] + (cpu.gpr[access.index / 8] << access.shift) +
         access.displacement;
}

struct GuardBody {
  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const Aside::Guard& guard = Aside::GuardOf(*c.uop);
    return c.cpu.runner->aside().Guarded(guard, AddressWith(c.cpu, guard.access));
  }
};

bool IsFlat(ZydisRegister segment) {
  return segment != ZYDIS_REGISTER_FS && segment != ZYDIS_REGISTER_GS;
}

std::uint8_t SlotOf(ZydisRegister reg) {
  return reg == ZYDIS_REGISTER_NONE ? kNoRegister : GprSlot(reg);
}

}  // namespace

Handler GuardHandler() { return &RunHandler<Cpu, GuardBody>; }

// `a` is the source's segment: string.h.
InstructionFacts::Pointers Facts::StringPointers(const Uop& uop) const {
  const Segment& segment = cpu_.segment[uop.a % cpu_.segment.size()];
  const std::uint64_t rsi = cpu_.gpr[kRsi];
  const std::uint64_t rdi = cpu_.gpr[kRdi];
  constexpr std::uint64_t kLow = 0xffff'ffff;
  return {rdi, rdi & kLow, (rsi + segment.base) & segment.mask,
          ((rsi & kLow) + segment.base) & segment.mask};
}

std::optional<SoleAccess> Facts::SoleAccessAt(GuestAddr rip) {
  Instruction in;
  // Whoever decodes fetches as many bytes as may be needed. The next page is the guest's to ask
  // for.
  const bool is_whole = rip % kPageSize + ZYDIS_MAX_INSTRUCTION_LENGTH <= kPageSize;
  if (cpu_.mode != CpuMode::kLong64 || !is_whole || !decoder_.DecodeAt(rip, in))
    return std::nullopt;
  const ZydisDecodedOperand* sole = nullptr;
  for (const auto& operand : std::span(in.operands).first(in.decoded.operand_count)) {
    if (!IsMemory(operand) || operand.mem.type == ZYDIS_MEMOP_TYPE_AGEN) continue;
    if (sole != nullptr) return std::nullopt;
    sole = &operand;
  }
  constexpr std::uint32_t kMostBytes = 32;
  if (sole == nullptr || sole->mem.type != ZYDIS_MEMOP_TYPE_MEM || !IsFlat(sole->mem.segment) ||
      in.decoded.address_width != 64 || sole->size == 0 || sole->size / 8 > kMostBytes) {
    return std::nullopt;
  }
  const auto& mem = sole->mem;
  const bool writes = (sole->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
  const bool reads = (sole->actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
  SoleAccess access;
  access.size_bytes = sole->size / 8;
  access.needs = static_cast<std::uint8_t>((writes ? kPlain : 0) | (reads ? kReadable : 0));
  access.displacement = static_cast<std::uint64_t>(mem.disp.value);
  access.base = SlotOf(mem.base == ZYDIS_REGISTER_RIP ? ZYDIS_REGISTER_NONE : mem.base);
  access.index = SlotOf(mem.index);
  if (mem.base == ZYDIS_REGISTER_RIP) access.displacement += in.next_rip;
  if (mem.scale > 1) access.shift = static_cast<std::uint8_t>(std::countr_zero(mem.scale));
  // What is pushed lies below the stack pointer.
  const bool is_pushed =
      sole->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && mem.segment == ZYDIS_REGISTER_SS;
  if (is_pushed && writes) access.displacement -= access.size_bytes;
  return access;
}

GuestAddr Facts::AddressOf(const SoleAccess& access) const { return AddressWith(cpu_, access); }

}  // namespace glovebox::engine::x86
