// Instruction vectors as text: one case a line, readable by who knows the manual.
//
//   [11 d8]  "adc eax, ebx"  rax=ffffffffffffffff rbx=0 cf=1  =>  rax=0 cf=1 zf=1 af=1 pf=1 sf=0
//   32 [40]  "inc eax"  rax=ffffffff  =>  rax=0
//
// The bytes (of 32-bit code with 32 before them), what Zydis makes of them, the start, "=>", and
// what is left. Values are hexadecimal:
//
//   rax .. r15              general registers, in 32-bit code too; 0 at the start unless named, rsp
//                           10001000
//   rip                     where the code stands (left side only), 20000000
//   cf pf af zf sf df of tf ac id   flags, 0 or 1; 0 at the start
//   xmm0 .. xmm15, mxcsr    up to 32 digits, the highest first; 0, and 1f80
//   ymm0 .. ymm15           up to 64 digits
//   st0 .. st7              sign and exponent, then the significand: 20 digits; naming one makes it
//                           not empty
//   fcw fsw ftag            x87 control (37f), status (0), and which physical registers are not
//                           empty, a bit each
//   es ds fs gs             selectors; those that Linux starts a program with
//   fsbase gsbase           in 64-bit code
//   [10000010]              memory from that address on, as bytes in order; the area of
//                           machine_state.h, 0 at the start
//   fault=#DE               on the right: the exception (#DE #OF #BR #UD #GP #SS #NP #PF #MF/#XM
//                           #AC #DB), of which nothing is done
//   at=10003000 write=1     with #PF: the address, and the kind of access
//
// General and vector registers, selectors and memory that the right side does not name must be what
// they were; flags, MXCSR, x87 and the address of a fault are looked at where they are named. '#'
// starts a comment.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/instructions/x86/machine_state.h"

namespace glovebox::engine::x86 {

struct Vector {
  int line = 0;
  CpuMode mode = CpuMode::kLong64;
  std::vector<std::uint8_t> code;
  std::string text;
  MachineState start;
  DataImage image{};
  MachineState expected;
  DataImage expected_image{};
  // What of `expected` the right side names, beyond what is always compared.
  std::uint64_t flags = 0;
  bool mxcsr = false;
  bool control = false;
  bool tags = false;
  std::uint16_t status = 0;  // mask
  std::uint8_t st = 0;       // bit i: ST(i)
  bool fault_address = false;
  bool fault_access = false;
};

// The start of every vector of `mode` that names nothing.
MachineState VectorStart(CpuMode mode);

// Every vector of a file's text. Errors: "line 7: what is wrong with it".
std::expected<std::vector<Vector>, std::string> ParseVectors(std::string_view text);

// One line per difference of `actual` from what `vector` expects; empty when there is none.
std::string Mismatch(const Vector& vector, const MachineState& actual,
                     std::span<const std::uint8_t> data);

// The line that says that `code`, from `start` and `image`, leaves `left` and `left_data`. Flags
// and bits that `tolerance` calls undefined are left out.
std::string FormatVector(CpuMode mode, std::span<const std::uint8_t> code,
                         const MachineState& start, const DataImage& image,
                         const MachineState& left, std::span<const std::uint8_t> left_data,
                         const Tolerance& tolerance);

}  // namespace glovebox::engine::x86
