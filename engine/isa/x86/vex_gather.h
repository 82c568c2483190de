// VGATHERDPS VGATHERDPD VGATHERQPS VGATHERQPD, VPGATHERDD VPGATHERDQ VPGATHERQD VPGATHERQQ. Intel
// SDM vol. 2C, VGATHERDPS: elements whose mask has a sign are loaded, each at its own address, and
// lose their mask. A fault leaves what was loaded before it, and of the mask's elements their
// signs, so that the instruction can go on where it was: this is the one that commits before its
// last access. Elements are loaded from the lowest on. What lies above the destination register
// becomes 0 with the first of them.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "engine/isa/x86/vex_shapes.h"

namespace glovebox::engine::x86 {

// kIndices and kElements are how many of each the registers hold; the fewer decide. `a` is the
// destination, and four bits higher the mask; the second unit's immediate is the register of
// indices.
template <typename Index, typename Element, unsigned kVectorBytes>
struct Gather {
  static constexpr unsigned kCount =
      kVectorBytes / (sizeof(Index) > sizeof(Element) ? sizeof(Index) : sizeof(Element));
  static constexpr unsigned kInVector = kVectorBytes / sizeof(Element);
  using Elements = std::array<Element, sizeof(VectorRegister) / sizeof(Element)>;
  using Indices = std::array<Index, sizeof(VectorRegister) / sizeof(Index)>;
  using Sign = std::make_signed_t<Element>;

  [[gnu::always_inline]] static const Uop* Run(Context& c) {
    const auto indices =
        std::bit_cast<Indices>(c.cpu.vector[static_cast<std::uint8_t>(c.Second<Wide>().immediate)]);
    VectorRegister& destination = c.cpu.vector[DestinationOf(*c.uop)];
    VectorRegister& mask_register = c.cpu.vector[FirstSourceOf(*c.uop)];
    auto to = std::bit_cast<Elements>(destination);
    auto mask = std::bit_cast<Elements>(mask_register);
    for (unsigned i = 0; i < mask.size(); ++i) {
      const bool wanted = i < kInVector && static_cast<Sign>(mask[i]) < 0;
      mask[i] = static_cast<Element>(wanted ? -1 : 0);
    }
    const GuestAddr base = AddressGeneral::Offset(c);
    const Uop* next = c.Next<AddressGeneral::kUnits>();
    bool is_whole = true;
    bool is_written = false;
    for (unsigned i = 0; i < kCount; ++i) {
      if (mask[i] == 0) continue;
      const auto index = static_cast<std::uint64_t>(std::int64_t{indices[i]}) << (c.uop->d & 3);
      Element element;
      if (!c.Load(AddressGeneral::Linear(c, AddressGeneral::Cut(c, base + index)), element))
          [[unlikely]] {
        next = c.Missed();
        is_whole = false;
        break;
      }
      to[i] = element;
      mask[i] = 0;
      is_written = true;
    }
    if (is_whole) mask = {};
    if (is_whole || is_written) {
      for (unsigned i = is_whole ? kCount : kInVector; i < to.size(); ++i) to[i] = 0;
    }
    destination = std::bit_cast<VectorRegister>(to);
    mask_register = std::bit_cast<VectorRegister>(mask);
    return next;
  }
};

template <typename Index, typename Element>
inline constexpr Lower VexGather = [](Emitter& emitter, const Instruction& instruction) {
  const auto& [dst, memory, mask] =
      std::tie(instruction.operands[0], instruction.operands[1], instruction.operands[2]);
  // The index is a vector register: to the emitter there is none, and the handler adds it.
  ZydisDecodedOperand base = memory;
  base.mem.index = ZYDIS_REGISTER_NONE;
  const Handler handler = Is256(instruction) ? kHandler<Gather<Index, Element, 32>>
                                             : kHandler<Gather<Index, Element, 16>>;
  emitter.EmitMemory({.general = handler}, instruction, base,
                     PackRegisters(VectorIndex(dst.reg.value), VectorIndex(mask.reg.value)),
                     VectorIndex(memory.mem.index));
  return true;
};

}  // namespace glovebox::engine::x86
