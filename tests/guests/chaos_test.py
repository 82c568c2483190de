#!/usr/bin/env python3
"""The world's row `scheduling` = chaos: a racy program comes out differently over the seeds, and each seed repeats itself
exactly; programs that are right stay right.

usage: chaos_test.py BOXRUN RACY RIGHT...
"""

import json
import subprocess
import sys
import tempfile

SEEDS = range(20)


def run(boxrun, program, *options):
    """Output, icount and trace hash of one run; exits where it fails."""
    with tempfile.NamedTemporaryFile("r") as report:
        done = subprocess.run([boxrun, *options, "--report", report.name, "--cwd", "/tmp", "--", program],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{program} {options}: status {done.returncode}\n{done.stdout}{done.stderr}")
        facts = json.load(report)
    return done.stdout, facts["icount"], facts["trace_hash"]


def main():
    boxrun, racy, *right = sys.argv[1:]
    results = set()
    for seed in SEEDS:
        options = ("--world", "scheduling=chaos", "--seed", str(seed))
        once = run(boxrun, racy, *options)
        if run(boxrun, racy, *options) != once:
            sys.exit(f"seed {seed} of {racy} does not repeat itself")
        results.add(once[0])
        for program in right:
            run(boxrun, program, *options)
    if len(results) < len(SEEDS) // 2:
        sys.exit(f"{racy} came out in {len(results)} ways only: {sorted(results)}")
    if run(boxrun, racy, "--seed", "1")[0] != run(boxrun, racy, "--seed", "2")[0]:
        sys.exit(f"the seed moves {racy} without chaos")


if __name__ == "__main__":
    main()
