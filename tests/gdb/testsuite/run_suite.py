#!/usr/bin/env python3
"""Runs files of GDB's own test suite against gdbserver and against Glovebox, and compares.

usage: run_suite.py run [OPTIONS] SERVER [FILE...]   SERVER: a row of SERVERS; FILE: gdb.base/break.exp; default: all of files.txt
       run_suite.py compare [FILE...]        test by test, what gdbserver passes and Glovebox does not
       run_suite.py table                    docs/gdb-testsuite.md, on stdout

The suite comes from Debian's source package of gdb (tests/programs/make_source.py) and lies below ~/.cache/glovebox, as do
programs, logs and results. A file that has a result is not run again (--again does). Needs the packages dejagnu, gdb and
gdbserver, and a built boxgdb.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "tests/programs"))
import make_source  # noqa: E402

PACKAGES = {"runtest": "dejagnu", "gdb": "gdb", "gdbserver": "gdbserver", "busybox": "busybox-static", "gcc": "gcc", "g++": "g++"}
# name: board, and what stands in for gdbserver
SERVERS = {
    "gdbserver": ("gdbserver-extended", "/usr/bin/gdbserver"),
    "remote": ("glovebox-remote", str(HERE / "as_gdbserver.sh")),
    "extended": ("glovebox-extended", str(HERE / "as_gdbserver.sh")),
}
LIMIT_SECONDS = 400  # of a file
# Ports are a file's own, processes end with it, and none has a number that a box has: should a test signal one, it meets nobody.
APART = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
         "sh", "-c", 'busybox ifconfig lo up && echo 10000 > /proc/sys/kernel/ns_last_pid && "$@"; exit $?', "sh"]
GOOD = {"PASS", "KPASS", "XPASS"}  # K and X: what is known to fail elsewhere
BAD = {"FAIL", "UNRESOLVED", "ERROR"}
RESULT_LINE = re.compile(r"^(PASS|FAIL|XPASS|XFAIL|KPASS|KFAIL|UNRESOLVED|UNTESTED|UNSUPPORTED|ERROR): (.*)$")


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "glovebox" / "gdb-testsuite"


def suite():
    """Where the suite lies, after fetching it where it does not."""
    home = cache() / "gdb" / "testsuite"
    if not (home / "lib" / "gdb.exp").is_file():
        archive = make_source.make("gdb-testsuite")
        with tarfile.open(archive) as tar:
            tar.extractall(cache())
    return home


def files():
    return [line for line in (HERE / "files.txt").read_text().splitlines() if line and not line.startswith("#")]


def result_path(server, file):
    return cache() / "results" / server / (file + ".json")


def site(home, work):
    """What configure would write: where things are, and boards of our own."""
    machine = "x86_64-pc-linux-gnu"
    rows = {"tool": "gdb", "srcdir": home, "objdir": work, "host_triplet": machine, "build_triplet": machine,
            "target_triplet": machine, "GDB": shutil.which("gdb"), "GDB_DATA_DIRECTORY": '""'}
    text = "".join(f"set {name} {value}\n" for name, value in rows.items())
    return text + f"lappend boards_dir {HERE}/boards {home}/boards\n"


def parse(summary):
    return [list(match.groups()) for line in summary.splitlines() if (match := RESULT_LINE.match(line))]


def run_one(server, file, boxgdb):
    home, (board, stand_in) = suite(), SERVERS[server]
    work = cache() / "work" / server / file.replace("/", "_")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "site.exp").write_text(site(home, work))
    environment = {"PATH": os.environ["PATH"], "HOME": str(work), "TERM": "dumb", "LC_ALL": "C", "BOXGDB": str(boxgdb)}
    command = [*APART, "runtest", "--tool", "gdb", f"--target_board={board}", f"GDBSERVER={stand_in}", file]
    began = time.monotonic()
    with open(work / "console", "w", encoding="utf-8") as console:
        running = subprocess.Popen(command, cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=console,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            running.wait(LIMIT_SECONDS)
            ended = "ran"
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            ended = "timeout"
    summary = work / "gdb.sum"
    tests = parse(summary.read_text(errors="replace")) if summary.exists() else []
    # Programs are large, and made again where they are needed.
    shutil.rmtree(work / "outputs", ignore_errors=True)
    shutil.rmtree(work / "cache", ignore_errors=True)
    target = result_path(server, file)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"ended": ended, "seconds": round(time.monotonic() - began, 1), "tests": tests}, indent=0))
    return describe(file, target)


def describe(file, path):
    result = json.loads(path.read_text())
    return f"{file:<50} {words(result):<44} {result['seconds']:>6.1f} s"


def words(result):
    """What came of a file, in a few words."""
    if result is None:
        return "not run"
    counts = collections.Counter(status for status, _ in result["tests"])
    bad = sum(counts[status] for status in BAD)
    good = sum(counts[status] for status in GOOD)
    parts = [f"{good} passed"] if good else []
    parts += [f"{bad} failed"] if bad else []
    parts += ["time out"] if result["ended"] == "timeout" else []
    return ", ".join(parts) or "not supported"


def load(server, file):
    path = result_path(server, file)
    return json.loads(path.read_text()) if path.is_file() else None


def is_good(result):
    return result["ended"] == "ran" and any(s in GOOD for s, _ in result["tests"]) and not any(
        s in BAD for s, _ in result["tests"])


def run(arguments):
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if missing:
        sys.exit("run_suite: these packages are needed: " + " ".join(missing))
    suite()
    names = arguments.files or files()
    wanted = [name for name in names if arguments.again or load(arguments.server, name) is None]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for line in pool.map(lambda name: run_one(arguments.server, name, arguments.boxgdb.resolve()), wanted):
            print(line, flush=True)


def glovebox_result(file):
    return load("extended", file) or load("remote", file)


def lost(theirs, ours):
    """Tests that pass there and fail here, or do not come about."""
    passed = collections.Counter(name for status, name in theirs["tests"] if status in GOOD)
    good = collections.Counter(name for status, name in ours["tests"] if status in GOOD)
    failed = {name: status for status, name in ours["tests"] if status in BAD}
    return [(failed.get(name, "absent"), name) for name in passed if good[name] < passed[name]]


def compare(arguments):
    for file in arguments.files or files():
        theirs, ours = load("gdbserver", file), glovebox_result(file)
        if theirs is None or ours is None or is_good(ours):
            continue
        print(f"{file}: gdbserver {words(theirs)}; Glovebox {words(ours)}")
        for status, name in lost(theirs, ours):
            print(f"  {status:<8} {name}")


def explanations():
    """differences.txt: a file of the suite and, behind it, why the results are not alike."""
    rows = (HERE / "differences.txt").read_text().splitlines()
    return dict(row.split(maxsplit=1) for row in rows if row and not row.startswith("#"))


def table(_):
    known, rows, totals = explanations(), [], collections.Counter()
    for file in files():
        theirs, ours = load("gdbserver", file), glovebox_result(file)
        if theirs is None or ours is None:
            continue
        totals["files"] += 1
        good, passes = is_good(theirs), is_good(ours)
        totals["theirs"] += good
        totals["ours"] += passes
        totals["behind"] += good and not passes
        totals["ahead"] += passes and not good
        worse = sum(s in BAD for s, _ in ours["tests"]) > sum(s in BAD for s, _ in theirs["tests"])
        why = known.get(file, "") if worse or (good and not passes) else ""
        mode = "" if load("extended", file) else " (`remote`)"
        rows.append(f"| {file} | {words(theirs)} | {words(ours)}{mode} | {why} |")
    print((HERE / "heading.md").read_text().format(**totals))
    print("`remote`: `target remote` with a box for each program, for want of a result in the extended mode.\n")
    print("| file | gdbserver | Glovebox | why they differ |\n|---|---|---|---|")
    print("\n".join(rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("run")
    verb.add_argument("server", choices=SERVERS)
    verb.add_argument("files", nargs="*")
    verb.add_argument("--again", action="store_true", help="also what has a result")
    verb.add_argument("--jobs", type=int, default=1, choices=(1, 2))
    verb.add_argument("--boxgdb", type=pathlib.Path, default=ROOT / "build/dev/bin/boxgdb")
    verb.set_defaults(do=run)
    verb = verbs.add_parser("compare")
    verb.add_argument("files", nargs="*")
    verb.set_defaults(do=compare)
    verbs.add_parser("table").set_defaults(do=table)
    arguments = parser.parse_args()
    arguments.do(arguments)


main()
