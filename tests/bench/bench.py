#!/usr/bin/env python3
"""Speed as ratios in one run: natively, in Glovebox, under qemu-x86_64, in turn, pinned, in CPU time.

usage: bench.py BIN_DIRECTORY [--rounds N] [--only NAME,...] [--json FILE]

BIN_DIRECTORY holds boxrun, worker_figures, glovebox, gloveboxd and glovebox-worker (build/release/bin or
build/dev/bin); the guests of worker_figures are built beside it. The kernels
are compiled with `gcc -O2 -static`; busybox is Debian's. Glovebox is the engine alone (boxrun), as qemu-user is.
Then, through a daemon of its own: the time from submit to exit of a static hello world on a warm worker; and, without a
daemon (worker_figures), the memory of an idle worker and how soon a cancel reaches a guest.
"""
import argparse
import json
import math
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))
import private_home  # noqa: E402  the line above makes it importable

BUSYBOX = "/bin/busybox"


def programs(folder):
    """Rows: name, argv, stdin file or None."""
    rows = []
    for source in sorted((HERE / "kernels").glob("*.c")):
        binary = folder / source.stem
        subprocess.run(["gcc", "-O2", "-static", "-o", binary, source], check=True)
        rows.append((source.stem, [str(binary)], None))
    text = folder / "text.in"
    text.write_text("".join(f"{i * 2654435761 % 1000003} line {i} of some text\n" for i in range(60000)))
    for name, applet in (("busybox-sha256sum", ["sha256sum"]), ("busybox-gzip", ["gzip", "-c"]),
                         ("busybox-sort", ["sort", "-n"]),
                         ("busybox-awk", ["awk", "{ s += $1; c[$3 % 97]++ } END { print s, length(c) }"])):
        rows.append((name, [BUSYBOX, *applet], text))
    rows.append(("busybox-sh", [BUSYBOX, "sh", "-c", "i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done; echo $i"], None))
    return rows


def cpu_seconds(command, stdin):
    """CPU time of one pinned process and what it wrote; exit status is compared by the caller."""
    with open(stdin or os.devnull, "rb") as source, tempfile.TemporaryFile() as out:
        child = subprocess.Popen(command, stdin=source, stdout=out, stderr=subprocess.DEVNULL,
                                 preexec_fn=lambda: os.sched_setaffinity(0, {max(os.sched_getaffinity(0))}))
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        return usage.ru_utime + usage.ru_stime, child.returncode, out.read()


def measure(binaries, rounds, only):
    table = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for label, argv, stdin in programs(folder):
            if only and label not in only:
                continue
            report = folder / "report.json"
            engines = {
                "native": argv,
                "glovebox": [str(binaries / "boxrun"), "--report", str(report), "--file", f"{argv[0]}:{argv[0]}",
                             *(["--stdin", str(stdin)] if stdin else []), "--", *argv],
                "qemu": ["qemu-x86_64", *argv],
            }
            times = {engine: [] for engine in engines}
            expected = None
            for _ in range(rounds):
                for engine, command in engines.items():
                    seconds, code, output = cpu_seconds(command, stdin)
                    expected = expected or (code, output)
                    if (code, output) != expected:
                        sys.exit(f"{label}: {engine} gives other output (exit {code}): {output[-200:]!r}")
                    times[engine].append(seconds)
            icount = json.loads(report.read_text())["icount"]
            median = {engine: statistics.median(values) for engine, values in times.items()}
            spread = {engine: (max(values) - min(values)) / max(median[engine], 1e-9) for engine, values in times.items()}
            row = {"name": label, "instructions": icount, "seconds": median, "spread": spread,
                   "glovebox_mips": icount / median["glovebox"] / 1e6, "qemu_mips": icount / median["qemu"] / 1e6,
                   "slowdown_native": median["glovebox"] / max(median["native"], 1e-4),
                   "slowdown_qemu": median["glovebox"] / median["qemu"]}
            table.append(row)
            print(f"{label:20} {icount / 1e6:9.1f} M {row['glovebox_mips']:8.0f} {row['qemu_mips']:8.0f} "
                  f"{row['slowdown_native']:8.1f} {row['slowdown_qemu']:8.2f}   "
                  + " ".join(f"{engine} ±{spread[engine] * 50:.0f}%" for engine in engines), flush=True)
    return table


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(value) for value in values))


def service_figures(binaries, rounds):
    """Submit-to-exit of hello world through a warm daemon, and the memory of an idle worker."""
    home = private_home.Home(binaries)
    try:
        hello = home.files / "hello"
        subprocess.run(["gcc", "-O2", "-static", "-o", hello, HERE / "kernels" / "hello.c"], check=True)
        walls = []
        for _ in range(rounds + 1):  # the first one starts the daemon and sends the program
            before = time.monotonic()
            done = home.call("run", str(hello))
            walls.append(time.monotonic() - before)
            if done.stdout != b"hello\n":
                sys.exit(f"hello through the daemon failed: {done}")
        jobs = json.loads(home.call("job", "ls", "--all", "-o", "json").stdout)["jobs"]
        inside = [parse_time(job["endTime"]) - parse_time(job["createTime"]) for job in jobs]
        return {"hello_cli_wall_ms": statistics.median(walls[1:]) * 1e3,
                "hello_create_to_end_ms": statistics.median(inside) * 1e3}
    finally:
        home.close()


def parse_time(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))


def host_cpu():
    with open("/proc/cpuinfo", encoding="ascii") as info:
        return re.search(r"model name\s*: (.*)", info.read())[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", type=lambda text: set(text.split(",")))
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    if not shutil.which("qemu-x86_64"):
        sys.exit("bench: qemu-x86_64 is missing; run ./dev setup")
    options.binaries = options.binaries.resolve()
    cpu = host_cpu()
    print(f"{cpu}; median CPU time of {options.rounds} rounds; MIPS are guest instructions\n")
    print(f"{'program':20} {'guest':>11} {'glovebox':>8} {'qemu':>8} {'vs':>8} {'vs':>8}")
    print(f"{'':20} {'insns':>11} {'MIPS':>8} {'MIPS':>8} {'native':>8} {'qemu':>8}   half spread")
    table = measure(options.binaries, options.rounds, options.only)
    lasting = [row for row in table if row["name"] != "hello"]
    means = {key: geometric_mean([row[key] for row in lasting])
             for key in ("glovebox_mips", "qemu_mips", "slowdown_native", "slowdown_qemu")}
    print(f"{'geometric mean':20} {'':11} {means['glovebox_mips']:8.0f} {means['qemu_mips']:8.0f} "
          f"{means['slowdown_native']:8.1f} {means['slowdown_qemu']:8.2f}   (without hello)")
    service = service_figures(options.binaries, 20)
    print(f"\nhello world through the daemon: {service['hello_create_to_end_ms']:.1f} ms from accepted to ended, "
          f"{service['hello_cli_wall_ms']:.1f} ms for the whole `glovebox run`")
    worker = subprocess.run([options.binaries / "worker_figures", options.binaries / "glovebox-worker",
                             options.binaries.parent / "tests/hostile/guests", "30"], check=True, capture_output=True)
    print(worker.stdout.decode(), end="", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"cpu": cpu, "programs": table, "means": means, "service": service}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
