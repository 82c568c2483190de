#!/usr/bin/env python3
"""Debugging as fast as what: Glovebox' stub alone and through the daemon, gdbserver and `qemu-x86_64 -g`, in one run.

usage: debugger.py BIN_DIRECTORY [--rounds N] [--only NAME,...] [--stubs NAME,...] [--table FILE] [--json FILE]

BIN_DIRECTORY holds boxgdb, glovebox, gloveboxd and glovebox-worker (build/release/bin or build/dev/bin). The programs of
debugged/ are compiled natively; gdb, gdbserver and qemu-user are Debian's. A figure is per second of CPU time of gdb, the
stub and the program together, since gdb waits while they work and they while it does; behind it, of the stub and the program
alone. Those that say `without gdb` come from a client of our own. The best of the rounds counts. --table writes Markdown.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tools")]
import bench  # noqa: E402  the line above makes them importable
import private_home  # noqa: E402
import rsp  # noqa: E402

PATIENCE_S = 300


def family(pid):
    """A process and those that it has made."""
    found = [pid]
    for pid_of_task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [each for child in pid_of_task.read_text().split() for each in family(int(child))]
        except OSError:
            pass
    return found


def cpu_time(pids):
    """CPU seconds of processes and their children, as far as they live."""
    total = 0.0
    for pid in {each for pid in pids for each in family(pid)}:
        try:
            total += time.clock_gettime((~pid << 3) | 2)  # CLOCK_PROCESS_CPUTIME_ID of another: clock_getcpuclockid(3)
        except OSError:
            pass
    return total


# --- the stubs: each starts a program that stands at its first instruction, or joins one that runs ---


class Stub:
    """address: where a debugger connects; pids: whose CPU time counts."""
    label = ""
    setup = ()  # what its users say to gdb first

    def __init__(self, binaries):
        self.binaries = binaries
        self.address = None
        self.pids = []
        self.processes = []

    def spawn(self, command, pattern, **options):
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, **options}
        process = subprocess.Popen(command, stderr=subprocess.PIPE, **options)
        self.processes.append(process)
        text = b""
        while not (found := re.search(pattern, text)):
            line = process.stderr.readline()
            if not line:
                raise RuntimeError(f"{command[0]} ended: {text.decode()}")
            text += line
        return process, found[1].decode()

    def start(self, program, *arguments):
        raise NotImplementedError

    def close(self):
        for process in self.processes:
            process.kill()
            process.communicate()


class Glovebox(Stub):
    label = "glovebox"
    setup = ("set breakpoint always-inserted on",)

    def start(self, program, *arguments):
        libraries = re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout)
        files = [word for file in libraries for word in ("--file", f"{os.path.realpath(file)}:{file}")]
        process, port = self.spawn([str(self.binaries / "boxgdb"), "--listen", "0", *files, "--", str(program), *arguments],
                                   rb"Listening on port (\d+)")
        self.address = f"127.0.0.1:{port}"
        self.pids = [process.pid]


class Service(Stub):
    """The whole way: client, gRPC, daemon, channel, worker."""
    label = "through the daemon"
    setup = Glovebox.setup

    def __init__(self, binaries):
        super().__init__(binaries)
        self.home = private_home.Home(binaries)
        self.home.call("run", "--", "/bin/true")

    def start(self, program, *arguments):
        process, self.address = self.spawn([str(self.binaries / "glovebox"), "run", "--gdb=:0", str(program), *arguments],
                                           rb" at (127\S+)", env=self.home.environment, cwd=self.home.files)
        self.pids = [process.pid, self.home.daemon_pid()]

    def close(self):
        super().close()
        self.home.close()


class Gdbserver(Stub):
    label = "gdbserver"

    def start(self, program, *arguments):
        process, port = self.spawn(["gdbserver", "--once", "127.0.0.1:0", str(program), *arguments], rb"Listening on port (\d+)")
        self.address = f"127.0.0.1:{port}"
        self.pids = [process.pid]

    def close(self):
        for process in self.processes:
            for pid in family(process.pid):
                os.kill(pid, signal.SIGKILL)
        super().close()


class Qemu(Stub):
    label = "qemu"
    setup = ("set can-use-hw-watchpoints 0",)  # it has none: gdb steps then, and compares

    def start(self, program, *arguments):
        self.address = tempfile.mktemp(prefix="gbq", dir="/tmp")
        process = subprocess.Popen(["qemu-x86_64", "-g", self.address, str(program), *arguments], stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.processes.append(process)
        while not os.path.exists(self.address):
            if process.poll() is not None:
                raise RuntimeError("qemu-x86_64 ended")
        self.pids = [process.pid]

    def close(self):
        super().close()
        if self.address and os.path.exists(self.address):
            os.unlink(self.address)


STUBS = {"glovebox": Glovebox, "service": Service, "gdbserver": Gdbserver, "qemu": Qemu}


# --- inside gdb: each returns how many, and what they took ---


class Inside:
    def __init__(self, task):
        import gdb  # pylint: disable=import-error,import-outside-toplevel
        self.gdb = gdb
        self.task = task
        self.run(f"file {task['program']}")
        for command in task["setup"]:
            self.run(command)
        if task["measure"].endswith("_packets"):  # gdb opens it when it connects
            self.run(f"set remotelogfile {task['result']}.log")
        self.run(f"target remote {task['address']}")

    def run(self, command):
        return self.gdb.execute(command, to_string=True)

    def cost(self, what, count):
        before = time.process_time(), cpu_time(self.task["pids"])
        done = what()
        after = time.process_time(), cpu_time(self.task["pids"])
        return {"count": done if isinstance(done, int) else count, "gdb": after[0] - before[0], "stub": after[1] - before[1]}

    def packets(self, what):
        """How many packets gdb sends for it."""
        with open(self.task["result"] + ".log", encoding="latin-1") as log:
            log.seek(0, os.SEEK_END)
            what()
            return sum(line[2:].count("$") for line in log if line.startswith("w "))

    def repeat(self, command, count):
        def body():
            for _ in range(count):
                self.run(command)
        body.__name__ = command
        return body

    def at(self, function):
        self.run(f"tbreak {function}")
        self.run("continue")

    def stepi(self, count):
        self.at("Lines")
        self.repeat("stepi", 30)()
        return self.cost(self.repeat("stepi", count), count)

    def next(self, count):
        self.at("Lines")
        self.repeat("next", 10)()
        return self.cost(self.repeat("next", count), count)

    def next_packets(self, _):
        self.at("Lines")
        self.repeat("next", 10)()
        # That of most lines: one that ends in a jump backwards is two ranges for gdb, and takes two packets more.
        return {"figure": statistics.median(self.packets(self.repeat("next", 1)) for _ in range(15))}

    def conditions(self, count, where):
        self.run(f"set breakpoint condition-evaluation {where}")
        self.at("main")
        self.run(f"break Hit if n == {count}")
        return self.cost(lambda: self.run("continue"), count)

    def conditions_target(self, count):
        return self.conditions(count, "target")

    def conditions_gdb(self, count):
        return self.conditions(count, "host")

    def watch_hits(self, count):
        self.at("Hit")
        self.run("watch counter")
        self.repeat("continue", 5)()
        return self.cost(self.repeat("continue", count), count)

    def block(self):
        value = self.gdb.parse_and_eval("&block")
        return int(value), self.gdb.parse_and_eval("block").type.sizeof

    def read_memory(self, count):
        self.at("Done")
        address, size = self.block()
        inferior = self.gdb.selected_inferior()
        return self.cost(lambda: [inferior.read_memory(address, size) for _ in range(count)] and count * size, count)

    def write_memory(self, count):
        self.at("Done")
        address, size = self.block()
        inferior = self.gdb.selected_inferior()
        data = [bytes(inferior.read_memory(address, size))]
        data.append(data[0][::-1])

        def body():
            for turn in range(count):
                inferior.write_memory(address, data[turn % 2])
            return count * size
        return self.cost(body, count)

    def read_packets(self, _):
        self.at("Done")
        address, _ = self.block()
        return {"figure": self.packets(lambda: self.gdb.selected_inferior().read_memory(address, 65536))}

    def library_packets(self, _):
        self.at("main")
        def body():
            self.run("info sharedlibrary")
        return {"figure": self.packets(body)}

    def watched(self, _):
        """CPU time to the program's end, with a watchpoint of the task's kind or with none."""
        self.at("Ready")
        if self.task["watch"]:
            self.run(f"{self.task['watch']} -location place->watched")
        self.run("break Done")
        result = self.cost(lambda: self.run("continue"), 1)
        if self.gdb.selected_frame().name() != "Done":
            raise RuntimeError("stopped elsewhere")
        return result


def inside():
    task = json.loads(os.environ["DEBUGGER_BENCH"])
    bench_of = Inside(task)
    result = getattr(bench_of, task["measure"])(task["count"])
    pathlib.Path(task["result"]).write_text(json.dumps(result), encoding="ascii")


def with_gdb(stub, program, arguments, measure, count, folder, **more):
    """Runs a measure of Inside in a gdb of its own at a fresh program."""
    stub.start(program, *arguments)
    result = folder / "result.json"
    result.unlink(missing_ok=True)
    task = {"program": str(program), "setup": ["set sysroot /", *stub.setup], "address": stub.address, "pids": stub.pids,
            "measure": measure, "count": count, "result": str(result), **more}
    done = subprocess.run(["gdb", "-nx", "-q", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set confirm off",
                           "-iex", "set width 0", "-x", __file__], env={**os.environ, "DEBUGGER_BENCH": json.dumps(task)},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    if not result.exists():
        raise RuntimeError(f"{stub.label}: {measure}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return json.loads(result.read_text())


# --- what is measured ---


@dataclasses.dataclass
class Row:
    """counts: by stub, as many as take some tenths of a second; 0: the stub cannot."""
    name: str
    unit: str
    run: object
    counts: dict = dataclasses.field(default_factory=dict)
    scale: float = 1.0
    smaller_is_better: bool = False


def rate(measure):
    def run(row, stub, programs, folder, count):
        hits = measure.startswith(("conditions", "watch"))
        got = with_gdb(stub, programs["lines"], [str(count + 40 if hits else 0)], measure, count, folder)
        count = got["count"] * row.scale
        return [count / (got["gdb"] + got["stub"]), count / max(got["stub"], 1e-9)]
    return run


def counted(measure, program):
    def run(_row, stub, programs, folder, count):
        return [with_gdb(stub, programs[program], [], measure, count, folder)["figure"]]
    return run


def slowdown(where, watch):
    """How many times the CPU time that it takes unwatched."""
    def run(_row, stub, programs, folder, count):
        def seconds(command):
            fresh = type(stub)(stub.binaries)
            try:
                return with_gdb(fresh, programs["watched"], [where], "watched", count, folder, watch=command)["stub"]
            finally:
                fresh.close()
        return [seconds(watch) / seconds("")]
    return run


def client_steps(_row, stub, programs, _folder, count):
    stub.start(programs["lines"])
    client = rsp.Client(stub.address)
    action = b"vCont;s"
    client.ask(b"?")
    for _ in range(50):
        client.ask(action)
    before = cpu_time(stub.pids)
    for _ in range(count):
        client.ask(action)
    spent = cpu_time(stub.pids) - before
    client.close()
    return [spent / count * 1e6]


def client_reads(_row, stub, programs, _folder, count):
    """MB/s of CPU time of the stub, read as fast as it can: x where it has it, m else."""
    stub.start(programs["lines"])
    client = rsp.Client(stub.address)
    client.ask(b"?")
    at = [int(line.split()[0], 16) for line in symbols(programs["lines"]) if line.endswith(" _start")][0] & ~0xfff
    packet = next((int(each[11:], 16) for each in client.features if each.startswith("PacketSize=")), 16384)
    letter = "x" if "binary-upload+" in client.features else "m"
    wanted = min(packet // 2 - 16, 60000)
    question = f"{letter}{at:x},{wanted:x}".encode()
    said = rsp.expand(client.ask(question))  # as the others will be
    size = len(said) - 1 if letter == "x" else len(said) // 2
    before = cpu_time(stub.pids)
    for _ in range(count):
        client.ask(question)
    spent = cpu_time(stub.pids) - before
    client.close()
    return [size * count / spent / 1e6]


def symbols(program):
    return subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout.splitlines()


def interrupts(what):
    """The longest of some ^C, in milliseconds of time as it passes."""
    def run(_row, stub, programs, _folder, count):
        stub.start(programs["busy"], what)
        client = rsp.Client(stub.address)
        client.ask(b"?")
        worst = 0.0
        for turn in range(count):
            client.send(b"vCont;c")
            time.sleep(0.05 if turn else 0.3)
            worst = max(worst, client.interrupt())
        client.close()
        return [worst * 1e3]
    return run


def first_prompt(_row, stub, programs, folder, _count):
    """Milliseconds of CPU time, and of time, from the start of gdb to its prompt at a program that runs; symbols by way of the stub."""
    program = str(programs["libraries"])
    after = ["-nx", "-q", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set confirm off"]
    if isinstance(stub, Service):
        running = stub.home.start("run", program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        running.stdout.readline()
        job = json.loads(stub.home.call("job", "ls", "-o", "json").stdout)["jobs"][0]["name"]
        command = [str(stub.binaries / "glovebox"), "gdb", job, *after]
        pids, environment = [running.pid, stub.home.daemon_pid()], stub.home.environment
    elif isinstance(stub, Gdbserver):
        running = subprocess.Popen([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        running.stdout.readline()
        command = ["gdb", *after, "-ex", f"target extended-remote | gdbserver --once --attach - {running.pid}"]
        pids, environment = [], dict(os.environ)
    else:
        return None
    stub.processes.append(running)
    before, started = os.times(), time.monotonic()
    stub_before = cpu_time(pids)
    done = subprocess.run([*command, "-ex", "info symbol $pc", "-ex", "detach"], env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    wall, after_times = time.monotonic() - started, os.times()
    if " in section .text" not in done.stdout:
        raise RuntimeError(done.stdout + done.stderr)
    children = sum(after_times[2:4]) - sum(before[2:4])
    return [wall * 1e3, (children + cpu_time(pids) - stub_before) * 1e3]


def counts(glovebox, service, gdbserver, qemu):
    return dict(zip(STUBS, (glovebox, service, gdbserver, qemu)))


ROWS = [
    Row("stepi", "steps/s", rate("stepi"), counts(2000, 1500, 1500, 1500)),
    Row("stepi without gdb", "µs of the stub", client_steps, counts(20000, 5000, 5000, 5000), smaller_is_better=True),
    Row("next", "lines/s", rate("next"), counts(2000, 1500, 1000, 1000)),
    Row("false condition, in the stub", "hits/s", rate("conditions_target"), counts(2000000, 2000000, 5000, 0)),
    Row("false condition, in gdb", "hits/s", rate("conditions_gdb"), counts(1000, 1000, 1000, 1000)),
    Row("watchpoint hit", "hits/s", rate("watch_hits"), counts(1000, 1000, 1000, 100)),
    Row("reading memory", "MB/s", rate("read_memory"), counts(30, 30, 5, 5), scale=1e-6),
    Row("reading without gdb", "MB/s of the stub", client_reads, counts(2000, 1000, 200, 200)),
    Row("writing memory", "MB/s", rate("write_memory"), counts(30, 30, 5, 5), scale=1e-6),
    Row("packets of a next", "packets", counted("next_packets", "lines"), counts(1, 1, 1, 1), smaller_is_better=True),
    Row("packets of reading 64 KiB", "packets", counted("read_packets", "lines"), counts(1, 1, 1, 1), smaller_is_better=True),
    Row("packets of info sharedlibrary", "packets", counted("library_packets", "libraries"), counts(1, 1, 1, 0), smaller_is_better=True),
    *(Row(f"slow-down: {watch} {where}", "times", slowdown(where, watch), counts(1, 0, 1, 0), smaller_is_better=True)
      for where, watch in (("globals", "watch"), ("globals", "awatch"), ("stack", "watch"), ("stack", "awatch"), ("heap", "watch"),
                           ("text", "watch"))),
    *(Row(f"^C: {what}", "ms", interrupts(what), counts(10, 10, 10, 10), smaller_is_better=True)
      for what in ("spin", "sleep", "stdin", "rep", "calls")),
    Row("first prompt", "ms, and of them CPU", first_prompt, counts(0, 1, 1, 0), smaller_is_better=True),
]


def compile_all(folder):
    programs = {}
    for source in sorted((HERE / "debugged").iterdir()):
        binary = folder / source.stem
        flags = ["g++", "-std=c++20", "-O1"] if source.suffix == ".cc" else ["gcc", "-static", "-O0"]
        subprocess.run([*flags, "-g", "-fno-pie", "-no-pie", str(source), "-o", str(binary)], check=True)
        programs[source.stem] = binary
    return programs


def shown(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def measure(options, folder):
    programs = compile_all(folder)
    table = []
    for row in ROWS:
        if options.only and not any(row.name.startswith(name) for name in options.only):
            continue
        figures = {}
        for name, kind in STUBS.items():
            if name not in options.stubs or not row.counts[name]:
                continue
            rounds = []
            for _ in range(options.rounds):
                stub = kind(options.binaries)
                try:
                    rounds.append(row.run(row, stub, programs, folder, row.counts[name]))
                except (RuntimeError, OSError, EOFError, subprocess.SubprocessError) as error:
                    print(f"{row.name}: {stub.label}: {error}", flush=True)
                finally:
                    stub.close()
            rounds = [each for each in rounds if each]
            if rounds:
                figures[name] = min(rounds) if row.smaller_is_better else max(rounds)
        table.append({"name": row.name, "unit": row.unit, "figures": figures})
        print(f"{row.name:32} {row.unit:20} " + "  ".join(
            f"{STUBS[name].label} " + " / ".join(map(shown, values)) for name, values in figures.items()), flush=True)
    return table


def markdown(table, stubs, cpu, rounds):
    names = [name for name in STUBS if name in stubs]
    lines = ["# Debugging, measured", "",
             f"Made by `tests/bench/debugger.py BIN_DIRECTORY --table FILE` ({cpu}; the best of {rounds} rounds). Two figures in a cell: per "
             "CPU second of gdb, stub and program together / of the stub and the program alone. What they mean: [debugging.md](debugging.md).", "",
             "| what | unit | " + " | ".join(STUBS[name].label for name in names) + " |", "|---|---|" + "---|" * len(names)]
    for row in table:
        cells = [" / ".join(map(shown, row["figures"][name])) if name in row["figures"] else "-" for name in names]
        lines.append(f"| {row['name']} | {row['unit']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=lambda text: text.split(","), help="rows whose names begin so")
    parser.add_argument("--stubs", type=lambda text: text.split(","), default=list(STUBS))
    parser.add_argument("--table", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    for program in ("gdb", "gdbserver", "qemu-x86_64", "gcc", "g++"):
        if not shutil.which(program):
            sys.exit(f"debugger: {program} is missing; run ./dev setup")
    options.binaries = options.binaries.resolve()
    cpu = bench.host_cpu()
    print(f"{cpu}; the best of {options.rounds} rounds; per CPU second of gdb and stub / of the stub and the program alone\n", flush=True)
    with tempfile.TemporaryDirectory() as name:
        table = measure(options, pathlib.Path(name))
    if options.table:
        options.table.write_text(markdown(table, options.stubs, cpu, options.rounds), encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps({"cpu": cpu, "rows": table}, indent=1), encoding="utf-8")
    return 0


if "gdb" in sys.modules:
    inside()
elif __name__ == "__main__":
    sys.exit(main())
