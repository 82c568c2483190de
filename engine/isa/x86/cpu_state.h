// The running CPU: the guest's registers in the forms that handlers like best. registers.h is the
// view from outside.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/cpu/context.h"
#include "engine/cpu/core_state.h"
#include "engine/isa/x86/lazy_flags.h"
#include "engine/isa/x86/mxcsr.h"
#include "engine/isa/x86/range_question.h"
#include "engine/isa/x86/x87_state.h"

namespace glovebox::engine::x86 {

// Room for AVX: SSE uses the low 16 bytes and leaves the others alone.
struct alignas(32) VectorRegister {
  std::array<std::byte, 32> bytes{};
};

// How a segment makes a linear address of an offset: (offset + base) & mask. One that must not be
// used (a null selector in 32-bit code) leads beyond the canonical addresses.
struct Segment {
  std::uint64_t base = 0;
  std::uint64_t mask = ~std::uint64_t{0};
};
// What 32-bit code writes through CS goes to: no address of it is one, so that a store is #GP where
// and when it is done. Code segments are not writable (Intel SDM vol. 3A, 3.4.5.1).
inline constexpr std::uint8_t kReadOnlySegment = 3;

// Entries of the descriptor table that set_thread_area(2) fills, as the table holds them.
inline constexpr std::size_t kTlsDescriptors = 3;

inline constexpr GuestAddr kNotRepeating = GuestAddr{1} << 63;  // no address of code

// What a guest thread has of its own: all that is exchanged when another one gets the CPU.
struct ThreadState {
  // Encoding order. Slot 16 is always 0: the "no register" of addresses. Operand bytes name
  // registers by their offset in bytes from the start of this array, so AH is 1 and R15 is 120.
  alignas(64) std::array<std::uint64_t, 17> gpr{};
  LazyFlags lazy;
  // Indexed by the segment bits of a general address: flat, FS, GS, and kReadOnlySegment. Follows
  // from the next four (segments.h).
  std::array<Segment, 4> segment{};
  CpuMode mode = CpuMode::kLong64;
  std::array<std::uint16_t, 6> selector{};      // by SegmentRegister
  std::array<std::uint64_t, 2> segment_base{};  // FS, GS
  std::array<std::uint64_t, kTlsDescriptors> tls{};
  bool resumes_fault = false;         // RF: the last thing was a fault of the instruction at rip
  bool stack_segment_loaded = false;  // for single steps, which take it back
  bool trap_withheld = false;         // the last single step was of an instruction that loaded SS
  // Of a REP CMPS or SCAS that has begun (string.h): where it is, and the flags from before it.
  GuestAddr repeating_at = kNotRepeating;
  LazyFlags flags_before_repeat;
  std::uint8_t direction = 0;     // DF
  std::uint64_t other_flags = 0;  // TF, AC, ID: as popf left them

  std::uint32_t mxcsr = kMxcsrReset;  // as the guest wrote it; the host's holds flags raised since
                                      // dispatch was entered
  std::array<VectorRegister, 16> vector{};
  X87State x87;
};

struct Cpu : CoreState, ThreadState {
  std::uint64_t tsc_offset = 0;
  // Where handlers keep things for a moment, having no stack.
  std::uint32_t host_mxcsr = 0;
  RangeQuestion range;
};

inline constexpr std::uint8_t kNoRegister = 16 * 8;

using Context = BasicContext<Cpu>;

// Are bits 63 to 47 alike? Intel SDM vol. 1, 3.3.7.1.
constexpr bool IsCanonical(GuestAddr address) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(address << 16) >> 16) == address;
}

// Of the areas of FXSAVE and XSAVE: #GP. An address that is none has its own fault before that,
// which may be #SS.
constexpr bool IsMisalignedArea(GuestAddr address, unsigned alignment) {
  return address % alignment != 0 && IsCanonical(address);
}

// --- Operand access. W is std::uint8_t to std::uint64_t; `slot` an operand byte of a uop. ---

template <typename W>
[[gnu::always_inline]] inline W ReadGpr(const Cpu& cpu, std::uint8_t slot) {
  W value;
  std::memcpy(&value, reinterpret_cast<const std::byte*>(cpu.gpr.data()) + slot, sizeof(W));
  return value;
}

// A 32-bit result clears the upper half; 8 and 16-bit results keep the rest (Intel SDM vol.
// 1, 3.4.1.1).
template <typename W>
[[gnu::always_inline]] inline void WriteGpr(Cpu& cpu, std::uint8_t slot, W value) {
  std::byte* const at = reinterpret_cast<std::byte*>(cpu.gpr.data()) + slot;
  if constexpr (sizeof(W) == 4) {
    const std::uint64_t wide = value;
    std::memcpy(at, &wide, sizeof(wide));
  } else {
    std::memcpy(at, &value, sizeof(W));
  }
}

// A value of type T (16 bytes or less) in the low bytes of a vector register; `index` is 0 to 15.
template <typename T>
[[gnu::always_inline]] inline T ReadVector(const Cpu& cpu, std::uint8_t index) {
  static_assert(sizeof(T) <= sizeof(VectorRegister));
  T value;
  std::memcpy(&value, cpu.vector[index].bytes.data(), sizeof(T));
  return value;
}
template <typename T>
[[gnu::always_inline]] inline void WriteVector(Cpu& cpu, std::uint8_t index, const T& value) {
  static_assert(sizeof(T) <= sizeof(VectorRegister));
  std::memcpy(cpu.vector[index].bytes.data(), &value, sizeof(T));
}

// What instructions in VEX form leave above 128 bits.
[[gnu::always_inline]] inline void ClearUpperVector(Cpu& cpu, std::uint8_t index) {
  std::byte* const upper = cpu.vector[index].bytes.data() + sizeof(VectorRegister) / 2;
  std::memset(upper, 0, sizeof(VectorRegister) / 2);
}

// --- Addresses of memory operands: one type per form, a template argument of bodies. ---
// Operand byte b is the base's slot, c the index's, d holds the scale (bits 0-1), the segment (bits
// 2-3) and to how many bits the offset is cut (bits 4-5). kUnits is what an instruction with such
// an operand takes. Of() is the linear address; LEA wants the general form's Offset().

// [base + disp32]
struct AddressBase {
  static constexpr int kUnits = 1;
  [[gnu::always_inline]] static GuestAddr Of(const Context& c) {
    return ReadGpr<std::uint64_t>(c.cpu, c.uop->b) + static_cast<std::int64_t>(c.uop->imm);
  }
};

// [base + index * scale + disp32]
struct AddressBaseIndex {
  static constexpr int kUnits = 1;
  [[gnu::always_inline]] static GuestAddr Of(const Context& c) {
    return ReadGpr<std::uint64_t>(c.cpu, c.uop->b) +
           (ReadGpr<std::uint64_t>(c.cpu, c.uop->c) << c.uop->d) +
           static_cast<std::int64_t>(c.uop->imm);
  }
};

// The same two in 32-bit code, or with an address-size prefix: the sum wraps at 4 GiB.
struct AddressBase32 {
  static constexpr int kUnits = 1;
  [[gnu::always_inline]] static GuestAddr Of(const Context& c) {
    return ReadGpr<std::uint32_t>(c.cpu, c.uop->b) + static_cast<std::uint32_t>(c.uop->imm);
  }
};
struct AddressBaseIndex32 {
  static constexpr int kUnits = 1;
  [[gnu::always_inline]] static GuestAddr Of(const Context& c) {
    return ReadGpr<std::uint32_t>(c.cpu, c.uop->b) +
           (ReadGpr<std::uint32_t>(c.cpu, c.uop->c) << c.uop->d) +
           static_cast<std::uint32_t>(c.uop->imm);
  }
};

// Known when the block is decoded: RIP-relative, or nothing but a displacement. The second unit is
// a Wide whose `displacement` is the address; its `immediate` is free for the instruction.
struct AddressAbsolute {
  static constexpr int kUnits = 2;
  [[gnu::always_inline]] static GuestAddr Of(const Context& c) {
    return c.Second<Wide>().displacement;
  }
};

// The forms of one unit with a second unit, whose `immediate` is the instruction's.
struct AddressBaseWide : AddressBase {
  static constexpr int kUnits = 2;
};
struct AddressBaseIndexWide : AddressBaseIndex {
  static constexpr int kUnits = 2;
};
struct AddressBase32Wide : AddressBase32 {
  static constexpr int kUnits = 2;
};
struct AddressBaseIndex32Wide : AddressBaseIndex32 {
  static constexpr int kUnits = 2;
};

// Everything: segment bases, displacements of 64 bits, 16 and 32-bit addresses. The second unit is
// a Wide; its `immediate` is free for the instruction, and so is `imm`.
struct AddressGeneral {
  static constexpr int kUnits = 2;
  static constexpr std::uint8_t kAddress32 = 1 << 4;
  static constexpr std::uint8_t kAddress16 = 1 << 5;

  [[gnu::always_inline]] static GuestAddr Offset(const Context& c) {
    return Cut(c, ReadGpr<std::uint64_t>(c.cpu, c.uop->b) +
                      (ReadGpr<std::uint64_t>(c.cpu, c.uop->c) << (c.uop->d & 3)) +
                      c.Second<Wide>().displacement);
  }
  [[gnu::always_inline]] static GuestAddr Of(const Context& c) { return Linear(c, Offset(c)); }

  // An offset as wide as the instruction's addresses are.
  [[gnu::always_inline]] static GuestAddr Cut(const Context& c, GuestAddr offset) {
    if ((c.uop->d & (kAddress32 | kAddress16)) == 0) return offset;
    return offset & ((c.uop->d & kAddress32) != 0 ? 0xffffffff : 0xffff);
  }
  // Where an offset within the instruction's segment is.
  [[gnu::always_inline]] static GuestAddr Linear(const Context& c, GuestAddr offset) {
    const Segment& segment = c.cpu.segment[(c.uop->d >> 2) & 3];
    return (offset + segment.base) & segment.mask;
  }
};

}  // namespace glovebox::engine::x86
