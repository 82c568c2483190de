// What a test gives an instruction and what it finds afterwards; the same for the host's CPU and
// for ours.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/isa/x86/registers.h"
#include "engine/memory/fault.h"

namespace glovebox::engine::x86 {

// Where things are, at the same addresses natively and in the guest. The data area is writable but
// for its last page; code can be read and run, not written. Nothing else is mapped below 4 GiB but
// the native machine's gate.
inline constexpr std::uint64_t kDataAddress = 0x10000000;
inline constexpr std::size_t kWritableBytes = 3 * 4096;
inline constexpr std::size_t kDataBytes = 4 * 4096;
inline constexpr std::uint64_t kCodeAddress = 0x20000000;
inline constexpr std::size_t kCodeBytes = 16 * 4096;
inline constexpr std::uint64_t kGateAddress = 0x30000000;
// Code is followed by INT3, as is everything else of the code area, so every way out of it ends at
// one.
inline constexpr std::uint8_t kInt3 = 0xCC;

// Selectors of Linux' GDT for user mode (arch/x86/include/asm/segment.h), and bases of the first
// two entries that set_thread_area(2) fills, which are flat otherwise.
inline constexpr std::uint16_t kCode64Selector = 0x33;
inline constexpr std::uint16_t kCode32Selector = 0x23;
inline constexpr std::uint16_t kDataSelector = 0x2B;
inline constexpr std::uint16_t kTlsSelectors[] = {0x63, 0x6B};
inline constexpr std::uint32_t kTlsBases[] = {static_cast<std::uint32_t>(kDataAddress), 0x1230};

// The layout of FXSAVE64: Intel SDM vol. 1, table 10-2.
struct FloatState {
  std::uint16_t control = 0x037F;
  std::uint16_t status = 0;
  std::uint8_t valid = 0;  // abridged tag word
  std::uint8_t reserved = 0;
  std::uint16_t opcode = 0;
  std::uint64_t instruction_pointer = 0;
  std::uint64_t data_pointer = 0;
  std::uint32_t mxcsr = 0x1F80;
  std::uint32_t mxcsr_mask = 0;
  std::array<std::array<std::uint64_t, 2>, 8> st{};  // ST0 to ST7, 80 bits each
  std::array<std::array<std::uint64_t, 2>, 16> xmm{};
};
static_assert(sizeof(FloatState) == 416);

// What ended the run.
enum class Ending : std::uint8_t {
  kReachedInt3,  // rip is at the INT3
  kDivideError,
  kOverflow,
  kBound,
  kInvalidOpcode,
  kGeneralProtection,
  kStackFault,
  kSegmentNotPresent,
  kPageFault,  // fault_address, fault_access
  kFloatingPoint,
  kAlignmentCheck,
  kSingleStep,      // #DB: rip is behind the instruction
  kNotImplemented,  // ours only
  kOther,
};
inline constexpr std::size_t kEndings = static_cast<std::size_t>(Ending::kOther) + 1;
std::string NameOf(Ending ending);

struct MachineState {
  std::array<std::uint64_t, 16> gpr{};
  std::uint64_t rip = kCodeAddress;
  std::uint64_t rflags = 0x202;
  // By SegmentRegister. CS is neither set nor compared. In 32-bit mode the bases follow from the
  // selectors; in 64-bit mode they are fs_base and gs_base.
  std::array<std::uint16_t, 6> selectors{};
  std::uint64_t fs_base = 0;
  std::uint64_t gs_base = 0;
  FloatState fx;
  std::array<std::array<std::uint64_t, 2>, 16> ymm_high{};  // bits 128 to 255
  Ending ending = Ending::kReachedInt3;
  std::uint64_t fault_address = 0;  // kPageFault
  Access fault_access = Access::kRead;
};

// The content of the data area before a run.
using DataImage = std::array<std::uint8_t, kDataBytes>;
// What of it a single case changes.
struct Patch {
  std::uint64_t address = 0;
  std::uint64_t value = 0;
  std::uint8_t size_bytes = 8;
};
// Patches lie within the writable pages; the rest of one that does not is cut off.
void Apply(std::span<const Patch> patches, std::span<std::uint8_t> data);

// RFLAGS bits that are compared.
inline constexpr std::uint64_t kComparedFlags = kStatusFlags | kDf | kTf | kAc | kId;

// What is not to be compared.
struct Tolerance {
  std::uint64_t undefined_flags = 0;
  std::uint64_t undefined_flags_at_fault = 0;  // besides, where the code did not reach its end
  std::uint16_t undefined_x87_status = 0;
  // Which byte of a wide access, or which of two, is the CPU's choice.
  bool ignore_fault_address = false;
  // Intel's REP SCAS and CMPS that fault take back the flags of completed iterations, ours do not.
  bool flags_at_fault = true;
  // Intel's MMX instructions that fault have made the top 0 already, ours do nothing.
  bool x87_at_fault = true;
  // Results that are approximations: the relative error that two CPUs may differ by, as a power of
  // two; 0 for exact.
  int approximate_bits = 0;
};

// Are they the same under `tolerance`? The data areas are compared by whoever holds them.
bool Same(const MachineState& native, const MachineState& guest, const Tolerance& tolerance);

// One line per difference between two states that come from the same start; empty when there is
// none.
std::string Differences(const MachineState& native, const MachineState& guest,
                        const Tolerance& tolerance, std::string_view native_name = "native",
                        std::string_view guest_name = "ours");
std::string DataDifferences(std::span<const std::uint8_t> native,
                            std::span<const std::uint8_t> guest,
                            std::string_view native_name = "native",
                            std::string_view guest_name = "ours");

}  // namespace glovebox::engine::x86
