"""Fails where a hot handler has a stack frame: disassembles the library and looks for stack traffic.

Hot handlers are those that decide how fast the interpreter is; a register spilled in one of them costs more than the
instruction it serves. Slow paths belong out of line, where a frame is free.
"""
import re
import subprocess
import sys

# Bodies whose handlers must have no frame, as regular expressions over demangled names. Each must match something.
HOT = [
    r"MoveBodies<.*>::RegisterRegister", r"MoveBodies<.*>::RegisterImmediate",
    r"MoveBodies<.*>::RegisterMemory<", r"MoveBodies<.*>::MemoryRegister<",
    r"MoveBodies<.*>::MemoryImmediate<", r"ConvertBodies<.*>::(Register>|Memory<)",
    r"LeaBodies<.*>::Memory<", r"BinaryBodies<.*>::RegisterRegister", r"BinaryBodies<.*>::RegisterImmediate",
    r"BinaryBodies<.*>::RegisterMemory<", r"BinaryBodies<.*>::MemoryRegister<", r"BinaryBodies<.*>::MemoryImmediate<",
    r"UnaryBodies<.*>::(Register>|Memory<)", r"ShiftBodies<.*(Shl|Shr|Sar).*>::RegisterImmediate",
    r"CompareAndJumpBodies<.*>::Register", r"JumpIf<", r"x86::Goto>", r"::CallDirect<", r"::Return<",
    r"IndirectJump<.*>::", r"IndirectCall<.*>::", r"PushBodies<.*>::(Register|Immediate)>", r"PopBodies<.*>::Register>",
    r"ConditionalMoveWork<.*>::Register", r"SetBodies<.*>::Register",
    r"WholeBodies<.*>::(Register>|Load<|Store<)", r"VexBodies<(\w+::)*PerLane<(\w+::)*(Packed<|Bitwise).*>::From(Register>|Memory<)",
]
# The same for arithmetic, but for calls on a path of their own (CallAside in dispatch_tail/dispatch.h).
HOT_BUT_FOR_ASIDES = [
    r"VectorShape<(\w+::)*(Add|Sub|Mul|Div|Min|Max)(Ps|Pd|Ss|Sd),",
    r"VexBodies<(\w+::)*PerLane<(\w+::)*(Add|Sub|Mul|Div|Min|Max)(Ps|Pd)>",
    r"VexBodies<(\w+::)*Scalar<(\w+::)*(Add|Sub|Mul|Div|Min|Max)(Ss|Sd),",
    r"VexBodies<(\w+::)*(PerLaneOfThree|Scalar)<(\w+::)*Multiply(Add|Subtract)\d+<",
]
ASIDE = re.compile(r"\n[^\n]*\tleaq\t-0x80\(%rsp\), %rsp.*?\tmovq\t0x8\(%rsp\), %rsp", re.DOTALL)
FRAME = re.compile(r"\t(push|pop)[wq]?\t|\tsub[lq]\t.*%rsp$|\tcall")


def handlers(library):
    """Yields (demangled name, lines of assembly) of every handler."""
    text = subprocess.run(["llvm-objdump-19", "-d", "--no-show-raw-insn", "--demangle", library],
                          check=True, capture_output=True, text=True).stdout
    name, lines = None, []
    for line in text.splitlines():
        start = re.match(r"^[0-9a-f]+ <(.*)>:$", line)
        if start:
            if name:
                yield name, lines
            name = start.group(1) if "RunHandler<" in start.group(1) else None
            lines = []
        elif name:
            lines.append(line)
    if name:
        yield name, lines


def main():
    matched = dict.fromkeys(HOT + HOT_BUT_FOR_ASIDES, 0)
    bad = []
    for name, lines in handlers(sys.argv[1]):
        for pattern in matched:
            if re.search(pattern, name):
                matched[pattern] += 1
                if pattern in HOT_BUT_FOR_ASIDES:
                    lines = ASIDE.sub("", "\n" + "\n".join(lines)).splitlines()
                frame = [line for line in lines if FRAME.search(line)]
                if frame:
                    bad.append(f"{name}\n  {frame[0].strip()}")
                break
    for pattern, count in matched.items():
        if count == 0:
            bad.append(f"no handler matches {pattern}")
    print(f"{sum(matched.values())} hot handlers looked at")
    print("\n".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
