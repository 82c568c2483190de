#!/usr/bin/env python3
"""A real gdb against the stub: starts gdb, which runs this very file again inside itself.

usage: real_gdb.py GDB_TOY PROGRAM
"""
import os
import subprocess
import sys
import tempfile


def outside(toy, program):
    gdb = ["gdb", "-nx", "-batch", "-ex", "set confirm off", "-ex", "set pagination off", "-ex", "set debuginfod enabled off",
           "-x", __file__, program]
    done = subprocess.run(gdb, env={**os.environ, "GDB_TOY": f"{toy} {program}"}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=100, check=False)
    if done.returncode != 0 or "ALL IS WELL" not in done.stdout:
        print(done.stdout)
        return 1
    return 0


def inside():
    import gdb  # pylint: disable=import-error,import-outside-toplevel

    def run(command):
        return gdb.execute(command, to_string=True)

    def value(expression):
        return int(gdb.parse_and_eval(expression))

    def line():
        return gdb.selected_frame().find_sal().line

    log = tempfile.NamedTemporaryFile()
    run(f"set remotelogfile {log.name}")

    def packets(command):
        """Runs a command; returns the packets that gdb sent for it."""
        with open(log.name, encoding="latin-1") as text:
            text.seek(0, os.SEEK_END)
            run(command)
            return [one[2:] for one in text.read().splitlines() if one.startswith("w $")]

    run("target extended-remote | " + os.environ["GDB_TOY"])
    assert gdb.selected_frame().name() == "_start"

    # A condition is evaluated by the stub: gdb hears of one hit of seven.
    stops = []
    gdb.events.stop.connect(stops.append)
    run("break Square if n == 7")
    run("continue")
    assert len(stops) == 1 and stops[0].breakpoints[0].number == 1
    assert value("n") == 7 and gdb.selected_frame().older().name() == "Sum"
    assert len(gdb.selected_inferior().threads()) == 2

    # Stepping costs few packets; a large read costs two at most.
    run("set breakpoint always-inserted on")
    run("next")
    lines = packets("next")
    assert 1 <= len(lines) <= 5, lines
    one = packets("stepi")
    assert 1 <= len(one) <= 4, one
    big = packets("dump binary memory /dev/null 0x7ffe0000 0x7fff0000")
    assert 1 <= len(big) <= 2, [len(each) for each in big]

    run("finish")
    assert gdb.selected_frame().name() == "Sum"
    run("delete 1")
    run("watch counter")
    run("continue")
    assert value("counter") == value("total")
    assert gdb.selected_frame().name() == "Sum"
    run("delete")

    # Inferior calls, registers, memory.
    assert value("Square(12)") == 144 and value("Factorial(5)") == 120
    run("set var origin.x = 77")
    assert value("origin.x") == 77
    assert "1 pattern found" in run("find &origin, +1000, 77")
    assert "matched" in run("compare-sections .text")
    run("set $xmm3.v2_int64[1] = 5")
    assert value("$xmm3.v2_int64[1]") == 5 and value("$ymm3.v4_int64[1]") == 5
    pc = value("$pc")
    run("stepi")
    assert value("$pc") != pc
    assert int(run("monitor icount")) > 0
    run("thread 2")
    assert gdb.selected_frame().name() == "Worker"
    run("thread 1")

    # What cannot be is refused in words.
    for command, words in (("reverse-stepi", "does not support"), ("break *0", "Cannot access"), ("monitor nothing", "icount is all there is")):
        try:
            said = run(command)
        except gdb.error as error:
            said = str(error)
        assert words in said, said
    run("delete")
    try:
        run("x/x 0")
        raise AssertionError("address 0 can be read")
    except gdb.MemoryError:
        pass

    # Text of the stub's own printf, without a stop.
    run("set dprintf-style agent")
    run('dprintf Factorial,"n is %d\\n", n')
    run("tbreak Finish")
    run("handle SIGUSR1 stop print nopass")
    run("continue")
    assert gdb.selected_frame().name() == "Call" and "SIGUSR1" in run("info program")
    run("continue")
    assert gdb.selected_frame().name() == "Finish"
    assert value("code") == (285 + 120) & 0x7f
    run("continue")
    assert value("$_exitcode") == (285 + 120) & 0x7f
    assert not gdb.selected_inferior().threads()
    print("ALL IS WELL")


if "gdb" in sys.modules:
    inside()
elif len(sys.argv) == 3:
    sys.exit(outside(sys.argv[1], sys.argv[2]))
else:
    sys.exit(__doc__)
