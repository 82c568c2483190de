"""Cases of busybox_cases.json: what each one is made of, and how Linux runs it.

A case is a command, its standard input and the files that it finds, below /tmp. Linux runs it in a root that
holds what a box holds: busybox, the files with the box' modes and times, /proc and /dev. What comes out is an Outcome;
the tests beside this file and tests/service/end_to_end_test.py get another one from a box and compare.

Fields of a case: name; `sh` (a script) or `argv` (behind busybox);
stdin (a content); files (path below /tmp to content); tier ("fast" unless it says "ci"); daemon (true: also through the
daemon). A content is a string (latin-1), {"lines": n} (pseudo-random lines), {"repeat": [text, n]}, {"gzip": content},
{"bzip2": content}, {"xz": content}, {"lzma": content}, {"tar": {path: content}} or {"base64": text}.
"""
import base64
import bz2
import collections
import gzip
import io
import json
import lzma
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BUSYBOX = "/bin/busybox"
DIRECTORY = "/tmp"  # where a case runs
PATIENCE_S = 100  # for what must end at all
PATIENCE_UNMOUNTS = 10
# engine/linux/default_root.h: both sides start with it.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "USER": "root",
               "LANG": "C.UTF-8", "TERM": "dumb"}
ROOT_DIRECTORIES = {"bin": 0o755, "dev": 0o755, "etc": 0o755, "proc": 0o755, "root": 0o700, "tmp": 0o1777}
# $0 is the root. Mounts live in a name space of their own and end with it.
ENTER = 'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec unshare --root="$0" --wd=%s -- "$@"' % DIRECTORY

Outcome = collections.namedtuple("Outcome", "status stdout stderr")


def lines(count):
    """Pseudo-random text: the same on every host."""
    state = 12345
    out = []
    for _ in range(count):
        words = []
        for _ in range(1 + state % 7):
            word = ""
            for _ in range(1 + (state >> 8) % 9):
                state = (state * 1103515245 + 12345) & 0x7FFFFFFF
                word += "abcdefghijklmnop"[(state >> 16) % 16]
            words.append(word)
        out.append(" ".join(words))
    return ("\n".join(out) + "\n").encode()


def tar(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, inner in members.items():
            info = tarfile.TarInfo(path)
            data = content(inner)
            info.size, info.mode, info.mtime = len(data), 0o644, 1000000000
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


MAKERS = {
    "lines": lines,
    "repeat": lambda value: value[0].encode("latin-1") * value[1],
    "base64": base64.b64decode,
    "gzip": lambda value: gzip.compress(content(value), mtime=0),
    "bzip2": lambda value: bz2.compress(content(value)),
    "xz": lambda value: lzma.compress(content(value)),
    "lzma": lambda value: lzma.compress(content(value), format=lzma.FORMAT_ALONE),
    "tar": tar,
}


def content(spec):
    """The bytes that a case's content stands for."""
    if isinstance(spec, str):
        return spec.encode("latin-1")
    (kind, value), = spec.items()
    return MAKERS[kind](value)


class Case:
    """One row of busybox_cases.json."""

    def __init__(self, row):
        unknown = set(row) - {"name", "sh", "argv", "stdin", "files", "tier", "daemon"}
        if unknown or ("sh" in row) == ("argv" in row):
            raise ValueError(f"case {row.get('name')}: wants sh or argv; does not know {unknown}")
        self.name = row["name"]
        self.argv = [BUSYBOX, "sh", "-c", row["sh"]] if "sh" in row else [BUSYBOX, *row["argv"]]
        self.tier = row.get("tier", "fast")
        self.daemon = row.get("daemon", False)
        self.stdin_spec = row.get("stdin", "")
        self.file_specs = row.get("files", {})

    def stdin(self):
        return content(self.stdin_spec)

    def write_files(self, directory):
        """Writes the files below `directory`, with the modes and times that they have in a box; returns their paths."""
        for path, spec in self.file_specs.items():
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content(spec))
            target.chmod(0o644)
        for path in sorted(directory.rglob("*"), reverse=True):
            if path.is_dir():
                path.chmod(0o755)
            os.utime(path, (0, 0))
        return list(self.file_specs)


def load():
    rows = json.loads((HERE / "busybox_cases.json").read_text())
    cases = [Case(row) for row in rows]
    if len({case.name for case in cases}) != len(cases):
        raise ValueError("busybox_cases.json: a name stands there twice")
    return cases


def run(argv, stdin, **options):
    """Runs to the end; the status is a shell's: 128+n for a signal."""
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=PATIENCE_S, check=False, **options)
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return Outcome(status, done.stdout, done.stderr)


def natively(case, busybox=BUSYBOX):
    """What Linux makes of it, with the file `busybox` of the host in busybox' place."""
    with tempfile.TemporaryDirectory() as scratch:
        root = pathlib.Path(scratch)
        root.chmod(0o755)
        for name, mode in ROOT_DIRECTORIES.items():
            (root / name).mkdir()
            (root / name).chmod(mode)
        (root / "bin/busybox").write_bytes(pathlib.Path(busybox).read_bytes())
        (root / "bin/busybox").chmod(0o755)
        case.write_files(root / DIRECTORY.lstrip("/"))
        own_user = [] if os.geteuid() == 0 else ["--map-root-user"]
        # In a chroot "/" is no mount point, whose propagation could be changed.
        chrooted = [] if "/" in mount_points() else ["--propagation", "unchanged"]
        command = ["/usr/bin/unshare", "--mount", *chrooted, *own_user, "--", "/bin/sh", "-c", ENTER, str(root)]
        clean = [BUSYBOX, "env", "-i", *(f"{name}={value}" for name, value in ENVIRONMENT.items())]
        try:
            return run([*command, *clean, *case.argv], case.stdin(), umask=0o022)
        finally:
            unmount_below(scratch)


def unmount_below(directory):
    """What came back to us from a mount that a chroot shares must not be there when the directory is removed."""
    for _ in range(PATIENCE_UNMOUNTS):
        points = [point for point in mount_points() if point.startswith(f"{directory}/")]
        if not points:
            return
        # The table is not read at one instant, so that a row of it may be gone already.
        for point in reversed(points):
            subprocess.run(["umount", "--lazy", point], check=False, stderr=subprocess.DEVNULL)
    raise RuntimeError(f"{points} cannot be unmounted")


def mount_points():
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        return [line.split()[4] for line in table]


def without_note(outcome, note):
    """`note` (a pattern) is what a runner says itself, in a last line, of a guest that a signal ended."""
    if outcome.status <= 128:
        return outcome
    return outcome._replace(stderr=re.sub(rb"(\A|(?<=\n))" + note + rb"\n\Z", b"", outcome.stderr))


def difference(name, native, box):
    """Text that shows where two outcomes differ; empty when they are equal."""
    out = []
    for field, expected, actual in zip(Outcome._fields, native, box):
        if expected != actual:
            out.append(f"{name}: {field} natively {short(expected)}\n{' ' * len(name)}  {field} in the box {short(actual)}\n")
    return "".join(out)


def short(value):
    text = repr(value)
    return text if len(text) <= 1500 else f"{text[:1000]}...{text[-400:]} ({len(value)} bytes)"
