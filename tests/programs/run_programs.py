#!/usr/bin/env python3
"""Real programs of Debian natively, in Glovebox' engine twice, and by qemu-user: programs.json, compared and measured.

usage: run_programs.py BOXRUN [--tier ci|long] [--root small|full] [--match TEXT]... [--jobs N] [--qemu] [--seeds N] [--patience SECONDS] [--made] [--table FILE]

Equal are: what comes out (stdout, stderr, exit status) natively and in the box; the instructions and the trace hash of two
runs in the box. --seeds N runs each also under N seeds of the chaos scheduler, where the output has to stay. --table writes docs/programs.md.
Exit status: 0 where all are equal.
"""
import argparse
import collections
import concurrent.futures
import functools
import os
import pathlib
import sys

import make_root
import program_cases

Result = collections.namedtuple("Result", "case native first second qemu chaos")


def run(boxrun, roots, qemu, seeds, case):
    root = roots[case.root]
    native = program_cases.natively(case, root)
    first = program_cases.boxed(boxrun, case, root)
    second = program_cases.boxed(boxrun, case, root)
    chaos = [program_cases.boxed(boxrun, case, root, ["--world", "scheduling=chaos", "--seed", str(seed)]) for seed in range(1, seeds + 1)]
    return Result(case, native, first, second, program_cases.by_qemu(case, root) if qemu and case.qemu else None, chaos)


def faults(result):
    """Sentences that say what is wrong; none where all is well."""
    case, out = result.case, []
    if result.first.report is None:
        return [f"{case.name}: no report of the box: {result.first.run.stderr[-600:]!r}"]
    if case.key(result.native) != case.key(result.first.run):
        fields = ("status",) if case.compare == "status" else ("status", "stdout", "stderr")
        for field in fields:
            expected, actual = getattr(result.native, field), getattr(result.first.run, field)
            if expected != actual:
                out.append(f"{case.name}: {field} natively {short(expected)}\n    in the box {short(actual)}")
        if case.compare == "status":
            out.append(f"    in the box {short(result.first.run.stdout[-3000:])} {short(result.first.run.stderr[-1500:])}")
    for name in ("icount", "trace_hash"):
        values = [box.report and box.report[name] for box in (result.first, result.second)]
        if values[0] != values[1]:
            out.append(f"{case.name}: {name} of two runs: {values}")
    for seed, box in enumerate(result.chaos, 1):
        if case.key(result.native) != case.key(box.run):
            out.append(f"{case.name}: chaos seed {seed}: status {box.run.status}, {short(box.run.stdout)} {short(box.run.stderr)}")
    if out and result.first.report["absent_syscalls"]:
        out.append(f"    answered ENOSYS: {result.first.report['absent_syscalls']}")
    return out


def short(value):
    text = repr(value)
    return text if len(text) <= 1500 else f"{text[:700]}...{text[-700:]} ({len(value)} bytes)"


def ratio(box, other):
    return f"{box / other:.1f}" if other and other >= 0.005 else "-"


def table(results):
    lines = ["# Real programs", "",
             "Made by `tests/programs/run_programs.py BOXRUN --table docs/programs.md` (see tests/programs/README.md): programs of Debian",
             "12 in a root file system, natively and in the engine. *Equal*: stdout, stderr and exit status are the same natively and in",
             "the box (for test suites: the exit status). *Twice*: two runs in the box have the same count of instructions and the same trace",
             "hash. Times are processor seconds of all processes; a dash: too short to divide by, or not for qemu-user, which does not run",
             "what a program executes.", "",
             "| program | what it does | equal | exit | twice | instructions | native s | box s | times native | times qemu |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for result in results:
        case, native, box, report = result.case, result.native, result.first.run, result.first.report
        equal = "yes" if case.key(native) == case.key(box) else "**no**"
        twice = "yes" if report and result.second.report and report["trace_hash"] == result.second.report["trace_hash"] else "**no**"
        icount = f"{report['icount']:,}" if report else "-"
        qemu = ratio(box.seconds, result.qemu.seconds) if result.qemu else "-"
        what = case.name.partition(": ")[2] or case.name
        lines.append(f"| {case.program} | {what} | {equal} | {box.status} | {twice} | {icount} | {native.seconds:.2f} | "
                     f"{box.seconds:.2f} | {ratio(box.seconds, native.seconds)} | {qemu} |")
    good = sum(not faults(result) for result in results)
    ran = {result.case.name for result in results}
    others = [case.name for case in program_cases.load() if case.name not in ran]
    tail = f"\n\n{good} of {len(results)} are equal and repeatable.\n"
    if others:
        tail += "\nNot run when this table was made:\n\n" + "".join(f"- {name}\n" for name in others)
    return "\n".join(lines) + tail


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boxrun")
    parser.add_argument("--tier", choices=["ci", "long"])
    parser.add_argument("--root", choices=["small", "full"])
    parser.add_argument("--match", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--qemu", action="store_true")
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--patience", type=int, default=program_cases.PATIENCE_S, help="seconds that one run may take")
    parser.add_argument("--made", action="store_true", help="fail rather than make a root")
    parser.add_argument("--table", type=pathlib.Path)
    options = parser.parse_args()
    program_cases.PATIENCE_S = options.patience
    cases = [case for case in program_cases.load()
             if options.tier in (None, case.tier) and options.root in (None, case.root)
             and (not options.match or any(text in case.name for text in options.match))]
    missing = {case.root for case in cases if not make_root.location(case.root).is_dir()}
    if options.made and missing:
        print(f"run_programs: the roots {missing} are not made: run ./dev setup", file=sys.stderr)
        return 1
    roots = {name: make_root.make(name) for name in sorted({case.root for case in cases})}
    work = functools.partial(run, os.path.abspath(options.boxrun), roots, options.qemu, options.seeds)
    results = []
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        for result in pool.map(work, cases):
            results.append(result)
            wrong = faults(result)
            print("\n".join(wrong) if wrong else f"{result.case.name}: equal, {result.first.report['icount']:,} instructions, "
                  f"{result.first.run.seconds:.1f} s", flush=True)
    if options.table:
        options.table.write_text(table(results))
    good = sum(not faults(result) for result in results)
    print(f"{good} of {len(results)} are equal and repeatable")
    return 0 if results and good == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
