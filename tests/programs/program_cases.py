"""Cases of programs.json: real programs of Debian, and how Linux, Glovebox' engine and qemu-user run them.

Fields of a case: name; program (for the table); `sh` (a script for bash) or `argv`; root ("full" unless it says "small"); stdin, or
source (a file of sources/ that is its stdin), or archive (one of make_source.py that is); limits (of boxrun); compare ("output" unless it says "status": for test suites
whose output has times in it); chaos (true: --chaos runs it under seeds too; its output stays whoever has the CPU when); tier
("ci" with the small root, else "long").

Linux runs a case in name spaces of its own: the root under an overlay in memory, /proc, /dev, a loopback device; qemu-user
runs all its processes there (enter_root.py). In the box it is boxrun --root. All begin with the environment, the directory and
the files of a box; none changes the root.
"""
import collections
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "guests"))
import guest_cases  # noqa: E402
import make_qemu  # noqa: E402
import make_source  # noqa: E402

PATIENCE_S = 3600  # --patience
LIMITS = "mem=1G,disk=1G,output=16M,tasks=2000"

# $0 is an empty directory, $1 the root; the rest is enter_root.py's.
NATIVE = """
mount -t tmpfs none "$0" && mkdir "$0/upper" "$0/work" "$0/merged" "$0/binfmt" &&
mount -t overlay none -o "lowerdir=$1,upperdir=$0/upper,workdir=$0/work" "$0/merged" &&
mount -t proc none "$0/merged/proc" && mount --rbind /dev "$0/merged/dev" &&
mount -t devpts -o newinstance,ptmxmode=0666 none "$0/merged/dev/pts" && mount --bind "$0/merged/dev/pts/ptmx" "$0/merged/dev/ptmx" &&
mount -t tmpfs none "$0/merged/dev/shm" && busybox ip link set lo up || exit 125
enter=$2; report=$3; shift 3
exec "$enter" "$report" "$0/merged" "$@"
"""

Run = collections.namedtuple("Run", "status stdout stderr seconds")  # seconds: processor time; None where it was not to be had
Box = collections.namedtuple("Box", "run report")


class Case:
    """One row of programs.json."""

    def __init__(self, row):
        unknown = set(row) - {"name", "program", "sh", "argv", "root", "stdin", "source", "archive", "limits", "compare", "chaos", "tier"}
        if unknown or ("sh" in row) == ("argv" in row) or ("stdin" in row and "source" in row):
            raise ValueError(f"case {row.get('name')}: wants sh or argv, stdin or source; does not know {unknown}")
        self.name = row["name"]
        self.program = row["program"]
        self.argv = row.get("argv") or ["/bin/bash", "-c", row["sh"]]
        self.root = row.get("root", "full")
        self.archive = row.get("archive")
        self.text = (HERE / "sources" / row["source"]).read_bytes() if "source" in row else row.get("stdin", "").encode()
        self.limits = row.get("limits", "")
        self.compare = row.get("compare", "output")
        self.chaos = row.get("chaos", False)
        self.tier = row.get("tier", "ci" if self.root == "small" else "long")

    @property
    def stdin(self):
        return make_source.make(self.archive).read_bytes() if self.archive else self.text

    def key(self, run):
        """What has to be equal."""
        return (run.status,) if self.compare == "status" else (run.status, run.stdout, run.stderr)


def load():
    cases = [Case(row) for row in json.loads((HERE / "programs.json").read_text())]
    if len({case.name for case in cases}) != len(cases):
        raise ValueError("programs.json: a name stands there twice")
    return cases


def ran(argv, stdin, patience, pass_fds=()):
    """Runs to the end, or to the end of the patience, with the processor time of it and all that it waited for."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source.write(stdin)
        source.seek(0)
        child = subprocess.Popen(argv, stdin=source, stdout=out, stderr=err, umask=0o022, start_new_session=True, pass_fds=pass_fds)
        timer = threading.Timer(patience, lambda: os.killpg(child.pid, signal.SIGKILL))
        timer.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
        finally:
            timer.cancel()
        code = os.waitstatus_to_exitcode(status)
        child.returncode = code
        out.seek(0)
        err.seek(0)
        return Run(code if code >= 0 else 128 - code, out.read(), err.read(), usage.ru_utime + usage.ru_stime)


def natively(case, root, qemu="", patience=None):
    """What Linux makes of it, or what it makes of it by `qemu` (a path). The processor time is the case's own."""
    chrooted = [] if "/" in guest_cases.mount_points() else ["--propagation", "unchanged"]
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as report:
        run = ran(["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", *chrooted, "--",
                   "/bin/sh", "-c", NATIVE, scratch, str(root), str(HERE / "enter_root.py"), str(report.fileno()), str(qemu),
                   json.dumps(guest_cases.ENVIRONMENT), *case.argv],
                  case.stdin, patience or PATIENCE_S, pass_fds=(report.fileno(),))
        report.seek(0)
        seconds = report.read()
        return run._replace(seconds=float(seconds) if seconds else None)


def by_qemu(case, root, patience):
    return natively(case, root, make_qemu.make(), patience)


def boxed(boxrun, case, root, extra=()):
    """What the engine makes of it, and boxrun's report; no report where the engine itself failed."""
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / "report.json"
        limits = ",".join(text for text in (LIMITS, case.limits) if text)
        run = ran([boxrun, "--root", str(root), "--cwd", "/tmp", "--report", str(report), "--stdin", "-",
                   "--limit", limits, *extra, "--", *case.argv], case.stdin, PATIENCE_S)
        run = run._replace(stderr=re.sub(rb"(\A|(?<=\n))boxrun: killed by signal \d+\n\Z", b"", run.stderr))
        return Box(run, json.loads(report.read_text()) if report.exists() else None)
