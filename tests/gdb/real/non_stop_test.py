#!/usr/bin/env python3
"""Sessions in which threads stop alone: gdb's machine interface over boxgdb, non-stop.

usage: non_stop_test.py BOXGDB BOXRUN WORK [NAME...]
"""
import pathlib
import re
import shlex
import subprocess
import sys
import threading
import time

from run_sessions import build

TIMEOUT_SECONDS = 100


class Gdb:
    """Commands in, records out; what has been waited for is not found again."""

    def __init__(self, *settings):
        command = ["gdb", "-nx", "-q", "--interpreter=mi3"]
        for setting in ("confirm off", "debuginfod enabled off", "pagination off", "width 0", *settings):
            command += ["-iex", "set " + setting]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace")
        self.lines, self.at, self.token = [], 0, 0
        self.heard = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            with self.heard:
                self.lines.append(line.rstrip("\n"))
                self.heard.notify_all()

    def wait(self, pattern):
        """The first record from here on that matches; those before it are passed over."""
        end = time.monotonic() + TIMEOUT_SECONDS
        with self.heard:
            at = self.at
            while True:
                for i in range(at, len(self.lines)):
                    if re.search(pattern, self.lines[i]):
                        self.at = i + 1
                        return self.lines[i]
                at = len(self.lines)
                left = end - time.monotonic()
                if left <= 0 or not self.heard.wait(left):
                    raise AssertionError(f"not heard: {pattern}\n" + "\n".join(self.lines))

    def ask(self, command):
        """The result record; what came before it can still be waited for."""
        self.token += 1
        with self.heard:
            before = self.at
        self.process.stdin.write(f"{self.token}{command}\n")
        self.process.stdin.flush()
        result = self.wait(rf"^{self.token}\^")
        self.at = before
        return result

    def do(self, command):
        result = self.ask(command)
        assert re.search(r"\^(done|running|connected)", result), f"{command}: {result}\n" + "\n".join(self.lines)
        return result

    def value(self, expression, thread=1):
        text = self.do(f"-data-evaluate-expression --thread {thread} {expression}")
        return int(re.search(r'value="(-?\d+)', text)[1])

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=TIMEOUT_SECONDS)


def connect(boxgdb, program):
    gdb = Gdb("non-stop on", "mi-async on", "breakpoint pending on", "sysroot /")
    gdb.do(f"-file-exec-and-symbols {program}")
    gdb.do("-target-select extended-remote | " + shlex.join([boxgdb, "--", str(program)]))
    return gdb


def to_main(boxgdb, program):
    gdb = connect(boxgdb, program)
    gdb.do("-break-insert main")
    gdb.do("-exec-continue")
    gdb.wait(r'^\*stopped,reason="breakpoint-hit".*thread-id="1"')
    gdb.do("-break-delete")
    return gdb


def state_of(gdb, thread):
    return re.search(r'state="(\w+)"', gdb.do(f"-thread-info {thread}"))[1]


def until(is_so):
    end = time.monotonic() + TIMEOUT_SECONDS
    while not is_so():
        assert time.monotonic() < end, "it does not come to that"


def moves(gdb, expression, thread):
    before = gdb.value(expression, thread)
    until(lambda: gdb.value(expression, thread) > before)


def end(gdb):
    """Thread 1 stands still."""
    gdb.do("-data-evaluate-expression --thread 1 over=1")
    gdb.do("-exec-continue --all")
    gdb.wait(r'^\*stopped,reason="exited-normally"')
    gdb.close()


def threads_stop_alone(boxgdb, program):
    gdb = to_main(boxgdb, program)
    gdb.do("-exec-continue")
    until(lambda: 'id="3"' in gdb.do("-thread-info"))
    gdb.do("-break-insert -p 2 tick")
    gdb.wait(r'^\*stopped,reason="breakpoint-hit".*thread-id="2"')
    assert [state_of(gdb, n) for n in (1, 2, 3)] == ["running", "stopped", "running"]
    moves(gdb, "counts[2]", 2)
    moves(gdb, "counts[0]", 2)
    assert gdb.value("counts[1]", 2) == gdb.value("counts[1]", 2), "the second thread goes on"
    # Another breakpoint, for another thread; the first one still stands there.
    gdb.do("-break-insert -p 3 tick")
    gdb.wait(r'^\*stopped,reason="breakpoint-hit".*thread-id="3"')
    assert [state_of(gdb, n) for n in (1, 2, 3)] == ["running", "stopped", "stopped"]
    gdb.do("-break-delete")
    before = gdb.value("counts[1]", 2)
    gdb.do("-exec-next --thread 2")
    gdb.wait(r'^\*stopped,reason="end-stepping-range".*thread-id="2"')
    assert gdb.value("counts[1]", 2) - before <= 1
    assert state_of(gdb, 3) == "stopped"
    gdb.do("-exec-interrupt --thread 1")
    gdb.wait(r'^\*stopped,reason="signal-received",signal-name="0".*thread-id="1"')
    end(gdb)


def all_are_interrupted(boxgdb, program):
    gdb = to_main(boxgdb, program)
    gdb.do("-exec-continue --all")
    until(lambda: 'id="3"' in gdb.do("-thread-info"))
    gdb.do("-exec-interrupt --all")
    for _ in range(3):
        gdb.wait(r'^\*stopped,reason="signal-received",signal-name="0"')
    counts = [gdb.value(f"counts[{i}]") for i in range(3)]
    assert counts == [gdb.value(f"counts[{i}]") for i in range(3)]
    end(gdb)


def a_process_is_attached_to_again(boxgdb, program):
    gdb = to_main(boxgdb, program)
    gdb.do("-exec-continue")
    until(lambda: 'id="3"' in gdb.do("-thread-info"))
    gdb.do("-target-detach")
    gdb.do("-target-attach 2")
    gdb.wait(r'^\*stopped')
    gdb.do("-exec-interrupt --all")
    until(lambda: gdb.do("-thread-info").count('state="stopped"') == 3)
    end(gdb)


def dprintf_text_is_held(boxgdb, program):
    gdb = to_main(boxgdb, program)
    gdb.do("-gdb-set dprintf-style agent")
    gdb.do('-dprintf-insert tick "counted %d\\n" number')
    gdb.do("-exec-continue")
    until(lambda: 'id="3"' in gdb.do("-thread-info"))
    seen = []

    def both_have_counted():
        begin = len(gdb.lines)
        gdb.do('-interpreter-exec console "monitor output"')
        seen.extend(gdb.lines[begin:])
        return all(any(f"counted {n}" in line for line in seen) for n in (1, 2))

    until(both_have_counted)
    gdb.do("-break-delete")
    gdb.do("-exec-interrupt --all")
    gdb.wait(r'^\*stopped,reason="signal-received",signal-name="0".*thread-id="1"')
    end(gdb)


def main():
    boxgdb, work = sys.argv[1], pathlib.Path(sys.argv[3])
    work.mkdir(parents=True, exist_ok=True)
    program = build(work, "counters -static")
    sessions = [threads_stop_alone, all_are_interrupted, a_process_is_attached_to_again, dprintf_text_is_held]
    for session in sessions:
        if sys.argv[4:] and session.__name__ not in sys.argv[4:]:
            continue
        session(boxgdb, program)
        print("ok  ", session.__name__)


main()
