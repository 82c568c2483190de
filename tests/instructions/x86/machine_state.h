// What a test gives an instruction and what it finds afterwards; the same for the host's CPU and
// for ours.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/isa/x86/registers.h"

namespace glovebox::engine::x86 {

// Where things are, at the same addresses natively and in the guest. The data area is writable but
// for its last page; the pages around it are not mapped.
inline constexpr std::uint64_t kDataAddress = 0x10000000;
inline constexpr std::size_t kWritableBytes = 3 * 4096;
inline constexpr std::size_t kDataBytes = 4 * 4096;
inline constexpr std::size_t kGuardBytes = 64 * 4096;  // reserved and inaccessible on both sides
inline constexpr std::uint64_t kCodeAddress = 0x20000000;
inline constexpr std::size_t kCodeBytes = 16 * 4096;
// Code is followed by INT3, as is everything else of the code area, so every way out of it ends at
// one.
inline constexpr std::uint8_t kInt3 = 0xCC;

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
  kInvalidOpcode,
  kGeneralProtection,
  kPageFault,  // fault_address
  kFloatingPoint,
  kAlignmentCheck,
  kNotImplemented,  // ours only
  kOther,
};
std::string NameOf(Ending ending);

struct MachineState {
  std::array<std::uint64_t, 16> gpr{};
  std::uint64_t rip = kCodeAddress;
  std::uint64_t rflags = 0x202;
  FloatState fx;
  std::vector<std::uint8_t> data;  // kDataBytes
  Ending ending = Ending::kReachedInt3;
  std::uint64_t fault_address = 0;  // kPageFault
};

// RFLAGS bits that a test may set and that are compared.
inline constexpr std::uint64_t kComparedFlags = kStatusFlags | kDf;

// What is not to be compared.
struct Tolerance {
  std::uint64_t undefined_flags = 0;
  std::uint16_t undefined_x87_status = 0;
  bool ignore_data = false;
  // Which byte of a wide access, or which of two, is the CPU's choice.
  bool ignore_fault_address = false;
  // Intel's REP SCAS and CMPS that fault take back the flags of completed iterations, ours do not.
  bool flags_at_fault = true;
  // Intel's MMX instructions that fault have made the top 0 already, ours do nothing.
  bool x87_at_fault = true;
};

// One line per difference between two states that come from the same start; empty when there is
// none.
std::string Differences(const MachineState& native, const MachineState& guest,
                        const Tolerance& tolerance, std::string_view native_name = "native",
                        std::string_view guest_name = "ours");

}  // namespace glovebox::engine::x86
