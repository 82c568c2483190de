"""Debian's static busybox does in a box what it does on Linux, byte for byte: busybox_cases.json, natively and by boxrun.

usage: busybox_test.py [--busybox=FILE] BOXRUN fast|ci [CASE...]
"""
import concurrent.futures
import functools
import os
import pathlib
import sys
import tempfile

import guest_cases

NATIVE_RUNS = 3  # before a difference is believed


def boxed(boxrun, busybox, case):
    """What the engine makes of it; boxrun writes a report of each box that there was."""
    with tempfile.TemporaryDirectory() as scratch:
        root, report = pathlib.Path(scratch) / "files", pathlib.Path(scratch) / "report.json"
        root.mkdir()
        files = [f"--file={busybox}:{guest_cases.BUSYBOX}"]
        files += [f"--file={root / path}:{guest_cases.DIRECTORY}/{path}" for path in case.write_files(root)]
        outcome = guest_cases.run(
            [boxrun, "--report", str(report), "--cwd", guest_cases.DIRECTORY, "--stdin", "-", *files, "--", *case.argv],
            case.stdin())
        if not report.exists():
            raise RuntimeError(f"{case.name}: boxrun gave no report: {outcome.stderr[-2000:]!r}")
    return guest_cases.without_note(outcome, rb"boxrun: killed by signal \d+")


def compare(boxrun, busybox, case):
    """Text that shows how the box differs from all that Linux does; Linux may do a thing in two ways, a box may not."""
    box = boxed(boxrun, busybox, case)
    natives = []
    for _ in range(NATIVE_RUNS):
        natives.append(guest_cases.natively(case, busybox))
        if natives[-1] == box:
            return ""
    again = boxed(boxrun, busybox, case)
    unstable = guest_cases.difference(f"{case.name} (twice in a box)", box, again)
    return unstable + "".join(guest_cases.difference(case.name, native, box) for native in dict.fromkeys(natives))


def main():
    arguments = sys.argv[1:]
    busybox = guest_cases.BUSYBOX
    if arguments and arguments[0].startswith("--busybox="):
        busybox = arguments.pop(0).partition("=")[2]
    if len(arguments) < 2 or arguments[1] not in ("fast", "ci"):
        print(__doc__, file=sys.stderr)
        return 64
    boxrun, tier, names = os.path.abspath(arguments[0]), arguments[1], arguments[2:]
    cases = [case for case in guest_cases.load() if case.tier == tier and (not names or case.name in names)]
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        differences = [text for text in pool.map(functools.partial(compare, boxrun, busybox), cases) if text]
    for text in differences:
        sys.stdout.write(text)
    print(f"{len(cases) - len(differences)} of {len(cases)} cases are equal")
    return 1 if differences or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
