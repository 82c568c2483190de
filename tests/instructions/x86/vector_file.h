// Instruction vectors as text: one case a line, readable by who knows the manual.
//
//   [11 d8]  "adc eax, ebx"  rax=ffffffffffffffff rbx=0 cf=1  =>  rax=0 cf=1 zf=1 af=1 pf=1 sf=0
//   of=0
//
// The bytes, what Zydis makes of them, the start, "=>", and what is left. Values are hexadecimal:
//
//   rax .. r15              general registers; 0 at the start unless named, rsp 10001000
//   cf pf af zf sf df of    flags, 0 or 1; 0 at the start
//   xmm0 .. xmm15, mxcsr    up to 32 digits, the highest first; 0, and 1f80
//   st0 .. st7              sign and exponent, then the significand: 20 digits; naming one makes it
//   not empty fcw fsw ftag            x87 control (37f), status (0), and which physical registers
//   are not empty, a bit each [10000010]              memory from that address on, as bytes in
//   order; the area of machine_state.h, 0 at the start fault=#DE               on the right: the
//   exception (#DE #UD #GP #PF #MF/#XM), of which nothing is done
//
// General and vector registers and memory that the right side does not name must be what they were;
// flags, MXCSR and x87 are looked at where they are named. '#' starts a comment.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "tests/instructions/x86/machine_state.h"

namespace glovebox::engine::x86 {

struct Vector {
  int line = 0;
  std::vector<std::uint8_t> code;
  std::string text;
  MachineState start;
  MachineState expected;
  // What of `expected` the right side names, beyond what is always compared.
  std::uint64_t flags = 0;
  bool mxcsr = false;
  bool control = false;
  bool tags = false;
  std::uint16_t status = 0;  // mask
  std::uint8_t st = 0;       // bit i: ST(i)
};

// Every vector of a file's text. Errors: "line 7: what is wrong with it".
std::expected<std::vector<Vector>, std::string> ParseVectors(std::string_view text);

// One line per difference of `actual` from what `vector` expects; empty when there is none.
std::string Mismatch(const Vector& vector, const MachineState& actual);

}  // namespace glovebox::engine::x86
