#!/usr/bin/env python3
"""Runs call_storm (random system calls) in boxes, seed by seed: each seed twice, in slices of different length. The engine
survives, the box ends by exit, by a signal or by a limit that has a name, and both runs have one trace hash.

usage: call_storm.py BOXRUN PROGRAM... [--seconds N | --seeds N] [--first-seed N] [--rounds N]
"""

import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile
import time

SLICES = (10_000_000, 7_777)
LIMITS = "mem=512M,disk=64M,insns=2000000000"
COMPARED = ("termination", "icount", "virtual_time_ns", "peak_memory_bytes", "output_bytes", "syscalls", "trace_hash")
# A round is some hundred milliseconds of host time: what takes minutes hangs.
PATIENCE_SECONDS = 600


def run(arguments, program, seed, slice_instructions):
    with tempfile.NamedTemporaryFile() as report:
        command = [arguments.boxrun, "--seed", str(seed), "--slice", str(slice_instructions), "--limit", LIMITS,
                   "--report", report.name, "--file", f"{program}:/bin/call_storm", "--", "/bin/call_storm",
                   str(arguments.rounds)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              timeout=PATIENCE_SECONDS, check=False)
        text = pathlib.Path(report.name).read_text(encoding="utf-8")
        if not text:
            return None, f"status {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}"
        result = json.loads(text)
        return {name: result[name] for name in COMPARED}, None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("boxrun")
    parser.add_argument("programs", nargs="+")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=4)
    arguments = parser.parse_args()
    began = time.monotonic()
    ends = collections.Counter()
    calls = 0
    failed = []
    seed = arguments.first_seed
    while (time.monotonic() - began < arguments.seconds if arguments.seconds else
           seed < arguments.first_seed + arguments.seeds):
        for program in arguments.programs:
            name = f"{pathlib.Path(program).name} --seed {seed}"
            try:
                results = [run(arguments, program, seed, length) for length in SLICES]
            except subprocess.TimeoutExpired:
                failed.append(f"{name}: hangs")
                print(failed[-1], flush=True)
                continue
            for result, error in results:
                if error:
                    failed.append(f"{name}: {error}")
                    print(failed[-1], flush=True)
            first, second = results[0][0], results[1][0]
            if first and second and first != second:
                failed.append(f"{name}: {first} and {second}")
                print(failed[-1], flush=True)
            if first:
                end = first["termination"]
                ends[f"{end['kind']} {end['limit'] or end['code']}"] += 1
                calls += first["syscalls"]
                if end["kind"] not in ("exited", "signaled", "limit"):
                    failed.append(f"{name}: ended as {end}")
                    print(failed[-1], flush=True)
        seed += 1
    print(f"seeds {arguments.first_seed} to {seed - 1}: {calls} calls, ends: {dict(ends)}, {len(failed)} failures")
    return 1 if failed or not calls else 0


if __name__ == "__main__":
    sys.exit(main())
