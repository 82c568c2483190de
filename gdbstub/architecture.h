// Registers as gdb numbers them: the stub owns numbers, sizes and places; a debuggee fills bytes.
// The layout of a register file is that of the 'g' packet, without hexadecimal digits: registers in
// the order of their numbers, one behind the other, little-endian. Target descriptions are made of
// the same rows (target_description.h). Source: GDB manual, "i386 Features".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace glovebox::gdbstub {

using RegisterNumber = std::uint16_t;

enum class Architecture : std::uint8_t { kAmd64, kI386 };

struct RegisterRow {
  std::string_view name;  // as gdb knows it: "rax", "st0", "xmm0", "ymm0h", "fs_base"
  std::uint16_t bits = 64;
  std::string_view type;     // of the target description: "int64", "code_ptr", "i387_ext", "vec128"
  std::string_view feature;  // "core", "sse", "linux", "segments", "avx": org.gnu.gdb.i386.*
  std::uint16_t offset = 0;  // bytes, in a register file
  constexpr std::size_t size_bytes() const { return bits / 8; }
};

struct RegisterLayout {
  std::span<const RegisterRow> rows;  // a row's index is its number
  std::size_t size_bytes = 0;         // of a register file
  RegisterNumber pc = 0, sp = 0, fp = 0, flags = 0;
  std::uint8_t word_bytes = 8;
  std::string_view gdb_name;  // "i386:x86-64"
  // Number of a register, or rows.size().
  constexpr RegisterNumber Find(std::string_view name) const {
    RegisterNumber number = 0;
    while (number < rows.size() && rows[number].name != name) ++number;
    return number;
  }
};

const RegisterLayout& LayoutOf(Architecture architecture);

// Numbers by name, for who fills the files. Runs: kAmd64R8 + 3 is r11.
enum Amd64Register : RegisterNumber {
  kAmd64Rax = 0,  // rax rbx rcx rdx rsi rdi rbp rsp r8..r15: gdb's order, not the encoding's
  kAmd64Rbx,
  kAmd64Rcx,
  kAmd64Rdx,
  kAmd64Rsi,
  kAmd64Rdi,
  kAmd64Rbp,
  kAmd64Rsp,
  kAmd64R8,
  kAmd64Rip = 16,
  kAmd64Eflags,  // 32 bits
  kAmd64Cs,      // cs ss ds es fs gs: 32 bits each
  kAmd64Ss,
  kAmd64Ds,
  kAmd64Es,
  kAmd64Fs,
  kAmd64Gs,
  kAmd64St0,         // st0..st7, 80 bits each, by stack position (not the physical register)
  kAmd64Fctrl = 32,  // fctrl fstat ftag fiseg fioff foseg fooff fop: 32 bits each. ftag is the full
                     // tag word, two bits per physical register, not the byte of FXSAVE
  kAmd64Xmm0 = 40,   // 16 of 128 bits
  kAmd64Mxcsr = 56,
  kAmd64OrigRax = 57,
  kAmd64FsBase = 58,
  kAmd64GsBase = 59,
  kAmd64Ymm0h = 60,  // the high halves, 16 of 128 bits
  kAmd64RegisterCount = 76,
};

enum I386Register : RegisterNumber {
  kI386Eax = 0,  // eax ecx edx ebx esp ebp esi edi: the encoding's order
  kI386Eip = 8,
  kI386Eflags,
  kI386Cs,  // cs ss ds es fs gs
  kI386St0 = 16,
  kI386Fctrl = 24,  // as for amd64
  kI386Xmm0 = 32,   // 8 of 128 bits
  kI386Mxcsr = 40,
  kI386OrigEax = 41,
  kI386Ymm0h = 42,
  // gs_base is not among them: gdb has no such register for i386. TLS addresses come from
  // Debuggee::ThreadPointer.
  kI386RegisterCount = 50,
};

// Where a register is in its file, for who fills it.
std::size_t OffsetOf(Architecture architecture, RegisterNumber number);

}  // namespace glovebox::gdbstub
