#!/usr/bin/env python3
"""Real programs of Debian natively, in Glovebox' engine twice, under load, under chaos, and by qemu-user: programs.json.

usage: run_programs.py BOXRUN [--tier ci|long] [--root small|full] [--match TEXT]... [--jobs N] [--once] [--load] [--qemu]
                       [--chaos N] [--patience SECONDS] [--made] [--results FILE] [--table FILE]

Equal are: what comes out (stdout, stderr, exit status) natively and in the box; the instructions and the trace hash of two
runs in the box (--once: one). --load runs each once more beside a busy process per CPU. --chaos N runs those that say `chaos` under
seeds 1 to N of the chaos scheduler, where the output has to stay. --qemu measures qemu-user.

--results keeps what was found, row by row: what is there of this row and this BOXRUN and was right is not run again. --table
writes docs/programs.md from all results. Exit status: 0 where all is right.
"""
import argparse
import concurrent.futures
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import pathlib
import subprocess
import sys

import make_root
import program_cases
import program_table

# Computes and walks through 64 MiB, until it is killed or an orphan.
BUSY = """
import os
parent, memory, i = os.getppid(), bytearray(1 << 26), 0
while os.getppid() == parent:
    for _ in range(100000):
        i = (i * 1103515245 + 12345) % len(memory)
        memory[i] = i & 255
"""
# Natively run twice, so that the lesser time counts and a row that is not the same twice by itself shows.
SHORT_S = 2
# Processor seconds in the box from which the run under load is the second one.
LONG_S = 1


@contextlib.contextmanager
def load():
    """A busy process on each CPU, where the machine has not as much to do anyway."""
    idle = os.getloadavg()[0] < 3 * os.cpu_count()
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(os.cpu_count() if idle else 0)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def digest(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def usable(known, result):
    """What is known, where it is of the same case and boxrun and nothing was wrong."""
    same = known and not known["wrong"] and all(known[name] == result[name] for name in ("case", "boxrun"))
    return known if same else None


class Row:
    """One case with what is known of it: `result` is what --results keeps of it."""

    def __init__(self, boxrun, root, case, known):
        self.boxrun, self.root, self.case = boxrun, root, case
        self.wrong = []
        self.result = {"case": digest(case.argv, case.stdin, case.root, case.limits, case.compare), "boxrun": boxrun_digest(boxrun)}
        self.result = {**(usable(known, self.result) or self.result), "wrong": []}

    @functools.cached_property
    def native(self):
        """Run where it is first asked for."""
        first = program_cases.natively(self.case, self.root)
        seconds = [first.seconds]
        if first.seconds is not None and first.seconds < SHORT_S:
            again = program_cases.natively(self.case, self.root)
            seconds.append(again.seconds)
            if self.case.key(again) != self.case.key(first):
                self.say(f"natively twice: {difference(self.case, first, again)}")
        self.result["native"] = {"status": first.status, "seconds": min((s for s in seconds if s is not None), default=None)}
        return first

    def say(self, text):
        self.result["wrong"].append(text)

    def box(self, *extra):
        return program_cases.boxed(self.boxrun, self.case, self.root, extra)

    def judge(self, what, box):
        """Compares with the native run."""
        if box.report is None:
            self.say(f"{what}: no report of the box: {short(box.run.stderr)}")
        elif self.case.key(self.native) != self.case.key(box.run):
            self.say(f"{what}: {difference(self.case, self.native, box.run)}")
            if box.report["absent_syscalls"]:
                self.say(f"answered ENOSYS: {box.report['absent_syscalls']}")

    def once(self):
        self.result["box"] = self.found("in the box", self.box())

    def again(self):
        self.result["again"] = self.found("again", self.box())
        self.same("two runs", "again")

    def loaded(self):
        """The second run of a long row, a third one of others."""
        with load():
            self.result["load"] = self.found("under load", self.box())
        self.same("without and under load", "load")
        if self.result["box"]["seconds"] > LONG_S:
            self.result.setdefault("again", self.result["load"])

    def found(self, what, box):
        self.judge(what, box)
        report = box.report or {}
        return {"status": box.run.status, "seconds": box.run.seconds, "icount": report.get("icount"), "trace_hash": report.get("trace_hash"),
                "output": digest(self.case.key(box.run))}

    def same(self, what, other):
        for name in program_table.SAME:
            if self.result["box"][name] != self.result[other][name]:
                self.say(f"{name} of {what}: {self.result['box'][name]}, {self.result[other][name]}")

    def by_qemu(self):
        """What qemu-user cannot run is no fault of ours, and has no time."""
        run = program_cases.by_qemu(self.case, self.root, 60 + 20 * self.result["box"]["seconds"])
        right = self.case.key(run) == self.case.key(self.native)
        self.result["qemu"] = {"status": run.status, "seconds": run.seconds, "right": right,
                               "difference": "" if right else difference(self.case, self.native, run)}

    def chaos(self, seed):
        self.judge(f"chaos seed {seed}", self.box("--world", "scheduling=chaos", "--seed", str(seed)))
        self.result["chaos"] = seed

    def run(self, wants):
        """Whatever `wants` asks for and is not known yet; yields after each."""
        parts = [("box", True, self.once), ("load", wants.load, self.loaded), ("again", not wants.once, self.again), ("qemu", wants.qemu, self.by_qemu)]
        for name, wanted, part in parts:
            if wanted and name not in self.result:
                part()
                yield
        for seed in range(self.result.get("chaos", 0) + 1, wants.chaos + 1 if self.case.chaos else 0):
            self.chaos(seed)
            yield


@functools.cache
def boxrun_digest(boxrun):
    return hashlib.sha256(pathlib.Path(boxrun).read_bytes()).hexdigest()[:16]


def difference(case, expected, actual):
    fields = ("status",) if case.compare == "status" else ("status", "stdout", "stderr")
    out = "; ".join(f"{field} {short(getattr(expected, field))}, then {short(getattr(actual, field))}" for field in fields
                    if getattr(expected, field) != getattr(actual, field))
    return out if case.compare != "status" else f"{out}: {short(actual.stdout[-3000:])} {short(actual.stderr[-1500:])}"


def short(value):
    text = repr(value)
    return text if len(text) <= 1500 else f"{text[:700]}...{text[-700:]} ({len(value)} bytes)"


def run(wants, roots, case):
    row = Row(os.path.abspath(wants.boxrun), roots[case.root], case, kept(wants.results).get(case.name))
    for _ in row.run(wants):
        if wants.results:
            keep(wants.results, case.name, row.result)
    return row.result


def kept(path):
    return json.loads(path.read_text()) if path and path.exists() else {}


def keep(path, name, result):
    """Adds to what is there: another run_programs.py may do so too."""
    with open(path.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        results, new = kept(path), path.with_suffix(".new")
        results[name] = {**(usable(results.get(name), result) or {}), **result}
        new.write_text(json.dumps(results, indent=1, sort_keys=True))
        new.rename(path)


def selected(options):
    return [case for case in program_cases.load()
            if options.tier in (None, case.tier) and options.root in (None, case.root)
            and (not options.match or any(text in case.name for text in options.match))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boxrun")
    parser.add_argument("--tier", choices=["ci", "long"])
    parser.add_argument("--root", choices=["small", "full"])
    parser.add_argument("--match", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--load", action="store_true")
    parser.add_argument("--qemu", action="store_true")
    parser.add_argument("--chaos", type=int, default=0, metavar="N")
    parser.add_argument("--patience", type=int, default=program_cases.PATIENCE_S, help="seconds that one run may take")
    parser.add_argument("--made", action="store_true", help="fail rather than make a root")
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--table", type=pathlib.Path)
    options = parser.parse_args()
    program_cases.PATIENCE_S = options.patience
    cases = selected(options)
    missing = {case.root for case in cases if not make_root.location(case.root).is_dir()}
    if options.made and missing:
        print(f"run_programs: the roots {missing} are not made: run ./dev setup", file=sys.stderr)
        return 1
    roots = {name: make_root.make(name) for name in sorted({case.root for case in cases})}
    results, good = {}, 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for case, result in zip(cases, pool.map(functools.partial(run, options, roots), cases)):
            results[case.name] = result
            good += not result["wrong"]
            print("\n".join(f"{case.name}: {text}" for text in result["wrong"]) or program_table.line(case.name, result), flush=True)
    if options.table:
        options.table.write_text(program_table.table(program_cases.load(), {**results, **kept(options.results)}))
    print(f"{good} of {len(cases)} are equal and repeatable")
    return 0 if cases and good == len(cases) else 1


if __name__ == "__main__":
    sys.exit(main())
