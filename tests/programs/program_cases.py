"""Cases of programs.json: real programs of Debian, and how Linux, Glovebox' engine and qemu-user run them.

Fields of a case: name; program (for the table); `sh` (a script for bash) or `argv`; root ("full" unless it says "small"); stdin, or
source (a file of sources/ that is its stdin), or archive (one of make_source.py that is); limits (of boxrun); compare ("output" unless it says "status": for test suites
whose output has times in it); qemu (true: a single process of its own, which qemu-user can run); tier ("ci" with the small
root, else "long").

Linux runs a case in name spaces of its own: the root under an overlay in memory, /proc, /dev, a loopback device. In the box it
is boxrun --root. Both begin with the environment, the directory and the files of a box; neither changes the root.
"""
import collections
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "guests"))
import guest_cases  # noqa: E402
import make_source  # noqa: E402

PATIENCE_S = 3600  # --patience
LIMITS = "mem=1G,disk=1G,output=16M,tasks=2000"

# $0 is an empty directory, $1 the root; the rest is the command. The shell stays, so that the command is not process 1,
# to which signals mean something else.
NATIVE = """
mount -t tmpfs none "$0" && mkdir "$0/upper" "$0/work" "$0/merged" &&
mount -t overlay none -o "lowerdir=$1,upperdir=$0/upper,workdir=$0/work" "$0/merged" &&
mount -t proc none "$0/merged/proc" && mount --rbind /dev "$0/merged/dev" &&
mount -t devpts -o newinstance,ptmxmode=0666 none "$0/merged/dev/pts" && mount --bind "$0/merged/dev/pts/ptmx" "$0/merged/dev/ptmx" &&
mount -t tmpfs none "$0/merged/dev/shm" && busybox ip link set lo up || exit 125
root=$0/merged; shift
%s
chroot "$root" /usr/bin/env -i --default-signal -C /tmp %s "$@"
"""
# qemu-user with what it needs of this machine, at /qemu.
QEMU_FILES = """
mkdir "$root/qemu" && cp %s "$root/qemu/" || exit 125
"""

Run = collections.namedtuple("Run", "status stdout stderr seconds")  # seconds: processor time
Box = collections.namedtuple("Box", "run report")


class Case:
    """One row of programs.json."""

    def __init__(self, row):
        unknown = set(row) - {"name", "program", "sh", "argv", "root", "stdin", "source", "archive", "limits", "compare", "qemu", "tier"}
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
        self.qemu = row.get("qemu", False)
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


def measured(argv, stdin):
    """Runs to the end, with the processor time of all its processes."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source.write(stdin)
        source.seek(0)
        child = subprocess.Popen(argv, stdin=source, stdout=out, stderr=err, umask=0o022, start_new_session=True)
        timer = threading.Timer(PATIENCE_S, lambda: os.killpg(child.pid, signal.SIGKILL))
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


def in_namespaces(root, prepare, argv, stdin):
    environment = " ".join(shlex.quote(f"{name}={value}") for name, value in guest_cases.ENVIRONMENT.items())
    with tempfile.TemporaryDirectory() as scratch:
        chrooted = [] if "/" in guest_cases.mount_points() else ["--propagation", "unchanged"]
        command = ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", *chrooted, "--",
                   "/bin/sh", "-c", NATIVE % (prepare, environment), scratch, str(root), *argv]
        return measured(command, stdin)


def natively(case, root):
    return in_namespaces(root, "", case.argv, case.stdin)


def qemu_files():
    """qemu-x86_64, its libraries and their loader."""
    listed = subprocess.run(["ldd", "/usr/bin/qemu-x86_64"], capture_output=True, text=True, check=True).stdout
    return sorted({path for path in re.findall(r"(/\S+) \(0x", listed)} | {"/usr/bin/qemu-x86_64"})


def by_qemu(case, root):
    files = " ".join(shlex.quote(path) for path in qemu_files())
    loader = next(path for path in qemu_files() if "/ld-linux" in path)
    found = subprocess.run(["chroot", str(root), "/bin/bash", "-c", 'readlink -f "$(command -v "$0")"', case.argv[0]],
                           capture_output=True, text=True, check=True).stdout.strip()
    command = [f"/qemu/{os.path.basename(loader)}", "--library-path", "/qemu", "/qemu/qemu-x86_64", "-0", case.argv[0], found,
               *case.argv[1:]]
    return in_namespaces(root, QEMU_FILES % files, command, case.stdin)


def boxed(boxrun, case, root, extra=()):
    """What the engine makes of it, and boxrun's report; no report where the engine itself failed."""
    with tempfile.TemporaryDirectory() as scratch:
        report = pathlib.Path(scratch) / "report.json"
        limits = ",".join(text for text in (LIMITS, case.limits) if text)
        run = measured([boxrun, "--root", str(root), "--cwd", "/tmp", "--report", str(report), "--stdin", "-",
                        "--limit", limits, *extra, "--", *case.argv], case.stdin)
        run = run._replace(stderr=re.sub(rb"(\A|(?<=\n))boxrun: killed by signal \d+\n\Z", b"", run.stderr))
        return Box(run, json.loads(report.read_text()) if report.exists() else None)
