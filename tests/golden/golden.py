#!/usr/bin/env python3
"""Holds what guests observe: output, icount and trace hash of a list of programs, per epoch.

usage: golden.py check BOXRUN [CASE...]     compare with epoch-N.json (N is BOXRUN's epoch), each program twice:
                                            plainly, and under another host environment beside a busy loop
       golden.py record BOXRUN              add the cases that epoch-N.json lacks; never changes what is there
       golden.py cli BIN_DIRECTORY          the same rows through gloveboxd: glovebox run, in a private daemon
"""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))
import private_home  # noqa: E402  the line above makes it importable

HELD = ("termination", "icount", "virtual_time_ns", "peak_memory_bytes", "syscalls", "trace_hash")


def load_cases():
    return json.loads((HERE / "cases.json").read_text())["cases"]


def program_of(case):
    path = pathlib.Path(case["program"])
    return path if path.is_absolute() else HERE / "programs" / "bin" / path


def run_box(boxrun, case, hostile_host=False):
    """One run; returns the row to hold."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        command = [boxrun, "--report", str(report), "--file", f"{program_of(case)}:{case['argv'][0]}"]
        command += case.get("options", [])
        stdin = HERE / "programs" / case["stdin"] if "stdin" in case else pathlib.Path(os.devnull)
        command += ["--stdin", str(stdin), "--", *case["argv"]]
        environment, directory = dict(os.environ), None
        if hostile_host:
            environment = {"PATH": "/nowhere", "TZ": "Pacific/Chatham", "LANG": "tr_TR.UTF-8", "SEED": "1",
                           "MALLOC_PERTURB_": "165", "X" * 3000: "y"}
            directory = folder
        done = subprocess.run(command, capture_output=True, env=environment, cwd=directory, timeout=600, check=False)
        if not report.exists():
            raise RuntimeError(f"no report from {command}: {done.stderr.decode(errors='replace')[-2000:]}")
        told = json.loads(report.read_text())
    row = {key: told[key] for key in HELD}
    row["stdout_sha256"] = hashlib.sha256(done.stdout).hexdigest()
    row["stderr_sha256"] = hashlib.sha256(done.stderr).hexdigest()
    row["program_sha256"] = hashlib.sha256(program_of(case).read_bytes()).hexdigest()
    return told["epoch"], row


def held_file(epoch):
    return HERE / f"epoch-{epoch}.json"


def load_held(epoch):
    return json.loads(held_file(epoch).read_text()) if held_file(epoch).exists() else {}


def check(boxrun, names):
    failures, compared = [], 0
    cases = load_cases()
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        for name in names or cases:
            epoch, first = run_box(boxrun, cases[name])
            _, second = run_box(boxrun, cases[name], hostile_host=True)
            held = load_held(epoch).get(name)
            for key in first:
                if first[key] != second[key]:
                    failures.append(f"{name}: {key} depends on the host: {first[key]} then {second[key]}")
            if held is None:
                failures.append(f"{name}: {held_file(epoch).name} has no such row; golden.py record adds it")
            elif held["program_sha256"] != first["program_sha256"]:
                print(f"{name}: {program_of(cases[name])} is not the recorded one; only compared with itself")
            else:
                compared += 1
                failures += [f"{name}: {key} is {first[key]}, epoch {epoch} holds {held[key]}"
                             for key in first if first[key] != held[key]]
    finally:
        busy.kill()
        busy.wait()
    for failure in failures:
        print(failure)
    if failures:
        print("A change that guests can observe needs a new epoch: raise kEpoch in engine/epoch.h and record.")
    print(f"{compared} cases as held, {len(failures)} differences")
    return 1 if failures or compared == 0 else 0


def record(boxrun):
    for name, case in load_cases().items():
        epoch, row = run_box(boxrun, case)
        held = load_held(epoch)
        if name not in held:
            held[name] = row
            held_file(epoch).write_text(json.dumps(held, indent=1, sort_keys=True) + "\n")
            print(f"{name}: recorded in {held_file(epoch).name}")
    return 0


def cli(binaries):
    """What a user gets from the daemon is what the engine alone gives."""
    failures, compared = [], 0
    home = private_home.Home(binaries)
    try:
        for name, case in load_cases().items():
            stdin = HERE / "programs" / case["stdin"] if "stdin" in case else pathlib.Path(os.devnull)
            with open(stdin, "rb") as source:
                done = home.call("run", "-o", "json", "--file", f"{program_of(case)}:{case['argv'][0]}",
                                 *case.get("options", []), "--", *case["argv"], stdin=source, timeout=600)
            try:
                job = json.loads(done.stdout)
            except json.JSONDecodeError:
                failures.append(f"{name}: no JSON: {done.stdout[-300:]!r} {done.stderr[-600:]!r}")
                continue
            held = load_held(job["epoch"]).get(name)
            if held is None:
                failures.append(f"{name}: not recorded")
                continue
            if held["program_sha256"] != hashlib.sha256(program_of(case).read_bytes()).hexdigest():
                continue
            compared += 1
            result = job["result"]
            for key, told in (("icount", int(result["icount"])), ("trace_hash", result["traceHash"]),
                              ("virtual_time_ns", int(result["virtualTimeNs"])),
                              ("peak_memory_bytes", int(result["peakMemoryBytes"]))):
                if held[key] != told:
                    failures.append(f"{name}: {key} through the daemon is {told}, held {held[key]}")
    finally:
        home.close()
    print("\n".join(failures + [f"{compared} cases through the daemon, {len(failures)} differences"]))
    return 1 if failures or compared == 0 else 0


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("check", "record", "cli"):
        print(__doc__, file=sys.stderr)
        return 64
    if sys.argv[1] == "check":
        return check(os.path.abspath(sys.argv[2]), sys.argv[3:])
    return record(os.path.abspath(sys.argv[2])) if sys.argv[1] == "record" else cli(os.path.abspath(sys.argv[2]))


if __name__ == "__main__":
    sys.exit(main())
