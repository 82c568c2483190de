#!/usr/bin/env python3
"""Scripted sessions of the real gdb, and of lldb, over boxgdb.

usage: run_sessions.py BOXGDB BOXRUN WORK [SESSION...]

A session is a file of gdb commands (.gdb) or lldb commands (.lldb) in sessions/. Comments of these forms say what it is about:
  # program: NAME [gcc options]     of programs/; built natively, with -g
  # arguments: ...                  of the program
  # interrupt: REGEX                once gdb's output matches it, gdb gets a SIGINT; once for each such line
  # expect: REGEX                   in gdb's output or the program's, in this order
  # world: NAME=VALUE               a row of the guest's world
  # clock                           sleeps last as long as they say
  # waits                           what the program reads never comes
  # remote                          gdb gets the program and its libraries from the box
  # undisturbed                     output, instructions, virtual time and trace hash are those of a run without gdb
  # altered                         the job counts as altered
"""
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).parent
TIMEOUT_SECONDS = 100


def directives(text):
    found = {}
    for line in text.splitlines():
        match = re.match(r"# (\w+)(?:: ?(.*))?$", line)
        if match:
            found.setdefault(match[1], []).append(match[2] or "")
    return found


def build(work, spec):
    name, *options = shlex.split(spec)
    source = next((HERE / "programs").glob(name + ".*"))
    target = work / re.sub(r"\W", "_", spec)
    if not target.exists():
        compiler = "g++" if source.suffix == ".cc" else "gcc"
        subprocess.run([compiler, "-g", "-O0", "-pthread", *options, str(source), "-o", str(target)], check=True)
    return target


def libraries(program):
    """--file options for what a dynamic program needs of the host."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True)
    files = re.findall(r"(/\S+) \(0x", done.stdout)
    return [part for file in files for part in ("--file", f"{os.path.realpath(file)}:{file}")]


def is_running(report):
    """Is there a boxgdb that is to write this report?"""
    return subprocess.run(["pgrep", "-f", f"boxgdb .*--report {report} "], capture_output=True).returncode == 0


def find_lldb():
    """Debian has one package and one name for each version."""
    return next(filter(None, map(shutil.which, ["lldb", "lldb-19", "lldb-14"])), None)


def run_lldb(server, program, session):
    """lldb has no pipes to servers: boxgdb tells the port that it has."""
    with subprocess.Popen([*server[:1], "--listen", "0", *server[1:]], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as box:
        try:
            line = box.stderr.readline()
            port = re.search(r"Listening on port (\d+)", line)
            if port is None:
                return line
            command = [find_lldb(), "--no-lldbinit", "--batch", "-o", "settings set plugin.process.gdb-remote.packet-timeout 60",
                       "-o", f"target create {program}", "-o", f"gdb-remote 127.0.0.1:{port[1]}", "-s", str(session)]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors="replace", timeout=TIMEOUT_SECONDS)
            box.wait(TIMEOUT_SECONDS)
            # It repeats what it is told, the expectations too.
            return "".join(line for line in done.stdout.splitlines(keepends=True) if not line.startswith("(lldb)"))
        finally:
            box.kill()


def run_debugger(boxgdb, program, session, found, work):
    report, output = work / (session.stem + ".json"), work / (session.stem + ".out")
    for old in (report, output):
        old.unlink(missing_ok=True)
    arguments = shlex.split(" ".join(found.get("arguments", [])))
    world = [part for row in found.get("world", []) for part in ("--world", row)]
    server = [boxgdb, *world, "--report", str(report), "--output", str(output), *libraries(program), "--", str(program),
              *arguments]
    if "clock" in found:
        server[1:1] = ["--real-clock"]
    if "waits" in found:
        fifo = work / "fifo"
        fifo.unlink(missing_ok=True)
        os.mkfifo(fifo)
        server[1:1] = ["--input", str(fifo)]
    talk = run_lldb(server, program, session) if session.suffix == ".lldb" else run_gdb(server, program, session, found)
    # What was let go runs to its end; its report comes last.
    end = time.monotonic() + TIMEOUT_SECONDS
    while not report.exists() and time.monotonic() < end and is_running(report):
        time.sleep(0.02)
    told = json.loads(report.read_text() or "{}") if report.exists() else {}
    return talk, output.read_text() if output.exists() else "", told


def run_gdb(server, program, session, found):
    # Symbols from this machine, or all from the box.
    here = ["-ex", "set sysroot target:"] if "remote" in found else ["-ex", f"file {program}", "-ex", "set sysroot /"]
    command = ["gdb", "-nx", "-q", "-batch", "-ex", "set confirm off", "-ex", "set debuginfod enabled off",
               "-ex", "set width 0", "-ex", "set breakpoint pending on", *here, "-ex", "target extended-remote | " + shlex.join(server), "-x", str(session)]
    gdb = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                           text=True, errors="replace")
    killer = threading.Timer(TIMEOUT_SECONDS, gdb.kill)
    killer.start()
    wanted, text = list(found.get("interrupt", [])), ""
    searched = 0
    for line in gdb.stdout:
        text += line
        if wanted and re.search(wanted[0], text[searched:]):
            wanted.pop(0)
            searched = len(text)
            gdb.send_signal(signal.SIGINT)
    gdb.wait()
    killer.cancel()
    return text


def check(boxgdb, boxrun, work, session):
    found = directives(session.read_text())
    program = build(work, found["program"][0])
    text, output, told = run_debugger(boxgdb, program, session, found, work)
    problems, at = [], 0
    for pattern in found.get("expect", []):
        match = re.compile(pattern, re.MULTILINE).search(text + output, at)
        if match:
            at = match.end()
        else:
            problems.append(f"not found (in order): {pattern}")
    if "undisturbed" in found:
        plain = work / "plain.json"
        arguments = shlex.split(" ".join(found.get("arguments", [])))
        world = [part for row in found.get("world", []) for part in ("--world", row)]
        done = subprocess.run([boxrun, *world, "--report", str(plain), *libraries(program), "--", str(program), *arguments],
                              capture_output=True, text=True)
        wanted = json.loads(plain.read_text())
        for key in ("icount", "virtual_time_ns", "output_bytes", "peak_memory_bytes", "syscalls", "trace_hash"):
            if told.get(key) != wanted[key]:
                problems.append(f"{key}: {told.get(key)} with gdb, {wanted[key]} without")
        if output != done.stdout:
            problems.append(f"the program's output differs: {output!r} with gdb, {done.stdout!r} without")
        if told.get("altered"):
            problems.append("the job counts as altered")
    if "altered" in found and not told.get("altered"):
        problems.append("the job does not count as altered")
    if problems:
        print(f"--- {session.name}\n{text}\n--- its output\n{output}")
    return problems


def main():
    boxgdb, boxrun, work = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    work.mkdir(parents=True, exist_ok=True)
    names = sys.argv[4:]
    sessions = sorted(p for p in (HERE / "sessions").glob("*.*db") if not names or p.stem in names)
    failed = 0
    for session in sessions:
        if session.suffix == ".lldb" and find_lldb() is None:
            print(f"SKIPPED {session.stem}: there is no lldb on this machine (package lldb-14)", flush=True)
            continue
        problems = check(boxgdb, boxrun, work, session)
        print(("FAIL " if problems else "ok   ") + session.stem)
        for problem in problems:
            print("     " + problem)
        failed += bool(problems)
    sys.exit(1 if failed or not sessions else 0)


if __name__ == "__main__":
    main()
