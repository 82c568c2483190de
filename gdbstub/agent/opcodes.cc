// One row per opcode, and what it does.
#include <functional>
#include <limits>

#include "gdbstub/agent/interpreter.h"
#include "gdbstub/agent/program.h"

namespace glovebox::gdbstub::agent {
namespace {

using Signed = std::int64_t;
using Word = std::uint64_t;

struct Add {
  static Word Apply(Word a, Word b) { return a + b; }
};
struct Sub {
  static Word Apply(Word a, Word b) { return a - b; }
};
struct Mul {
  static Word Apply(Word a, Word b) { return a * b; }
};
// Counts beyond the width shift everything out.
struct Lsh {
  static Word Apply(Word a, Word b) { return b < 64 ? a << b : 0; }
};
struct RshSigned {
  static Word Apply(Word a, Word b) {
    return static_cast<Word>(static_cast<Signed>(a) >> (b < 64 ? b : 63));
  }
};
struct RshUnsigned {
  static Word Apply(Word a, Word b) { return b < 64 ? a >> b : 0; }
};
struct And {
  static Word Apply(Word a, Word b) { return a & b; }
};
struct Or {
  static Word Apply(Word a, Word b) { return a | b; }
};
struct Xor {
  static Word Apply(Word a, Word b) { return a ^ b; }
};
struct Equal {
  static Word Apply(Word a, Word b) { return a == b; }
};
struct LessSigned {
  static Word Apply(Word a, Word b) { return static_cast<Signed>(a) < static_cast<Signed>(b); }
};
struct LessUnsigned {
  static Word Apply(Word a, Word b) { return a < b; }
};
// The most negative number by -1 wraps; zero is refused before.
struct DivSigned {
  static Word Apply(Word a, Word b) {
    return b == ~Word{0} ? 0 - a
                         : static_cast<Word>(static_cast<Signed>(a) / static_cast<Signed>(b));
  }
};
struct RemSigned {
  static Word Apply(Word a, Word b) {
    return b == ~Word{0} ? 0 : static_cast<Word>(static_cast<Signed>(a) % static_cast<Signed>(b));
  }
};
struct DivUnsigned {
  static Word Apply(Word a, Word b) { return a / b; }
};
struct RemUnsigned {
  static Word Apply(Word a, Word b) { return a % b; }
};

template <typename Operation>
bool Binary(Machine& m, Word) {
  const Word b = m.Pop();
  m.Peek(0) = Operation::Apply(m.Peek(0), b);
  return true;
}
template <typename Operation>
bool Division(Machine& m, Word operand) {
  return m.Peek(0) == 0 ? m.Fail(EvalError::kDivideByZero) : Binary<Operation>(m, operand);
}

bool LogNot(Machine& m, Word) { return m.Peek(0) = m.Peek(0) == 0, true; }
bool BitNot(Machine& m, Word) { return m.Peek(0) = ~m.Peek(0), true; }
bool Ext(Machine& m, Word bits) {
  if (bits == 0 || bits >= 64) return true;
  const auto spare = 64 - bits;
  m.Peek(0) = static_cast<Word>(static_cast<Signed>(m.Peek(0) << spare) >> spare);
  return true;
}
bool ZeroExt(Machine& m, Word bits) {
  if (bits < 64) m.Peek(0) &= (Word{1} << bits) - 1;
  return true;
}

template <std::size_t kBytes>
bool Ref(Machine& m, Word) {
  Word value = 0;  // little-endian, as the guest
  if (!m.view().Read(m.Peek(0), std::as_writable_bytes(std::span(&value, 1)).first(kBytes))) {
    return m.Fail(EvalError::kMemory);
  }
  m.Peek(0) = value;
  return true;
}

bool IfGoto(Machine& m, Word) {
  if (m.Pop() != 0) m.Jump();
  return true;
}
bool Goto(Machine& m, Word) { return m.Jump(), true; }
bool End(Machine& m, Word) { return m.End(), true; }
bool Const(Machine& m, Word value) { return m.Push(value), true; }
bool Reg(Machine& m, Word number) {
  return m.Push(m.view().Register(static_cast<RegisterNumber>(number))), true;
}
bool Dup(Machine& m, Word) { return m.Push(m.Peek(0)), true; }
bool Pop(Machine& m, Word) { return m.Pop(), true; }
bool Swap(Machine& m, Word) { return std::swap(m.Peek(0), m.Peek(1)), true; }
bool Pick(Machine& m, Word below) { return m.Push(m.Peek(below)), true; }
// a b c => c a b, c on top before.
bool Rot(Machine& m, Word) {
  const Word c = m.Peek(0);
  m.Peek(0) = m.Peek(1);
  m.Peek(1) = m.Peek(2);
  m.Peek(2) = c;
  return true;
}
bool GetV(Machine& m, Word number) {
  return m.Push(m.environment().Variable(static_cast<std::uint16_t>(number))), true;
}
bool SetV(Machine& m, Word number) {
  return m.environment().SetVariable(static_cast<std::uint16_t>(number), m.Peek(0)), true;
}
bool TraceV(Machine& m, Word number) {
  return m.environment().CollectVariable(static_cast<std::uint16_t>(number)), true;
}

bool Trace(Machine& m, Word) {
  const Word length = m.Pop();
  m.environment().Collect(m.view(), m.Pop(), length);
  return true;
}
bool TraceQuick(Machine& m, Word length) {
  return m.environment().Collect(m.view(), m.Peek(0), length), true;
}
// A string: up to its zero, and with it.
bool TraceNz(Machine& m, Word) {
  const Word most = m.Pop();
  const GuestAddr address = m.Pop();
  Word length = 0;
  std::byte byte{1};
  while (length < most && length < 4096 && byte != std::byte{0} &&
         m.view().Read(address + length, std::span(&byte, 1))) {
    ++length;
  }
  m.environment().Collect(m.view(), address, length);
  return true;
}
// The function and the channel are gdb's own host's business; they are taken and forgotten.
bool Printf(Machine& m, Word index) {
  const Program::Format& format = m.program().format(index);
  m.Pop();
  m.Pop();
  std::array<Word, 255> arguments;
  for (std::size_t i = 0; i < format.arguments; ++i) arguments[i] = m.Pop();
  m.environment().Print(
      FormatText(format.text, std::span(arguments).first(format.arguments), m.view()));
  return true;
}

constexpr OpcodeRow kOpcodes[] = {
    {0x01, "float", 0, 0, 0, nullptr},
    {0x02, "add", 0, 2, 1, Binary<Add>},
    {0x03, "sub", 0, 2, 1, Binary<Sub>},
    {0x04, "mul", 0, 2, 1, Binary<Mul>},
    {0x05, "div_signed", 0, 2, 1, Division<DivSigned>},
    {0x06, "div_unsigned", 0, 2, 1, Division<DivUnsigned>},
    {0x07, "rem_signed", 0, 2, 1, Division<RemSigned>},
    {0x08, "rem_unsigned", 0, 2, 1, Division<RemUnsigned>},
    {0x09, "lsh", 0, 2, 1, Binary<Lsh>},
    {0x0a, "rsh_signed", 0, 2, 1, Binary<RshSigned>},
    {0x0b, "rsh_unsigned", 0, 2, 1, Binary<RshUnsigned>},
    {0x0c, "trace", 0, 2, 0, Trace},
    {0x0d, "trace_quick", 1, 1, 1, TraceQuick},
    {0x0e, "log_not", 0, 1, 1, LogNot},
    {0x0f, "bit_and", 0, 2, 1, Binary<And>},
    {0x10, "bit_or", 0, 2, 1, Binary<Or>},
    {0x11, "bit_xor", 0, 2, 1, Binary<Xor>},
    {0x12, "bit_not", 0, 1, 1, BitNot},
    {0x13, "equal", 0, 2, 1, Binary<Equal>},
    {0x14, "less_signed", 0, 2, 1, Binary<LessSigned>},
    {0x15, "less_unsigned", 0, 2, 1, Binary<LessUnsigned>},
    {0x16, "ext", 1, 1, 1, Ext},
    {0x17, "ref8", 0, 1, 1, Ref<1>},
    {0x18, "ref16", 0, 1, 1, Ref<2>},
    {0x19, "ref32", 0, 1, 1, Ref<4>},
    {0x1a, "ref64", 0, 1, 1, Ref<8>},
    {0x1b, "ref_float", 0, 1, 1, nullptr},
    {0x1c, "ref_double", 0, 1, 1, nullptr},
    {0x1d, "ref_long_double", 0, 1, 1, nullptr},
    {0x1e, "l_to_d", 0, 1, 1, nullptr},
    {0x1f, "d_to_l", 0, 1, 1, nullptr},
    {0x20, "if_goto", 2, 1, 0, IfGoto},
    {0x21, "goto", 2, 0, 0, Goto},
    {0x22, "const8", 1, 0, 1, Const},
    {0x23, "const16", 2, 0, 1, Const},
    {0x24, "const32", 4, 0, 1, Const},
    {0x25, "const64", 8, 0, 1, Const},
    {0x26, "reg", 2, 0, 1, Reg},
    {0x27, "end", 0, 0, 0, End},
    {0x28, "dup", 0, 1, 2, Dup},
    {0x29, "pop", 0, 1, 0, Pop},
    {0x2a, "zero_ext", 1, 1, 1, ZeroExt},
    {0x2b, "swap", 0, 2, 2, Swap},
    {0x2c, "getv", 2, 0, 1, GetV},
    {0x2d, "setv", 2, 1, 1, SetV},
    {0x2e, "tracev", 2, 0, 0, TraceV},
    {0x2f, "tracenz", 0, 2, 0, TraceNz},
    {0x30, "trace16", 2, 1, 1, TraceQuick},
    {0x32, "pick", 1, 0, 1, Pick},  // and as many below as its operand says: see Verify
    {0x33, "rot", 0, 3, 3, Rot},
    {0x34, "printf", 1, 2, 0, Printf},  // and its arguments: see Verify
};

}  // namespace

std::span<const OpcodeRow> Opcodes() { return kOpcodes; }

}  // namespace glovebox::gdbstub::agent
